//===- Status.cpp - The runtime's error value and its C face --------------===//

#include "runtime/base/Status.h"

// The C API's opaque struct is the C++ value itself.
struct tenon_status {
  tenon::Status value;
};

namespace tenon {

Status Status::withContext(std::string_view context) const {
  if (ok())
    return *this;
  return Status(errorCode, concat(context, ": ", text));
}

std::string Status::toString() const {
  if (ok())
    return "OK";
  return concat(tenon_status_code_name(errorCode), ": ", text);
}

std::ostream &operator<<(std::ostream &os, const Status &status) {
  return os << status.toString();
}

tenon_status_t toC(Status status) {
  if (status.ok())
    return nullptr;
  return new tenon_status{std::move(status)};
}

Status fromC(tenon_status_t status) {
  if (!status)
    return Status();
  Status value = std::move(status->value);
  tenon_status_free(status);
  return value;
}

} // namespace tenon

tenon_status_code_t tenon_status_code(tenon_status_t status) {
  return status ? status->value.code() : TENON_OK;
}

const char *tenon_status_message(tenon_status_t status) {
  return status ? status->value.message().c_str() : "";
}

const char *tenon_status_code_name(tenon_status_code_t code) {
  switch (code) {
  case TENON_OK:
    return "OK";
  case TENON_INVALID_ARGUMENT:
    return "INVALID_ARGUMENT";
  case TENON_NOT_FOUND:
    return "NOT_FOUND";
  case TENON_UNAVAILABLE:
    return "UNAVAILABLE";
  case TENON_OUT_OF_RANGE:
    return "OUT_OF_RANGE";
  case TENON_RESOURCE_EXHAUSTED:
    return "RESOURCE_EXHAUSTED";
  case TENON_DATA_LOSS:
    return "DATA_LOSS";
  case TENON_UNIMPLEMENTED:
    return "UNIMPLEMENTED";
  case TENON_INTERNAL:
    return "INTERNAL";
  case TENON_CANCELLED:
    return "CANCELLED";
  }
  return "UNKNOWN";
}

void tenon_status_free(tenon_status_t status) { delete status; }
