//===- TextModel.cpp - A decoder model from text to text ------------------===//

#include "runtime/exec/TextModel.h"
#include "runtime/exec/AdapterSet.h"
#include "runtime/exec/EmbeddedParameters.h"

#include <algorithm>
#include <future>

namespace tenon::exec {
namespace {

bool isDecoder(const base::Program &program) {
  return std::ranges::any_of(program.entries, [](const base::Entry &entry) {
    return entry.name == "forward" &&
           std::ranges::any_of(entry.arguments, [](const base::Value &value) {
             return value.name == "batch.pages";
           });
  });
}

StatusOr<SessionOptions> sessionOptions(const base::Program &program,
                                        const ModelOptions &options) {
  SessionOptions result;
  if (isDecoder(program)) {
    TENON_ASSIGN_OR_RETURN(result, decoderOptions(program, options.decoder));
  }
  result.limits.insert(result.limits.end(), options.limits.begin(),
                       options.limits.end());
  result.withoutWeights = options.withoutWeights;
  result.preparing = options.preparing;
  return result;
}

Status useAdapter(Session &session, const std::string &path) {
  TENON_ASSIGN_OR_RETURN(AdapterSet adapters,
                         AdapterSet::create(session.program().program()));
  TENON_RETURN_IF_ERROR(adapters.load(path, path));
  return adapters.use(session, path);
}

} // namespace

StatusOr<std::unique_ptr<TextModel>>
TextModel::open(std::shared_ptr<const LoadedProgram> program,
                const std::string &programPath, const ModelOptions &options) {
  std::shared_ptr<hal::Device> device = options.device;
  if (!device) {
    TENON_ASSIGN_OR_RETURN(device, hal::openDevice("cpu"));
  }
  TENON_ASSIGN_OR_RETURN(SessionOptions limits,
                         sessionOptions(program->program(), options));
  std::shared_ptr<const io::WeightsFile> weights;
  if (!options.parameters && !options.withoutWeights) {
    TENON_ASSIGN_OR_RETURN(weights,
                           openWeights(*program, programPath,
                                       options.weightsPath, options.weights));
  }

  std::unique_ptr<TextModel> model(new TextModel());
  // A large vocabulary takes a while; weights are packed meanwhile.
  std::future<StatusOr<io::Tokenizer>> tokenizer =
      std::async(std::launch::async, [program, weights] {
        return loadTokenizer(*program, weights.get());
      });
  ParameterLookup lookup = options.parameters;
  if (weights) {
    lookup = lookupIn(weights);
  } else if (!lookup && !options.withoutWeights) {
    TENON_ASSIGN_OR_RETURN(lookup, embeddedParameters(program));
  }
  TENON_ASSIGN_OR_RETURN(model->opened,
                         Session::open(std::move(program), std::move(device),
                                       limits, std::move(lookup)));
  if (!options.adapter.empty())
    TENON_RETURN_IF_ERROR(useAdapter(*model->opened, options.adapter));
  StatusOr<io::Tokenizer> loaded = tokenizer.get();
  model->tokenizerFailure = loaded.status();
  if (loaded.ok())
    model->loadedTokenizer = *std::move(loaded);
  auto generator = Generator::create(
      *model->opened, {.chunkTokens = 0, .drafts = options.decoder.drafts});
  model->generatorFailure = generator.status();
  if (generator.ok())
    model->madeGenerator = *std::move(generator);
  return model;
}

StatusOr<const io::Tokenizer *> TextModel::tokenizer() const {
  if (!loadedTokenizer)
    return tokenizerFailure;
  return &*loadedTokenizer;
}

StatusOr<Generator *> TextModel::generator() {
  if (!madeGenerator)
    return generatorFailure;
  return madeGenerator.get();
}

StatusOr<std::vector<int32_t>> TextModel::encode(std::string_view text) const {
  TENON_ASSIGN_OR_RETURN(const io::Tokenizer *used, tokenizer());
  return used->encode(text);
}

StatusOr<std::vector<int32_t>>
TextModel::encode(std::span<const io::ChatMessage> messages) const {
  TENON_ASSIGN_OR_RETURN(const io::Tokenizer *used, tokenizer());
  TENON_ASSIGN_OR_RETURN(io::ChatFormat format, io::chooseChatFormat(*used));
  TENON_ASSIGN_OR_RETURN(io::Prompt prompt, io::renderChat(format, messages));
  return used->encode(prompt);
}

StatusOr<GenerateStats> TextModel::generate(std::span<const int32_t> prompt,
                                            const TextOptions &options,
                                            const OnText &onText) {
  TENON_ASSIGN_OR_RETURN(const io::Tokenizer *used, tokenizer());
  TENON_ASSIGN_OR_RETURN(Generator * driver, generator());
  std::vector<int32_t> ends(used->endOfText().begin(), used->endOfText().end());
  GenerateRequest request;
  request.prompt = prompt;
  request.sampling = options.sampling;
  request.maxTokens = options.maxTokens;
  request.stopTokens = ends;
  io::Decoder decoder(*used);
  Status decoding;
  auto give = [&](std::string_view text) {
    return !text.empty() && onText && onText(text);
  };
  auto onToken = [&](size_t, int32_t token) {
    StatusOr<std::string> text = decoder.push(token);
    if (!text.ok())
      decoding = text.status();
    return !text.ok() || give(*text);
  };
  TENON_ASSIGN_OR_RETURN(GenerateStats stats,
                         driver->generate({&request, 1}, onToken));
  TENON_RETURN_IF_ERROR(decoding);
  give(decoder.finish());
  return stats;
}

StatusOr<GenerateStats>
TextModel::generateAll(std::span<const std::vector<int32_t>> prompts,
                       const TextOptions &options, const OnResult &onResult) {
  TENON_ASSIGN_OR_RETURN(const io::Tokenizer *used, tokenizer());
  TENON_ASSIGN_OR_RETURN(Generator * driver, generator());
  std::vector<int32_t> ends(used->endOfText().begin(), used->endOfText().end());
  std::vector<GenerateRequest> requests(prompts.size());
  for (size_t i = 0; i < prompts.size(); ++i) {
    requests[i].prompt = prompts[i];
    requests[i].sampling = options.sampling;
    requests[i].sampling.seed += static_cast<int64_t>(i);
    requests[i].maxTokens = options.maxTokens;
    requests[i].stopTokens = ends;
  }
  std::vector<std::vector<int32_t>> tokens(prompts.size());
  Status decoding;
  auto onToken = [&](size_t i, int32_t token) {
    tokens[i].push_back(token);
    return !decoding.ok();
  };
  auto onEnd = [&](size_t i, FinishReason reason) {
    TextResult result{i, "", std::ssize(tokens[i]), reason};
    io::Decoder decoder(*used);
    for (int32_t token : tokens[i]) {
      StatusOr<std::string> text = decoder.push(token);
      if (!text.ok())
        decoding = text.status();
      else
        result.text += *text;
    }
    result.text += decoder.finish();
    tokens[i] = {};
    onResult(result);
  };
  TENON_ASSIGN_OR_RETURN(GenerateStats stats,
                         driver->generate(requests, onToken, onEnd));
  TENON_RETURN_IF_ERROR(decoding);
  return stats;
}

} // namespace tenon::exec
