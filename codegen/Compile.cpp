//===- Compile.cpp - From a traced module to a program and its code -------===//

#include "codegen/Compile.h"

#include "codegen/cpu/Lower.h"
#include "codegen/cpu/Object.h"
#include "codegen/host/LowerToRt.h"
#include "codegen/host/ToProgram.h"
#include "passes/CheckPasses.h"
#include "passes/Pipelines.h"

#include "absl/strings/str_cat.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/Config/llvm-config.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/ThreadPool.h"

#include <atomic>
#include <chrono>
#include <mutex>

using namespace mlir;
using namespace tenon;
using namespace tenon::codegen;

// Kernels compiled as one module: enough to share the module's fixed cost, few
// enough to balance two threads.
static constexpr size_t kKernelsPerModule = 4;

namespace {

/// Collects the errors of one compilation as text.
class Diagnostics {
public:
  explicit Diagnostics(MLIRContext *context)
      : handler(context, [this](Diagnostic &diagnostic) {
          if (diagnostic.getSeverity() != DiagnosticSeverity::Error)
            return failure();
          add(diagnostic);
          return success();
        }) {}

  absl::Status status(absl::string_view stage) {
    std::lock_guard<std::mutex> lock(mutex);
    return absl::InternalError(absl::StrCat(
        stage, ": ", text.empty() ? "failed without a diagnostic" : text));
  }

private:
  void add(Diagnostic &diagnostic) {
    std::lock_guard<std::mutex> lock(mutex);
    llvm::raw_string_ostream out(text);
    if (!text.empty())
      out << "\n";
    out << diagnostic.getLocation() << ": " << diagnostic;
    for (Diagnostic &note : diagnostic.getNotes())
      out << "\n  note: " << note;
  }

  std::mutex mutex;
  std::string text;
  ScopedDiagnosticHandler handler;
};

class Compilation {
public:
  Compilation(ModuleOp module, const CompileOptions &options)
      : traced(module), options(options), diagnostics(module.getContext()),
        host(module.getContext()),
        target(options.target ? *options.target : *generic) {}

  absl::StatusOr<Compiled> run();

private:
  absl::Status runPasses(ModuleOp module, absl::string_view stage,
                         llvm::ArrayRef<std::string> bounds,
                         llvm::function_ref<void(OpPassManager &)> build);
  absl::Status chooseTypes(ModuleOp common);
  absl::Status lowerVariants(ModuleOp common);
  absl::Status writeProgram();
  absl::Status emitFeature(FeatureCode &code);
  absl::Status emitChunk(size_t first, size_t last, FeatureCode &code);
  void dump(ModuleOp module, absl::string_view stage);
  void progress(const char *stage, size_t done, size_t total) {
    if (options.progress)
      options.progress(stage, done, total);
  }

  ModuleOp traced;
  const CompileOptions &options;
  Diagnostics diagnostics;
  Compiled result;
  host::LowerToRt host;
  SmallVector<ir::rt::KernelOp> kernels; // of the host's module
  std::vector<cpu::KernelInfo> infos;    // of each, for all feature sets
  std::unique_ptr<Target> generic = makeTarget("cpu", {});
  const Target &target; // the options', or the generic one
  int dumped = 0;
  std::mutex mutex; // of infos and progress, while emitting
  size_t emitted = 0;
};

} // namespace

void Compilation::dump(ModuleOp module, absl::string_view stage) {
  if (options.dumpFolder.empty())
    return;
  std::error_code error;
  llvm::raw_fd_ostream out(absl::StrCat(options.dumpFolder, "/",
                                        absl::Dec(dumped++, absl::kZeroPad2),
                                        "-", stage, ".mlir"),
                           error);
  if (!error)
    module->print(out, OpPrintingFlags().enableDebugInfo(true, true));
}

