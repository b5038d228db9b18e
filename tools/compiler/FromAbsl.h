//===- FromAbsl.h - The compiler's errors as the runtime's ------*- C++ -*-===//

#ifndef TENON_TOOLS_COMPILER_FROMABSL_H
#define TENON_TOOLS_COMPILER_FROMABSL_H

#include "runtime/base/Status.h"

#include "absl/status/status.h"

namespace tenon::tools {

/// The same code and message; INTERNAL for codes that the runtime has not.
Status fromAbsl(const absl::Status &status);

} // namespace tenon::tools
#endif // TENON_TOOLS_COMPILER_FROMABSL_H
