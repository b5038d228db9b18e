//===- Tensor.h - Arguments, results and weights as the caller has them ---===//

#ifndef TENON_RUNTIME_EXEC_TENSOR_H
#define TENON_RUNTIME_EXEC_TENSOR_H

#include "runtime/base/Blocks.h"

#include <cstdint>
#include <functional>
#include <span>

namespace tenon::base {
struct Parameter;
}

namespace tenon::exec {

/// Dense bytes, outermost axis first. Owns nothing, not even the shape.
struct TensorView {
  const void *data = nullptr;
  base::ElementType element = base::ElementType::F32;
  std::span<const int64_t> shape;
};

/// The same, to be written.
struct MutableTensorView {
  void *data = nullptr;
  base::ElementType element = base::ElementType::F32;
  std::span<const int64_t> shape;
};

/// Finds a parameter's bytes by its `source` or `name`. What it returns stays
/// valid as long as the function object, or a copy of it, does.
/// Errors: NOT_FOUND, naming the tensor.
using ParameterLookup =
    std::function<StatusOr<TensorView>(const base::Parameter &)>;

} // namespace tenon::exec
#endif // TENON_RUNTIME_EXEC_TENSOR_H
