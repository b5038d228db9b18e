//===- AttentionAdjoint.cpp - Adjoints of rope and attention --------------===//

#include "ir/tn/Adjoint.h"

using namespace mlir;
using namespace tenon::ir;

// A rotation's transpose rotates back.
LogicalResult RopeOp::buildAdjoint(Adjoint &adjoint) {
  if (adjoint.wants(2))
    return emitOpError("has no gradient with respect to its frequency");
  Formula g = adjoint.gradient();
  Formula back = -adjoint.of(getFrequency());
  adjoint.give(0, g.make<RopeOp>(g.type(), g.value(), getBatch(), back.value(),
                                 getLayout(), getAmplitude()));
  return success();
}

// The weights are computed again, from the scores and their sum's logarithm.
// That grows by p_j with score j: so its gradient is taken away from delta.
LogicalResult SelfAttentionOp::buildAdjoint(Adjoint &adjoint) {
  Formula g = adjoint.gradient();
  Formula delta = (g * adjoint.of(getY())).reduced(Reduction::Sum);
  if (adjoint.hasGradient(1))
    delta = delta - adjoint.gradient(1);
  RankedTensorType q = tensorType(getQ()), k = tensorType(getK());
  Value dy = g.cast(q.getElementType()).value();
  if (adjoint.wants(0))
    adjoint.give(0, g.make<SelfAttentionGradQueryOp>(
                        q, getQ(), getK(), getV(), dy, getLse(), delta.value(),
                        getBatch(), getScale(), getWindow(), getGlobals(),
                        getLatent()));
  if (!adjoint.wants(1) && (isLatent() || !adjoint.wants(2)))
    return success();
  SmallVector<Type> types{k};
  if (!isLatent())
    types.push_back(getV().getType());
  Formula dk = g.make<SelfAttentionGradKeysOp>(
      types, getQ(), getK(), getV(), dy, getLse(), delta.value(), getBatch(),
      getScale(), getWindow(), getGlobals(), getLatent());
  adjoint.give(1, dk);
  if (!isLatent())
    adjoint.give(2, adjoint.exactly(dk.value().getDefiningOp()->getResult(1)));
  return success();
}
