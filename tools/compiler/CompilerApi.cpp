//===- CompilerApi.cpp - What libtenon_compiler.so offers -----------------===//

#include "tools/compiler/CompilerApi.h"

#include "codegen/Compile.h"
#include "codegen/Tuning.h"
#include "codegen/cpu/Link.h"
#include "frontend/session/ModelFiles.h"
#include "models/Registry.h"
#include "runtime/base/Container.h"
#include "runtime/exec/ModelFiles.h"
#include "runtime/io/StoredTokenizer.h"
#include "runtime/io/Tokenizer.h"
#include "tenon/abi.h"
#include "tools/compiler/AdapterOptions.h"
#include "tools/compiler/FromAbsl.h"
#include "tools/compiler/TrainingOptions.h"
#include "tools/compiler/Tuner.h"

#include "absl/strings/str_cat.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <thread>

using namespace tenon;

namespace {

namespace fs = std::filesystem;

/// One call of tenon_compile_model.
class ModelCompiler {
public:
  ModelCompiler(std::string model, std::string output,
                const tenon_compile_options_t &callerOptions)
      : modelPath(std::move(model)), outputPath(std::move(output)),
        options(callerOptions) {}

  Status run();
  Status tune(const tenon_tune_options_t &how);

private:
  Status readOptions();
  absl::StatusOr<TracedProgram> traceEntries() const;
  Status trace();
  Status readTuning();
  absl::StatusOr<ModelFiles> open() const;
  StatusOr<codegen::Compiled> compile();
  Status link(const codegen::Compiled &compiled);
  void describe(base::Program &program) const;
  Status write(const base::Program &program);
  std::string reference() const;
  std::string storedTokenizer() const;

  void progress(const char *stage, size_t done = 0, size_t total = 0) {
    std::lock_guard<std::mutex> lock(progressMutex);
    if (options.progress)
      options.progress(options.progress_user, stage, done, total);
  }

