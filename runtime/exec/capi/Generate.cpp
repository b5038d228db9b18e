//===- Generate.cpp - tenon/generate.h ------------------------------------===//

#include "tenon/generate.h"
#include "runtime/exec/capi/Handles.h"

using namespace tenon;

namespace {

StatusOr<std::vector<int32_t>> encodePrompt(const exec::TextModel &model,
                                            const char *prompt, bool raw) {
  TENON_ASSIGN_OR_RETURN(const io::Tokenizer *tokenizer, model.tokenizer());
  (void)raw;
  return tokenizer->encode(prompt);
}

exec::TextOptions textOptions(const tenon_generate_options_t &options) {
  exec::TextOptions result;
  if (options.max_tokens > 0)
    result.maxTokens = options.max_tokens;
  result.sampling.temperature = options.temperature;
  result.sampling.topK = options.top_k;
  result.sampling.topP = options.top_p;
  result.sampling.minP = options.min_p;
  result.sampling.seed = options.seed;
  return result;
}

tenon_generate_stats_t statsOf(const exec::GenerateStats &stats) {
  tenon_generate_stats_t result = {};
  result.finish = static_cast<tenon_finish_t>(stats.reasons[0]);
  result.prompt_tokens = stats.promptTokens;
  result.cached_tokens = stats.cachedTokens;
  result.prompt_ns = stats.promptNs;
  result.tokens = stats.tokens;
  result.decode_tokens = stats.decodeTokens;
  result.decode_ns = stats.decodeNs;
  return result;
}

static_assert(TENON_FINISH_CONTEXT ==
              static_cast<int>(exec::FinishReason::Context));

} // namespace

tenon_status_t tenon_session_generate(tenon_session_t *session,
                                      const char *prompt,
                                      const tenon_generate_options_t *given,
                                      tenon_text_fn onText, void *user,
                                      tenon_generate_stats_t *outStats) {
  tenon_generate_options_t options =
      exec::readOptions(given, TENON_GENERATE_OPTIONS_INIT);
  auto ids = encodePrompt(*session->model, prompt, options.raw != 0);
  if (!ids.ok())
    return toC(ids.status());
  auto stats = session->model->generate(
      *ids, textOptions(options), [&](std::string_view text) {
        return onText && onText(user, text.data(), text.size()) != 0;
      });
  if (!stats.ok())
    return toC(stats.status());
  if (outStats)
    exec::writeStruct(statsOf(*stats), outStats);
  return nullptr;
}

tenon_status_t tenon_session_tokenize(const tenon_session_t *session,
                                      const char *text, int32_t *ids,
                                      size_t capacity, size_t *outCount) {
  *outCount = 0;
  auto encoded = encodePrompt(*session->model, text, /*raw=*/true);
  if (!encoded.ok())
    return toC(encoded.status());
  *outCount = encoded->size();
  std::copy_n(encoded->begin(), std::min(capacity, encoded->size()), ids);
  return nullptr;
}
