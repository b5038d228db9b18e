//===- Control.cpp - Branches, loops, streaming ---------------------------===//
//
// The interpreter (`ir/reference/Interpreter.cpp`) runs regions.
//
//===----------------------------------------------------------------------===//

#include "ir/reference/Evaluate.h"
#include "ir/tn/Verify.h"

using namespace mlir;
using namespace tenon::ir;
using namespace tenon::ir::ref;

static bool isScalarI1(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor && tensor.getRank() == 0 &&
         tensor.getElementType().isInteger(1);
}

/// The terminator of a region's block, which must be a tn.yield.
static FailureOr<YieldOp> yieldOf(Operation *op, Region &region) {
  Block &block = region.front();
  if (!block.empty())
    if (auto yield = dyn_cast<YieldOp>(block.back()))
      return yield;
  return op->emitOpError("expects every region to end in tn.yield");
}

static LogicalResult expectTypes(Operation *op, StringRef what,
                                 TypeRange expected, TypeRange actual) {
  if (expected == actual)
    return success();
  return op->emitOpError("expects ")
         << what << " of types (" << expected << "), got (" << actual << ")";
}

LogicalResult IfOp::verify() {
  if (!isScalarI1(getCondition().getType())) // C1
    return emitOpError("expects a scalar i1 condition, got ")
           << getCondition().getType();
  for (Region &region : getOperation()->getRegions()) { // C2
    FailureOr<YieldOp> yield = yieldOf(*this, region);
    if (failed(yield) ||
        failed(expectTypes(*this, "a region to yield values", getResultTypes(),
                           yield->getOperandTypes())))
      return failure();
  }
  return success();
}

LogicalResult WhileOp::verify() {
  TypeRange types = getInit().getTypes();
  FailureOr<YieldOp> condition = yieldOf(*this, getCondition());
  FailureOr<YieldOp> body = yieldOf(*this, getBody());
  if (failed(condition) || failed(body))
    return failure();
  if (failed(expectTypes(*this, "results", types, getResultTypes())) || // C1
      failed(expectTypes(*this, "condition arguments", types,
                         getCondition().getArgumentTypes())) ||
      failed(expectTypes(*this, "body arguments", types,
                         getBody().getArgumentTypes())) ||
      failed(expectTypes(*this, "the body to yield values", types,
                         body->getOperandTypes())))
    return failure();
  if (condition->getNumOperands() != 1 ||
      !isScalarI1(condition->getOperandTypes()[0])) // C2
    return emitOpError("expects the condition to yield one scalar i1, got (")
           << condition->getOperandTypes() << ")";
  if (static_cast<int64_t>(getLimit()) < 0) // C3
    return emitOpError("expects limit >= 0, got ")
           << static_cast<int64_t>(getLimit());
  return success();
}

LogicalResult EmitOp::verify() {
  if (failed(expectRank(*this, "tokens", 1, tensorType(getTokens())))) // C1
    return failure();
  if (!isScalarI1(getStop().getType())) // C2
    return emitOpError("expects a scalar i1 stop, got ") << getStop().getType();
  return success();
}

template <typename A>
static llvm::Error evaluateEmit(EmitOp op, Context &context,
                                ArrayRef<ref::Value<A>> in,
                                SmallVectorImpl<ref::Value<A>> &out) {
  for (int64_t token : tensor<A>(in[0]).ints)
    context.emitted.push_back(static_cast<int32_t>(token));
  Tensor<A> stop = makeTensor<A>(IntegerType::get(op.getContext(), 1), {});
  stop.ints[0] = context.emitLimit >= 0 &&
                 int64_t(context.emitted.size()) >= context.emitLimit;
  out.push_back(std::move(stop));
  return llvm::Error::success();
}

TN_EVALUATE(EmitOp, evaluateEmit)
