//===- FromAbsl.cpp - The compiler's errors as the runtime's --------------===//

#include "tools/compiler/FromAbsl.h"

namespace tenon::tools {

Status fromAbsl(const absl::Status &status) {
  if (status.ok())
    return Status();
  auto code = [&] {
    switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kFailedPrecondition:
      return TENON_INVALID_ARGUMENT;
    case absl::StatusCode::kNotFound:
      return TENON_NOT_FOUND;
    case absl::StatusCode::kUnavailable:
      return TENON_UNAVAILABLE;
    case absl::StatusCode::kOutOfRange:
      return TENON_OUT_OF_RANGE;
    case absl::StatusCode::kResourceExhausted:
      return TENON_RESOURCE_EXHAUSTED;
    case absl::StatusCode::kDataLoss:
      return TENON_DATA_LOSS;
    case absl::StatusCode::kUnimplemented:
      return TENON_UNIMPLEMENTED;
    case absl::StatusCode::kCancelled:
      return TENON_CANCELLED;
    default:
      return TENON_INTERNAL;
    }
  };
  return Status(code(), std::string(status.message()));
}

} // namespace tenon::tools
