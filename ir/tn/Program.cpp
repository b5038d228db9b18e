//===- Program.cpp - Parameters, constants, casts of blocks ---------------===//

#include "ir/reference/Evaluate.h"
#include "ir/reference/Storage.h"
#include "ir/tn/Verify.h"

using namespace mlir;
using namespace tenon;
using namespace tenon::ir;
using namespace tenon::ir::ref;

LogicalResult ParameterOp::verify() {
  auto type = dyn_cast<RankedTensorType>(getType());
  if (!type || !type.hasStaticShape() ||
      !isa<FloatType, IntegerType, BlockType>(type.getElementType())) // C1
    return emitOpError("expects a tensor type of static shape, got ")
           << getType();
  return expectWholeBlocks(*this, "the parameter", type); // C2
}

LogicalResult StateOp::verify() {
  auto tensor = dyn_cast<RankedTensorType>(getType());
  bool isTensor = tensor && tensor.hasStaticShape() &&
                  isa<FloatType, IntegerType>(tensor.getElementType());
  if (!isa<CacheType>(getType()) && !isTensor) // C1
    return emitOpError("expects a cache type or a plain tensor type of static "
                       "shape, got ")
           << getType();
  if (!isTensor && getSource()) // C2
    return emitOpError("expects a source of a tensor, and of no cache");
  std::optional<ArrayRef<double>> drawn = getDrawn();
  if (drawn && (drawn->size() != 2 || drawn->back() < 0 || !getSource())) // C3
    return emitOpError("expects a mean and a deviation of at least 0, of a "
                       "tensor with a source");
  return success();
}

LogicalResult
GetParameterOp::verifySymbolUses(SymbolTableCollection &symbolTable) {
  auto parameter = symbolTable.lookupNearestSymbolFrom<ParameterOp>(
      *this, getParameterAttr());
  if (!parameter) // C1
    return emitOpError("expects the name of a tn.parameter, got ")
           << getParameterAttr();
  auto type = dyn_cast<RankedTensorType>(parameter.getType());
  RankedTensorType result = tensorType(getValue());
  if (type && type.getShape() == result.getShape() &&
      type.getElementType() == result.getElementType())
    return success();
  return emitOpError("expects the type of parameter ")
         << getParameterAttr() << ", " << parameter.getType() << ", got "
         << result;
}

OpFoldResult ConstantOp::fold(FoldAdaptor) { return getValue(); }

LogicalResult UnpackOp::verify() {
  RankedTensorType x = tensorType(getX()), y = tensorType(getY());
  if (!isa<BlockType>(x.getElementType())) // C1
    return emitOpError("expects x of a blocked element type, got ") << x;
  if (failed(expectType(*this, "y", withElement(x, y.getElementType()), y)))
    return failure();                      // C2
  return expectWholeBlocks(*this, "x", x); // C3
}

LogicalResult QuantizeOp::verify() {
  RankedTensorType x = tensorType(getX()), y = tensorType(getY());
  auto block = dyn_cast<BlockType>(y.getElementType());
  if (!block || (block.getFormat() != base::ElementType::Q8_0 &&
                 block.getFormat() != base::ElementType::Q8_K)) // C1
    return emitOpError("expects y of !tn.block<q8_0> or !tn.block<q8_k>, got ")
           << y;
  if (failed(expectType(*this, "y", withElement(x, block), y))) // C2
    return failure();
  return expectWholeBlocks(*this, "y", y); // C3
}

LogicalResult PackOp::verify() {
  RankedTensorType x = tensorType(getX()), y = tensorType(getY());
  if (x.getEncoding() || !isa_and_nonnull<PanelsAttr>(y.getEncoding())) // C1
    return emitOpError("expects x without encoding and y with #tn.panels, got ")
           << x << " and " << y;
  auto block = dyn_cast<BlockType>(x.getElementType());
  if (block && !base::isBlockedWeight(block.getFormat())) // C3
    return emitOpError("expects x of a format of weights, got ") << x;
  auto expected =
      RankedTensorType::get(x.getShape(), x.getElementType(), y.getEncoding());
  return expectType(*this, "y", expected, y); // C2
}

namespace {

template <typename A>
llvm::Error evaluateConstant(ConstantOp op, Context &, ArrayRef<ref::Value<A>>,
                             SmallVectorImpl<ref::Value<A>> &out) {
  auto elements = dyn_cast<DenseElementsAttr>(op.getValue());
  if (!elements)
    return evaluationError("expects a dense constant");
  auto type = cast<RankedTensorType>(op.getType());
  Tensor<A> y = makeTensor<A>(type.getElementType(), type.getShape());
  int64_t i = 0;
  if (isa<FloatType>(y.element))
    for (const APFloat &value : elements.getValues<APFloat>())
      y.floats[i++] = static_cast<Float<A>>(value.convertToDouble());
  else
    for (const APInt &value : elements.getValues<APInt>())
      y.ints[i++] =
          y.element.isInteger(1) ? value.getZExtValue() : value.getSExtValue();
  out.push_back(std::move(y));
  return llvm::Error::success();
}

// A blocked tensor is held as its unpacked values already.
template <typename A>
llvm::Error evaluateUnpack(UnpackOp op, Context &, ArrayRef<ref::Value<A>> in,
                           SmallVectorImpl<ref::Value<A>> &out) {
  const Tensor<A> &x = tensor<A>(in[0]);
  Tensor<A> y = makeTensor<A>(
      cast<RankedTensorType>(op.getType()).getElementType(), x.shape);
  for (int64_t i = 0; i < y.size(); ++i)
    y.floats[i] = rounded<A>(x.floats[i], y.element);
  out.push_back(std::move(y));
  return llvm::Error::success();
}

template <typename A>
llvm::Error evaluateQuantize(QuantizeOp op, Context &,
                             ArrayRef<ref::Value<A>> in,
                             SmallVectorImpl<ref::Value<A>> &out) {
  const Tensor<A> &x = tensor<A>(in[0]);
  std::vector<float> values(x.floats.begin(), x.floats.end());
  Type element = tensorType(op.getY()).getElementType();
  base::ElementType type = cast<BlockType>(element).getFormat();
  auto y = tensorFromBytes<A>(element, x.shape, quantizedBytes(type, values));
  if (!y)
    return y.takeError();
  out.push_back(std::move(*y));
  return llvm::Error::success();
}

template <typename A>
llvm::Error evaluatePack(PackOp, Context &, ArrayRef<ref::Value<A>> in,
                         SmallVectorImpl<ref::Value<A>> &out) {
  out.push_back(in[0]);
  return llvm::Error::success();
}

} // namespace

TN_EVALUATE(ConstantOp, evaluateConstant)
TN_EVALUATE(UnpackOp, evaluateUnpack)
TN_EVALUATE(QuantizeOp, evaluateQuantize)
TN_EVALUATE(PackOp, evaluatePack)
