//===- Main.cpp - tenon-opt -----------------------------------------------===//
//
//   tenon-opt model.mlir --canonicalize --cse
//   tenon-opt example.mlir --tn-interpret -o /dev/null
//
//===----------------------------------------------------------------------===//

#include "ir/tn/Tn.h"
#include "tools/tenon-opt/Interpret.h"
#ifdef TENON_HAS_PASSES
#include "passes/Passes.h"
#endif

#include "mlir/Dialect/Func/Extensions/InlinerExtension.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "mlir/Transforms/Passes.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  registry.insert<tenon::ir::TnDialect, mlir::arith::ArithDialect,
                  mlir::func::FuncDialect, mlir::math::MathDialect,
                  mlir::memref::MemRefDialect, mlir::scf::SCFDialect,
                  mlir::vector::VectorDialect, mlir::LLVM::LLVMDialect>();
  mlir::func::registerInlinerExtension(registry);
  mlir::registerCanonicalizerPass();
  mlir::registerCSEPass();
  mlir::registerInlinerPass();
  mlir::registerSymbolDCEPass();
  tenon::tools::registerInterpretPass();
#ifdef TENON_HAS_PASSES
  tenon::passes::registerPasses();
#endif
  return mlir::asMainReturnCode(mlir::MlirOptMain(
      argc, argv, "tenon-opt: passes over the tn dialect\n", registry));
}
