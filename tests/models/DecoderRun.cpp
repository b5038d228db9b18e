//===- DecoderRun.cpp - A decoder, compiled and run in many ways ----------===//

#include "tests/models/DecoderRun.h"

#include "codegen/cpu/Link.h"
#include "frontend/session/JitProgram.h"
#include "models/Registry.h"
#include "runtime/hal/cpu/CpuFeatures.h"

#include <algorithm>
#include <filesystem>
#include <numeric>

namespace tenon::tests {

//===----------------------------------------------------------------------===//
// CompiledDecoder
//===----------------------------------------------------------------------===//

absl::StatusOr<std::unique_ptr<CompiledDecoder>>
CompiledDecoder::compile(const std::string &path,
                         const CompileDecoderOptions &options) {
  auto files = options.describedType
                   ? ModelFiles::describe(path, *options.describedType)
                   : ModelFiles::open(path);
  if (!files.ok())
    return files.status();
  std::unique_ptr<CompiledDecoder> made(new CompiledDecoder(*std::move(files)));
  models::DecoderOptions limits;
  limits.maxTokens = kMostTokens;
  limits.cacheType = options.cacheType;
  limits.drafts = options.drafts;
  auto program = models::traceModel(made->files, limits);
  if (!program.ok())
    return program.status();
  if (made->files.hasWeights())
    made->weights = Weights::of(made->files);
  if (options.randomWeights || options.describedType) {
    auto drawn = Weights::random(*program, /*seed=*/7);
    if (!drawn.ok())
      return drawn.status();
    made->weights = *std::move(drawn);
  }
  codegen::CompileOptions settings;
  settings.features = options.features;
  if (settings.features.empty()) {
    auto best = hal::detectCpuFeatures();
    if (!best.ok())
      return toAbsl(best.status());
    settings.features = {*best};
  }
  auto compiled = codegen::compile(program->module(), settings);
  if (!compiled.ok())
    return compiled.status();
  made->compiled = *std::move(compiled);
  if (options.withoutLoop)
    std::erase_if(made->compiled.program.entries, [](const base::Entry &entry) {
      return entry.name == "generate";
    });
  return made;
}

absl::Status CompiledDecoder::writeContainer() const {
  std::vector<std::string> code;
  for (const codegen::FeatureCode &feature : compiled.code) {
    auto linked = codegen::cpu::linkShared(feature.objects);
    if (!linked.ok())
      return linked.status();
    code.push_back(*std::move(linked));
  }
  std::string program = base::serialise(compiled.program);
  std::vector<base::Section> sections = {
      {base::SectionKind::Program, 0, program.data(), program.size()}};
  for (size_t i = 0; i < code.size(); ++i)
    sections.push_back({base::SectionKind::Code,
                        static_cast<uint32_t>(compiled.code[i].features),
                        code[i].data(), code[i].size()});
  return toAbsl(base::writeContainer(folder.path("model.tenon"), sections));
}

absl::StatusOr<std::shared_ptr<const exec::LoadedProgram>>
CompiledDecoder::load(base::CpuFeatures features, CodeKind kind) const {
  auto code = std::ranges::find(compiled.code, features,
                                &codegen::FeatureCode::features);
  if (code == compiled.code.end())
    return absl::NotFoundError("expects features that were compiled for");
  if (kind == CodeKind::Jit)
    return loadJit(compiled, *code);
  std::string path = folder.path("model.tenon");
  if (!std::filesystem::exists(path))
    if (absl::Status status = writeContainer(); !status.ok())
      return status;
  auto loaded = exec::LoadedProgram::open(path, features);
  if (!loaded.ok())
    return toAbsl(loaded.status());
  if ((*loaded)->features() != features)
    return absl::InternalError("expects the code of the features asked for");
  return *std::move(loaded);
}

exec::ParameterLookup CompiledDecoder::lookup() const {
  return [this](
             const base::Parameter &parameter) -> StatusOr<exec::TensorView> {
    const Weights::View *view = weights.find(parameter.source);
    if (!view)
      return notFound("expects a weight '", parameter.source, "', got none");
    return exec::TensorView{view->bytes.data(), view->type.element,
                            view->type.shape};
  };
}

int64_t CompiledDecoder::vocabulary() const {
  for (const base::Entry &entry : compiled.program.entries)
    if (entry.name == "forward")
      return entry.results[0].type.shape[1].terms[0].value;
  return 0;
}

//===----------------------------------------------------------------------===//
// logitsOf
//===----------------------------------------------------------------------===//

namespace {

struct Sequence {
  std::vector<int32_t> tokens;
  int64_t chunk = 0;
  size_t done = 0;
};

/// Steps sequences together through "forward"; the first one wants logits.
class Driver {
public:
  Driver(exec::Session &opened, const RunOptions &how, int64_t pagesEach,
         int64_t width)
      : session(opened), options(how), pagesPerSequence(pagesEach),
        vocabulary(width) {
    for (int64_t s = 0; s < how.sequences; ++s)
      for (int64_t p = 0; p < pagesEach; ++p)
        pages.push_back(pageOf(s, p));
  }

