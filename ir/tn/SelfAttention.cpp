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

/// Of `valueWidth` where the op has values of its own.
template <typename OpT>
static AttentionShape shapeOf(OpT op, int64_t keyHeads, int64_t valueWidth) {
  RankedTensorType q = op.getQ().getType();
  if (op.isLatent())
    valueWidth = static_cast<int64_t>(op.getLatent());
  return {op,
          op.getQ(),
          op.getBatch(),
          q.getDimSize(1),
          keyHeads,
          q.getDimSize(2),
          valueWidth,
          op.isLatent(),
          static_cast<int64_t>(op.getWindow()),
          static_cast<int64_t>(op.getGlobals()),
          op.getScale().convertToDouble()};
}

std::optional<AttentionShape> ir::attentionShape(Operation *op) {
  using Found = std::optional<AttentionShape>;
  return llvm::TypeSwitch<Operation *, Found>(op)
      .Case([](AttentionOp op) -> Found {
        auto values = op.isLatent() ? op.getKeys() : op.getValues();
        return shapeOf(op, op.getKeys().getType().getHeads(),
                       values.getType().getWidth());
      })
      .Case<SelfAttentionOp, SelfAttentionGradQueryOp, SelfAttentionGradKeysOp>(
          [](auto op) -> Found {
            auto values = op.isLatent() ? op.getK() : op.getV();
            return shapeOf(op, op.getK().getType().getDimSize(1),
                           values.getType().getDimSize(2));
          })
      .Default([](Operation *) -> Found { return std::nullopt; });
}

/// f32 [T, H]: one number for each row of q.
static RankedTensorType numbersOf(RankedTensorType q) {
  return withElement(takeAxes(q, {0, 1}), Float32Type::get(q.getContext()));
}

RankedTensorType ir::attended(RankedTensorType q, int64_t valueWidth) {
  return tensorOf({q.getDimSize(0), q.getDimSize(1), valueWidth},
                  {symbolOf(q, 0), symbolOf(q, 1), {}}, q.getElementType());
}

//===----------------------------------------------------------------------===//
// Verifiers
//===----------------------------------------------------------------------===//

LogicalResult ir::verifyLatent(Operation *op, bool hasValues, int64_t latent,
                               int64_t width) {
  if (hasValues != (latent != 0) && latent >= 0 && latent <= width)
    return success();
  return op->emitOpError("expects values, or `latent` in [1, ")
         << width << "], the width of the keys, got "
         << (hasValues ? "values" : "no values") << " and latent " << latent;
}

LogicalResult ir::verifyWindow(Operation *op, int64_t window, int64_t globals) {
  if (window < 0)
    return op->emitOpError("expects window >= 0, got ") << window;
  if (globals < 0 || (globals > 0 && window == 0))
    return op->emitOpError("expects globals >= 0, and 0 without a window, got ")
           << globals << " and window " << window;
  return success();
}

template <typename OpT>
static LogicalResult verifyRows(OpT op, StringRef name, RankedTensorType x) {
  RankedTensorType q = op.getQ().getType();
  if (failed(expectRank(op, name, 3, x)) ||
      failed(expectSameExtent(op, "q", q, 0, name, x, 0)))
    return failure();
  if (x.isDynamicDim(2))
    return op.emitOpError("expects ") << name << " of static width, got " << x;
  if (!x.isDynamicDim(1) && x.getDimSize(1) > 0 &&
      q.getDimSize(1) % x.getDimSize(1) == 0)
    return success();
  return op.emitOpError("expects heads of q to be a multiple of those of ")
         << name << ", got " << q << " and " << x;
}

/// `made` is called `name`: y, or a cotangent of it.
template <typename OpT>
static LogicalResult verifySelfAttention(OpT op, StringRef name, Value made) {
  RankedTensorType q = op.getQ().getType(), k = op.getK().getType();
  if (failed(expectRank(op, "q", 3, q))) // C1
    return failure();
  if (q.isDynamicDim(1) || q.isDynamicDim(2))
    return op.emitOpError("expects q of static heads and width, got ") << q;
  if (failed(verifyRows(op, "k", k)) ||
      failed(expectSameExtent(op, "q", q, 2, "k", k, 2)) ||
      failed(verifyLatent(op, bool(op.getV()),
                          static_cast<int64_t>(op.getLatent()),
                          k.getDimSize(2)))) // C5
    return failure();
  if (op.getV() &&
      (failed(verifyRows(op, "v", op.getV().getType())) ||
       failed(expectSameExtent(op, "k", k, 1, "v", op.getV().getType(), 1))))
    return failure();
  int64_t valueWidth = attentionShape(op)->valueWidth;
  if (failed(expectType(op, name, attended(q, valueWidth),
                        made.getType())) ||                               // C6
      failed(expectType(op, "lse", numbersOf(q), op.getLse().getType()))) // C2
    return failure();
  if (failed(verifyWindow(op, op.getWindow(), op.getGlobals()))) // C3
    return failure();
  if (!(op.getScale().convertToDouble() > 0)) // C4
    return op.emitOpError("expects a positive scale, got ")
           << op.getScale().convertToDouble();
  return success();
}

LogicalResult SelfAttentionOp::verify() {
  return verifySelfAttention(*this, "y", getY());
}

LogicalResult SelfAttentionGradQueryOp::verify() {
  return verifySelfAttention(*this, "dy", getDy());
}

LogicalResult SelfAttentionGradKeysOp::verify() {
  if (failed(verifySelfAttention(*this, "dy", getDy())) ||
      failed(expectType(*this, "dk", getK().getType(), getDk().getType())))
    return failure();
  if (bool(getV()) != bool(getDv())) // C7
    return emitOpError("expects dv where there is v, and only there");
  if (!getV())
    return success();
  return expectType(*this, "dv", getV().getType(), getDv().getType());
}

//===----------------------------------------------------------------------===//
// Result types
//===----------------------------------------------------------------------===//

/// The type of y; `latent`, or else operand 2 has the values' width.
static FailureOr<RankedTensorType> typeOfY(const infer::Request &request) {
  auto q = dyn_cast<RankedTensorType>(request.operands[0]);
  if (!q || q.getRank() != 3)
    return request.error() << "expects q of rank 3, got "
                           << request.operands[0];
  auto latent = request.attributes.getAs<IntegerAttr>("latent");
  if (latent && latent.getInt() != 0)
    return attended(q, latent.getInt());
  if (auto values = dyn_cast<CacheType>(request.operands[2]))
    return attended(q, values.getWidth());
  auto v = dyn_cast<RankedTensorType>(request.operands[2]);
  if (!v || v.getRank() != 3 || v.isDynamicDim(2))
    return request.error() << "expects values of rank 3 and static width, or "
                              "`latent`, got "
                           << request.operands[2];
  return attended(q, v.getDimSize(2));
}

LogicalResult infer::attention(const Request &request,
                               SmallVectorImpl<Type> &out) {
  FailureOr<RankedTensorType> y = typeOfY(request);
  if (failed(y))
    return failure();
  out.push_back(*y);
  return success();
}

LogicalResult infer::selfAttention(const Request &request,
                                   SmallVectorImpl<Type> &out) {
  FailureOr<RankedTensorType> y = typeOfY(request);
  if (failed(y))
    return failure();
  out.push_back(*y);
  out.push_back(numbersOf(*y));
  return success();
}
