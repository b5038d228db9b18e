//===- Training.cpp - Entries that train a decoder ------------------------===//
// T tokens, M rows that are learned, S sequences, V vocabulary.

#include "models/Training.h"

#include "frontend/dsl/Losses.h"
#include "frontend/dsl/RecordedRouting.h"
#include "frontend/dsl/Sugar.h"

#include "absl/strings/str_cat.h"

#include <fnmatch.h>

namespace tenon::models {
namespace {

bool matchesAny(const std::vector<std::string> &patterns,
                const std::string &name) {
  return std::ranges::any_of(patterns, [&](const std::string &pattern) {
    return fnmatch(pattern.c_str(), name.c_str(), 0) == 0;
  });
}

/// The texts of a call, and the rows that are learned.
struct Texts {
  Tensor tokens, rows;
  Tensor experts; // of each token, where routing is recorded
  Batch batch;

  Texts(Arguments &in, const TrainingOptions &options,
        const RecordedRouting *routing) {
    Dim T = Dim::symbol("T", 1, options.tokens);
    Dim M = Dim::symbol("M", 1, options.tokens);
    Dim S = Dim::symbol("S", 1, options.sequences);
    tokens = in.tensor("tokens", {T}, i32);
    batch = in.batch("batch", T, S, Dim::symbol("P", 1, 1));
    rows = in.tensor("rows", {M}, i32);
    if (routing)
      experts = in.tensor("experts", {T, routing->width()}, i32);
  }
  Dim M() const { return rows.dim(0); }
};

/// What the layer that predicts a further token learns from.
struct FurtherExample {
  FurtherExample(Arguments &in, const Texts &texts)
      : after(in.tensor("after", {texts.tokens.dim(0)}, i32)),
        targets(in.tensor("further_targets", {texts.M()}, i32)),
        shares(in.tensor("further_shares", {texts.M()})),
        weight(in.tensor("further_weight", {})) {}
  Tensor after, targets, shares, weight;
};

/// What a call learns from.
struct Example {
  Texts texts;
  Tensor targets, shares;
  ObjectiveRows objective;
  std::optional<ValueRows> values;
  std::optional<BalancedCall> balanced;
  std::optional<FurtherExample> further;

  Example(Arguments &in, const TrainingOptions &options, int64_t vocabulary,
          const RecordedRouting *routing)
      : texts(in, options, routing),
        targets(in.tensor("targets", {texts.M()}, i32)),
        shares(in.tensor("shares", {texts.M()})),
        objective(
            objectiveRows(options.objective, in, targets, shares, vocabulary)) {
    if (options.hasValues)
      values.emplace(in, shares);
    if (options.further)
      further.emplace(in, texts);
  }
  /// Declares what balancing experts takes. Their losses weigh as much as the
  /// call's tokens do together.
  void balance(Arguments &in, const TrainingOptions &options,
               const Tensor &scale) {
    Tensor share = squeeze(sum(shares, 0), 0) * scale;
    balanced = {in.tensor("sequences", {texts.tokens.dim(0)}, i32),
                options.sequences, share, Tensor()};
    if (options.balance.hasCapacity)
      balanced->capacity = in.tensor("capacity", {});
  }
};

/// Whether a weight is of the part at `path`, or of an adapter of it.
bool isOf(const std::string &path, const std::string &weight) {
  return weight.starts_with(path + ".") ||
         weight.starts_with("adapters." + path + ".");
}

/// The parts that entries share while they are traced.
class Training {
public:
  Training(const Decoder &trained, const TrainingOptions &given)
      : decoder(trained), options(given) {
    std::vector<NamedTensor> all = decoder.adapters.weights;
    if (all.empty())
      all = decoder.model->parameters();
    for (NamedTensor &each : all)
      if (!matchesAny(options.frozen, each.name))
        weights.push_back(std::move(each));
    if (options.hasValues) {
      valueHead.emplace(decoder.model.get(), decoder.width);
      for (NamedTensor &each : valueHead->weights())
        weights.push_back(std::move(each));
    }
    if (!expertsParts(*decoder.model).empty()) {
      balance.emplace(*decoder.model, options.balance);
      leaveBiases();
    }
    if (options.recordsRouting)
      routing.emplace(*decoder.model);
    if (options.accumulates)
      sums.emplace(decoder.model.get(), "gradients", weights);
    if (options.accumulates && balance)
      loads.emplace(decoder.model.get(), "loads", balance->probes());
    if (const auto *adam = std::get_if<AdamW::Options>(&options.optimizer))
      adamW.emplace(decoder.model.get(), "adamw", weights, decaying(*adam));
    else
      sgd.emplace(decoder.model.get(), "sgd", weights,
                  std::get<Sgd::Options>(options.optimizer));
  }

