//===- CustomAdjoint.cpp - Functions with adjoints of the user's own ------===//

#include "frontend/dsl/Gradient.h"
#include "frontend/dsl/Tracer.h"
#include "ir/tn/Adjoint.h"

using namespace mlir;

namespace tenon {
namespace detail {

/// The weights that the function being traced reads beside its first
/// `declared` arguments, in the order of theirs; nothing if it reads anything
/// else, or a weight that is trained.
std::optional<std::vector<Parameter *>>
Tracer::weightsBeside(size_t declared) const {
  const Frame &frame = frames.back();
  std::vector<Parameter *> weights(frame.operands.size() - declared);
  for (auto [parameter, value] : frame.parameters) {
    size_t number = cast<BlockArgument>(value).getArgNumber();
    if (number >= declared && !parameter->isState)
      weights[number - declared] = parameter;
  }
  if (llvm::is_contained(weights, nullptr))
    return std::nullopt;
  return weights;
}

/// Traces a function of `inputs`, then of `weights`, which gets those it reads
/// itself. Nothing after an error.
std::optional<Tracer::CustomFunction>
Tracer::traceCustom(const std::string &path, const Tensors &inputs,
                    std::vector<Parameter *> &weights, bool isFirst,
                    const std::function<Kept(const Tensors &)> &body,
                    Site site) {
  push(uniqueName(frames.front().function.getName().str() + ".custom"), path,
       site);
  opBuilder.setInsertionPointToEnd(frames.back().block);
  Tensors own;
  for (const Tensor &input : inputs) // which become arguments, in this order
    if (Value value = resolve(input.handle(), site))
      own.push_back(Tensor(wrap(value)));
  for (Parameter *weight : weights)
    parameterValue(frames.size() - 1, *weight);
  size_t declared = inputs.size() + weights.size();
  SmallVector<Value> results;
  if (own.size() == inputs.size()) {
    Kept made = body(own);
    results.push_back(resolve(made.result.handle(), site));
    for (const Tensor &other : made.others)
      results.push_back(resolve(other.handle(), site));
  }
  auto beside = frames.back().operands.size() >= declared
                    ? weightsBeside(declared)
                    : std::nullopt;
  if (!beside || (!isFirst && !beside->empty()))
    error(site,
          "withAdjoint expects a function of its inputs, each given once, "
          "and of weights that are not trained");
  if (!beside || results.empty() || llvm::is_contained(results, Value())) {
    dropFunction();
    return std::nullopt;
  }
  weights.insert(weights.end(), beside->begin(), beside->end());
  finishFunction(results, site);
  CustomFunction made{frames.back().function, frames.back().operands};
  pop();
  return made;
}

func::FuncOp Tracer::traceAdjoint(func::FuncOp forward, size_t inputCount,
                                  const std::vector<Parameter *> &weights,
                                  const std::string &path,
                                  const KeptBackwards &adjoint, Site site) {
  push(uniqueName(forward.getName().str() + ".adjoint"), path, site);
  Block *block = frames.back().block;
  opBuilder.setInsertionPointToEnd(block);
  auto argument = [&](Type type) {
    return Tensor(wrap(block->addArgument(type, location(site))));
  };
  Tensors inputs;
  SmallVector<Type> expected, ofWeights;
  for (auto [i, type] : llvm::enumerate(forward.getArgumentTypes())) {
    Tensor own = argument(type);
    auto tensor = cast<RankedTensorType>(type);
    bool isInput = i < inputCount;
    if (isInput)
      inputs.push_back(own);
    else
      frames.back().parameters[weights[i - inputCount]] =
          block->getArguments().back();
    if (isa<FloatType>(tensor.getElementType()))
      (isInput ? expected : ofWeights).push_back(ir::gradientType(tensor));
  }
  Kept kept;
  for (auto [i, type] : llvm::enumerate(forward.getResultTypes()))
    (i ? kept.others.emplace_back() : kept.result) = argument(type);
  auto resultType = cast<RankedTensorType>(forward.getResultTypes().front());
  Tensor gradient = argument(ir::gradientType(resultType));
  SmallVector<Value> made;
  for (const Tensor &each : adjoint(inputs, kept, gradient))
    if (Value value = resolve(each.handle(), site))
      made.push_back(value);
  if (!frames.back().operands.empty() ||
      TypeRange(ValueRange(made)) != TypeRange(expected)) {
    error(site, "withAdjoint expects a gradient of each input's shape, made of "
                "the inputs, the result and its gradient alone");
    dropFunction();
    return {};
  }
  for (Type type : ofWeights) // which nothing asks for
    made.push_back(zeros(type, site));
  finishFunction(made, site);
  func::FuncOp traced = frames.back().function;
  pop();
  return traced;
}

Value Tracer::zeros(Type type, Site site) {
  auto tensor = cast<RankedTensorType>(type);
  auto scalar = RankedTensorType::get({}, tensor.getElementType());
  auto zero = DenseElementsAttr::get(
      scalar, opBuilder.getFloatAttr(tensor.getElementType(), 0));
  Value made = ir::ConstantOp::create(opBuilder, location(site), scalar, zero);
  return ir::BroadcastOp::create(opBuilder, location(site), tensor, made);
}

Tensor Tracer::withAdjoint(const std::string &path, const Tensors &inputs,
                           const Forwards &forward,
                           const KeepingForwards &keeping,
                           const KeptBackwards &adjoint, Site site) {
  if (frames.empty())
    return Tensor(poisoned());
  std::vector<Parameter *> weights;
  auto plain = traceCustom(
      path, inputs, weights, /*isFirst=*/true,
      [&](const Tensors &own) { return Kept{forward(own), {}}; }, site);
  if (!plain)
    return Tensor(poisoned());
  auto kept = plain;
  if (keeping)
    kept = traceCustom(path, inputs, weights, /*isFirst=*/false, keeping, site);
  if (!kept)
    return Tensor(poisoned());
  func::FuncOp traced =
      traceAdjoint(kept->function, inputs.size(), weights, path, adjoint, site);
  if (!traced)
    return Tensor(poisoned());
  plain->function->setAttr(ir::kAdjointAttr, FlatSymbolRefAttr::get(traced));
  if (keeping)
    plain->function->setAttr(ir::kForwardAttr,
                             FlatSymbolRefAttr::get(kept->function));
  auto call = func::CallOp::create(opBuilder, location(site), plain->function,
                                   plain->operands);
  return Tensor(wrap(call.getResult(0)));
}
} // namespace detail

Tensor withAdjoint(const Module &module, const std::vector<Tensor> &inputs,
                   const Forwards &forward, const KeepingForwards &keeping,
                   const KeptBackwards &adjoint, Site site) {
  if (detail::Tracer *tracer = module.tree().tracer)
    return tracer->withAdjoint(module.path(), inputs, forward, keeping, adjoint,
                               site);
  module.tree().error(site, "withAdjoint expects to be called while tracing");
  return Tensor();
}

Tensor withAdjoint(const Module &module, const std::vector<Tensor> &inputs,
                   const Forwards &forward, const Backwards &adjoint,
                   Site site) {
  return withAdjoint(
      module, inputs, forward, {},
      [&](const std::vector<Tensor> &in, const Kept &kept,
          const Tensor &gradient) {
        return adjoint(in, kept.result, gradient);
      },
      site);
}

} // namespace tenon
