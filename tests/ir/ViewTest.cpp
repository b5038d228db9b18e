//===- ViewTest.cpp - A view's addressing is what it means ----------------===//
//
// For every element of a view's result, the index that `emitSourceIndex` builds
// is that of the operand's element which the interpreter puts there; and runs
// of `contiguousElements` elements are consecutive in the operand.
//
//===----------------------------------------------------------------------===//

#include "ir/reference/Evaluate.h"
#include "ir/reference/Interpreter.h"
#include "ir/tn/Tn.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"

#include <gtest/gtest.h>

namespace tenon::ir {
namespace {
using namespace mlir;

/// Computes an index value over constants by the few ops views build.
int64_t compute(mlir::Value value) {
  Operation *op = value.getDefiningOp();
  if (auto constant = dyn_cast<arith::ConstantIndexOp>(op))
    return constant.value();
  int64_t a = compute(op->getOperand(0)), b = compute(op->getOperand(1));
  if (isa<arith::AddIOp>(op))
    return a + b;
  if (isa<arith::MulIOp>(op))
    return a * b;
  if (isa<arith::DivUIOp>(op))
    return a / b;
  EXPECT_TRUE(isa<arith::RemUIOp>(op)) << op->getName().getStringRef().str();
  return a % b;
}

SmallVector<mlir::Value> constants(OpBuilder &builder, Location loc,
                                   ArrayRef<int64_t> values) {
  SmallVector<mlir::Value> result;
  for (int64_t value : values)
    result.push_back(arith::ConstantIndexOp::create(builder, loc, value));
  return result;
}

/// The operand: each element is its own number.
ref::Value<ref::Real> numbered(RankedTensorType type, int64_t symbol) {
  SmallVector<int64_t> shape(type.getShape());
  for (int64_t &extent : shape)
    extent = ShapedType::isDynamic(extent) ? symbol : extent;
  auto x = ref::makeTensor<ref::Real>(type.getElementType(), shape);
  for (int64_t i = 0; i < x.size(); ++i)
    x.floats[i] = i;
  return x;
}

class View : public testing::TestWithParam<const char *> {};

TEST_P(View, AddressesTheElementItMeans) {
  MLIRContext context;
  context.loadDialect<TnDialect, func::FuncDialect, arith::ArithDialect>();
  OwningOpRef<ModuleOp> module =
      parseSourceString<ModuleOp>(GetParam(), &context);
  ASSERT_TRUE(module);
  auto func = *module->getOps<func::FuncOp>().begin();
  ViewOp view = *func.getOps<ViewOp>().begin();

  ref::Value<ref::Real> x =
      numbered(cast<RankedTensorType>(func.getArgumentTypes()[0]), 3);
  ref::Context run;
  auto results = ref::interpret<ref::Real>(func, {x}, {}, run);
  ASSERT_TRUE(bool(results));
  const auto &y = ref::tensor<ref::Real>(results->front());
  ArrayRef<int64_t> shape = ref::tensor<ref::Real>(x).shape;

  OpBuilder builder(view);
  Location loc = view->getLoc();
  int64_t run0 = view.contiguousElements();
  for (int64_t i = 0; i < y.size(); ++i) {
    SmallVector<int64_t> source;
    for (mlir::Value index : view.emitSourceIndex(
             builder, constants(builder, loc, ref::unravel(i, y.shape)),
             constants(builder, loc, y.shape)))
      source.push_back(compute(index));
    ASSERT_EQ(ref::ravel(source, shape), y.floats[i]) << "element " << i;
    int64_t column = i % y.columns();
    bool starts = run0 == 0 ? column == 0 : column % run0 == 0;
    bool isSplat =
        isa<BroadcastOp>(view) && y.floats[i - column] == y.floats[i];
    if (!starts && !isSplat)
      EXPECT_EQ(y.floats[i], y.floats[i - 1] + 1) << "element " << i;
  }
}

#define FUNC(from, op, to)                                                     \
  "func.func @f(%x: " from ") -> " to " { %y = tn." op " : " from " -> " to    \
  " return %y : " to " }"
#define T4 "tensor<?x4xf32, #tn.dims<T, 4>>"

INSTANTIATE_TEST_SUITE_P(
    All, View,
    testing::Values(
        FUNC("tensor<2x1xf32>", "broadcast %x", "tensor<3x2x5xf32>"),
        FUNC("tensor<5xf32>", "broadcast %x", "tensor<3x5xf32>"),
        FUNC("tensor<f32>", "broadcast %x", "tensor<3xf32>"),
        FUNC("tensor<4x6xf32>", "reshape %x", "tensor<4x2x3xf32>"),
        FUNC("tensor<4x2x3xf32>", "reshape %x", "tensor<4x6xf32>"),
        FUNC("tensor<4x6xf32>", "reshape %x", "tensor<3x8xf32>"),
        FUNC("tensor<4x6xf32>", "reshape %x", "tensor<24xf32>"),
        FUNC("tensor<24xf32>", "reshape %x", "tensor<1x2x1x12x1xf32>"),
        FUNC("tensor<1x2x1x12x1xf32>", "reshape %x", "tensor<4x6xf32>"),
        FUNC("tensor<1xf32>", "reshape %x", "tensor<f32>"),
        FUNC(T4, "reshape %x", "tensor<?x2x2xf32, #tn.dims<T, 2, 2>>"),
        FUNC(T4, "reshape %x", "tensor<2x?x2xf32, #tn.dims<2, T, 2>>"),
        FUNC(T4, "reshape %x", "tensor<4x?xf32, #tn.dims<4, T>>"),
        FUNC("tensor<2x3x4xf32>", "transpose %x [2, 0, 1]",
             "tensor<4x2x3xf32>"),
        FUNC("tensor<2x3x4xf32>", "transpose %x [1, 0, 2]",
             "tensor<3x2x4xf32>"),
        FUNC("tensor<2x7xf32>", "slice %x axis 1 from 1 size 3 step 2",
             "tensor<2x3xf32>"),
        FUNC("tensor<7x2xf32>", "slice %x axis 0 from 1 size 3 step 2",
             "tensor<3x2xf32>"),
        FUNC("tensor<2x7xf32>", "slice %x axis 1 from 2 size 4",
             "tensor<2x4xf32>")));

} // namespace
} // namespace tenon::ir
