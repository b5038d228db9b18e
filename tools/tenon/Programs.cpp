//===- Programs.cpp - A loaded program for any MODEL ----------------------===//

#include "tools/tenon/Programs.h"

#include "runtime/hal/cpu/CpuFeatures.h"
#include "tools/tenon/Cache.h"
#include "tools/tenon/Errors.h"
#include "tools/tenon/Interrupt.h"
#include "tools/tenon/ModelPath.h"

#include <algorithm>
#include <filesystem>
#include <unistd.h>

namespace tenon::tools {
namespace {

namespace fs = std::filesystem;
using LoadedPtr = std::shared_ptr<const exec::LoadedProgram>;

/// The feature set to run: the one asked for, if the machine has it.
StatusOr<base::CpuFeatures> chooseFeatures(const std::string &cpu) {
  TENON_ASSIGN_OR_RETURN(base::CpuFeatures machine, hal::detectCpuFeatures());
  if (cpu.empty())
    return machine;
  TENON_ASSIGN_OR_RETURN(base::CpuFeatures wanted, base::parseCpuFeatures(cpu));
  if (wanted > machine)
    return invalidArgument("expects --cpu to be at most ",
                           base::cpuFeaturesName(machine),
                           ", what this machine runs, got ", cpu);
  return wanted;
}

/// Loads a program of the cache; what is wrong with it is not the user's
/// concern beyond a notice.
LoadedPtr openCached(const std::string &path, base::CpuFeatures features) {
  std::error_code error;
  if (!fs::exists(path, error))
    return nullptr;
  Status status = checkCached(path);
  if (status.ok()) {
    StatusOr<LoadedPtr> program = exec::LoadedProgram::open(path, features);
    if (program.ok())
      return *program;
    status = program.status();
  }
  printNotice("a cached program is not usable, compiling again: " +
              status.message());
  return nullptr;
}

/// Weights, or a config.json whose weights are drawn.
struct Source {
  std::string path;
  std::string weightsType; // of drawn weights
  std::string digest;
  std::shared_ptr<const io::WeightsFile> weights; // null: drawn
};

/// What to compile, and how.
struct Job {
  const CompilerLibrary &compiler;
  const ProgramRequest &request;
  const Source &source;
  base::CpuFeatures features;
};

Status compileTo(const Job &job, const std::string &path, Progress &progress,
                 ReadyProgram &ready) {
  Stopwatch watch;
  CompileRequest compile;
  TENON_ASSIGN_OR_RETURN(base::TargetDescription machine,
                         describeMachine(job.request.schedules.machine));
  compile.cpu = base::cpuFeaturesName(job.features);
  compile.cacheType = job.request.cacheType;
  compile.latents = job.request.latents;
  compile.activations = job.request.activations;
  compile.weightsType = job.source.weightsType;
  compile.training = job.request.training;
  compile.adapters = adaptersLike(job.request.adapter);
  compile.draft = job.request.draft;
  compile.machine = base::print(machine);
  compile.tuning = job.request.schedules.tuning;
  compile.threads = job.request.threads;
  TENON_RETURN_IF_ERROR(
      job.compiler.compile(job.source.path, path, compile, progress));
  ready.compileSeconds = watch.seconds();
  ready.source = ProgramSource::Compiled;
  Stopwatch loading;
  TENON_ASSIGN_OR_RETURN(ready.program,
                         exec::LoadedProgram::open(path, job.features));
  ready.loadSeconds = loading.seconds();
  return Status();
}

Status compileUncached(const Job &job, Progress &progress,
                       ReadyProgram &ready) {
  std::error_code error;
  fs::path folder = fs::temp_directory_path(error);
  if (error)
    return unavailable("expects a folder for temporary files, got: ",
                       error.message(), "; set TMPDIR");
  PartialFile file(folder / concat("tenon-", getpid(), ".tenon"));
  ready.path = file.path(); // gone soon, but its mapping stays
  return compileTo(job, file.path(), progress, ready);
}

Status compileCached(const Job &job, Progress &progress, ReadyProgram &ready) {
  CacheKey key;
  TENON_ASSIGN_OR_RETURN(base::TargetDescription machine,
                         describeMachine(job.request.schedules.machine));
  key.machine = base::print(machine);
  TENON_ASSIGN_OR_RETURN(key.tuning,
                         tuningDigest(job.request.schedules.tuning));
  key.model = job.source.digest;
  key.features = job.features;
  key.cacheType = job.request.cacheType;
  key.latents = job.request.latents;
  key.activations = job.request.activations;
  key.training = job.request.training;
  key.draft = job.request.draft;
  TENON_ASSIGN_OR_RETURN(key.adapter, adapterDigest(job.request.adapter));
  TENON_ASSIGN_OR_RETURN(key.compiler, job.compiler.digest());
  TENON_ASSIGN_OR_RETURN(ready.path, cachePath(key));
  Stopwatch loading;
  ready.program = openCached(ready.path, job.features);
  if (!ready.program)
    return compileTo(job, ready.path, progress, ready);
  ready.loadSeconds = loading.seconds();
  ready.source = ProgramSource::Cache;
  return Status();
}

} // namespace

double Stopwatch::seconds() const {
  std::chrono::duration<double> passed =
      std::chrono::steady_clock::now() - start;
  return passed.count();
}

StatusOr<LoadedPtr> openProgram(const std::string &path,
                                std::optional<base::CpuFeatures> most) {
  StatusOr<LoadedPtr> program = exec::LoadedProgram::open(path, most);
  if (program.ok())
    return program;
  Status status = program.status();
  bool isDamaged = status.code() == TENON_DATA_LOSS ||
                   status.code() == TENON_UNIMPLEMENTED ||
                   status.code() == TENON_UNAVAILABLE;
  return isDamaged ? withAdvice(status, "make the file again with `tenon "
                                        "compile`")
                   : status;
}

namespace {

StatusOr<ReadyProgram> openCompiled(const ProgramRequest &request,
                                    base::CpuFeatures features) {
  if (!request.cacheType.empty())
    return invalidArgument("expects --cache-type with weights alone: '",
                           request.model, "' is compiled already");
  if (!request.latents.empty())
    return invalidArgument("expects --latent-attention with weights alone: '",
                           request.model, "' is compiled already");
  if (!request.schedules.tuning.empty())
    return invalidArgument("expects --tuning with weights alone: '",
                           request.model, "' is compiled already");
  if (request.activations != "f32")
    return invalidArgument("expects --activations with weights alone: '",
                           request.model, "' is compiled already");
  Stopwatch loading;
  ReadyProgram ready;
  ready.path = request.model;
  ready.weights = request.weights;
  TENON_ASSIGN_OR_RETURN(ready.program, openProgram(request.model, features));
  ready.loadSeconds = loading.seconds();
  return ready;
}

/// Finds what to compile; damage is found before the compiler is looked for.
StatusOr<Source> findSource(const ProgramRequest &request) {
  std::optional<std::string> config = loneConfig(request.model);
  if (config && (request.randomWeights || !request.training.empty())) {
    Source source{*config, request.weightsType, "", nullptr};
    if (source.weightsType.empty())
      source.weightsType = request.training.empty() ? "bf16" : "f32";
    TENON_ASSIGN_OR_RETURN(source.digest,
                           configDigest(*config, source.weightsType));
    return source;
  }
  if (config)
    return notFound("expects weights beside '", *config,
                    "', got none; `tenon bench --random-weights SEED` draws "
                    "them");
  if (!request.weightsType.empty())
    return invalidArgument("expects --weights-type with a config.json and "
                           "--random-weights alone, got '",
                           request.model, "'");
  TENON_ASSIGN_OR_RETURN(io::WeightsFile weights,
                         openWeightsFile(request.model));
  Source source{request.model, "", "", nullptr};
  TENON_ASSIGN_OR_RETURN(source.digest, modelDigest(weights));
  source.weights = std::make_shared<const io::WeightsFile>(std::move(weights));
  return source;
}

} // namespace

StatusOr<ReadyProgram> prepareProgram(const ProgramRequest &request,
                                      Progress &progress) {
  TENON_ASSIGN_OR_RETURN(ModelKind kind, classifyModel(request.model));
  TENON_ASSIGN_OR_RETURN(base::CpuFeatures features,
                         chooseFeatures(request.cpu));
  if (kind == ModelKind::Program)
    return openCompiled(request, features);
  if (!request.weights.empty())
    return invalidArgument("expects --weights with a .tenon file alone, got ",
                           "the weights '", request.model, "' as MODEL");
  TENON_ASSIGN_OR_RETURN(Source source, findSource(request));
  TENON_ASSIGN_OR_RETURN(CompilerLibrary compiler, CompilerLibrary::find());
  ReadyProgram ready;
  if (source.weightsType.empty())
    ready.weights = source.path;
  ready.opened = source.weights;
  Job job{compiler, request, source, features};
  TENON_RETURN_IF_ERROR(request.skipCache
                            ? compileUncached(job, progress, ready)
                            : compileCached(job, progress, ready));
  return ready;
}

} // namespace tenon::tools
