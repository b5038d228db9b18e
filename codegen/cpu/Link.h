//===- Link.h - Objects to a shared object ----------------------*- C++ -*-===//

#ifndef TENON_CODEGEN_CPU_LINK_H
#define TENON_CODEGEN_CPU_LINK_H

#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include <string>

namespace tenon::codegen::cpu {

/// Links objects of `emitObject` to one shared object, by lld in this process,
/// and returns its bytes. Deterministic: equal objects give equal bytes.
/// Threads: any; calls wait for each other, since lld keeps global state.
/// Errors: INTERNAL (lld's messages; temporary files cannot be written).
absl::StatusOr<std::string> linkShared(absl::Span<const std::string> objects);

} // namespace tenon::codegen::cpu
#endif // TENON_CODEGEN_CPU_LINK_H