  std::string modelPath, outputPath;
  const tenon_compile_options_t &options;
  codegen::CompileOptions settings;
  base::TargetDescription machine;
  std::unique_ptr<codegen::Target> analytic;
  std::unique_ptr<codegen::TunedTarget> tuned; // null without a tuning file
  std::optional<TracedProgram> traced;
  models::DecoderOptions decoder;
  std::optional<ModelFiles> files;
  std::vector<std::string> code; // by feature set of the settings
  std::mutex progressMutex;
};

Status ModelCompiler::readOptions() {
  using base::CpuFeatures;
  std::string_view cpu = options.cpu ? options.cpu : "all";
  if (cpu == "all") {
    settings.features = {CpuFeatures::V3, CpuFeatures::V4, CpuFeatures::V4Vnni};
  } else {
    TENON_ASSIGN_OR_RETURN(CpuFeatures features,
                           base::parseCpuFeatures(std::string(cpu)));
    settings.features = {features};
  }
  std::string_view cache = options.cache_type ? options.cache_type : "";
  std::optional<CacheElement> element = parseCacheElement(cache);
  if (!element && !cache.empty())
    return invalidArgument("expects a cache type of f32, f16, bf16 or q8_0, "
                           "got '",
                           cache, "'");
  decoder.cacheType = element.value_or(decoder.cacheType);
  decoder.drafts = options.drafts != 0;
  if (options.latent_attention)
    decoder.latents = models::parseLatentForm(options.latent_attention);
  if (options.latent_attention && !decoder.latents)
    return invalidArgument("expects latent attention to be absorbed or "
                           "materialised, got '",
                           options.latent_attention, "'");
  settings.activations = options.activations ? options.activations : "f32";
  if (settings.activations != "f32" && settings.activations != "bf16" &&
      settings.activations != "q8")
    return invalidArgument("expects activations of f32, bf16 or q8, got '",
                           settings.activations, "'");
  TENON_ASSIGN_OR_RETURN(machine, base::parseTargetDescription(
                                      options.machine ? options.machine : ""));
  settings.threads = options.threads
                         ? options.threads
                         : std::max(1U, std::thread::hardware_concurrency());
  settings.checkPasses = options.check_passes != 0;
  settings.dumpFolder = options.dump_folder ? options.dump_folder : "";
  if (options.adapters)
    TENON_RETURN_IF_ERROR(
        tools::fromAbsl(tools::parseAdapterOptions(options.adapters, decoder)));
  settings.progress = [this](const char *stage, size_t done, size_t total) {
    progress(stage, done, total);
  };
  return Status();
}

absl::StatusOr<ModelFiles> ModelCompiler::open() const {
  if (!options.weights_type)
    return ModelFiles::open(modelPath);
  std::optional<base::ElementType> type =
      base::parseElementType(options.weights_type);
  if (!type)
    return absl::InvalidArgumentError(
        absl::StrCat("expects the name of an element type for weights, got '",
                     options.weights_type, "'"));
  return ModelFiles::describe(modelPath, *type);
}

absl::StatusOr<TracedProgram> ModelCompiler::traceEntries() const {
  if (!options.training)
    return models::traceModel(*files, decoder);
  absl::StatusOr<models::TrainingOptions> training =
      tools::parseTrainingOptions(options.training);
  if (!training.ok())
    return training.status();
  models::DecoderOptions adapted = training->decoder;
  training->decoder = decoder;
  training->decoder.drafts = adapted.drafts;
  if (adapted.adapters || !adapted.adapterFiles.empty()) {
    training->decoder.adapters = adapted.adapters;
    training->decoder.adapterFiles = adapted.adapterFiles;
  }
  absl::StatusOr<models::Decoder> built =
      models::buildModel(*files, training->decoder);
  if (!built.ok())
    return built.status();
  return models::traceTraining(*built, *files, *training);
}

Status ModelCompiler::trace() {
  absl::StatusOr<ModelFiles> opened = open();
  if (!opened.ok())
    return tools::fromAbsl(opened.status());
  files.emplace(*std::move(opened));
  progress("trace");
  absl::StatusOr<TracedProgram> made = traceEntries();
  if (!made.ok())
    return tools::fromAbsl(made.status());
  traced.emplace(*std::move(made));
  return Status();
}

Status ModelCompiler::readTuning() {
  analytic = codegen::makeTarget("cpu", machine);
  settings.target = analytic.get();
  if (!options.tuning)
    return Status();
  TENON_ASSIGN_OR_RETURN(io::MappedFile file,
                         io::MappedFile::open(options.tuning));
  auto bytes = file.bytes();
  mlir::MLIRContext *context = traced->module()->getContext();
  absl::StatusOr<codegen::Tuning> tuning = codegen::parseTuning(
      {reinterpret_cast<const char *>(bytes.data()), bytes.size()}, context);
  if (!tuning.ok())
    return invalidArgument("'", options.tuning,
                           "': ", tuning.status().message());
  tuned = std::make_unique<codegen::TunedTarget>(*analytic, *std::move(tuning),
                                                 settings.features);
  settings.target = tuned.get();
  return Status();
}

StatusOr<codegen::Compiled> ModelCompiler::compile() {
  TENON_RETURN_IF_ERROR(trace());
  TENON_RETURN_IF_ERROR(readTuning());
  absl::StatusOr<codegen::Compiled> compiled =
      codegen::compile(traced->module(), settings);
  if (!compiled.ok())
    return tools::fromAbsl(compiled.status());
  if (tuned && options.notice)
    for (const std::string &line : tuned->notices())
      options.notice(options.notice_user,
                     concat("'", options.tuning, "': ", line).c_str());
  return *std::move(compiled);
}

Status ModelCompiler::link(const codegen::Compiled &compiled) {
  for (const codegen::FeatureCode &feature : compiled.code) {
    progress(TENON_STAGE_LINK, code.size(), compiled.code.size());
    absl::StatusOr<std::string> linked =
        codegen::cpu::linkShared(feature.objects);
    if (!linked.ok())
      return tools::fromAbsl(linked.status());
    code.push_back(*std::move(linked));
  }
  return Status();
}

void ModelCompiler::describe(base::Program &program) const {
  auto add = [&](const char *key, std::string value) {
    program.metadata.push_back({key, std::move(value)});
  };
  add("model.file", fs::path(files->path()).filename().string());
  if (files->hasWeights())
    add("model.hash", files->weights().contentHash().toHex());
  add("compiler.build", codegen::buildId());
  add("compiler.abi", std::to_string(TENON_ABI_VERSION));
  add("options.cache_type",
      options.cache_type ? options.cache_type : "the model's");
  add("options.activations", settings.activations);
  if (options.drafts)
    add("options.draft", "mtp");
  if (options.latent_attention)
    add("options.latent_attention", options.latent_attention);
  if (options.training)
    add("options.training", options.training);
  if (options.adapters)
    add("options.adapters", options.adapters);
  std::string text = base::print(machine);
  std::ranges::replace(text, '\n', ' ');
  add("options.machine", text);
  add("options.tuning",
      options.tuning ? fs::path(options.tuning).filename().string() : "none");
}

std::string ModelCompiler::reference() const {
  std::error_code error;
  fs::path folder = fs::absolute(outputPath, error).parent_path();
  fs::path file = fs::absolute(files->weights().path(), error);
  fs::path relative = file.lexically_proximate(folder);
  return exec::printReference(files->weights(), relative.string());
}

/// Empty where the model has none that can be read: a program may be used
/// without text, and what wants text reads the weights' own and says why not.
std::string ModelCompiler::storedTokenizer() const {
  StatusOr<io::Tokenizer> tokenizer = io::Tokenizer::load(files->weights());
  return tokenizer.ok() ? io::storeTokenizer(tokenizer->description()) : "";
}

Status ModelCompiler::write(const base::Program &program) {
  using base::SectionKind;
  progress("write");
  std::string bytes = base::serialise(program);
  std::string referenced = files->hasWeights() ? reference() : "";
  std::string tokenizer = files->hasWeights() ? storedTokenizer() : "";
  std::vector<base::Section> sections;
  auto add = [&](SectionKind kind, uint32_t tag, const std::string &data) {
    sections.push_back({kind, tag, data.data(), data.size()});
  };
  add(SectionKind::Program, 0, bytes);
  for (size_t i = 0; i < code.size(); ++i)
    add(SectionKind::Code, static_cast<uint32_t>(settings.features[i]),
        code[i]);
  if (!tokenizer.empty())
    add(SectionKind::Tokenizer, 0, tokenizer);
  if (!referenced.empty())
    add(SectionKind::Reference, 0, referenced);
  return base::writeContainer(outputPath, sections);
}

Status ModelCompiler::run() {
  TENON_RETURN_IF_ERROR(readOptions());
  TENON_ASSIGN_OR_RETURN(codegen::Compiled compiled, compile());
  TENON_RETURN_IF_ERROR(link(compiled));
  describe(compiled.program);
  return write(compiled.program);
}

Status writeText(const std::string &path, const std::string &text) {
  std::string partial = path + ".partial";
  std::ofstream file(partial, std::ios::binary);
  file << text;
  file.close();
  std::error_code error;
  if (file)
    fs::rename(partial, path, error);
  if (file && !error)
    return Status();
  fs::remove(partial, error);
  return unavailable("expects to write '", path, "', could not");
}

Status ModelCompiler::tune(const tenon_tune_options_t &how) {
  TENON_RETURN_IF_ERROR(readOptions());
  TENON_RETURN_IF_ERROR(trace());
  tools::TunerOptions search;
  search.compile = settings;
  search.compile.progress = nullptr;
  search.machine = machine;
  search.threads = options.threads;
  search.budgetSeconds = how.budget_seconds;
  search.tokens = how.tokens;
  search.context = how.context;
  search.progress = [&](const std::string &kernel, size_t done, size_t total) {
    progress(concat("tuning ", kernel.substr(0, 24)).c_str(), done, total);
  };
  search.shouldStop = [&] {
    return how.should_stop && how.should_stop(how.user);
  };
  search.onResult = [&](const tools::TuneResult &result) {
    std::string best = tools::textOf(result.kernel.schedules);
    tenon_tuned_kernel_t kernel = {result.kernel.label.c_str(),
                                   result.kernel.symbols.c_str(),
                                   result.analytic.c_str(),
                                   best.c_str(),
                                   result.kernel.analyticUs,
                                   result.kernel.tunedUs,
                                   result.tried,
                                   result.isKept,
                                   result.kernels};
    if (how.tuned)
      how.tuned(how.user, &kernel);
  };
  absl::StatusOr<codegen::Tuning> tuning =
      tools::tune(traced->module(), search);
  if (!tuning.ok())
    return tools::fromAbsl(tuning.status());
  return writeText(outputPath, codegen::printTuning(*tuning));
}

} // namespace

uint32_t tenon_compiler_api_version(void) { return TENON_COMPILER_API_VERSION; }

tenon_status_t tenon_compile_model(const char *model_path,
                                   const char *output_path,
                                   const tenon_compile_options_t *options) {
  if (!model_path || !output_path)
    return toC(invalidArgument("expects a model and an output path, got NULL"));
  tenon_compile_options_t known = TENON_COMPILE_OPTIONS_INIT;
  if (options) // a caller of an older header has fewer fields
    std::memcpy(&known, options, std::min(options->size_bytes, sizeof(known)));
  return toC(ModelCompiler(model_path, output_path, known).run());
}

tenon_status_t tenon_tune_model(const char *model_path, const char *output_path,
                                const tenon_tune_options_t *options) {
  if (!model_path || !output_path || !options)
    return toC(invalidArgument(
        "expects a model, an output path and options, got NULL"));
  tenon_compile_options_t known = TENON_COMPILE_OPTIONS_INIT;
  if (const tenon_compile_options_t *given = options->compile)
    std::memcpy(&known, given, std::min(given->size_bytes, sizeof(known)));
  return toC(ModelCompiler(model_path, output_path, known).tune(*options));
}
