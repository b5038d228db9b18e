//===- Status.h - The runtime's error value ------------------------------===//
//
// A failure is a code of the C API and a message that says what was expected,
// what came, and where. Nothing in the runtime throws.
//
//   StatusOr<int64_t> parse(std::string_view text);
//
//   Status load(std::string_view text) {
//     TENON_ASSIGN_OR_RETURN(int64_t rows, parse(text));
//     if (rows < 1)
//       return invalidArgument("expects at least 1 row, got ", rows);
//     return Status();
//   }
//
//===----------------------------------------------------------------------===//

#ifndef TENON_BASE_STATUS_H
#define TENON_BASE_STATUS_H

#include "tenon/status.h"

#include <cassert>
#include <optional>
#include <ostream>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>

namespace tenon {

/// A code and, unless it is TENON_OK, a message.
/// Threads: a value; share it as you would a string.
class [[nodiscard]] Status {
public:
  /// Makes success.
  Status() = default;

  /// Makes a failure. `code` must not be TENON_OK.
  Status(tenon_status_code_t code, std::string message)
      : errorCode(code), text(std::move(message)) {
    assert(code != TENON_OK && "success carries no message");
  }

  bool ok() const { return errorCode == TENON_OK; }
  tenon_status_code_t code() const { return errorCode; }
  const std::string &message() const { return text; }

  /// Returns the same failure with `context` and ": " before its message;
  /// success is returned unchanged.
  Status withContext(std::string_view context) const;

  /// Returns "DATA_LOSS: message", or "OK".
  std::string toString() const;

private:
  tenon_status_code_t errorCode = TENON_OK;
  std::string text;
};

/// Prints toString(), so that gtest and logs show failures readably.
std::ostream &operator<<(std::ostream &os, const Status &status);

/// Moves a status over the C API's border.
/// Owns: the caller owns the result, NULL for success.
tenon_status_t toC(Status status);

/// Takes a C status, which is freed, back into a value.
Status fromC(tenon_status_t status);

/// Joins the parts as an ostream would print them.
template <typename... Parts> std::string concat(const Parts &...parts) {
  std::ostringstream os;
  (os << ... << parts);
  return std::move(os).str();
}

/// Each makes a failure of its code from the message's parts.
template <typename... Parts> Status invalidArgument(const Parts &...parts) {
  return Status(TENON_INVALID_ARGUMENT, concat(parts...));
}
template <typename... Parts> Status notFound(const Parts &...parts) {
  return Status(TENON_NOT_FOUND, concat(parts...));
}
template <typename... Parts> Status unavailable(const Parts &...parts) {
  return Status(TENON_UNAVAILABLE, concat(parts...));
}
template <typename... Parts> Status outOfRange(const Parts &...parts) {
  return Status(TENON_OUT_OF_RANGE, concat(parts...));
}
template <typename... Parts> Status resourceExhausted(const Parts &...parts) {
  return Status(TENON_RESOURCE_EXHAUSTED, concat(parts...));
}
template <typename... Parts> Status dataLoss(const Parts &...parts) {
  return Status(TENON_DATA_LOSS, concat(parts...));
}
template <typename... Parts> Status unimplemented(const Parts &...parts) {
  return Status(TENON_UNIMPLEMENTED, concat(parts...));
}
template <typename... Parts> Status internalError(const Parts &...parts) {
  return Status(TENON_INTERNAL, concat(parts...));
}
template <typename... Parts> Status cancelled(const Parts &...parts) {
  return Status(TENON_CANCELLED, concat(parts...));
}

/// A value, or the failure that stands in its place.
template <typename T> class [[nodiscard]] StatusOr {
public:
  /// Both are implicit, so that a function can return either.
  StatusOr(Status status) : failure(std::move(status)) {
    assert(!failure.ok() && "success needs a value");
  }
  StatusOr(T value) : held(std::move(value)) {}

  bool ok() const { return held.has_value(); }
  const Status &status() const { return failure; }

  /// The value; it must be there.
  T &operator*() & { return checked(), *held; }
  const T &operator*() const & { return checked(), *held; }
  T &&operator*() && { return checked(), std::move(*held); }
  T *operator->() { return checked(), &*held; }
  const T *operator->() const { return checked(), &*held; }

private:
  void checked() const { assert(ok() && "value of a failed StatusOr"); }

  std::optional<T> held;
  Status failure;
};

} // namespace tenon

#define TENON_STATUS_JOIN_INNER(a, b) a##b
#define TENON_STATUS_JOIN(a, b) TENON_STATUS_JOIN_INNER(a, b)

/// Returns the failure of `expression`, a Status, from this function.
#define TENON_RETURN_IF_ERROR(expression)                                      \
  do {                                                                         \
    if (::tenon::Status statusOfCall = (expression); !statusOfCall.ok())       \
      return statusOfCall;                                                     \
  } while (false)

/// Assigns the value of `expression`, a StatusOr, to `target`, which may be a
/// declaration; returns its failure from this function.
#define TENON_ASSIGN_OR_RETURN(target, expression)                             \
  TENON_ASSIGN_OR_RETURN_AS(TENON_STATUS_JOIN(statusOr, __LINE__), target,     \
                            expression)
#define TENON_ASSIGN_OR_RETURN_AS(name, target, expression)                    \
  auto name = (expression);                                                    \
  if (!name.ok())                                                              \
    return name.status();                                                      \
  target = *std::move(name)

#endif // TENON_BASE_STATUS_H
