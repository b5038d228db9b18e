//===- Object.cpp - Target machine, pipeline, emission --------------------===//

#include "codegen/cpu/Object.h"

#include "absl/strings/str_cat.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/IntrinsicInst.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Object/ELFObjectFile.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/Transforms/InstCombine/InstCombine.h"
#include "llvm/Transforms/Scalar/EarlyCSE.h"
#include "llvm/Transforms/Scalar/LICM.h"
#include "llvm/Transforms/Scalar/LoopPassManager.h"
#include "llvm/Transforms/Scalar/LoopRotation.h"
#include "llvm/Transforms/Scalar/SROA.h"
#include "llvm/Transforms/Scalar/SimplifyCFG.h"

#include <mutex>
#include <optional>

namespace tenon::codegen::cpu {

namespace {

constexpr llvm::StringLiteral kTriple = "x86_64-unknown-linux-gnu";

absl::StatusOr<std::unique_ptr<llvm::TargetMachine>>
createMachine(base::CpuFeatures features) {
  static std::once_flag once;
  std::call_once(once, [] {
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
  });
  std::string error;
  llvm::Triple triple(kTriple);
  const llvm::Target *target =
      llvm::TargetRegistry::lookupTarget(triple, error);
  if (!target)
    return absl::InternalError(error);
  llvm::TargetOptions options;
  options.AllowFPOpFusion = llvm::FPOpFusion::Strict;
  bool isVnni = features == base::CpuFeatures::V4Vnni;
  std::unique_ptr<llvm::TargetMachine> machine(target->createTargetMachine(
      triple, features == base::CpuFeatures::V3 ? "x86-64-v3" : "x86-64-v4",
      isVnni ? "+avx512vnni,+avx512bf16" : "", options, llvm::Reloc::PIC_,
      llvm::CodeModel::Small, llvm::CodeGenOptLevel::Default));
  if (!machine)
    return absl::InternalError("expects a target machine for x86-64, got none");
  return machine;
}

// The emitters write the loops they want, so the pipeline only cleans up after
// the lowering: no vectoriser, no unroller, no inlining.
void optimise(llvm::Module &module, llvm::TargetMachine &machine) {
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager components;
  llvm::ModuleAnalysisManager modules;
  llvm::PassBuilder builder(&machine);
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(components);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, components, modules);

