//===- Errors.cpp - How failures reach the terminal -----------------------===//

#include "tools/tenon/Errors.h"

#include <cstdio>

namespace tenon::tools {

ExitCode exitCodeOf(const Status &status) {
  switch (status.code()) {
  case TENON_OK:
    return kExitOk;
  case TENON_CANCELLED:
    return kExitCancelled;
  case TENON_INTERNAL:
  case TENON_UNAVAILABLE:
  case TENON_RESOURCE_EXHAUSTED:
    return kExitFailed;
  case TENON_INVALID_ARGUMENT:
  case TENON_NOT_FOUND:
  case TENON_OUT_OF_RANGE:
  case TENON_DATA_LOSS:
  case TENON_UNIMPLEMENTED:
    return kExitBadInput;
  }
  return kExitFailed;
}

Status withAdvice(const Status &status, std::string_view advice) {
  if (status.ok())
    return status;
  return Status(status.code(), concat(status.message(), "; ", advice));
}

void printError(const Status &status) {
  if (!status.ok())
    std::fprintf(stderr, "tenon: error: %s\n", status.message().c_str());
}

void printNotice(std::string_view message) {
  std::fprintf(stderr, "tenon: %.*s\n", static_cast<int>(message.size()),
               message.data());
}

} // namespace tenon::tools
