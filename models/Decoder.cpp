//===- Decoder.cpp - What decoder models share ----------------------------===//
// T tokens, R rows that want logits, S sequences, P pages of one, V vocabulary,
// N stop tokens.

#include "models/Decoder.h"

#include "frontend/dsl/Control.h"
#include "frontend/dsl/Sugar.h"
#include "models/Adapters.h"

namespace tenon::models {

std::optional<LatentForm> parseLatentForm(std::string_view name) {
  if (name == "absorbed")
    return LatentForm::Absorbed;
  if (name == "materialised")
    return LatentForm::Materialised;
  return std::nullopt;
}
namespace {

/// The shortest page: `exec::SessionOptions::pageBlocks` blocks of 64 keys.
constexpr int64_t kKeysPerPage = 64;

int64_t pagesFor(int64_t context) { return (context - 1) / kKeysPerPage + 1; }

/// Arguments of the entries that are as `forward`.
struct ForwardArguments {
  ForwardArguments(Arguments &in, const Decoder &decoder,
                   const DecoderOptions &options, bool takesStates = false) {
    Dim T = Dim::symbol("T", 1, options.maxTokens);
    Dim R = Dim::symbol("R", 1, options.maxTokens);
    Dim S = Dim::symbol("S", 1, options.maxSequences);
    Dim P = Dim::symbol("P", 1, pagesFor(decoder.context));
    tokens = in.tensor("tokens", {T}, i32);
    if (takesStates)
      states = in.tensor("states", {T, decoder.width});
    batch = in.batch("batch", T, S, P);
    rows = in.tensor("rows", {R}, i32);
  }
  Tensor tokens, states, rows;
  Batch batch;
};

Entry forwardEntry(const Decoder &decoder, const DecoderOptions &options) {
  return {"forward", [=](Arguments &arguments) -> Results {
            ForwardArguments in(arguments, decoder, options);
            return {{"logits", decoder.forward(in.tokens, in.batch, in.rows)}};
          }};
}

Entry forwardStatesEntry(const Decoder &decoder,
                         const DecoderOptions &options) {
  return {"forwardStates", [=](Arguments &arguments) -> Results {
            ForwardArguments in(arguments, decoder, options);
            Tensor states = decoder.drafting->states(in.tokens, in.batch);
            return {{"logits", decoder.logits(gather(states, in.rows))},
                    {"states", states}};
          }};
}

Entry draftEntry(const Decoder &decoder, const DecoderOptions &options) {
  return {"draft", [=](Arguments &arguments) -> Results {
            ForwardArguments in(arguments, decoder, options, true);
            Tensor states = decoder.drafting->further(in.tokens, in.states,
                                                      in.batch, in.rows);
            return {{"logits", decoder.drafting->logits(states)},
                    {"states", states}};
          }};
}

/// The arguments of `tn.sample` but for logits and position.
struct SampleArguments {
  SampleArguments(Arguments &in, const Dim &rows)
      : temperature(in.tensor("temperature", {rows})),
        topK(in.tensor("topK", {rows}, i32)), topP(in.tensor("topP", {rows})),
        minP(in.tensor("minP", {rows})), seed(in.tensor("seed", {rows}, i64)) {}

  Tensor operator()(const Tensor &logits, const Tensor &position) const {
    return sample(logits, temperature, topK, topP, minP, seed, position);
  }