absl::Status
Compilation::runPasses(ModuleOp module, absl::string_view stage,
                       llvm::ArrayRef<std::string> bounds,
                       llvm::function_ref<void(OpPassManager &)> build) {
  PassManager passes(module.getContext());
  build(passes);
  std::string broken;
  MLIRContext *context = module.getContext();
  if (options.checkPasses) {
    passes.addInstrumentation(passes::createCheckPasses(broken, bounds));
    context->disableMultithreading();
  }
  LogicalResult ran = passes.run(module);
  if (options.checkPasses)
    context->enableMultithreading();
  if (failed(ran))
    return diagnostics.status(stage);
  if (!broken.empty())
    return absl::InternalError(broken);
  dump(module, stage);
  return absl::OkStatus();
}

// Apart from the others: it may change results, which checked passes must not.
absl::Status Compilation::chooseTypes(ModuleOp common) {
  PassManager passes(common.getContext());
  passes::ChooseComputeTypesOptions choice;
  choice.activations = options.activations;
  passes.addPass(passes::createChooseComputeTypes(choice));
  if (common->hasAttr(ir::kComputeAttr))
    passes::buildPrecisionPipeline(passes);
  return failed(passes.run(common)) ? diagnostics.status("types")
                                    : absl::OkStatus();
}

static SmallVector<ir::ScheduleAttr>
scheduleBy(const Target &target, ir::KernelOp kernel,
           ArrayRef<ir::SymbolAttr> symbols) {
  SymbolRanges ranges;
  for (ir::SymbolAttr symbol : symbols)
    ranges[symbol.getName()] = symbol;
  SmallVector<ir::ScheduleAttr> schedules;
  for (unsigned nest = 0; nest < kernel->getNumRegions(); ++nest)
    schedules.push_back(target.schedule(kernel, nest, ranges));
  return schedules;
}

static SmallVector<ir::SymbolAttr> boundsOf(const passes::VariantSpec &variant,
                                            MLIRContext *context) {
  SmallVector<ir::SymbolAttr> bounds;
  for (StringRef text : variant.bounds) {
    auto [name, range] = text.split('=');
    auto [low, high] = range.split("..");
    int64_t min = 1, max = 1;
    (void)low.getAsInteger(10, min); // tn-specialize refuses a wrong text.
    (void)high.getAsInteger(10, max);
    bounds.push_back(ir::SymbolAttr::get(
        context, StringAttr::get(context, name), min, max, /*divisor=*/1));
  }
  return bounds;
}

absl::Status Compilation::lowerVariants(ModuleOp common) {
  if (failed(host.declare(common)))
    return diagnostics.status("declaring the entries");
  std::vector<passes::VariantSpec> specs = passes::variantsOf(common);
  for (size_t i = 0; i < specs.size(); ++i) {
    progress("passes", i, specs.size());
    OwningOpRef<ModuleOp> module = common.clone();
    SmallVector<ir::SymbolAttr> bounds =
        boundsOf(specs[i], common.getContext());
    host.dropUnwanted(*module, bounds);
    absl::Status status = runPasses(
        *module, specs[i].name, specs[i].bounds, [&](OpPassManager &passes) {
          passes::buildVariantPipeline(
              passes, specs[i], [this](auto kernel, auto symbols) {
                return scheduleBy(target, kernel, symbols);
              });
        });
    if (!status.ok())
      return status;
    if (failed(host.addVariant(*module, specs[i].name, bounds)))
      return diagnostics.status("making the host program");
  }
  progress("passes", specs.size(), specs.size());
  llvm::append_range(kernels, host.module().getOps<ir::rt::KernelOp>());
  infos.resize(kernels.size());
  return absl::OkStatus();
}

