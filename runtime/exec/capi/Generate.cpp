//===- Generate.cpp - tenon/generate.h ------------------------------------===//

#include "tenon/generate.h"
#include "runtime/exec/capi/Handles.h"

using namespace tenon;

namespace {

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
  result.drafted_tokens = stats.draftedTokens;
  result.accepted_tokens = stats.acceptedTokens;
  return result;
}

static_assert(TENON_FINISH_CONTEXT ==
                  static_cast<int>(exec::FinishReason::Context) &&
              TENON_ROLE_ASSISTANT ==
                  static_cast<int>(io::ChatRole::Assistant));

/// Generates from an encoded prompt.
Status generate(tenon_session_t *session,
                const StatusOr<std::vector<int32_t>> &prompt,
                const tenon_generate_options_t *given, const exec::OnText &text,
                tenon_generate_stats_t *outStats) {
  if (!prompt.ok())
    return prompt.status();
  tenon_generate_options_t options =
      exec::readOptions(given, TENON_GENERATE_OPTIONS_INIT);
  TENON_ASSIGN_OR_RETURN(
      exec::GenerateStats stats,
      session->model->generate(*prompt, textOptions(options), text));
  if (outStats)
    exec::writeStruct(statsOf(stats), outStats);
  return Status();
}

exec::OnText callbackTo(tenon_text_fn onText, void *user) {
  return [=](std::string_view text) {
    return onText && onText(user, text.data(), text.size()) != 0;
  };
}

} // namespace

tenon_status_t tenon_session_generate(tenon_session_t *session,
                                      const char *prompt,
                                      const tenon_generate_options_t *options,
                                      tenon_text_fn onText, void *user,
                                      tenon_generate_stats_t *outStats) {
  return toC(generate(session, session->model->encode(prompt), options,
                      callbackTo(onText, user), outStats));
}

tenon_status_t tenon_session_chat(tenon_session_t *session,
                                  const tenon_message_t *messages,
                                  size_t messageCount,
                                  const tenon_generate_options_t *options,
                                  tenon_text_fn onText, void *user,
                                  tenon_generate_stats_t *outStats) {
  std::vector<io::ChatMessage> chat;
  for (size_t i = 0; i < messageCount; ++i)
    chat.push_back(
        {static_cast<io::ChatRole>(messages[i].role), messages[i].content});
  return toC(generate(session, session->model->encode(chat), options,
                      callbackTo(onText, user), outStats));
}

tenon_status_t tenon_session_tokenize(const tenon_session_t *session,
                                      const char *text, int32_t *ids,
                                      size_t capacity, size_t *outCount) {
  *outCount = 0;
  auto encoded = session->model->encode(text);
  if (!encoded.ok())
    return toC(encoded.status());
  *outCount = encoded->size();
  std::copy_n(encoded->begin(), std::min(capacity, encoded->size()), ids);
  return nullptr;
}
