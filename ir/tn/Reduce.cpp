//===- Reduce.cpp - Reductions: constraints, definitions, code ------------===//

#include "ir/tn/RowReference.h"
#include "ir/tn/Verify.h"

using namespace mlir;
using namespace tenon::ir;

template <typename A>
static llvm::Error evaluateSumRows(SumRowsOp, ref::Context &,
                                   ArrayRef<ref::Value<A>> in,
                                   SmallVectorImpl<ref::Value<A>> &out) {
  A a;
  const ref::Tensor<A> &x = ref::tensor<A>(in[0]);
  auto y = ref::makeTensor<A>(x.element, x.shape[1]);
  for (int64_t d = 0; d < y.size(); ++d)
    y.floats[d] = ref::rounded<A>(
        ref::sumColumn(a, x.shape[0],
                       [&](int64_t t) { return x.floats[t * y.size() + d]; }),
        y.element);
  out.push_back(std::move(y));
  return llvm::Error::success();
}

TN_ROW_OP(ReduceOp, false)
TN_EVALUATE(SumRowsOp, evaluateSumRows)

LogicalResult ReduceOp::verify() {
  RankedTensorType x = tensorType(getX());
  if (x.getRank() < 1) // C1
    return emitOpError("expects x of rank >= 1, got ") << x;
  auto leading = llvm::to_vector(llvm::seq<int64_t>(0, x.getRank() - 1));
  return expectType(*this, "y", takeAxes(x, leading), getY().getType()); // C2
}

LogicalResult SumRowsOp::verify() { // C1
  RankedTensorType x = tensorType(getX());
  if (failed(expectRank(*this, "x", 2, x)))
    return failure();
  return expectType(*this, "y", takeAxes(x, 1), getY().getType());
}
