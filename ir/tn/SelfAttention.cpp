//===- SelfAttention.cpp - Attention of a training step -------------------===//
//
// The definitions (`evaluate`) are in SelfAttentionReference.cpp.
//
//===----------------------------------------------------------------------===//

#include "ir/tn/AttentionShape.h"
#include "ir/tn/Infer.h"
#include "ir/tn/Verify.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace tenon;
using namespace tenon::ir;

//===----------------------------------------------------------------------===//
// Shapes
//===----------------------------------------------------------------------===//

template <typename OpT> static AttentionShape shapeOf(OpT op, int64_t heads) {
  RankedTensorType q = op.getQ().getType();
  return {op,
          op.getQ(),
          op.getBatch(),
          q.getDimSize(1),
          heads,
          q.getDimSize(2),
          static_cast<int64_t>(op.getWindow()),
          op.getScale().convertToDouble()};
}

std::optional<AttentionShape> ir::attentionShape(Operation *op) {
  using Found = std::optional<AttentionShape>;
  return llvm::TypeSwitch<Operation *, Found>(op)
      .Case([](AttentionOp op) -> Found {
        auto keys = cast<CacheType>(op.getKeys().getType());
        return shapeOf(op, keys.getHeads());
      })
      .Case<SelfAttentionOp, SelfAttentionGradQueryOp, SelfAttentionGradKeysOp>(
          [](auto op) -> Found {
            return shapeOf(op, op.getK().getType().getDimSize(1));
          })
      .Default([](Operation *) -> Found { return std::nullopt; });
}

/// f32 [T, H]: one number for each row of q.
static RankedTensorType numbersOf(RankedTensorType q) {
  return withElement(takeAxes(q, {0, 1}), Float32Type::get(q.getContext()));
}

//===----------------------------------------------------------------------===//
// Verifiers
//===----------------------------------------------------------------------===//

template <typename OpT>
static LogicalResult verifyRows(OpT op, StringRef name, RankedTensorType x) {
  RankedTensorType q = op.getQ().getType();
  if (failed(expectRank(op, name, 3, x)) ||
      failed(expectSameExtent(op, "q", q, 0, name, x, 0)) ||
      failed(expectSameExtent(op, "q", q, 2, name, x, 2)))
    return failure();
  if (!x.isDynamicDim(1) && x.getDimSize(1) > 0 &&
      q.getDimSize(1) % x.getDimSize(1) == 0)
    return success();
  return op.emitOpError("expects heads of q to be a multiple of those of ")
         << name << ", got " << q << " and " << x;
}

template <typename OpT> static LogicalResult verifySelfAttention(OpT op) {
  RankedTensorType q = op.getQ().getType();
  if (failed(expectRank(op, "q", 3, q))) // C1
    return failure();
  if (q.isDynamicDim(1) || q.isDynamicDim(2))
    return op.emitOpError("expects q of static heads and width, got ") << q;
  if (failed(verifyRows(op, "k", op.getK().getType())) ||
      failed(verifyRows(op, "v", op.getV().getType())) ||
      failed(expectSameExtent(op, "k", op.getK().getType(), 1, "v",
                              op.getV().getType(), 1)))
    return failure();
  if (failed(expectType(op, "lse", numbersOf(q), op.getLse().getType()))) // C2
    return failure();
  if (static_cast<int64_t>(op.getWindow()) < 0) // C3
    return op.emitOpError("expects window >= 0, got ")
           << static_cast<int64_t>(op.getWindow());
  if (!(op.getScale().convertToDouble() > 0)) // C4
    return op.emitOpError("expects a positive scale, got ")
           << op.getScale().convertToDouble();
  return success();
}

LogicalResult SelfAttentionOp::verify() { return verifySelfAttention(*this); }

LogicalResult SelfAttentionGradQueryOp::verify() {
  return verifySelfAttention(*this);
}

LogicalResult SelfAttentionGradKeysOp::verify() {
  return verifySelfAttention(*this);
}

//===----------------------------------------------------------------------===//
// Result types
//===----------------------------------------------------------------------===//

LogicalResult infer::selfAttention(const Request &request,
                                   SmallVectorImpl<Type> &out) {
  auto q = dyn_cast<RankedTensorType>(request.operands[0]);
  if (!q || q.getRank() != 3)
    return request.error() << "expects q of rank 3, got "
                           << request.operands[0];
  out.push_back(q);
  out.push_back(numbersOf(q));
  return success();
}