  Tensor temperature, topK, topP, minP, seed;
};

Entry sampleEntry(int64_t vocabulary, const DecoderOptions &options) {
  Dim R = Dim::symbol("R", 1, options.maxTokens);
  return {"sample", [=](Arguments &in) -> Results {
            Tensor logits = in.tensor("logits", {R, vocabulary});
            SampleArguments draw(in, R);
            Tensor position = in.tensor("position", {R}, i32);
            return {{"token", draw(logits, position)}};
          }};
}

/// Whether `token` [1] is one of `stops` [N]: i1 of rank 0.
Tensor isOneOf(const Tensor &token, const Tensor &stops) {
  Tensor distance = stops - token; // [N]
  Tensor isEqual = compare(distance, fullLike(distance, 0, i32), Predicate::EQ);
  return squeeze(max(isEqual.to(f32)) > 0.0, 0);
}

Entry generateEntry(const Decoder &decoder, const DecoderOptions &options) {
  // Of one value each: the code is that of `forward` for one token.
  Dim T = Dim::symbol("T", 1, 1);
  Dim S = Dim::symbol("S", 1, 1);
  Dim P = Dim::symbol("P", 1, pagesFor(decoder.context));
  Dim N = Dim::symbol("N", 1, options.maxStops);
  return {"generate", [=](Arguments &in) -> Results {
            Tensor first = in.tensor("token", {1}, i32);
            Batch batch = in.batch("batch", T, S, P);
            SampleArguments draw(in, 1);
            Tensor start = in.tensor("position", {1}, i32);
            Tensor stops = in.tensor("stops", {N}, i32);
            Tensor limit = in.tensor("limit", {1}, i32);
            Tensor rows = fullLike(first, 0, i32);
            auto going = [](const Tensor &, const Tensor &,
                            const Tensor &left) {
              return squeeze(left > 0.0, 0);
            };
            auto step = [&](const Tensor &token, const Tensor &position,
                            const Tensor &left) {
              // A function of its own, whose kernels are those of `forward`.
              Batch here = reposition(batch, position);
              Tensor logits = detail::outlined(
                  *decoder.model,
                  [&] { return decoder.forward(token, here, rows); },
                  Site::current());
              Tensor after = position + 1.0;
              Tensor next = draw(logits, after);
              Tensor isStop = isOneOf(next, stops);
              Tensor isLast = ifElse(
                  isStop, [&] { return isStop; }, [&] { return emit(next); });
              Tensor rest = left - 1.0;
              Tensor none = fullLike(rest, 0, i32);
              return std::array{next, after,
                                select(reshape(isLast, {1}), none, rest)};
            };
            auto [token, position, left] = whileLoop(
                std::array{first, start, limit}, decoder.context, going, step);
            return {{"token", token}};
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

std::vector<Entry> decoderEntries(const Decoder &decoder,
                                  const DecoderOptions &options) {
  std::vector<Entry> entries = {forwardEntry(decoder, options),
                                sampleEntry(decoder.vocabulary, options),
                                generateEntry(decoder, options)};
  if (options.drafts) {
    entries.push_back(forwardStatesEntry(decoder, options));
    entries.push_back(draftEntry(decoder, options));
  }
  return entries;
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

TraceOptions traceOptions(const Decoder &decoder, const ModelFiles &files) {
  TraceOptions options;
  options.source = [&decoder, &files](std::string_view name) {
    if (std::optional<std::string> adapter = adapterSource(decoder, name))
      return *adapter;
    std::string found = nameInFile(decoder.names, name, files.isGguf());
    std::string part = decoder.whole + found;
    return files.has(part) ? part : found;
  };
  if (files.hasWeights())
    options.types = &files.parameterTypes();
  else
    options.matrices = files.drawnType();
  // One token a step is what generating does; prompts come in few tokens or in
  // many, and want one row of logits; the rest is batches.
  options.variants = {{"decode", {"T=1..1", "R=1..1"}},
                      {"small", {"T=2..16", "R=1..1"}},
                      {"large", {"R=1..1"}},
                      {"any", {}}};
  options.metadata = {{"architecture", files.config().architecture()},
                      {"context_tokens", std::to_string(decoder.context)}};
  if (!decoder.adapters.weights.empty())
    options.metadata["adapters"] = decoder.adapters.description;
  return options;
}

absl::StatusOr<TracedProgram> traceDecoder(const Decoder &decoder,
                                           const ModelFiles &files,
                                           const DecoderOptions &options) {
  TraceOptions tracing = traceOptions(decoder, files);
  if (options.drafts) // what was drafted is computed together
    tracing.variants.insert(tracing.variants.begin() + 2,
                            {"verify", {"T=2..16", "R=2..16"}});
  return trace(*decoder.model, decoderEntries(decoder, options), tracing);
}

} // namespace tenon::models
