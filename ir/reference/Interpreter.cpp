//===- Interpreter.cpp - Runs tn functions by their definitions -----------===//

#include "ir/reference/Interpreter.h"
#include "ir/reference/Evaluate.h"
#include "ir/tn/Linear.h"
#include "ir/tn/Verify.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace tenon::ir;
using namespace tenon::ir::ref;

namespace {

/// Calls may nest so deep; deeper is taken for recursion without end.
constexpr int kDeepestCall = 64;

std::string describe(ArrayRef<int64_t> shape) {
  std::string text;
  llvm::raw_string_ostream out(text);
  out << "[";
  llvm::interleaveComma(shape, out);
  out << "]";
  return text;
}

std::string describe(Type type) {
  std::string text;
  llvm::raw_string_ostream(text) << type;
  return text;
}

llvm::Error errorAt(Operation *op, llvm::Error error) {
  std::string where;
  llvm::raw_string_ostream(where) << op->getName() << " at " << op->getLoc();
  return evaluationError(where + ": " + llvm::toString(std::move(error)));
}

/// Binds the symbols of `type` to the extents of a value of it.
llvm::Error bindShape(RankedTensorType type, ArrayRef<int64_t> shape,
                      llvm::StringMap<int64_t> &symbols) {
  bool fits = type.getRank() == static_cast<int64_t>(shape.size());
  for (int64_t axis = 0; fits && axis < type.getRank(); ++axis) {
    StringRef symbol = symbolOf(type, axis);
    if (!type.isDynamicDim(axis))
      fits = type.getDimSize(axis) == shape[axis];
    else if (!symbol.empty())
      fits =
          symbols.try_emplace(symbol, shape[axis]).first->second == shape[axis];
  }
  if (fits)
    return llvm::Error::success();
  return evaluationError("expects a value of type " + describe(type) +
                         ", got shape " + describe(shape));
}

/// Whether a tensor holds as many elements, and blocks, as its shape says.
template <typename A> bool isWhole(const Tensor<A> &held) {
  size_t count = held.size();
  if (!holdsFloats(held.element))
    return held.ints.size() == count;
  if (held.floats.size() != count)
    return false;
  auto block = dyn_cast<BlockType>(held.element);
  if (!block)
    return true;
  auto bytes = tenon::base::sizeBytes(block.getFormat(), held.size());
  return bytes.ok() && held.blocks.size() == static_cast<size_t>(*bytes);
}

/// Checks a value against its type, binding the type's symbols.
template <typename A>
llvm::Error bindValue(Type type, const ref::Value<A> &value,
                      llvm::StringMap<int64_t> &symbols) {
  bool fits = false;
  if (auto tensorType = dyn_cast<RankedTensorType>(type)) {
    const auto *held = std::get_if<Tensor<A>>(&value);
    if (held && held->element == tensorType.getElementType() && isWhole(*held))
      return bindShape(tensorType, held->shape, symbols);
  } else if (auto cacheType = dyn_cast<CacheType>(type)) {
    const auto *held = std::get_if<Cache<A>>(&value);
    fits = held && held->element == cacheType.getElementType() &&
           held->heads == cacheType.getHeads() &&
           held->width == cacheType.getWidth();
  } else if (isa<BatchType>(type)) {
    fits = std::holds_alternative<Batch>(value);
  }
  if (fits)
    return llvm::Error::success();
  return evaluationError("expects a value of type " + describe(type) +
                         ", got another kind of value");
}

/// Checks the bounds that a function declares for its symbols.
llvm::Error checkSymbols(func::FuncOp func,
                         const llvm::StringMap<int64_t> &symbols) {
  auto declared = func->getAttrOfType<ArrayAttr>(kSymbolsAttr);
  if (!declared)
    return llvm::Error::success();
  for (auto symbol : declared.getAsRange<SymbolAttr>()) {
    auto bound = symbols.find(symbol.getName().getValue());
    if (bound == symbols.end())
      continue;
    int64_t value = bound->second;
    if (value < symbol.getMin() || value > symbol.getMax() ||
        value % symbol.getDivisor() != 0)
      return evaluationError("expects symbol " + symbol.getName().getValue() +
                             " within its bounds, got " + Twine(value));
  }
  return llvm::Error::success();
}

template <typename A> class Interpreter {
public:
  using Values = SmallVector<ref::Value<A>>;

  Interpreter(const Parameters<A> &parameters, Context &context)
      : parameters(parameters), context(context) {}

  llvm::Expected<Values> call(func::FuncOp func, ArrayRef<ref::Value<A>> args);

private:
  using Environment = DenseMap<mlir::Value, ref::Value<A>>;

  /// Runs a block; the operands of its terminator are the result.
  llvm::Expected<Values> runBlock(Block &block, ArrayRef<ref::Value<A>> args,
                                  Environment &values);
  llvm::Expected<Values> runOp(Operation *op, Environment &values);
  llvm::Expected<Values> runIf(IfOp op, Environment &values);
  llvm::Expected<Values> runWhile(WhileOp op, Environment &values);
  llvm::Expected<Values> runKernel(KernelOp op, Environment &values);
  llvm::Expected<Values> runCall(func::CallOp op, Environment &values);
  llvm::Expected<Values> runGradient(GradientOp op, Environment &values);
  /// The slope of a function's first result along one element of an argument.
  llvm::Expected<Float<A>> differentiate(func::FuncOp callee, const Values &in,
                                         int64_t number, size_t element);
  llvm::Expected<Values> getParameter(GetParameterOp op);
  llvm::Expected<Values> evaluate(ReferenceOp op, ArrayRef<ref::Value<A>> in);

  Values operands(Operation *op, Environment &values) {
    Values in;
    for (mlir::Value operand : op->getOperands())
      in.push_back(values.at(operand));
    return in;
  }

  const Parameters<A> &parameters;
  Context &context;
  int depth = 0;
};

template <typename A>
llvm::Expected<SmallVector<ref::Value<A>>>
Interpreter<A>::call(func::FuncOp func, ArrayRef<ref::Value<A>> args) {
  if (func.isExternal() || !func.getBody().hasOneBlock())
    return evaluationError("expects a body of one block in @" + func.getName());
  if (depth == kDeepestCall)
    return evaluationError("expects calls nested at most " +
                           Twine(kDeepestCall) + " deep");
  if (failed(verifyLinearUse(func)))
    return evaluationError("expects linear use of what is changed in @" +
                           func.getName());
  if (args.size() != func.getNumArguments())
    return evaluationError("expects " + Twine(func.getNumArguments()) +
                           " arguments of @" + func.getName() + ", got " +
                           Twine(args.size()));
  // A callee's symbols are its own; those no argument binds keep their names.
  llvm::StringMap<int64_t> callers = context.symbols, bound;
  for (auto [i, arg] : llvm::enumerate(args))
    if (llvm::Error error =
            bindValue<A>(func.getArgument(i).getType(), arg, bound))
      return errorAt(func, std::move(error));
  for (const auto &symbol : callers)
    bound.try_emplace(symbol.getKey(), symbol.getValue());
  if (llvm::Error error = checkSymbols(func, bound))
    return errorAt(func, std::move(error));

  context.symbols = std::move(bound);
  ++depth;
  Environment values;
  llvm::Expected<Values> results = runBlock(func.front(), args, values);
  --depth;
  context.symbols = std::move(callers);
  return results;
}

template <typename A>
llvm::Expected<SmallVector<ref::Value<A>>>
Interpreter<A>::runBlock(Block &block, ArrayRef<ref::Value<A>> args,
                         Environment &values) {
  for (auto [argument, arg] : llvm::zip_equal(block.getArguments(), args))
    values[argument] = arg;
  for (Operation &op : block.without_terminator()) {
    llvm::Expected<Values> results = runOp(&op, values);
    if (!results)
      return results.takeError();
    for (auto [result, value] : llvm::zip_equal(op.getResults(), *results)) {
      if (llvm::Error error =
              bindValue<A>(result.getType(), value, context.symbols))
        return errorAt(&op, std::move(error));
      values[result] = std::move(value);
    }
  }
  return operands(block.getTerminator(), values);
}

template <typename A>
llvm::Expected<SmallVector<ref::Value<A>>>
Interpreter<A>::runOp(Operation *op, Environment &values) {
  using Result = llvm::Expected<Values>;
  return llvm::TypeSwitch<Operation *, Result>(op)
      .template Case<IfOp>([&](IfOp op) { return runIf(op, values); })
      .template Case<WhileOp>([&](WhileOp op) { return runWhile(op, values); })
      .template Case<KernelOp>(
          [&](KernelOp op) { return runKernel(op, values); })
      .template Case<func::CallOp>(
          [&](func::CallOp op) { return runCall(op, values); })
      .template Case<GradientOp>(
          [&](GradientOp op) { return runGradient(op, values); })
      .template Case<GetParameterOp>(
          [&](GetParameterOp op) { return getParameter(op); })
      .template Case<ReferenceOp>(
          [&](ReferenceOp op) { return evaluate(op, operands(op, values)); })
      .Default([&](Operation *op) -> Result {
        return errorAt(op, evaluationError("expects an op with a definition"));
      });
}

template <typename A>
llvm::Expected<SmallVector<ref::Value<A>>>
Interpreter<A>::runIf(IfOp op, Environment &values) {
  bool holds = tensor<A>(values.at(op.getCondition())).ints[0];
  Region &region = holds ? op.getThenRegion() : op.getElseRegion();
  return runBlock(region.front(), {}, values);
}

template <typename A>
llvm::Expected<SmallVector<ref::Value<A>>>
Interpreter<A>::runWhile(WhileOp op, Environment &values) {
  Values carried = operands(op, values);
  for (int64_t trip = 0; trip < static_cast<int64_t>(op.getLimit()); ++trip) {
    llvm::Expected<Values> holds =
        runBlock(op.getCondition().front(), carried, values);
    if (!holds)
      return holds.takeError();
    if (!tensor<A>(holds->front()).ints[0])
      break;
    llvm::Expected<Values> next =
        runBlock(op.getBody().front(), carried, values);
    if (!next)
      return next.takeError();
    carried = std::move(*next);
  }
  return carried;
}

template <typename A>
llvm::Expected<SmallVector<ref::Value<A>>>
Interpreter<A>::runKernel(KernelOp op, Environment &values) {
  Values inputs = operands(op, values), results;
  for (Region &nest : op.getNests()) {
    llvm::Expected<Values> yielded = runBlock(nest.front(), inputs, values);
    if (!yielded)
      return yielded.takeError();
    llvm::move(*yielded, std::back_inserter(results));
  }
  return results;
}

template <typename A>
llvm::Expected<SmallVector<ref::Value<A>>>
Interpreter<A>::runCall(func::CallOp op, Environment &values) {
  auto callee = SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(
      op, op.getCalleeAttr());
  if (!callee)
    return errorAt(op, evaluationError("expects a function of the module"));
  return call(callee, operands(op, values));
}

// By differences of fourth order, (8 (f(x+h) - f(x-h)) - (f(x+2h) - f(x-2h))) /
// 12h, whose error is some h^4 beside the rounding of f.
template <typename A>
llvm::Expected<Float<A>>
Interpreter<A>::differentiate(func::FuncOp callee, const Values &in,
                              int64_t number, size_t element) {
  Float<A> x = tensor<A>(in[number]).floats[element];
  Float<A> step = 0x1p-13 * std::max<Float<A>>(1, std::abs(x));
  Float<A> difference = 0;
  for (auto [at, weight] : {std::pair{-2, 1}, {-1, -8}, {1, 8}, {2, -1}}) {
    Values moved = in;
    std::get<Tensor<A>>(moved[number]).floats[element] = x + at * step;
    llvm::Expected<Values> there = call(callee, moved);
    if (!there)
      return there.takeError();
    difference += weight * tensor<A>(there->front()).floats[0];
  }
  return difference / (12 * step);
}

template <typename A>
llvm::Expected<SmallVector<ref::Value<A>>>
Interpreter<A>::runGradient(GradientOp op, Environment &values) {
  if constexpr (!std::is_same_v<A, Real>)
    return errorAt(op, evaluationError("expects tn-differentiate before: the "
                                       "bits of a gradient are its adjoint's"));
  auto callee = SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(
      op, op.getCalleeAttr());
  Values in = operands(op, values);
  llvm::Expected<Values> results = call(callee, in);
  if (!results)
    return results;
  for (int64_t number : op.getWrt()) {
    Tensor<A> gradient = tensor<A>(in[number]);
    for (size_t i = 0; i < gradient.floats.size(); ++i) {
      llvm::Expected<Float<A>> slope = differentiate(callee, in, number, i);
      if (!slope)
        return slope.takeError();
      gradient.floats[i] = *slope;
    }
    results->push_back(std::move(gradient));
  }
  return results;
}

template <typename A>
llvm::Expected<SmallVector<ref::Value<A>>>
Interpreter<A>::getParameter(GetParameterOp op) {
  auto found = parameters.find(op.getParameter());
  if (found == parameters.end())
    return errorAt(op, evaluationError("expects a value for the parameter"));
  return Values{found->second};
}

template <typename A>
llvm::Expected<SmallVector<ref::Value<A>>>
Interpreter<A>::evaluate(ReferenceOp op, ArrayRef<ref::Value<A>> in) {
  Values out;
  llvm::Error error = llvm::Error::success();
  if constexpr (std::is_same_v<A, Real>)
    error = op.evaluateReal(context, in, out);
  else
    error = op.evaluateContract(context, in, out);
  if (error)
    return errorAt(op, std::move(error));
  if (out.size() != op->getNumResults())
    return errorAt(op, evaluationError("expects as many values as results"));
  return out;
}

} // namespace

template <typename A>
llvm::Expected<SmallVector<ref::Value<A>>>
ref::interpret(func::FuncOp func, ArrayRef<ref::Value<A>> args,
               const Parameters<A> &parameters, Context &context) {
  std::optional<FlushSubnormals> flush;
  if constexpr (std::is_same_v<A, Contract>)
    flush.emplace();
  return Interpreter<A>(parameters, context).call(func, args);
}

template llvm::Expected<SmallVector<ref::Value<Real>>>
ref::interpret(func::FuncOp, ArrayRef<ref::Value<Real>>,
               const Parameters<Real> &, Context &);
template llvm::Expected<SmallVector<ref::Value<Contract>>>
ref::interpret(func::FuncOp, ArrayRef<ref::Value<Contract>>,
               const Parameters<Contract> &, Context &);
