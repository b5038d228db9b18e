//===- ExplainMoe.cpp - How rows of experts are multiplied, and why -------===//

#include "tools/tenon-opt/ExplainMoe.h"

#include "passes/moe/ExpertPlan.h"

#include "mlir/Pass/Pass.h"
#include "llvm/Support/Format.h"

#include <algorithm>

using namespace mlir;
using namespace tenon;

namespace {

// Between the numbers of rows that are printed, up to the most there are.
constexpr int64_t kStep = 8;

void explain(ir::GroupedMatmulOp product) {
  raw_ostream &out = llvm::outs();
  RankedTensorType b = product.getB().getType();
  out << "@" << product->getParentOfType<func::FuncOp>().getName()
      << ": grouped_matmul of " << b.getDimSize(0) << " matrices ["
      << b.getDimSize(1) << ", " << b.getDimSize(2) << "] of "
      << base::info(ir::storageOf(b.getElementType())).name << "\n";
  RankedTensorType a = product.getA().getType();
  int64_t least = 1, most = passes::mostRows(product);
  for (int64_t axis = 0; axis + 1 < a.getRank(); ++axis)
    least *=
        std::max<int64_t>(a.isDynamicDim(axis) ? 1 : a.getDimSize(axis), 1);
  for (int64_t rows = least;; rows = std::min(rows * kStep, most)) {
    passes::ExpertPlan plan = passes::planExperts(product, rows);
    out << "  " << rows << " rows: " << plan.together << " together; "
        << llvm::format("%.2f", plan.groups) << " experts, "
        << llvm::format("%.0f", plan.bytes) << " bytes, "
        << llvm::format("%.0f", plan.operations) << " multiply-adds\n";
    if (rows >= most)
      return;
  }
}

struct ExplainMoePass : PassWrapper<ExplainMoePass, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(ExplainMoePass)

  StringRef getArgument() const override { return "explain-moe"; }
  StringRef getDescription() const override {
    return "Prints how many rows of an expert are multiplied together, and "
           "what that costs";
  }

  void runOnOperation() override { getOperation().walk(explain); }
};

} // namespace

void tools::registerExplainMoePass() { PassRegistration<ExplainMoePass>(); }
