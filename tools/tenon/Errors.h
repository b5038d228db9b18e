//===- Errors.h - How failures reach the terminal ---------------*- C++ -*-===//

#ifndef TENON_TOOLS_ERRORS_H
#define TENON_TOOLS_ERRORS_H

#include "runtime/base/Status.h"

#include <string_view>

namespace tenon::tools {

/// What the process returns to its caller.
enum ExitCode : int {
  kExitOk = 0,
  kExitFailed = 1,      // ours, or the machine's: disk, memory, processor
  kExitBadInput = 2,    // a file, a prompt or an option
  kExitCancelled = 130, // 128 + SIGINT, as shells count
};

ExitCode exitCodeOf(const Status &status);

/// Adds what the reader can do about a failure: "<message>; <advice>".
Status withAdvice(const Status &status, std::string_view advice);

/// Prints "tenon: error: <message>" to stderr; nothing for success.
void printError(const Status &status);

/// Prints "tenon: <message>" to stderr: something worth knowing that is no
/// failure.
void printNotice(std::string_view message);

} // namespace tenon::tools
#endif // TENON_TOOLS_ERRORS_H
