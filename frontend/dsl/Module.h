//===- Module.h - A tree of parts that own parameters -----------*- C++ -*-===//
//
// A module is a named part of a model with parameters, caches and parts of its
// own. Names join with dots: "layers.0.attention.query.weight".
//
//   struct Mlp : Module {
//     Mlp(Module *parent, std::string_view name, int64_t width, int64_t hidden)
//         : Module(parent, name), up(param("up", {hidden, width})),
//           down(param("down", {width, hidden})) {}
//     Tensor operator()(const Tensor &x) const { // x: [T, D]
//       return linear(silu(linear(x, up)), down);
//     }
//     Tensor up, down;
//   };
//
// A module may be copied and moved: its parameters belong to the tree.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_FRONTEND_DSL_MODULE_H
#define TENON_FRONTEND_DSL_MODULE_H

#include "frontend/dsl/Ops.h"

#include <functional>
#include <memory>
#include <vector>

namespace tenon {
namespace detail {
class ModuleTree;
struct Parameter;
} // namespace detail

struct NamedTensor {
  std::string name;
  Tensor tensor;
};

/// A weight's first values where a model is trained from scratch: normal
/// numbers.
struct Initial {
  double mean = 0;
  double deviation = 0.02;
};
inline constexpr Initial kZeros = {0, 0};
inline constexpr Initial kOnes = {1, 0};

class Module {
public:
  /// Makes a root when `parent` is null; then `name` names the model only.
  /// Owns: the tree lives as long as any of its modules.
  Module(Module *parent, std::string_view name);

  /// "layers.0.attention"; empty for the root.
  const std::string &path() const { return modulePath; }
  detail::ModuleTree &tree() const { return *owner; }

  /// The weights of this module and its parts, in the order of declaration.
  std::vector<NamedTensor> parameters() const;

protected:
  ~Module() = default; // deleted as what it is, never as a Module

  /// Declares a weight. Its element type is the weights file's, if one is given
  /// to `trace`; `type` otherwise.
  /// Errors: noted for `trace`: a name taken; a shape with symbols.
  Tensor param(std::string_view name, const Shape &shape,
               DType type = DType::f32, Site site = Site::current());
  Tensor param(std::string_view name, const Shape &shape, Initial initial,
               Site site = Site::current());

  /// Declares a tensor that lives across calls, zeros at first, which `assign`
  /// changes: a count of steps, an optimiser's moments.
  /// Errors: as `param`.
  Tensor variable(std::string_view name, const Shape &shape,
                  DType type = DType::f32, Site site = Site::current());

  /// Declares a cache of rows [heads, width] that lives across calls.
  /// Errors: noted for `trace`: a name taken; a width that is not whole blocks
  /// of 32 elements of q8_0.
  Cache cache(std::string_view name, CacheLayout layout, int64_t heads,
              int64_t width, CacheElement element = CacheElement::f32,
              Site site = Site::current());

private:
  friend class Adapters; // which declares weights that no file need have
  Tensor declare(std::string_view name, detail::Parameter parameter);

  std::string modulePath;
  std::shared_ptr<detail::ModuleTree> owner;
};

namespace detail {
/// Traces `body` into a function of its own; see `outline`.
Tensor outlined(const Module &module, const std::function<Tensor()> &body,
                Site site);
} // namespace detail

/// Makes a module's call a function of its own, so that equal layers become
/// one: whatever the body uses from outside, weights and caches too, becomes an
/// argument of the function. The body returns one tensor.
///
///   for (const Layer &layer : layers)
///     x = outline(layer)(x, batch);
template <typename M>
auto outline(const M &module, Site site = Site::current()) {
  return [&module, site](const auto &...arguments) {
    return detail::outlined(module, [&] { return module(arguments...); }, site);
  };
}

} // namespace tenon
#endif // TENON_FRONTEND_DSL_MODULE_H
