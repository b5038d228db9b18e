//===- MoeAdjoint.cpp - Adjoints of a mixture of experts ------------------===//

#include "ir/tn/Adjoint.h"

using namespace mlir;
using namespace tenon;
using namespace tenon::ir;

// w_i = scale * s_i / S with S the sum of the chosen scores (without
// normalisation S = 1). Through the quotient ds_i = scale / S * (g_i - sum_j
// g_j s_j / S), then through the scores of all experts.
template <typename Op>
static LogicalResult giveLogits(Op op, Adjoint &adjoint) {
  if (!adjoint.wants(0))
    return success();
  Formula logits = adjoint.of(op.getLogits()), g = adjoint.gradient();
  Formula experts = adjoint.exactly(op.getExperts());
  bool isSoftmax = op.getScoring() == Scoring::Softmax;
  Formula s = isSoftmax ? logits.apply<SoftmaxOp>() : logits.apply<SigmoidOp>();
  double scale = op.getScale().convertToDouble();
  Formula chosen = scale * g;
  if (op.getNormalize()) {
    Formula picked = s.make<TakeAlongOp>(g.type(), s.value(), experts.value());
    Formula sum = picked.rowSum() + 1e-20;
    chosen = (chosen - (chosen * picked / sum).rowSum()) / sum;
  }
  FailureOr<Formula> ds = putAlong(op, s.type(), chosen, experts);
  if (failed(ds))
    return failure();
  adjoint.give(0, isSoftmax ? s * (*ds - (*ds * s).rowSum())
                            : *ds * s * (1.0 - s));
  return success();
}

LogicalResult MoeRouteOp::buildAdjoint(Adjoint &adjoint) {
  return giveLogits(*this, adjoint);
}

LogicalResult MoeWeighOp::buildAdjoint(Adjoint &adjoint) {
  return giveLogits(*this, adjoint);
}

// What was read for each assignment comes back from it: a token's sum over its
// assignments, or the assignment's row.
LogicalResult MoeGatherOp::buildAdjoint(Adjoint &adjoint) {
  Formula g = adjoint.gradient();
  RankedTensorType type =
      withElement(gradientType(tensorType(getX())), g.type().getElementType());
  if (!readsTokens()) {
    adjoint.give(
        0, g.make<MoeGatherOp>(type, g.value(), getInverse(), getIndex()));
    return success();
  }
  RankedTensorType weights =
      withElement(tensorType(getIndex()), g.type().getElementType());
  Formula ones = g.zero().constant(1).repeated(weights);
  adjoint.give(0, g.make<MoeCombineOp>(type, g.value(), getInverse(),
                                       ones.value(), getIndex()));
  return success();
}

/// `type` with an axis of extent 1 at its end.
static RankedTensorType inColumns(RankedTensorType type) {
  SmallVector<int64_t> shape(type.getShape());
  SmallVector<StringRef> symbols;
  for (int64_t axis = 0; axis < type.getRank(); ++axis)
    symbols.push_back(symbolOf(type, axis));
  shape.push_back(1);
  symbols.push_back({});
  return tensorOf(shape, symbols, type.getElementType());
}

// d rows[p] = weights[order[p]] * g[its token], d weights[t, k] = g[t] .
// rows[places[t, k]].
LogicalResult MoeCombineOp::buildAdjoint(Adjoint &adjoint) {
  Formula g = adjoint.gradient(), weights = adjoint.of(getWeights());
  RankedTensorType rows = withElement(gradientType(tensorType(getRows())),
                                      g.type().getElementType());
  if (adjoint.wants(0)) {
    RankedTensorType column = inColumns(weights.type());
    Formula byToken = weights.reshaped(column);
    Formula sorted =
        g.make<MoeGatherOp>(column, byToken.value(), getOrder(), getPlaces());
    Formula spread =
        g.make<MoeGatherOp>(rows, g.value(), getOrder(), getPlaces());
    adjoint.give(0, spread * sorted.repeated(rows));
  }
  if (adjoint.wants(2)) {
    Formula x = adjoint.of(getRows());
    Formula back =
        x.make<MoeGatherOp>(rows, x.value(), getPlaces(), getOrder());
    RankedTensorType token = takeAxes(rows, {0, 1});
    SmallVector<int64_t> shape = {rows.getDimSize(0), 1, rows.getDimSize(2)};
    Formula alone =
        g.reshaped(tensorOf(shape, {symbolOf(rows, 0), {}, symbolOf(rows, 2)},
                            g.type().getElementType()));
    Formula dot = back * alone.repeated(rows);
    adjoint.give(2, dot.reduced(Reduction::Sum).reshaped(token));
  }
  return success();
}
