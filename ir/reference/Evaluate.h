//===- Evaluate.h - What the ops' definitions share -------------*- C++ -*-===//
//
//   template <typename A>
//   llvm::Error evaluateFoo(FooOp op, Context &context,
//                           llvm::ArrayRef<Value<A>> in,
//                           llvm::SmallVectorImpl<Value<A>> &out) {
//     const Tensor<A> &x = tensor<A>(in[0]);
//     Tensor<A> y = makeTensor<A>(x.element, x.shape);
//     ...
//     out.push_back(std::move(y));
//     return llvm::Error::success();
//   }
//
//===----------------------------------------------------------------------===//

#ifndef TENON_IR_REFERENCE_EVALUATE_H
#define TENON_IR_REFERENCE_EVALUATE_H

#include "ir/reference/Arithmetic.h"
#include "ir/reference/Rounding.h"
#include "ir/reference/Value.h"

#include "mlir/IR/BuiltinTypes.h"
#include "llvm/Support/Error.h"

namespace tenon::ir::ref {

template <typename A> const Tensor<A> &tensor(const Value<A> &value) {
  return std::get<Tensor<A>>(value);
}
template <typename A> const Batch &batch(const Value<A> &value) {
  return std::get<Batch>(value);
}
template <typename A> const Cache<A> &cache(const Value<A> &value) {
  return std::get<Cache<A>>(value);
}

/// Whether elements of this type are held as floats.
bool holdsFloats(mlir::Type element);

/// Makes a tensor of zeros, of a plain element type.
template <typename A>
Tensor<A> makeTensor(mlir::Type element, llvm::ArrayRef<int64_t> shape) {
  Tensor<A> result;
  result.element = element;
  result.shape.assign(shape.begin(), shape.end());
  if (holdsFloats(element))
    result.floats.resize(result.size());
  else
    result.ints.resize(result.size());
  return result;
}

/// The extents of a type, dynamic ones from the symbols that are bound.
/// Errors: a symbol that is missing or not bound.
llvm::Expected<llvm::SmallVector<int64_t, 4>>
resolveShape(mlir::RankedTensorType type, const Context &context);

/// Makes the tensor of zeros that a value of `type` has in this context.
template <typename A>
llvm::Expected<Tensor<A>> makeResult(mlir::Type type, const Context &context) {
  auto tensorType = mlir::cast<mlir::RankedTensorType>(type);
  auto shape = resolveShape(tensorType, context);
  if (!shape)
    return shape.takeError();
  return makeTensor<A>(tensorType.getElementType(), *shape);
}

/// Copies element `from` of `x` to element `to` of `y`, whatever they hold.
template <typename A>
void copyElement(Tensor<A> &y, int64_t to, const Tensor<A> &x, int64_t from) {
  if (holdsFloats(y.element))
    y.floats[to] = x.floats[from];
  else
    y.ints[to] = x.ints[from];
}

/// The index of element number `offset` in row-major order, and back.
llvm::SmallVector<int64_t, 4> unravel(int64_t offset,
                                      llvm::ArrayRef<int64_t> shape);
int64_t ravel(llvm::ArrayRef<int64_t> index, llvm::ArrayRef<int64_t> shape);

/// Makes an error of what the operands are that the types do not show.
llvm::Error evaluationError(const llvm::Twine &message);

} // namespace tenon::ir::ref
#endif // TENON_IR_REFERENCE_EVALUATE_H