  llvm::LoopPassManager loop;
  loop.addPass(llvm::LoopRotatePass());
  loop.addPass(llvm::LICMPass(llvm::LICMOptions()));
  llvm::FunctionPassManager function;
  function.addPass(llvm::SimplifyCFGPass());
  function.addPass(llvm::SROAPass(llvm::SROAOptions::ModifyCFG));
  function.addPass(llvm::EarlyCSEPass(/*UseMemorySSA=*/true));
  function.addPass(llvm::InstCombinePass());
  function.addPass(llvm::createFunctionToLoopPassAdaptor(
      std::move(loop), /*UseMemorySSA=*/true));
  function.addPass(llvm::EarlyCSEPass(/*UseMemorySSA=*/true));
  function.addPass(llvm::SimplifyCFGPass());
  llvm::ModulePassManager pipeline;
  pipeline.addPass(
      llvm::createModuleToFunctionPassAdaptor(std::move(function)));
  pipeline.run(module, modules);
}

/// The only lane that a constant mask has; nothing for any other mask.
std::optional<unsigned> onlyLane(const llvm::Value *mask) {
  auto *constant = llvm::dyn_cast<llvm::Constant>(mask);
  auto *type = llvm::dyn_cast<llvm::FixedVectorType>(mask->getType());
  std::optional<unsigned> lane;
  for (unsigned i = 0; constant && i < type->getNumElements(); ++i) {
    llvm::Constant *element = constant->getAggregateElement(i);
    if (element && element->isNullValue())
      continue;
    if (lane || !element || !element->isOneValue())
      return std::nullopt;
    lane = i;
  }
  return lane;
}

void storeScalar(llvm::IntrinsicInst &store, unsigned lane) {
  llvm::IRBuilder<> builder(&store);
  llvm::Value *vector = store.getArgOperand(0);
  llvm::Value *at = builder.CreateConstGEP1_64(
      vector->getType()->getScalarType(), store.getArgOperand(1), lane);
  builder.CreateAlignedStore(builder.CreateExtractElement(vector, lane), at,
                             llvm::Align(1));
  store.eraseFromParent();
}

// LLVM 22.1 stores the one lane of a constant mask in the width it was
// truncated from, beyond the end of a bf16 tensor (llvm/llvm-project issue
// 179489): such a store becomes a scalar one before it gets there.
void storeOneLaneAsScalar(llvm::Module &module) {
  for (llvm::Function &function : module)
    for (llvm::Instruction &instruction :
         llvm::make_early_inc_range(llvm::instructions(function))) {
      auto *store = llvm::dyn_cast<llvm::IntrinsicInst>(&instruction);
      if (!store || store->getIntrinsicID() != llvm::Intrinsic::masked_store)
        continue;
      if (std::optional<unsigned> lane = onlyLane(store->getArgOperand(2)))
        storeScalar(*store, *lane);
    }
}

// Registers that are spilled to an unaligned stack would cross lines.
void alignStacks(llvm::Module &module) {
  const llvm::Align vectorBytes(64);
  for (llvm::Function &function : module)
    if (!function.isDeclaration())
      function.addFnAttr(llvm::Attribute::getWithStackAlignment(
          module.getContext(), vectorBytes));
}

absl::StatusOr<std::string> emit(llvm::Module &module,
                                 base::CpuFeatures features,
                                 llvm::CodeGenFileType type) {
  absl::StatusOr<std::unique_ptr<llvm::TargetMachine>> machine =
      createMachine(features);
  if (!machine.ok())
    return machine.status();
  module.setTargetTriple(llvm::Triple(kTriple));
  module.setDataLayout((*machine)->createDataLayout());
  optimise(module, **machine);
  storeOneLaneAsScalar(module);
  alignStacks(module);
  llvm::SmallString<0> bytes;
  llvm::raw_svector_ostream stream(bytes);
  llvm::legacy::PassManager passes;
  if ((*machine)->addPassesToEmitFile(passes, stream, nullptr, type))
    return absl::InternalError("expects a target that emits object files");
  passes.run(module);
  return bytes.str().str();
}

// Kernels must stand alone: a call of libm would change numbers, and nothing
// would resolve it.
absl::Status checkUndefined(llvm::StringRef object) {
  auto file = llvm::object::ObjectFile::createELFObjectFile(
      llvm::MemoryBufferRef(object, "kernels"));
  if (!file)
    return absl::InternalError(llvm::toString(file.takeError()));
  std::string names;
  for (const llvm::object::SymbolRef &symbol : (*file)->symbols()) {
    llvm::Expected<uint32_t> flags = symbol.getFlags();
    llvm::Expected<llvm::StringRef> name = symbol.getName();
    if (!flags || !name)
      return absl::InternalError("expects a readable symbol table");
    bool isUndefined = *flags & llvm::object::SymbolRef::SF_Undefined;
    bool isFormat = *flags & llvm::object::SymbolRef::SF_FormatSpecific;
    if (isUndefined && !isFormat && !name->empty())
      absl::StrAppend(&names, names.empty() ? "" : ", ", name->str());
  }
  if (names.empty())
    return absl::OkStatus();
  return absl::InternalError(
      absl::StrCat("expects kernels that call nothing, got calls of ", names));
}

} // namespace

absl::StatusOr<std::string> emitObject(llvm::Module &module,
                                       base::CpuFeatures features) {
  absl::StatusOr<std::string> object =
      emit(module, features, llvm::CodeGenFileType::ObjectFile);
  if (!object.ok())
    return object;
  absl::Status status = checkUndefined(*object);
  if (!status.ok())
    return status;
  return object;
}

absl::StatusOr<std::string> emitAssembly(llvm::Module &module,
                                         base::CpuFeatures features) {
  return emit(module, features, llvm::CodeGenFileType::AssemblyFile);
}

} // namespace tenon::codegen::cpu
