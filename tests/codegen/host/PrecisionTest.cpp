//===- PrecisionTest.cpp - Steps whose products are computed in bf16 ------===//

#include "passes/Pipelines.h"
#include "tests/codegen/host/ControlTest.h"
#include "tests/support/CompiledModule.h"

#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"

namespace tenon::testing {
namespace {

// A layer called twice, and the gradients of what it reads. k spans a segment.
constexpr const char *kText = R"(
!x = tensor<?x520xf32, #tn.dims<T, 520>>
!h = tensor<?x40xf32, #tn.dims<T, 40>>
!r = tensor<?xf32, #tn.dims<T>>
!up = tensor<40x520xf32>
!down = tensor<40x520xf32>
module attributes {tn.compute = "bf16"} {
  func.func private @layer(%x: !x, %up: !up, %down: !down) -> !x
      attributes {tn.symbols = [#tn.symbol<"T", 1 to 300>]} {
    %h = tn.matmul %x, %up {transpose_b} : !x, !up -> !h
    %a = tn.gelu_tanh %h : !h
    %y = tn.matmul %a, %down : !h, !down -> !x
    %z = tn.add %x, %y : !x
    return %z : !x
  }
  func.func private @loss(%x: !x, %up: !up, %down: !down) -> tensor<f32>
      attributes {tn.symbols = [#tn.symbol<"T", 1 to 300>]} {
    %y = call @layer(%x, %up, %down) : (!x, !up, !down) -> !x
    %z = call @layer(%y, %up, %down) : (!x, !up, !down) -> !x
    %s = tn.mul %z, %z : !x
    %r = tn.reduce sum %s : !x -> !r
    %l = tn.reduce sum %r : !r -> tensor<f32>
    return %l : tensor<f32>
  }
  func.func @f(%x: !x, %up: !up, %down: !down)
      -> (tensor<f32>, !x, !up, !down)
      attributes {tn.symbols = [#tn.symbol<"T", 1 to 300>]} {
    %l, %dx, %du, %dd = tn.gradient @loss(%x, %up, %down) wrt [0, 1, 2]
        : (!x, !up, !down) -> (tensor<f32>, !x, !up, !down)
    return %l, %dx, %du, %dd : tensor<f32>, !x, !up, !down
  }
})";

using PrecisionTest = ControlTest;

// The interpreter runs the program as the passes that change results leave it.
TEST_F(PrecisionTest, AStepEqualsTheContract) {
  mlir::OwningOpRef<mlir::ModuleOp> module =
      mlir::parseSourceString<mlir::ModuleOp>(kText, &context);
  ASSERT_TRUE(module);
  mlir::PassManager passes(&context);
  passes::buildPrecisionPipeline(passes);
  ASSERT_TRUE(succeeded(passes.run(*module)));
  std::string text;
  llvm::raw_string_ostream(text) << *module;
  int64_t narrow = 0, wide = 0;
  module->walk([&](ir::MatmulOp product) {
    bool isNarrow = product.getA().getType().getElementType().isBF16() &&
                    product.getB().getType().getElementType().isBF16();
    ++(isNarrow ? narrow : wide);
    EXPECT_TRUE(product.getType().getElementType().isF32());
  });
  EXPECT_EQ(narrow, 6); // forward, and two gradients of each, in one layer
  EXPECT_EQ(wide, 0);
  for (int64_t tokens : {1, 7, 300})
    expectSame(text,
               {{floats({tokens, 520}), floats({40, 520}), floats({40, 520})}});
}

// Weights are rounded where products stage them.
TEST_F(PrecisionTest, WeightsAreRoundedByProducts) {
  mlir::OwningOpRef<mlir::ModuleOp> module =
      mlir::parseSourceString<mlir::ModuleOp>(kText, &context);
  ASSERT_TRUE(module);
  auto opened = CompiledProgram::compile(*module, runnableFeatures().back());
  ASSERT_TRUE(opened.ok()) << opened.status();
  bool hasCast = false;
  for (const base::Kernel &kernel : (*opened)->program().kernels)
    hasCast |= kernel.label.starts_with("cast+matmul");
  EXPECT_TRUE(hasCast);
}

} // namespace
} // namespace tenon::testing