  bool isEmpty() const { return weights.empty(); }
  std::vector<Entry> entries() const;

private:
  AdamW::Options decaying(AdamW::Options adam) const {
    if (!options.undecayed.empty())
      adam.decays = [this](const NamedTensor &weight) {
        return !matchesAny(options.undecayed, weight.name);
      };
    return adam;
  }
  /// Biases of experts learn by how often those are chosen.
  void leaveBiases() {
    for (const ExpertsPart &part : expertsParts(*decoder.model))
      std::erase_if(weights, [&](const NamedTensor &each) {
        return each.name == part.path + ".router.bias";
      });
  }
  Example example(Arguments &in) const {
    return {in, options, decoder.vocabulary, routing ? &*routing : nullptr};
  }
  /// [M, D] of the rows that are learned.
  Tensor hidden(const Texts &texts) const {
    auto body = [&] {
      return decoder.hidden(texts.tokens, texts.batch, texts.rows);
    };
    return routing ? routing->replay(texts.experts, body) : body();
  }
  Head head() const { return headAt(decoder.logits, decoder.head); }
  Head headAt(const std::function<Tensor(const Tensor &)> &logits,
              const std::string &path) const;
  int64_t rowsAtOnce(const Head &head) const;
  /// The loss and, with `probe`, what a row's probability is multiplied by.
  Tensor loss(const Example &in, const Tensor &probe) const;
  /// That of the layer that predicts a further token of the states [T, D].
  Tensor furtherLoss(const Example &in, const Tensor &states) const;
  /// What a step computes: the loss, divided by the scale, the gradients of
  /// the weights, and of Policy the log-probabilities.
  struct Made {
    Results results;
    std::vector<Tensor> gradients, loads;
  };
  Made differentiate(const Example &in, const Tensor &scale) const;
  /// Columns [M, ...] that a step's forward half makes, in which attention
  /// reads no cache.
  Tensor forwardHalf(const Shape &shape, const Tensor &like,
                     const std::function<Tensor()> &column) const;
  /// Takes a step from the gradients of scale times the loss; returns their
  /// norm without it.
  Tensor step(const std::vector<Tensor> &gradients, const Tensor &rate,
              const Tensor &scale) const {
    Tensor norm = globalNorm(*decoder.model, gradients) / scale;
    Tensor clipped = clipScale(norm, options.clip) / scale;
    if (adamW)
      adamW->step(gradients, rate, clipped);
    else
      sgd->step(gradients, rate, clipped);
    return norm;
  }
  /// Changes the experts' biases; returns the loads [L, E + 1].
  Tensor balanceBy(const std::vector<Tensor> &seen, Arguments &in) const;
  Results train(Arguments &in) const;
  Results accumulate(Arguments &in) const;
  Results apply(Arguments &in) const;
  Results score(Arguments &in) const;
  Results scoreAll(Arguments &in) const;
  Results scoreRows(Arguments &in) const;
  Results scoreAllRows(Arguments &in) const;

