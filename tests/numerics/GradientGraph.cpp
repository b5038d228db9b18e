//===- GradientGraph.cpp - The gradients of a random graph ----------------===//

#include "tests/numerics/GradientGraph.h"

#include "ir/tn/Adjoint.h"
#include "passes/Passes.h"

#include "mlir/Dialect/Func/Extensions/InlinerExtension.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"

#include <gtest/gtest.h>

namespace tenon::testing {

using namespace mlir;
using ir::Formula;
using ir::ref::Real;

std::vector<ir::ref::Value<Real>> inDouble(ArrayRef<Value> in) {
  std::vector<ir::ref::Value<Real>> out;
  for (const Value &value : in)
    if (const auto *batch = std::get_if<ir::ref::Batch>(&value))
      out.push_back(*batch);
    else
      out.push_back(toReal(std::get<Tensor>(value)));
  return out;
}

/// Whether an argument holds the frequencies of a rotation, which have no
/// gradient.
static bool isFrequency(mlir::Value argument) {
  return llvm::any_of(argument.getUses(), [](OpOperand &use) {
    return isa<ir::RopeOp>(use.getOwner()) && use.getOperandNumber() == 2;
  });
}

static bool isFloat(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor && isa<FloatType>(tensor.getElementType());
}

namespace {
/// Puts the loss and its gradient around a graph.
class Builder {
public:
  explicit Builder(RandomGraph graph)
      : graph(std::move(graph)), context(this->graph.func.getContext()),
        builder(context), random(this->graph.arguments.size()) {}

  std::optional<GradientGraph> make();

private:
  func::FuncOp addFunction(StringRef name, FunctionType type);
  /// The weights of a result, and where it is finite; arguments of the loss.
  void addWeights(RankedTensorType type, const RealTensor &value);
  func::FuncOp makeLoss();
  func::FuncOp makeGradient(func::FuncOp loss);

  RandomGraph graph;
  MLIRContext *context;
  OpBuilder builder;
  Random random;
  SmallVector<Type> types; // of the loss's arguments
  std::vector<unsigned> wrt;
};

func::FuncOp Builder::addFunction(StringRef name, FunctionType type) {
  builder.setInsertionPointToEnd(graph.module->getBody());
  auto made =
      func::FuncOp::create(builder, builder.getUnknownLoc(), name, type);
  made->setAttr(ir::kSymbolsAttr, graph.func->getAttr(ir::kSymbolsAttr));
  builder.setInsertionPointToStart(made.addEntryBlock());
  return made;
}

void Builder::addWeights(RankedTensorType type, const RealTensor &value) {
  Type f32 = builder.getF32Type(), i1 = builder.getI1Type();
  Tensor weights = randomTensor(random, f32, value.shape);
  Tensor mask = ir::ref::makeTensor<ir::ref::Contract>(i1, value.shape);
  for (auto [isUsed, x] : llvm::zip_equal(mask.ints, value.floats))
    isUsed = std::isfinite(x);
  types.push_back(ir::withElement(type, f32));
  types.push_back(ir::withElement(type, i1));
  graph.arguments.push_back(std::move(weights));
  graph.arguments.push_back(std::move(mask));
}

func::FuncOp Builder::makeLoss() {
  Type scalar = RankedTensorType::get({}, builder.getF32Type());
  func::FuncOp loss =
      addFunction("loss", builder.getFunctionType(types, scalar));
  Location loc = loss.getLoc();
  auto arguments = loss.getArguments();
  size_t inputs = graph.func.getNumArguments();
  auto call = func::CallOp::create(builder, loc, graph.func,
                                   arguments.take_front(inputs));
  std::optional<Formula> sum;
  for (mlir::Value result : call.getResults()) {
    if (!isFloat(result.getType()))
      continue;
    Formula weight(builder, loc, arguments[inputs++]);
    Formula mask(builder, loc, arguments[inputs++]);
    Formula x = Formula(builder, loc, result).cast(builder.getF32Type());
    Formula term = mask.select(x * weight, x.constant(0));
    while (term.type().getRank() > 0)
      term = term.reduced(ir::Reduction::Sum);
    sum = sum ? *sum + term : term;
  }
  func::ReturnOp::create(builder, loc, sum->value());
  return loss;
}

func::FuncOp Builder::makeGradient(func::FuncOp loss) {
  SmallVector<Type> results(loss.getResultTypes());
  SmallVector<int64_t> numbers(wrt.begin(), wrt.end());
  for (unsigned number : wrt)
    results.push_back(types[number]);
  func::FuncOp made =
      addFunction("gradient", builder.getFunctionType(types, results));
  auto op = ir::GradientOp::create(builder, made.getLoc(), results, "loss",
                                   numbers, made.getArguments());
  func::ReturnOp::create(builder, made.getLoc(), op.getResults());
  return made;
}

std::optional<GradientGraph> Builder::make() {
  ir::ref::Context state;
  auto values = ir::ref::interpret<Real>(graph.func, inDouble(graph.arguments),
                                         {}, state);
  if (!values) {
    ADD_FAILURE() << llvm::toString(values.takeError());
    return std::nullopt;
  }
  llvm::append_range(types, graph.func.getArgumentTypes());
  for (auto [i, type] : llvm::enumerate(types))
    if (isFloat(type) && !isFrequency(graph.func.getArgument(i)))
      wrt.push_back(i);
  size_t inputs = types.size();
  for (auto [type, value] :
       llvm::zip_equal(graph.func.getResultTypes(), *values))
    if (isFloat(type))
      addWeights(cast<RankedTensorType>(type), std::get<RealTensor>(value));
  if (wrt.empty() || types.size() == inputs)
    return std::nullopt;
  graph.func.setPrivate();
  func::FuncOp loss = makeLoss();
  func::FuncOp gradient = makeGradient(loss);
  PassManager passes(context);
  passes.addPass(passes::createDifferentiate());
  passes.addPass(createInlinerPass());
  if (failed(passes.run(*graph.module))) {
    ADD_FAILURE() << "expects gradients";
    return std::nullopt;
  }
  return GradientGraph{std::move(graph.module), loss, gradient,
                       std::move(graph.arguments), std::move(wrt)};
}
} // namespace

std::optional<GradientGraph> makeGradientGraph(RandomGraph graph) {
  return Builder(std::move(graph)).make();
}

} // namespace tenon::testing