absl::Status Compilation::emitChunk(size_t first, size_t last,
                                    FeatureCode &code) {
  MLIRContext *context = traced.getContext();
  OwningOpRef<ModuleOp> module = ModuleOp::create(UnknownLoc::get(context));
  for (size_t i = first; i < last; ++i) {
    ir::rt::KernelOp kernel = kernels[i];
    auto symbols =
        llvm::to_vector(kernel.getSymbols().getAsRange<ir::SymbolAttr>());
    cpu::KernelInfo info;
    if (failed(cpu::emitKernel(kernel.kernel(), kernel.getSymName(), symbols,
                               code.features, *module, info)))
      return diagnostics.status(
          absl::StrCat("emitting ", kernel.getSymName().str()));
    std::lock_guard<std::mutex> lock(mutex);
    info.scratchBytes = std::max(info.scratchBytes, infos[i].scratchBytes);
    infos[i] = std::move(info);
  }
  if (first == 0)
    dump(*module,
         absl::StrCat("kernels-", base::cpuFeaturesName(code.features)));
  llvm::LLVMContext llvmContext;
  std::unique_ptr<llvm::Module> lowered =
      cpu::lower(*module, code.features, llvmContext);
  if (!lowered)
    return diagnostics.status("lowering kernels to LLVM");
  absl::StatusOr<std::string> object = cpu::emitObject(*lowered, code.features);
  if (!object.ok())
    return object.status();
  std::lock_guard<std::mutex> lock(mutex);
  code.objects[first / kKernelsPerModule] = *std::move(object);
  emitted += last - first;
  progress("kernels", emitted, kernels.size() * options.features.size());
  return absl::OkStatus();
}

absl::Status Compilation::emitFeature(FeatureCode &code) {
  size_t count = kernels.size();
  code.objects.resize((count + kKernelsPerModule - 1) / kKernelsPerModule);
  llvm::StdThreadPool pool(llvm::hardware_concurrency(options.threads));
  absl::Status first;
  std::mutex firstMutex;
  for (size_t begin = 0; begin < count; begin += kKernelsPerModule)
    pool.async([&, begin] {
      absl::Status status =
          emitChunk(begin, std::min(begin + kKernelsPerModule, count), code);
      std::lock_guard<std::mutex> lock(firstMutex);
      if (first.ok())
        first = status;
    });
  pool.wait();
  return first;
}

absl::Status Compilation::writeProgram() {
  for (auto [kernel, info] : llvm::zip_equal(kernels, infos))
    host::describe(kernel, info);
  dump(host.module(), "rt");
  FailureOr<base::Program> program = host::toProgram(host.module());
  if (failed(program))
    return diagnostics.status("writing the host program");
  result.program = *std::move(program);
  if (Status verified = base::verify(result.program); !verified.ok())
    return absl::InternalError(
        absl::StrCat("the host program is wrong: ", verified.message()));
  return absl::OkStatus();
}

absl::StatusOr<Compiled> Compilation::run() {
  auto start = std::chrono::steady_clock::now();
  if (options.features.empty())
    return absl::InvalidArgumentError(
        "expects at least one CPU feature set to compile for");
  OwningOpRef<ModuleOp> common = traced.clone();
  dump(*common, "traced");
  absl::Status status = chooseTypes(*common);
  if (status.ok())
    status = runPasses(*common, "common", {}, [](OpPassManager &passes) {
      passes::buildCommonPipeline(passes);
    });
  if (status.ok())
    status = lowerVariants(*common);
  if (status.ok() && options.isSchedulingOnly)
    return Compiled();
  for (base::CpuFeatures features : options.features) {
    if (!status.ok())
      return status;
    result.code.push_back({features, {}});
    status = emitFeature(result.code.back());
  }
  if (!status.ok())
    return status;
  if (status = writeProgram(); !status.ok())
    return status;
  result.seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start)
          .count();
  return std::move(result);
}

absl::StatusOr<Compiled> codegen::compile(ModuleOp module,
                                          const CompileOptions &options) {
  // A tracer's context has the dialects of tracing alone, and none can be
  // loaded once several threads work in it.
  DialectRegistry registry;
  registerDialects(registry);
  module.getContext()->appendDialectRegistry(registry);
  module.getContext()->loadAllAvailableDialects();
  return Compilation(module, options).run();
}

void codegen::registerDialects(DialectRegistry &registry) {
  registry.insert<ir::TnDialect, ir::rt::RtDialect, func::FuncDialect,
                  arith::ArithDialect>();
  cpu::registerLowering(registry);
}

std::string codegen::buildId() {
  return absl::StrCat("tenon " TENON_VERSION ", LLVM ", LLVM_VERSION_STRING);
}
