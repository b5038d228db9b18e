//===- Decoder.cpp - What decoder models share ----------------------------===//
// T tokens, R rows that want logits, S sequences, P pages of one, V vocabulary.

#include "models/Decoder.h"

#include "frontend/dsl/Sugar.h"

namespace tenon::models {
namespace {

/// The shortest page: `exec::SessionOptions::pageBlocks` blocks of 64 keys.
constexpr int64_t kKeysPerPage = 64;

Entry forwardEntry(Forward forward, int64_t context,
                   const DecoderOptions &options) {
  Dim T = Dim::symbol("T", 1, options.maxTokens);
  Dim R = Dim::symbol("R", 1, options.maxTokens);
  Dim S = Dim::symbol("S", 1, options.maxSequences);
  Dim P = Dim::symbol("P", 1, (context - 1) / kKeysPerPage + 1);
  return {"forward", [=](Arguments &in) -> Results {
            Tensor tokens = in.tensor("tokens", {T}, i32);
            Batch batch = in.batch("batch", T, S, P);
            Tensor rows = in.tensor("rows", {R}, i32);
            return {{"logits", forward(tokens, batch, rows)}};
          }};
}

Entry sampleEntry(int64_t vocabulary, const DecoderOptions &options) {
  Dim R = Dim::symbol("R", 1, options.maxTokens);
  return {"sample", [=](Arguments &in) -> Results {
            Tensor logits = in.tensor("logits", {R, vocabulary});
            Tensor temperature = in.tensor("temperature", {R});
            Tensor topK = in.tensor("topK", {R}, i32);
            Tensor topP = in.tensor("topP", {R});
            Tensor minP = in.tensor("minP", {R});
            Tensor seed = in.tensor("seed", {R}, i64);
            Tensor position = in.tensor("position", {R}, i32);
            return {{"token", sample(logits, temperature, topK, topP, minP,
                                     seed, position)}};
          }};
}

/// The number at the start of `text`, if `rule` has a "*" there.
std::string_view numberAt(std::string_view text, size_t star) {
  size_t end = star;
  while (end < text.size() && text[end] >= '0' && text[end] <= '9')
    ++end;
  return text.substr(star, end - star);
}

/// What "*" stands for in `name`; nothing if the rule does not match.
std::optional<std::string_view> match(std::string_view rule,
                                      std::string_view name) {
  size_t star = rule.find('*');
  if (star == std::string_view::npos)
    return rule == name ? std::optional(std::string_view()) : std::nullopt;
  std::string_view tail = rule.substr(star + 1);
  if (name.substr(0, star) != rule.substr(0, star))
    return std::nullopt;
  std::string_view number = numberAt(name, star);
  if (number.empty() || name.substr(star + number.size()) != tail)
    return std::nullopt;
  return number;
}
} // namespace

std::vector<Entry> decoderEntries(Forward forward, int64_t vocabulary,
                                  int64_t context,
                                  const DecoderOptions &options) {
  return {forwardEntry(std::move(forward), context, options),
          sampleEntry(vocabulary, options)};
}

std::string nameInFile(std::span<const WeightName> names, std::string_view name,
                       bool gguf) {
  for (const WeightName &rule : names) {
    std::optional<std::string_view> number = match(rule.model, name);
    if (!number)
      continue;
    std::string result(gguf ? rule.gguf : rule.safetensors);
    if (size_t star = result.find('*'); star != std::string::npos)
      result.replace(star, 1, *number);
    return result;
  }
  return std::string(name);
}

absl::StatusOr<TracedProgram> traceDecoder(const Module &model,
                                           std::vector<Entry> entries,
                                           std::span<const WeightName> names,
                                           const ModelFiles &files,
                                           int64_t context) {
  TraceOptions options;
  bool gguf = files.isGguf();
  options.source = [names, gguf](std::string_view name) {
    return nameInFile(names, name, gguf);
  };
  options.types = &files.parameterTypes();
  // One token a step is what generating does; the rest is prompts and batches.
  options.variants = {{"decode", {"T=1..1", "R=1..1"}}, {"any", {}}};
  options.metadata = {{"architecture", files.config().architecture()},
                      {"context_tokens", std::to_string(context)}};
  return trace(model, entries, options);
}

} // namespace tenon::models
