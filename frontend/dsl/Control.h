//===- Control.h - Loops and branches of a program --------------*- C++ -*-===//
//
//   // Doubles x until it is 100, at most 10 times.
//   auto [y, trips] = whileLoop(
//       std::array{x, zero}, /*limit=*/10,
//       [](const Tensor &y, const Tensor &) { return y < 100.0; },
//       [](const Tensor &y, const Tensor &trips) {
//         return std::array{y + y, trips + 1.0};
//       });
//   Tensor z = ifElse(y < 200.0, [&] { return y; }, [&] { return y - 1.0; });
//
// The program decides, not the C++ that traces it: each function is called
// once. It sees every value around it; what it makes is known outside by its
// results alone. Caches that it changes stay changed. Conditions are i1 of
// rank 0.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_FRONTEND_DSL_CONTROL_H
#define TENON_FRONTEND_DSL_CONTROL_H

#include "frontend/dsl/Tensor.h"

#include <array>
#include <functional>
#include <tuple>
#include <vector>

namespace tenon {
namespace detail {
using Tensors = std::vector<Tensor>;
using LoopCondition = std::function<Tensor(const Tensors &)>;
using LoopBody = std::function<Tensors(const Tensors &)>;
using Branch = std::function<Tensors()>;

Tensors traceWhile(const Tensors &initial, int64_t limit,
                   const LoopCondition &condition, const LoopBody &body,
                   Site site);
Tensors traceIf(const Tensor &condition, const Branch &then,
                const Branch &otherwise, size_t results, Site site);
/// `value`, in the memory of `carried`, which a loop's body was given and
/// nothing reads afterwards: what is large is not copied then.
Tensor carriedInPlace(const Tensor &carried, const Tensor &value, Site site);

/// Calls a function of `N` tensors with those of a list.
template <size_t N, typename F>
auto callWith(const F &function, const Tensors &tensors) {
  return [&]<size_t... I>(std::index_sequence<I...>) {
    return function(tensors[I]...);
  }(std::make_index_sequence<N>());
}

template <size_t N> std::array<Tensor, N> toArray(const Tensors &tensors) {
  std::array<Tensor, N> result;
  for (size_t i = 0; i < N; ++i)
    result[i] = tensors[i];
  return result;
}

template <size_t N> Tensors toTensors(const std::array<Tensor, N> &tensors) {
  return Tensors(tensors.begin(), tensors.end());
}
inline Tensors toTensors(const Tensor &tensor) { return {tensor}; }
} // namespace detail

/// Carries tensors through `body`, from `initial` on, while `condition` of them
/// holds, `limit` times at most. Shapes and element types stay.
/// Errors: noted for `trace`: another type than before; a condition that is no
///         i1 of rank 0; a cache that the condition changes.
template <size_t N, typename Condition, typename Body>
std::array<Tensor, N> whileLoop(const std::array<Tensor, N> &initial,
                                int64_t limit, const Condition &condition,
                                const Body &body, Site site = Site::current()) {
  return detail::toArray<N>(detail::traceWhile(
      detail::toTensors(initial), limit,
      [&](const detail::Tensors &carried) -> Tensor {
        return detail::callWith<N>(condition, carried);
      },
      [&](const detail::Tensors &carried) {
        std::array<Tensor, N> next = detail::callWith<N>(body, carried);
        return detail::toTensors(next);
      },
      site));
}

/// The results of `then` where the condition holds, of `otherwise` where not:
/// a tensor each, or arrays of equal length. Types are equal.
template <typename Then, typename Otherwise>
auto ifElse(const Tensor &condition, const Then &then,
            const Otherwise &otherwise, Site site = Site::current()) {
  using Result = std::remove_cvref_t<std::invoke_result_t<Then>>;
  auto trace = [&](size_t results) {
    return detail::traceIf(
        condition, [&] { return detail::toTensors(Result(then())); },
        [&] { return detail::toTensors(Result(otherwise())); }, results, site);
  };
  if constexpr (std::is_same_v<Result, Tensor>)
    return trace(1)[0];
  else
    return detail::toArray<std::tuple_size_v<Result>>(
        trace(std::tuple_size_v<Result>));
}

} // namespace tenon
#endif // TENON_FRONTEND_DSL_CONTROL_H
