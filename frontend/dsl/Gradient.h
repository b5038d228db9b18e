//===- Gradient.h - Gradients, and tensors that calls change ----*- C++ -*-===//
//
//   std::vector<NamedTensor> weights = model.parameters();
//   LossAndGradients step = lossAndGradients(model, [&] {
//     return mean(crossEntropy(model(tokens, batch), targets));
//   }, tensorsOf(weights));
//   for (size_t i = 0; i < weights.size(); ++i)
//     assign(weights[i].tensor,
//            weights[i].tensor - rate * step.gradients[i]);
//
// A weight that is assigned must be one that `TraceOptions::trained` names.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_FRONTEND_DSL_GRADIENT_H
#define TENON_FRONTEND_DSL_GRADIENT_H

#include "frontend/dsl/Module.h"

namespace tenon {

struct LossAndGradients {
  Tensor loss;                   ///< f32, of rank 0
  std::vector<Tensor> gradients; ///< of each tensor's shape and type
};

/// The tensors alone.
std::vector<Tensor> tensorsOf(const std::vector<NamedTensor> &named);

/// Calls `loss`, which returns an f32 of rank 0, in a function of its own, and
/// differentiates it with respect to `of`: weights and variables, or tensors of
/// the entry. What the loss does not depend on has a gradient of zeros. Inside,
/// attention reads the keys and values of this call's tokens, and no cache.
/// Errors: noted for `trace`: a loss of another type; something on the way to
///         it that has no gradient.
LossAndGradients lossAndGradients(const Module &module,
                                  const std::function<Tensor()> &loss,
                                  const std::vector<Tensor> &of,
                                  Site site = Site::current());

using Forwards = std::function<Tensor(const std::vector<Tensor> &inputs)>;
using Backwards = std::function<std::vector<Tensor>(
    const std::vector<Tensor> &inputs, const Tensor &result,
    const Tensor &gradient)>;

/// Calls `forward` on the inputs in a function of its own, whose gradients are
/// what `adjoint` returns, whatever its ops are: one for each f32 input, of its
/// shape, from the inputs, the result and the gradient of the result.
///
///   // Rounded, with the gradient of what is rounded.
///   Tensor y = withAdjoint(
///       model, {x},
///       [](const std::vector<Tensor> &in) { return roundEven(in[0]); },
///       [](const auto &in, const Tensor &y, const Tensor &gradient) {
///         return std::vector{gradient};
///       });
///
/// Weights that are not trained may be read besides. Errors: noted for `trace`:
/// a function that uses other tensors; inputs that are the same; another number
/// of gradients, or of another shape.
Tensor withAdjoint(const Module &module, const std::vector<Tensor> &inputs,
                   const Forwards &forward, const Backwards &adjoint,
                   Site site = Site::current());

/// What a function returns for its adjoint: its result, and what else that
/// reads.
struct Kept {
  Tensor result;
  std::vector<Tensor> others;
};
using KeepingForwards = std::function<Kept(const std::vector<Tensor> &inputs)>;
using KeptBackwards = std::function<std::vector<Tensor>(
    const std::vector<Tensor> &inputs, const Kept &kept,
    const Tensor &gradient)>;

/// The same, where gradients are asked, by `keeping` in place of `forward`,
/// which gives the same result and keeps what the adjoint reads.
Tensor withAdjoint(const Module &module, const std::vector<Tensor> &inputs,
                   const Forwards &forward, const KeepingForwards &keeping,
                   const KeptBackwards &adjoint, Site site = Site::current());

/// Makes `value` what a trained weight or a variable holds from here on, in
/// this call and in later ones. Read it before, not after, through a tensor
/// that was computed from it as a view. Errors: noted for `trace`: another
/// type; a tensor that does not live across
///         calls; a call inside an outlined module, a loop or a branch.
void assign(const Tensor &variable, const Tensor &value,
            Site site = Site::current());

/// Assigns to all `variables` what `body` returns, one for each. The body
/// becomes a function of its own, so that updates of equal shapes are compiled
/// once, and changes the variables in place where it reads each of them element
/// by element.
/// Errors: noted for `trace`: as `assign`; another number of values.
void update(const Module &module, const std::vector<Tensor> &variables,
            const std::function<std::vector<Tensor>()> &body,
            Site site = Site::current());

} // namespace tenon
#endif // TENON_FRONTEND_DSL_GRADIENT_H
