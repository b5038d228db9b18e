//===- Gradient.cpp - Gradients, and tensors that calls change ------------===//

#include "frontend/dsl/Gradient.h"

#include "frontend/dsl/Tracer.h"
#include "ir/tn/Linear.h"

using namespace mlir;

namespace tenon {
namespace detail {

Tensors Tracer::gradients(const std::string &path,
                          const std::function<Tensor()> &loss,
                          const Tensors &of, Site site) {
  Tensors failed(1 + of.size(), Tensor(poisoned()));
  std::string entry = frames.front().function.getName().str();
  push(uniqueName(entry + ".loss"), path, site);
  frames.back().isDifferentiated = true;
  opBuilder.setInsertionPointToEnd(frames.back().block);
  Value result = resolve(loss().handle(), site);
  // Those that the loss does not read become arguments that it ignores.
  SmallVector<std::pair<int64_t, size_t>> numbers; // argument, place in `of`
  for (auto [i, tensor] : llvm::enumerate(of)) {
    auto argument =
        dyn_cast_or_null<BlockArgument>(resolve(tensor.handle(), site));
    if (!argument)
      result = {};
    else
      numbers.push_back({argument.getArgNumber(), i});
  }
  Type scalar = RankedTensorType::get({}, opBuilder.getF32Type());
  if (result && result.getType() != scalar) {
    error(site, "lossAndGradients expects a loss of f32 and rank 0");
    result = {};
  }
  if (!result) {
    dropFunction();
    return failed;
  }
  finishFunction(result, site);
  func::FuncOp function = frames.back().function;
  SmallVector<Value> operands = frames.back().operands;
  pop();
  llvm::sort(numbers);
  SmallVector<int64_t> wrt;
  SmallVector<Type> types = {scalar};
  for (auto [number, place] : numbers) {
    wrt.push_back(number);
    types.push_back(operands[number].getType());
  }
  auto op = ir::GradientOp::create(opBuilder, location(site), types,
                                   function.getName(), wrt, operands);
  Tensors made(1 + of.size());
  made[0] = Tensor(wrap(op.getResult(0)));
  for (auto [i, number] : llvm::enumerate(numbers))
    made[1 + number.second] = Tensor(wrap(op.getResult(1 + i)));
  return made;
}

/// Whether `now` may become what `parameter` holds; notes the error if not.
bool Tracer::checkAssigned(Parameter &parameter, Value now, Site site) {
  if (!parameter.isState)
    error(site, "assign expects a variable or a trained weight, got the "
                "weight '" +
                    parameter.name +
                    "', which TraceOptions::trained does not name");
  else if (parameter.type != now.getType())
    error(site, "assign expects a tensor of the type of '" + parameter.name +
                    "', " + parameter.shape.str() + ", got another");
  else
    return true;
  return false;
}

void Tracer::update(const std::string &path, const Tensors &variables,
                    const std::function<Tensors()> &body, Site site) {
  if (frames.size() != 1)
    return error(site, "update expects to be called in an entry, outside "
                       "outlined modules, loops and branches");
  push(uniqueName(frames.front().function.getName().str() + ".update"), path,
       site);
  opBuilder.setInsertionPointToEnd(frames.back().block);
  Tensors values = body();
  SmallVector<Value> made;
  SmallVector<int64_t> changed;
  for (auto [variable, value] : llvm::zip(variables, values)) {
    Value before = resolve(variable.handle(), site);
    Value now = resolve(value.handle(), site);
    Parameter *parameter = variable.handle().parameter;
    if (!before || !now || !parameter || !checkAssigned(*parameter, now, site))
      return dropFunction();
    made.push_back(ir::OverwriteOp::create(opBuilder, location(site),
                                           before.getType(), before, now));
    changed.push_back(cast<BlockArgument>(before).getArgNumber());
  }
  if (made.size() != variables.size()) {
    error(site, "update expects a value for each variable, got " +
                    std::to_string(values.size()) + " for " +
                    std::to_string(variables.size()));
    return dropFunction();
  }
  finishFunction(made, site);
  func::FuncOp function = frames.back().function;
  SmallVector<Value> operands = frames.back().operands;
  pop();
  auto call =
      func::CallOp::create(opBuilder, location(site), function, operands);
  call->setAttr(ir::kOverwritesAttr, opBuilder.getDenseI64ArrayAttr(changed));
  for (auto [variable, result] : llvm::zip(variables, call.getResults())) {
    Parameter *parameter = variable.handle().parameter;
    frames.back().parameters[parameter] = result;
    frames.back().assigned[parameter] = result;
  }
}

void Tracer::assign(Parameter &parameter, const Tensor &value, Site site) {
  if (frames.size() != 1)
    return error(site, "assign expects to be called in an entry, outside "
                       "outlined modules, loops and branches");
  Tensor of(Handle{nullptr, nullptr, &parameter, nullptr, false});
  Value before = resolve(of.handle(), site);
  Value now = resolve(value.handle(), site);
  if (!before || !now || !checkAssigned(parameter, now, site))
    return;
  Value made = ir::OverwriteOp::create(opBuilder, location(site),
                                       before.getType(), before, now);
  frames.back().parameters[&parameter] = made;
  frames.back().assigned[&parameter] = made;
}
} // namespace detail

std::vector<Tensor> tensorsOf(const std::vector<NamedTensor> &named) {
  std::vector<Tensor> tensors;
  for (const NamedTensor &each : named)
    tensors.push_back(each.tensor);
  return tensors;
}

LossAndGradients lossAndGradients(const Module &module,
                                  const std::function<Tensor()> &loss,
                                  const std::vector<Tensor> &of, Site site) {
  detail::Tracer *tracer = module.tree().tracer;
  if (!tracer) {
    module.tree().error(site,
                        "lossAndGradients expects to be called while tracing");
    return {Tensor(), std::vector<Tensor>(of.size())};
  }
  detail::Tensors made = tracer->gradients(module.path(), loss, of, site);
  return {made[0], {made.begin() + 1, made.end()}};
}

void update(const Module &module, const std::vector<Tensor> &variables,
            const std::function<std::vector<Tensor>()> &body, Site site) {
  if (detail::Tracer *tracer = module.tree().tracer)
    return tracer->update(module.path(), variables, body, site);
  module.tree().error(site, "update expects to be called while tracing");
}

void assign(const Tensor &variable, const Tensor &value, Site site) {
  detail::Tracer *tracer = detail::tracerOf(value.handle());
  if (!tracer)
    tracer = detail::tracerOf(variable.handle());
  if (!tracer)
    return;
  if (detail::Parameter *parameter = variable.handle().parameter)
    return tracer->assign(*parameter, value, site);
  tracer->error(site, "assign expects a variable or a trained weight, got a "
                      "tensor that lives in this call alone");
}

} // namespace tenon
