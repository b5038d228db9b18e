//===- Adjoint.cpp - What an op builds its adjoint with -------------------===//

#include "ir/tn/Adjoint.h"

#include <cmath>

using namespace mlir;

namespace tenon::ir {

//===----------------------------------------------------------------------===//
// Formulas
//===----------------------------------------------------------------------===//

/// A number in an element type, of rank 0.
static DenseElementsAttr scalarOf(Type element, double number) {
  Builder attributes(element.getContext());
  TypedAttr value = isa<FloatType>(element)
                        ? TypedAttr(attributes.getFloatAttr(element, number))
                        : TypedAttr(attributes.getIntegerAttr(element, number));
  return DenseElementsAttr::get(RankedTensorType::get({}, element), value);
}

Formula Formula::zero() const {
  DenseElementsAttr scalar = scalarOf(type().getElementType(), 0);
  return make<ConstantOp>(scalar.getType(), scalar);
}

// A number that f32 has not is the sum of two that it has: of no effect in f32,
// and exact enough where an adjoint is judged in double.
Formula Formula::constant(double number) const {
  Type element = type().getElementType();
  auto repeat = [&](double part) {
    DenseElementsAttr scalar = scalarOf(element, part);
    return make<ConstantOp>(scalar.getType(), scalar).repeated(type());
  };
  double rest = number - static_cast<float>(number);
  if (!element.isF32() || rest == 0 || !std::isfinite(number))
    return repeat(number);
  return repeat(static_cast<float>(number)) + repeat(rest);
}

Formula Formula::cast(Type element) const {
  if (type().getElementType() == element)
    return *this;
  return make<CastOp>(withElement(type(), element), held);
}

Formula Formula::reshaped(RankedTensorType to) const {
  RankedTensorType result = withElement(to, type().getElementType());
  return result == type() ? *this : make<ReshapeOp>(result, held);
}

Formula Formula::transposed(ArrayRef<int64_t> permutation) const {
  return make<TransposeOp>(takeAxes(type(), permutation), held, permutation);
}

Formula Formula::repeated(RankedTensorType to) const {
  RankedTensorType result = withElement(to, type().getElementType());
  return result == type() ? *this : make<BroadcastOp>(result, held);
}

/// A type with one more axis, of extent 1, at the end.
static RankedTensorType withUnitAxis(RankedTensorType type) {
  SmallVector<int64_t> shape(type.getShape());
  SmallVector<StringRef> symbols;
  for (int64_t axis = 0; axis < type.getRank(); ++axis)
    symbols.push_back(symbolOf(type, axis));
  shape.push_back(1);
  symbols.push_back({});
  return tensorOf(shape, symbols, type.getElementType());
}

Formula Formula::repeatedAlongRow(RankedTensorType to) const {
  return reshaped(withUnitAxis(type())).repeated(to);
}

Formula Formula::reduced(Reduction kind) const {
  auto leading = llvm::to_vector(llvm::seq<int64_t>(0, type().getRank() - 1));
  return make<ReduceOp>(takeAxes(type(), leading), kind, held);
}

Formula Formula::rowSum() const {
  return reduced(Reduction::Sum).repeatedAlongRow(type());
}

Formula Formula::rowMean() const {
  int64_t columns = type().getShape().back();
  if (ShapedType::isDynamic(columns))
    return rowSum() / constant(1).rowSum();
  return rowSum() / constant(columns);
}

// The first axis is summed as columns where what follows it is one row of
// static extent, the last axis as rows; another axis moves to the end first.
static Formula sumAxis(const Formula &x, int64_t axis) {
  RankedTensorType type = x.type();
  int64_t rank = type.getRank();
  auto rest = llvm::to_vector(llvm::seq<int64_t>(1, rank));
  RankedTensorType row = rank > 1 ? takeAxes(type, rest) : type;
  if (axis == 0 && rank > 1 && row.hasStaticShape()) {
    auto matrix = tensorOf({type.getDimSize(0), row.getNumElements()},
                           {symbolOf(type, 0), {}}, type.getElementType());
    auto sums =
        RankedTensorType::get({row.getNumElements()}, type.getElementType());
    return x.reshaped(matrix)
        .make<SumRowsOp>(sums, x.reshaped(matrix).value())
        .reshaped(row);
  }
  if (axis == rank - 1)
    return x.reduced(Reduction::Sum);
  auto order = llvm::to_vector(llvm::seq<int64_t>(0, rank));
  order.erase(order.begin() + axis);
  order.push_back(axis);
  return x.transposed(order).reduced(Reduction::Sum);
}

Formula Formula::summedTo(RankedTensorType to) const {
  Formula sum = *this;
  int64_t added = type().getRank() - to.getRank();
  for (int64_t axis = 0; axis < added; ++axis)
    sum = sumAxis(sum, 0);
  for (int64_t axis = to.getRank(); axis-- > 0;)
    if (to.getDimSize(axis) == 1 && type().getDimSize(added + axis) != 1)
      sum = sumAxis(sum, axis);
  // An axis that was summed is left out; of extent 1, it comes back here.
  return sum.reshaped(to);
}

Formula Formula::compared(Predicate predicate, const Formula &other) const {
  Type i1 = IntegerType::get(held.getContext(), 1);
  return make<CompareOp>(withElement(type(), i1), predicate, held, other.held);
}

Formula Formula::select(const Formula &then, const Formula &otherwise) const {
  return make<SelectOp>(then.type(), held, then.held, otherwise.held);
}

template <typename Op>
static Formula combine(const Formula &a, const Formula &b) {
  return a.make<Op>(a.type(), a.value(), b.value());
}

Formula operator+(const Formula &a, const Formula &b) {
  return combine<AddOp>(a, b);
}
Formula operator-(const Formula &a, const Formula &b) {
  return combine<SubOp>(a, b);
}
Formula operator*(const Formula &a, const Formula &b) {
  return combine<MulOp>(a, b);
}
Formula operator/(const Formula &a, const Formula &b) {
  return combine<DivOp>(a, b);
}
Formula operator-(const Formula &a) { return a.apply<NegOp>(); }
Formula operator+(const Formula &a, double b) { return a + a.constant(b); }
Formula operator+(double a, const Formula &b) { return b.constant(a) + b; }
Formula operator-(double a, const Formula &b) { return b.constant(a) - b; }
Formula operator*(double a, const Formula &b) { return b.constant(a) * b; }
Formula operator/(double a, const Formula &b) { return b.constant(a) / b; }

//===----------------------------------------------------------------------===//
// Adjoints
//===----------------------------------------------------------------------===//

RankedTensorType gradientType(RankedTensorType type) {
  auto dims = dyn_cast_or_null<DimsAttr>(type.getEncoding());
  Type element = type.getElementType();
  if (isa<BlockType>(element))
    element = Float32Type::get(type.getContext());
  return RankedTensorType::get(type.getShape(), element, dims);
}

Formula Adjoint::of(Value value) const {
  Formula exact = exactly(value);
  if (!isa<FloatType>(exact.type().getElementType()))
    return exact;
  return exact.cast(Float32Type::get(op->getContext()));
}

Formula Adjoint::gradient(unsigned result) const {
  if (Value gradient = gradients[result])
    return of(gradient);
  RankedTensorType type = gradientType(tensorType(op->getResult(result)));
  DenseElementsAttr zero = scalarOf(Float32Type::get(op->getContext()), 0);
  return exactly(
             ConstantOp::create(builder, op->getLoc(), zero.getType(), zero))
      .repeated(type);
}

void Adjoint::give(unsigned operand, const Formula &gradient) {
  if (!wanted[operand])
    return;
  RankedTensorType type = gradientType(tensorType(op->getOperand(operand)));
  operands[operand] = gradient.cast(type.getElementType()).value();
  assert(operands[operand].getType() == type && "a gradient of another shape");
}

} // namespace tenon::ir
