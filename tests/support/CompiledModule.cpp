//===- CompiledModule.cpp - Kernels as machine code in tests --------------===//

#include "tests/support/CompiledModule.h"

#include "codegen/cpu/Lower.h"
#include "codegen/cpu/Object.h"
#include "ir/tn/Tn.h"

#include "llvm/IR/LLVMContext.h"
#include "llvm/TargetParser/Host.h"

namespace tenon::testing {

absl::StatusOr<std::unique_ptr<CompiledModule>>
CompiledModule::compile(mlir::ModuleOp module, base::CpuFeatures features,
                        const CodeEdit &edit) {
  llvm::LLVMContext context;
  std::unique_ptr<llvm::Module> code =
      codegen::cpu::lower(module, features, context);
  if (!code)
    return absl::InternalError("expects a module that lowers");
  if (edit.code)
    edit.code(*code);
  absl::StatusOr<std::string> object =
      codegen::cpu::emitObject(*code, features);
  if (!object.ok())
    return object.status();
  auto result = std::make_unique<CompiledModule>();
  auto jit = codegen::cpu::Jit::create();
  if (!jit.ok())
    return jit.status();
  result->jit = std::move(*jit);
  if (absl::Status status = result->jit->add(*object); !status.ok())
    return status;
  return result;
}

tenon_kernel_fn CompiledModule::kernel(llvm::StringRef symbol) const {
  absl::StatusOr<tenon_kernel_fn> kernel = jit->lookup(symbol);
  return kernel.ok() ? *kernel : nullptr;
}

void loadKernelDialects(mlir::MLIRContext &context) {
  mlir::DialectRegistry registry;
  codegen::cpu::registerLowering(registry);
  registry.insert<ir::TnDialect>();
  context.appendDialectRegistry(registry);
  context.loadAllAvailableDialects();
  context.disableMultithreading();
}

std::vector<base::CpuFeatures> runnableFeatures() {
  llvm::StringMap<bool> host = llvm::sys::getHostCPUFeatures();
  auto has = [&](std::initializer_list<llvm::StringRef> names) {
    return llvm::all_of(names, [&](llvm::StringRef f) { return host[f]; });
  };
  std::vector<base::CpuFeatures> result;
  if (has({"avx2", "fma", "f16c", "bmi2"}))
    result.push_back(base::CpuFeatures::V3);
  if (has({"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}))
    result.push_back(base::CpuFeatures::V4);
  if (has({"avx512f", "avx512vnni", "avx512bf16"}))
    result.push_back(base::CpuFeatures::V4Vnni);
  return result;
}

std::string nameOf(base::CpuFeatures features) {
  static constexpr const char *names[] = {"v3", "v4", "v4-vnni"};
  return names[static_cast<size_t>(features)];
}

} // namespace tenon::testing