  StatusOr<std::vector<float>> run(std::vector<Sequence> sequences,
                                   size_t lastRows) {
    std::vector<float> logits;
    const Sequence &first = sequences[0];
    while (first.done < first.tokens.size()) {
      gather(sequences, first.tokens.size() - lastRows);
      size_t known = logits.size(), wanted = rows.size();
      if (rows.empty()) // a call wants one row at least
        rows = {0};
      logits.resize(known + rows.size() * vocabulary);
      TENON_RETURN_IF_ERROR(call(logits.data() + known));
      logits.resize(known + wanted * vocabulary);
    }
    return logits;
  }

private:
  /// Interleaves the sequences' pages.
  int32_t pageOf(int64_t s, int64_t p) const {
    int64_t turn = options.reversePages ? pagesPerSequence - 1 - p : p;
    return static_cast<int32_t>(turn * options.sequences + s);
  }

  /// Takes the next chunk of each sequence. The first one stands last in the
  /// call, so that what stands before it moves its rows.
  void gather(std::vector<Sequence> &sequences, size_t firstWanted) {
    for (auto *column : {&tokens, &sequence, &position, &rows})
      column->clear();
    for (size_t s = sequences.size(); s-- > 0;) {
      Sequence &from = sequences[s];
      for (int64_t i = 0; i < from.chunk && from.done < from.tokens.size();
           ++i, ++from.done) {
        if (s == 0 && from.done >= firstWanted)
          rows.push_back(static_cast<int32_t>(tokens.size()));
        tokens.push_back(from.tokens[from.done]);
        sequence.push_back(static_cast<int32_t>(s));
        position.push_back(static_cast<int32_t>(from.done));
      }
    }
  }

  Status call(float *out) {
    using base::ElementType;
    TENON_ASSIGN_OR_RETURN(uint32_t entry, session.findEntry("forward"));
    auto count = static_cast<int64_t>(tokens.size());
    auto wanted = static_cast<int64_t>(rows.size());
    int64_t perToken[] = {count}, perRow[] = {wanted};
    int64_t table[] = {options.sequences, pagesPerSequence};
    int64_t result[] = {wanted, vocabulary};
    exec::TensorView arguments[] = {
        {tokens.data(), ElementType::I32, perToken},
        {sequence.data(), ElementType::I32, perToken},
        {position.data(), ElementType::I32, perToken},
        {pages.data(), ElementType::I32, table},
        {rows.data(), ElementType::I32, perRow}};
    exec::MutableTensorView results[] = {{out, ElementType::F32, result}};
    return session.call(entry, arguments, results);
  }

  exec::Session &session;
  const RunOptions &options;
  int64_t pagesPerSequence, vocabulary;
  std::vector<int32_t> pages, tokens, sequence, position, rows;
};

/// The prompt, rotated, and beside it others of other lengths and paces.
std::vector<Sequence> sequencesFor(const std::vector<int32_t> &prompt,
                                   const RunOptions &options, size_t rotation) {
  std::vector<Sequence> sequences;
  for (int64_t s = 0; s < options.sequences; ++s) {
    Sequence made{prompt, s == 0 ? options.chunkTokens
                                 : 1 + options.chunkTokens / (s + 2)};
    size_t turn = (rotation + 11 * s) % prompt.size();
    std::ranges::rotate(made.tokens, made.tokens.begin() + turn);
    made.tokens.resize(std::max<size_t>(1, prompt.size() - 13 * s));
    sequences.push_back(std::move(made));
  }
  return sequences;
}
} // namespace

StatusOr<std::vector<float>> logitsOf(const CompiledDecoder &decoder,
                                      const PromptRows &prompt,
                                      const RunOptions &options) {
  auto program = decoder.load(options.features.value_or(decoder.bestFeatures()),
                              options.code);
  if (!program.ok())
    return internalError(std::string(program.status().message()));
  hal::DeviceOptions deviceOptions;
  deviceOptions.threads = options.threads;
  TENON_ASSIGN_OR_RETURN(auto device, hal::openDevice("cpu", deviceOptions));

  auto length = static_cast<int64_t>(prompt.tokens.size());
  size_t lastRows = prompt.lastRows ? prompt.lastRows : prompt.tokens.size();
  int64_t pageTokens = options.pageBlocks * TENON_CACHE_BLOCK;
  int64_t pagesEach = (length - 1) / pageTokens + 1;
  int64_t tokens = std::min(options.chunkTokens, length) * options.sequences;
  exec::SessionOptions limits;
  limits.limits = {{"T", std::min(tokens, kMostTokens)},
                   {"R", static_cast<int64_t>(lastRows)},
                   {"S", options.sequences},
                   {"P", pagesEach}};
  limits.pageBlocks = options.pageBlocks;
  limits.pages = pagesEach * options.sequences;
  TENON_ASSIGN_OR_RETURN(
      auto session,
      exec::Session::open(*program, device, limits, decoder.lookup()));

  Driver driver(*session, options, pagesEach, decoder.vocabulary());
  for (int before = options.runs - 1; before > 0; --before) {
    TENON_RETURN_IF_ERROR(
        driver.run(sequencesFor(prompt.tokens, options, before), 1).status());
  }
  return driver.run(sequencesFor(prompt.tokens, options, 0), lastRows);
}

} // namespace tenon::tests
