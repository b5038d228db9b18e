//===- ViewReference.cpp - Elements of other indices: the definitions -----===//

#include "ir/reference/Evaluate.h"
#include "ir/tn/Verify.h"

using namespace mlir;
using namespace tenon::ir;
using namespace tenon::ir::ref;

namespace {

template <typename A> using In = ArrayRef<ref::Value<A>>;
template <typename A> using Out = SmallVectorImpl<ref::Value<A>>;

/// Fills the result with x's elements, at `source(index of y) -> index of x`.
template <typename A, typename Op, typename Source>
llvm::Error evaluateView(Op op, Context &context, In<A> in, Out<A> &out,
                         Source source) {
  const Tensor<A> &x = tensor<A>(in[0]);
  auto y = makeResult<A>(op.getType(), context);
  if (!y)
    return y.takeError();
  for (int64_t i = 0; i < y->size(); ++i)
    copyElement(*y, i, x, ravel(source(unravel(i, y->shape)), x.shape));
  out.push_back(std::move(*y));
  return llvm::Error::success();
}

using Index = SmallVector<int64_t, 4>;

template <typename A>
llvm::Error evaluateBroadcast(BroadcastOp op, Context &context, In<A> in,
                              Out<A> &out) {
  ArrayRef<int64_t> shape = tensor<A>(in[0]).shape;
  return evaluateView<A>(op, context, in, out, [&](const Index &index) {
    Index source(ArrayRef<int64_t>(index).take_back(shape.size()));
    for (auto [i, extent] : llvm::zip_equal(source, shape))
      i = extent == 1 ? 0 : i;
    return source;
  });
}

template <typename A>
llvm::Error evaluateReshape(ReshapeOp op, Context &context, In<A> in,
                            Out<A> &out) {
  const Tensor<A> &x = tensor<A>(in[0]);
  auto y = makeResult<A>(op.getType(), context);
  if (!y)
    return y.takeError();
  if (y->size() != x.size())
    return evaluationError("expects as many elements in y as in x");
  y->floats = x.floats;
  y->ints = x.ints;
  out.push_back(std::move(*y));
  return llvm::Error::success();
}

template <typename A>
llvm::Error evaluateTranspose(TransposeOp op, Context &context, In<A> in,
                              Out<A> &out) {
  return evaluateView<A>(op, context, in, out, [&](const Index &index) {
    Index source(index.size());
    for (auto [axis, from] : llvm::enumerate(op.getPermutation()))
      source[from] = index[axis];
    return source;
  });
}

template <typename A>
llvm::Error evaluateSlice(SliceOp op, Context &context, In<A> in, Out<A> &out) {
  return evaluateView<A>(op, context, in, out, [&](const Index &index) {
    Index source = index;
    source[op.getAxis()] = op.getOffset() + index[op.getAxis()] * op.getStep();
    return source;
  });
}

template <typename A>
llvm::Error evaluateConcat(ConcatOp op, Context &context, In<A> in,
                           Out<A> &out) {
  auto y = makeResult<A>(op.getType(), context);
  if (!y)
    return y.takeError();
  int64_t axis = op.getAxis(), offset = 0;
  for (const ref::Value<A> &value : in) {
    const Tensor<A> &x = tensor<A>(value);
    for (int64_t i = 0; i < x.size(); ++i) {
      Index index = unravel(i, x.shape);
      index[axis] += offset;
      copyElement(*y, ravel(index, y->shape), x, i);
    }
    offset += x.shape[axis];
  }
  out.push_back(std::move(*y));
  return llvm::Error::success();
}

template <typename A>
llvm::Error evaluateIota(IotaOp op, Context &context, In<A>, Out<A> &out) {
  auto y = makeResult<A>(op.getType(), context);
  if (!y)
    return y.takeError();
  for (int64_t i = 0; i < y->size(); ++i)
    y->ints[i] = unravel(i, y->shape)[op.getAxis()];
  out.push_back(std::move(*y));
  return llvm::Error::success();
}

} // namespace

TN_EVALUATE(BroadcastOp, evaluateBroadcast)
TN_EVALUATE(ReshapeOp, evaluateReshape)
TN_EVALUATE(TransposeOp, evaluateTranspose)
TN_EVALUATE(SliceOp, evaluateSlice)
TN_EVALUATE(ConcatOp, evaluateConcat)
TN_EVALUATE(IotaOp, evaluateIota)
