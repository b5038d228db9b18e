//===- CheckPassesTest.cpp - A broken pass is named -----------------------===//
//
// The instrumentation reports nothing where every pass keeps every result, and
// names the first pass, the entry and the result where one does not.
//
//===----------------------------------------------------------------------===//

#include "passes/CheckPasses.h"
#include "passes/Passes.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"

#include <gtest/gtest.h>

namespace tenon::passes {
namespace {
using namespace mlir;

constexpr const char *kModule = R"mlir(
  tn.parameter @w : tensor<16x8xf32>
  func.func @plain(%x: tensor<4x8xf32>) -> tensor<4x16xf32> {
    %w = tn.get_parameter @w : tensor<16x8xf32>
    %y = tn.matmul %x, %w {transpose_b}
        : tensor<4x8xf32>, tensor<16x8xf32> -> tensor<4x16xf32>
    return %y : tensor<4x16xf32>
  }
  func.func @step(%x: tensor<?x8xf32, #tn.dims<T, 8>>,
      %y: tensor<?x8xf32, #tn.dims<T, 8>>)
      -> (tensor<?x8xf32, #tn.dims<T, 8>>, tensor<?x8xf32, #tn.dims<T, 8>>)
      attributes {tn.symbols = [#tn.symbol<"T", 1 to 16>]} {
    %s = tn.add %x, %y : tensor<?x8xf32, #tn.dims<T, 8>>
    %d = tn.sub %x, %y : tensor<?x8xf32, #tn.dims<T, 8>>
    return %s, %d : tensor<?x8xf32, #tn.dims<T, 8>>,
        tensor<?x8xf32, #tn.dims<T, 8>>
  }
)mlir";

/// The mistake: a - b becomes b - a.
struct SwapOperandsPass
    : PassWrapper<SwapOperandsPass, OperationPass<func::FuncOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(SwapOperandsPass)

  StringRef getArgument() const override { return "swap-operands"; }
  void runOnOperation() override {
    getOperation().walk([](ir::SubOp op) {
      Value first = op->getOperand(0);
      op->setOperand(0, op->getOperand(1));
      op->setOperand(1, first);
    });
  }
};

class CheckPasses : public testing::Test {
protected:
  CheckPasses() {
    context.loadDialect<ir::TnDialect, func::FuncDialect>();
    context.disableMultithreading();
    module = parseSourceString<ModuleOp>(kModule, &context);
  }

  /// What the check finds while the passes run over the module.
  std::string finding(llvm::function_ref<void(OpPassManager &)> addPasses,
                      ArrayRef<std::string> bounds = {}) {
    std::string broken;
    PassManager passes(&context);
    passes.addInstrumentation(createCheckPasses(broken, bounds));
    addPasses(passes);
    EXPECT_TRUE(module && succeeded(passes.run(*module)));
    return broken;
  }

  MLIRContext context;
  OwningOpRef<ModuleOp> module;
};

TEST_F(CheckPasses, ReportNothingOfCorrectPasses) {
  EXPECT_EQ(finding([](OpPassManager &passes) {
              passes.addPass(createPackWeights());
              passes.addNestedPass<func::FuncOp>(createFuse());
            }),
            "");
}

TEST_F(CheckPasses, RunOnExtentsThatTheVariantKeeps) {
  SpecializeOptions narrow;
  narrow.bounds = {"T=1..1"};
  EXPECT_EQ(finding(
                [&](OpPassManager &passes) {
                  passes.addPass(createSpecialize(narrow));
                  passes.addNestedPass<func::FuncOp>(createFuse());
                },
                {"T=1..1"}),
            "");
}

TEST_F(CheckPasses, NameTheBrokenPassItsEntryAndResult) {
  EXPECT_EQ(finding([](OpPassManager &passes) {
              passes.addPass(createPackWeights());
              passes.addNestedPass<func::FuncOp>(
                  std::make_unique<SwapOperandsPass>());
            }),
            "pass 'swap-operands' changed a result: entry 'step', result 1");
}

TEST_F(CheckPasses, KeepTheFirstFinding) {
  EXPECT_EQ(finding([](OpPassManager &passes) {
              passes.addNestedPass<func::FuncOp>(
                  std::make_unique<SwapOperandsPass>());
              passes.addNestedPass<func::FuncOp>(createFuse());
            }),
            "pass 'swap-operands' changed a result: entry 'step', result 1");
}

} // namespace
} // namespace tenon::passes
