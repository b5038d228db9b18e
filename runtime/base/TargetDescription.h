//===- TargetDescription.h - The machine that schedules are for -*- C++ -*-===//
//
// What the compiler's analytic model reads beside a kernel: how many threads
// share its tiles and what their caches hold. Schedules never change a result,
// so a program made for one machine is right on every other. As text:
//
//   threads 2
//   l1_bytes 32768
//   l2_bytes 1048576
//   l3_bytes 33554432
//
//===----------------------------------------------------------------------===//

#ifndef TENON_RUNTIME_BASE_TARGETDESCRIPTION_H
#define TENON_RUNTIME_BASE_TARGETDESCRIPTION_H

#include "runtime/base/Status.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace tenon::base {

/// A machine; by default the generic one, a small server of some years ago.
struct TargetDescription {
  int64_t threads = 2;
  int64_t l1Bytes = 32 << 10; // of data, of one core
  int64_t l2Bytes = 1 << 20;  // of one core
  int64_t l3Bytes = 32 << 20; // of all cores
  bool operator==(const TargetDescription &) const = default;
};

/// The text of `parseTargetDescription`, a line for each field.
std::string print(const TargetDescription &description);

/// Reads lines of a field and its number; fields that no line names are the
/// generic machine's. Empty lines and what follows a # are skipped.
/// Errors: INVALID_ARGUMENT (names the line).
StatusOr<TargetDescription> parseTargetDescription(std::string_view text);

} // namespace tenon::base
#endif // TENON_RUNTIME_BASE_TARGETDESCRIPTION_H
