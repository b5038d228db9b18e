//===- Tensor.h - What a model computes with --------------------*- C++ -*-===//
//
// A tensor is a handle to a value of the program being traced: copying it
// copies the handle. Nothing is computed while tracing.
//
//   Tensor hidden = silu(linear(x, gate)) * linear(x, up); // [T, F]
//   Tensor y = linear(hidden, down);                       // [T, D]
//
// After an error a tensor is poisoned: it goes through further calls quietly,
// so that tracing goes on and every error is found. `trace` returns them all.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_FRONTEND_DSL_TENSOR_H
#define TENON_FRONTEND_DSL_TENSOR_H

#include "frontend/dsl/Types.h"

namespace tenon {
namespace detail {
class Tracer;
struct Parameter;
struct State;

/// What every handle holds. `value` is an mlir::Value's opaque pointer: user
/// code compiles without MLIR's headers. A parameter or a state becomes a value
/// in each function that uses it.
struct Handle {
  Tracer *tracer = nullptr;
  const void *value = nullptr;
  Parameter *parameter = nullptr;
  State *state = nullptr;
  bool poisoned = false;

  bool isAbsent() const { return !value && !parameter && !state && !poisoned; }
};
} // namespace detail

/// Threads: those of its trace, which is one.
class Tensor {
public:
  /// Makes the absent tensor: what an optional operand is by default.
  Tensor() = default;
  explicit Tensor(detail::Handle handle) : held(handle) {}

  bool isAbsent() const { return held.isAbsent(); }
  bool isPoisoned() const { return held.poisoned; }

  /// The shape, with symbols; [] if absent or poisoned.
  Shape shape() const;
  int64_t rank() const { return shape().rank(); }
  /// One axis; negative numbers count from the end. 1 if there is none, after
  /// noting the error.
  Dim dim(int64_t axis, Site site = Site::current()) const;
  /// The element type; f32 for weights stored in blocks, whose values are f32.
  DType dtype() const;

  /// Casts, unless the element type is `type` already. Blocked weights unpack.
  Tensor to(DType type, Site site = Site::current()) const;

  const detail::Handle &handle() const { return held; }

private:
  detail::Handle held;
};

/// Which sequence and position each token of a ragged batch has. Only rope,
/// attention, caches and sampling look at it.
class Batch {
public:
  Batch() = default;
  explicit Batch(detail::Handle handle) : held(handle) {}
  const detail::Handle &handle() const { return held; }

private:
  detail::Handle held;
};

/// A paged cache of keys or of values: `Module::cache` declares one.
class Cache {
public:
  Cache() = default;
  explicit Cache(detail::Handle handle) : held(handle) {}
  const detail::Handle &handle() const { return held; }

  /// Writes each token's row [heads, width], x: [T, heads, width], at its
  /// position, cast to the cache's element type. Later reads see it.
  void append(const Tensor &x, const Batch &batch,
              Site site = Site::current()) const;

private:
  detail::Handle held;
};

} // namespace tenon
#endif // TENON_FRONTEND_DSL_TENSOR_H