  const Decoder &decoder;
  const TrainingOptions &options;
  std::vector<NamedTensor> weights;
  std::optional<ValueHead> valueHead;
  mutable std::optional<Balance> balance;
  std::optional<RecordedRouting> routing;
  mutable std::optional<GradientSums> sums, loads;
  mutable std::optional<AdamW> adamW;
  mutable std::optional<Sgd> sgd;
};

Head Training::headAt(const std::function<Tensor(const Tensor &)> &logits,
                      const std::string &path) const {
  Head head{logits, {}, {}};
  std::vector<NamedTensor> all = decoder.adapters.weights;
  if (all.empty())
    all = decoder.model->parameters();
  for (const NamedTensor &each : all) {
    bool isTrained = std::ranges::find(weights, each.name,
                                       &NamedTensor::name) != weights.end();
    if (isOf(path, each.name))
      (isTrained ? head.trained : head.frozen).push_back(each.tensor);
  }
  return head;
}

/// Rows whose logits are there at once. They take at most a quarter of what the
/// gradient of the head does, which each chunk adds to, or 64 MiB.
int64_t Training::rowsAtOnce(const Head &head) const {
  constexpr int64_t kRowsOfATile = 64, kBytes = 64 << 20;
  if (options.logitRows > 0)
    return options.logitRows;
  int64_t bytesEach = decoder.vocabulary * static_cast<int64_t>(sizeof(float));
  int64_t rows = kBytes / bytesEach;
  if (!head.trained.empty())
    rows = std::max(rows, decoder.width / 4);
  return std::max(rows / kRowsOfATile, int64_t{1}) * kRowsOfATile;
}

Tensor Training::loss(const Example &in, const Tensor &probe) const {
  const Texts &texts = in.texts;
  Tensor states, x; // [T, D], [M, D]
  if (in.further) {
    states = decoder.drafting->states(texts.tokens, texts.batch);
    x = gather(states, texts.rows);
  } else {
    x = hidden(texts);
  }
  Head made = head();
  Tensor lost = chunkedLoss(*decoder.model, {x, in.objective.columns, probe},
                            made, in.objective.loss, rowsAtOnce(made));
  if (in.further)
    lost = lost + in.further->weight * furtherLoss(in, states);
  return in.values ? lost + in.values->loss((*valueHead)(x)) : lost;
}

Tensor Training::furtherLoss(const Example &in, const Tensor &states) const {
  const FurtherExample &further = *in.further;
  const Drafting &layer = *decoder.drafting;
  Tensor x =
      layer.further(further.after, states, in.texts.batch, in.texts.rows);
  Head made = headAt(layer.logits, layer.head);
  return chunkedLoss(
      *decoder.model, {x, {further.targets, further.shares}}, made,
      [](const Tensor &logits, const std::vector<Tensor> &columns) {
        return RowTerms{crossEntropy(logits, columns[0]) * columns[1]};
      },
      rowsAtOnce(made));
}

Training::Made Training::differentiate(const Example &in,
                                       const Tensor &scale) const {
  bool isProbed = options.objective == Objective::Policy;
  std::vector<Tensor> of = tensorsOf(weights);
  if (balance) {
    for (const NamedTensor &each : balance->probes())
      of.push_back(each.tensor);
    balance->begin(*in.balanced);
  }
  Tensor probe = isProbed ? fullLike(in.shares, 0, f32) : Tensor();
  if (isProbed)
    of.push_back(probe);
  if (in.further) // whose gradient is the further tokens' loss
    of.push_back(in.further->weight);
  LossAndGradients made = lossAndGradients(
      *decoder.model, [&] { return loss(in, probe) * scale; }, of);
  Made all{{{"loss", made.loss / scale}}, std::move(made.gradients), {}};
  if (in.further) {
    Tensor further = all.gradients.back() / scale;
    all.gradients.pop_back();
    all.results = {{"loss", made.loss / scale - in.further->weight * further},
                   {"further", further}};
  }
  if (isProbed) {
    all.results.push_back({"log", all.gradients.back() / scale});
    all.gradients.pop_back();
  }
  if (balance) {
    balance->end();
    auto begin = all.gradients.begin() + std::ssize(weights);
    all.loads.assign(begin, all.gradients.end());
    all.gradients.erase(begin, all.gradients.end());
  }
  return all;
}

Tensor Training::balanceBy(const std::vector<Tensor> &seen,
                           Arguments &in) const {
  // Adapters leave the biases as they are, with the rest of the model.
  if (balance->hasBiases() && decoder.adapters.weights.empty())
    balance->update(seen, in.tensor("balance_rate", {}));
  std::vector<Tensor> rows;
  for (const Tensor &each : seen)
    rows.push_back(reshape(each, {1, each.dim(0).extent()}));
  return rows.size() == 1 ? rows[0] : concat(rows, int64_t{0}, Site::current());
}

Tensor Training::forwardHalf(const Shape &shape, const Tensor &like,
                             const std::function<Tensor()> &column) const {
  // The gradient of sum(probe * column) in the probe is the column itself.
  Tensor probe =
      shape.rank() == 1
          ? fullLike(like, 0, f32)
          : broadcast(squeeze(max(fullLike(like, 0, f32), 0), 0), shape);
  LossAndGradients made = lossAndGradients(*decoder.model,
                                           [&] {
                                             Tensor all = probe * column();
                                             while (all.rank() > 0)
                                               all = squeeze(sum(all), -1);
                                             return all;
                                           },
                                           {probe});
  return made.gradients[0];
}

Results Training::train(Arguments &in) const {
  Example example = this->example(in);
  Tensor rate = in.tensor("rate", {}), scale = in.tensor("scale", {});
  if (balance)
    example.balance(in, options, scale);
  Made made = differentiate(example, scale);
  Tensor norm = step(made.gradients, rate, scale);
  made.results.insert(made.results.begin() + 1, {"norm", norm});
  if (balance)
    made.results.push_back({"load", balanceBy(made.loads, in)});
  return made.results;
}

Results Training::accumulate(Arguments &in) const {
  Example example = this->example(in);
  Tensor keeps = in.tensor("keeps", {}), scale = in.tensor("scale", {});
  if (balance)
    example.balance(in, options, scale);
  Made made = differentiate(example, scale);
  sums->add(made.gradients, keeps);
  if (balance)
    loads->add(made.loads, keeps);
  return made.results;
}

Results Training::apply(Arguments &in) const {
  Tensor rate = in.tensor("rate", {}), scale = in.tensor("scale", {});
  Results results = {{"norm", step(sums->sums(), rate, scale)}};
  if (balance)
    results.push_back({"load", balanceBy(loads->sums(), in)});
  return results;
}

Results Training::score(Arguments &in) const {
  Texts texts(in, options, routing ? &*routing : nullptr);
  Tensor targets = in.tensor("targets", {texts.M()}, i32);
  Tensor heat = in.tensor("temperature", {});
  auto log = [&] {
    Head made = head();
    Tensor heats = fullLike(targets, 0, f32) + heat; // [M]
    return chunkedValues(
        {hidden(texts), {targets, heats}}, made,
        [](const Tensor &logits, const std::vector<Tensor> &columns) {
          return logProbability(logits, columns[0], columns[1]);
        },
        rowsAtOnce(made));
  };
  Results results = {{"log", forwardHalf({texts.M()}, targets, log)}};
  if (valueHead)
    results.push_back({"values", forwardHalf({texts.M()}, targets, [&] {
                         return (*valueHead)(hidden(texts));
                       })});
  return results;
}

Results Training::scoreAll(Arguments &in) const {
  Texts texts(in, options, routing ? &*routing : nullptr);
  Tensor heat = in.tensor("temperature", {});
  return {{"log", forwardHalf({texts.M(), decoder.vocabulary}, texts.rows, [&] {
             return logSoftmax(decoder.logits(hidden(texts)) / heat);
           })}};
}

Results Training::scoreRows(Arguments &in) const {
  Dim R = Dim::symbol("R", 1, options.decoder.maxTokens);
  Tensor logits = in.tensor("logits", {R, decoder.vocabulary});
  Tensor targets = in.tensor("targets", {R}, i32);
  Tensor heat = in.tensor("temperature", {R});
  return {{"log", logProbability(logits, targets, heat)}};
}

Results Training::scoreAllRows(Arguments &in) const {
  Dim R = Dim::symbol("R", 1, options.decoder.maxTokens);
  Tensor logits = in.tensor("logits", {R, decoder.vocabulary});
  return {{"log", logSoftmax(logits / in.tensor("temperature", {}))}};
}

std::vector<Entry> Training::entries() const {
  DecoderOptions generating = options.decoder;
  generating.drafts = false; // nobody asks for them while it learns
  Decoder drawing = decoder;
  if (routing)
    drawing.hidden = [this](const Tensor &tokens, const Batch &batch,
                            const Tensor &rows) {
      return routing->record(
          batch, [&] { return decoder.hidden(tokens, batch, rows); });
    };
  std::vector<Entry> made = decoderEntries(drawing, generating);
  auto add = [&](const char *name,
                 Results (Training::*body)(Arguments &) const) {
    made.push_back({name,
                    [=, this](Arguments &in) { return (this->*body)(in); },
                    /*hasOneVariant=*/true});
  };
  if (options.accumulates) {
    add("accumulate", &Training::accumulate);
    add("apply", &Training::apply);
  } else {
    add("train", &Training::train);
  }
  add("score", &Training::score);
  if (options.objective == Objective::Policy)
    add("scoreRows", &Training::scoreRows);
  if (options.scoresAll) {
    add("scoreAll", &Training::scoreAll);
    add("scoreAllRows", &Training::scoreAllRows);
  }
  made.push_back(
      {"norm", [this](Arguments &) -> Results {
         return {{"norm", globalNorm(*decoder.model, tensorsOf(weights))}};
       }});
  return made;
}
} // namespace

absl::StatusOr<TracedProgram> traceTraining(const Decoder &decoder,
                                            const ModelFiles &files,
                                            const TrainingOptions &options) {
  if (options.hasValues && options.objective != Objective::Policy)
    return absl::InvalidArgumentError(
        "expects a value head beside the objective Policy alone");
  if (options.further &&
      (!decoder.drafting || options.objective != Objective::Likelihood))
    return absl::InvalidArgumentError(
        "expects further tokens to be learned with the objective Likelihood, "
        "by a decoder that was built to draft");
  if (options.recordsRouting &&
      (options.further || expertsParts(*decoder.model).empty()))
    return absl::InvalidArgumentError(
        "expects recorded routing of a model with layers of experts, and not "
        "beside further tokens");
  Training training(decoder, options);
  if (training.isEmpty())
    return absl::InvalidArgumentError(
        "expects at least one weight to train, got patterns that freeze all");
  TraceOptions tracing = traceOptions(decoder, files);
  tracing.checkpoint = options.checkpoint;
  tracing.compute = options.compute;
  // Frozen ones too: a checkpoint then has every weight. Beside adapters they
  // stay packed.
  if (decoder.adapters.weights.empty())
    tracing.trained = [](std::string_view) { return true; };
  return trace(*decoder.model, training.entries(), tracing);
}

} // namespace tenon::models
