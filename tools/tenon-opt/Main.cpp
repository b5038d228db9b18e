//===- Main.cpp - tenon-opt -----------------------------------------------===//
//
//   tenon-opt model.mlir --canonicalize --cse
//   tenon-opt example.mlir --tn-interpret -o /dev/null
//   tenon-opt layer.mlir --tn-fuse --explain-fusion -o /dev/null
//   tenon-opt model.mlir --tn-fuse --tn-to-rt
//   tenon-opt model.mlir --check-passes --tn-pack-weights --tn-hoist-prepared
//
//===----------------------------------------------------------------------===//

#include "codegen/host/LowerToRt.h"
#include "ir/rt/Rt.h"
#include "passes/CheckPasses.h"
#include "passes/Passes.h"
#include "tools/tenon-opt/ExplainFusion.h"
#include "tools/tenon-opt/ExplainMoe.h"
#include "tools/tenon-opt/Interpret.h"

#include "mlir/Dialect/Func/Extensions/InlinerExtension.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Support/FileUtilities.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "mlir/Transforms/Passes.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/ToolOutputFile.h"

using namespace mlir;

namespace {

llvm::cl::opt<bool> checkPasses(
    "check-passes", llvm::cl::init(false),
    llvm::cl::desc("Interpret every entry on seeded inputs before and after "
                   "each pass; name the first pass that changes a result"));

llvm::cl::list<std::string> checkBounds(
    "check-bounds", llvm::cl::CommaSeparated,
    llvm::cl::desc("With --check-passes: the bounds that --tn-specialize is "
                   "given (T=1..16), so that inputs fit before and after"));

/// Adds to the passes the command line asks for what judges them.
void judgePasses(MlirOptMainConfig &config, std::string &broken) {
  MlirOptMainConfig asked = config;
  config.setPassPipelineSetupFn([asked, &broken](PassManager &passes) {
    if (failed(asked.setupPassPipeline(passes)))
      return failure();
    passes.getContext()->disableMultithreading();
    passes.addInstrumentation(tenon::passes::createCheckPasses(
        broken, llvm::ArrayRef<std::string>(checkBounds)));
    return success();
  });
}

void registerAll(DialectRegistry &registry) {
  registry.insert<tenon::ir::TnDialect, tenon::ir::rt::RtDialect,
                  arith::ArithDialect, func::FuncDialect, math::MathDialect,
                  memref::MemRefDialect, scf::SCFDialect, vector::VectorDialect,
                  LLVM::LLVMDialect>();
  func::registerInlinerExtension(registry);
  registerCanonicalizerPass();
  registerCSEPass();
  registerInlinerPass();
  registerSymbolDCEPass();
  tenon::tools::registerInterpretPass();
  tenon::tools::registerExplainFusionPass();
  tenon::tools::registerExplainMoePass();
  tenon::passes::registerPasses();
  tenon::codegen::host::registerPasses();
}

/// Exit code: 1 if the input, a pass or the check of one fails.
int run(StringRef input, StringRef output, DialectRegistry &registry) {
  std::string error, broken;
  auto file = openInputFile(input, &error);
  auto out = file ? openOutputFile(output, &error) : nullptr;
  if (!out) {
    llvm::errs() << "tenon-opt: error: " << error << "\n";
    return 1;
  }
  MlirOptMainConfig config = MlirOptMainConfig::createFromCLOptions();
  if (checkPasses)
    judgePasses(config, broken);
  LogicalResult ran = MlirOptMain(out->os(), std::move(file), registry, config);
  if (!broken.empty())
    llvm::errs() << "tenon-opt: error: " << broken << "\n";
  if (failed(ran) || !broken.empty())
    return 1;
  out->keep();
  return 0;
}

} // namespace

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  DialectRegistry registry;
  registerAll(registry);
  auto [input, output] = registerAndParseCLIOptions(
      argc, argv, "tenon-opt: passes over the tn and rt dialects\n", registry);
  return run(input, output, registry);
}
