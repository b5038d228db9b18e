//===- Machine.h - The machine that schedules are made for ------*- C++ -*-===//

#ifndef TENON_TOOLS_MACHINE_H
#define TENON_TOOLS_MACHINE_H

#include "runtime/base/TargetDescription.h"

namespace CLI {
class App;
} // namespace CLI

namespace tenon::tools {

/// How a program's kernels are cut, as the command line says it. Changes no
/// result.
struct ScheduleOptions {
  std::string machine; // "host", "generic" or a file of a description
  std::string tuning;  // a file of `tenon tune`; empty: none
};

/// Declares --machine and --tuning; `options.machine` is the default.
void addScheduleOptions(CLI::App &app, ScheduleOptions &options,
                        const char *group);

/// Identifies a tuning file by its bytes; "none" for an empty path.
/// Errors: NOT_FOUND, UNAVAILABLE.
StatusOr<std::string> tuningDigest(const std::string &path);

/// The description of "host", of "generic", or in a file.
/// Errors: NOT_FOUND (no such file), INVALID_ARGUMENT (names the file and
/// line).
StatusOr<base::TargetDescription> describeMachine(const std::string &name);

} // namespace tenon::tools
#endif // TENON_TOOLS_MACHINE_H
