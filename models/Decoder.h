//===- Decoder.h - What decoder models share --------------------*- C++ -*-===//
//
// The entries that `exec::Generator` drives, the limits they are traced for,
// and the names of weights.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_MODELS_DECODER_H
#define TENON_MODELS_DECODER_H

#include "frontend/dsl/Adapters.h"
#include "frontend/dsl/Trace.h"
#include "frontend/session/ModelFiles.h"

#include <span>

namespace tenon::models {

/// What latent attention is over, which the caches hold: the latents, or the
/// keys and values made of them. Rounding differs.
enum class LatentForm { Absorbed, Materialised };

/// Of "absorbed" or "materialised".
std::optional<LatentForm> parseLatentForm(std::string_view name);

struct DecoderOptions {
  int64_t maxTokens = 512;    ///< of one call, of all its sequences
  int64_t maxSequences = 512; ///< of one call
  int64_t maxStops = 64;      ///< stop tokens of `generate`
  CacheElement cacheType = CacheElement::f32;
  /// Absent: absorbed, where the weights are made for it.
  std::optional<LatentForm> latents = {};
  /// The entries that draft tokens, of models with a layer that predicts a
  /// further token.
  bool drafts = false;
  /// Beside the weights, which then stay as they are where one trains.
  std::optional<AdapterOptions> adapters = {};
  std::string adapterFiles = {}; ///< Or: adapters as these files have them.
};

/// A weight's names: in the model, in GGUF and in safetensors. "*" stands for
/// the layer's number.
struct WeightName {
  std::string_view model;
  std::string_view gguf;
  std::string_view safetensors;
};

/// Of the token rows `rows` i32 [R], for tokens i32 [T].
using Forward = std::function<Tensor(const Tensor &tokens, const Batch &batch,
                                     const Tensor &rows)>;

/// The parts of a model that draft tokens, by a layer that predicts a further
/// token of a token's state and the token after it.
struct Drafting {
  /// What the logits of each token are computed of: [T, D].
  std::function<Tensor(const Tensor &tokens, const Batch &batch)> states;
  /// The layer's own states [R, D] of rows, for tokens [T] after those that
  /// `states` [T, D], the model's or the layer's own, and the batch are of.
  std::function<Tensor(const Tensor &tokens, const Tensor &states,
                       const Batch &batch, const Tensor &rows)>
      further;
  std::function<Tensor(const Tensor &)> logits; // [R, V] of these
  std::string head; // the path of the part that makes them
};

/// A linear part whose rows the files hold in another order than safetensors
/// do: the two that rope turns together lie side by side in each head.
struct InterleavedHeads {
  std::string path; // "layers.0.attention.query"
  int64_t heads;
};

/// A model that was built for its files, for whoever traces entries of it.
struct Decoder {
  std::shared_ptr<Module> model;
  Forward hidden;                               // [R, D]; keeps `model` alive
  std::function<Tensor(const Tensor &)> logits; // [R, V] of these
  std::string head; // the path of the part that makes the logits
  int64_t vocabulary = 0, context = 0, width = 0;
  std::vector<WeightName> names;
  /// What safetensors of the model as a part of a whole, and an adapter's, have
  /// before each name: "transformer.".
  std::string whole = {};
  std::vector<InterleavedHeads> interleaved = {};
  std::optional<Drafting> drafting = {}; // as DecoderOptions ask
  bool hasLatents = false;               // attention is latent
  struct {
    std::vector<NamedTensor> weights; // none: there are no adapters
    std::string description;          // for the program's metadata
  } adapters = {};

  /// The logits [R, V] of token rows.
  Tensor forward(const Tensor &tokens, const Batch &batch,
                 const Tensor &rows) const {
    return logits(hidden(tokens, batch, rows));
  }
};

/// The decoder whose `Model` is a module with `hidden`, `logits` and `head`.
template <typename Model, typename Config>
Decoder decoderOf(std::shared_ptr<Model> model, const Config &config,
                  std::vector<WeightName> names) {
  return {.model = model,
          .hidden =
              [model](const Tensor &tokens, const Batch &batch,
                      const Tensor &rows) {
                return model->hidden(tokens, batch, rows);
              },
          .logits = [model](const Tensor &x) { return model->logits(x); },
          .head = model->head().path(),
          .vocabulary = config.vocabulary,
          .context = config.context,
          .width = config.width,
          .names = std::move(names)};
}
template <typename Model, typename Config>
Decoder decoderOf(const Config &config, std::vector<WeightName> names) {
  return decoderOf(std::make_shared<Model>(config), config, std::move(names));
}

/// Makes the entries
///   forward(tokens i32[T], batch, rows i32[R]) -> logits f32[R, V]
///   sample(logits f32[R, V], temperature f32[R], topK i32[R], topP f32[R],
///          minP f32[R], seed i64[R], position i32[R]) -> token i32[R]
///   generate(token i32[1], batch, temperature f32[1], topK i32[1],
///            topP f32[1], minP f32[1], seed i64[1], position i32[1],
///            stops i32[N], limit i32[1]) -> token i32[1]
///
/// `generate` is the loop of the two as one program, for one sequence. It
/// starts with a token that was sampled and not computed yet, and its position;
/// of the batch it reads the sequence and the pages. Each trip computes the
/// token and samples the next one. It emits that, unless it is one of `stops`,
/// and ends after a stop token, when the sink asks it to, or after `limit`
/// trips. The result is the last token sampled.
///
/// And, with `DecoderOptions::drafts`,
///   forwardStates(as forward) -> logits f32[R, V], states f32[T, D]
///   draft(tokens i32[T], states f32[T, D], batch, rows i32[R])
///       -> logits f32[R, V], states f32[R, D]
///
/// `draft` takes the states of the batch's tokens and, in place of each, the
/// token after it; its logits are those of the token after that. Its states are
/// those of what it predicts of, to draft from them what follows.
std::vector<Entry> decoderEntries(const Decoder &decoder,
                                  const DecoderOptions &options);

/// The name in the file of the weight called `name` in the model; `name` itself
/// if no rule has it, so that the error about it names it.
std::string nameInFile(std::span<const WeightName> names, std::string_view name,
                       bool gguf);

/// What tracing a decoder for its files takes: names, element types, variants,
/// metadata. Views `decoder` and `files`.
TraceOptions traceOptions(const Decoder &decoder, const ModelFiles &files);

/// Traces a decoder's entries for its files.
absl::StatusOr<TracedProgram> traceDecoder(const Decoder &decoder,
                                           const ModelFiles &files,
                                           const DecoderOptions &options);

} // namespace tenon::models
#endif // TENON_MODELS_DECODER_H
