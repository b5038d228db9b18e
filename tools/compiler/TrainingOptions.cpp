//===- TrainingOptions.cpp - Reads them from JSON -------------------------===//

#include "tools/compiler/TrainingOptions.h"

#include "frontend/session/ModelFiles.h"
#include "runtime/io/Json.h"
#include "tools/compiler/AdapterOptions.h"

#include "absl/strings/str_cat.h"

#include <limits>

namespace tenon::tools {
namespace {

using io::Json;

/// Takes the members of an object one by one, and keeps the first error.
class Members {
public:
  explicit Members(const Json &json) : object(json), left(json.size()) {}

  void read(const char *key, int64_t &value) {
    if (const Json *found = take(key))
      expect(io::readInt(found, 1, 1 << 30, value), key, "a positive integer");
  }
  void read(const char *key, double &value) {
    const Json *found = take(key);
    if (!found)
      return;
    expect(found->is_number(), key, "a number");
    if (found->is_number())
      value = found->template get<double>();
  }
  void read(const char *key, bool &value) {
    if (const Json *found = take(key)) {
      expect(found->is_boolean(), key, "true or false");
      value = io::boolOr(found, value);
    }
  }
  void read(const char *key, std::string &value) {
    if (const Json *found = take(key)) {
      expect(found->is_string(), key, "a text");
      value = found->is_string() ? *io::textOf(found) : value;
    }
  }
  void read(const char *key, std::vector<std::string> &values) {
    const Json *found = take(key);
    if (!found)
      return;
    expect(found->is_array(), key, "an array of texts");
    for (const Json &item : *found) {
      expect(item.is_string(), key, "an array of texts");
      if (const std::string *text = io::textOf(&item))
        values.push_back(*text);
    }
  }
  /// The adapters of a member of their own.
  void readAdapters(const char *key, models::DecoderOptions &options) {
    const Json *found = take(key);
    if (!found || !first.ok())
      return;
    first = parseAdapterOptions(
        found->dump(-1, ' ', false, Json::error_handler_t::replace), options);
  }
  void expect(bool holds, const char *key, const char *what) {
    if (!holds && first.ok())
      first = absl::InvalidArgumentError(
          absl::StrCat("training options: '", key, "' expects ", what));
  }
  absl::Status finish() {
    expect(left == 0, "the object", "no other members");
    return first;
  }

private:
  const Json *take(const char *key) {
    const Json *found = io::findMember(object, key);
    left -= found != nullptr;
    return found;
  }

  const Json &object;
  size_t left;
  absl::Status first;
};

void readExperts(Members &members, models::TrainingOptions &options) {
  members.read("balance_loss", options.balance.sequenceLoss);
  members.read("z_loss", options.balance.zLoss);
  members.read("capacity", options.balance.hasCapacity);
  members.read("records_routing", options.recordsRouting);
}

void readFurther(Members &members, models::TrainingOptions &options) {
  members.read("further", options.further);
  options.decoder.drafts = options.further;
}

void readDecoder(Members &members, models::DecoderOptions &options) {
  std::string cacheType = "f32", latents;
  members.read("decode", options.maxTokens);
  members.read("cache_type", cacheType);
  members.read("latent_attention", latents);
  std::optional<CacheElement> cache = parseCacheElement(cacheType);
  members.expect(cache.has_value(), "cache_type", "f32, f16, bf16 or q8_0");
  options.cacheType = cache.value_or(CacheElement::f32);
  options.latents = models::parseLatentForm(latents);
  members.expect(latents.empty() || options.latents.has_value(),
                 "latent_attention", "absorbed or materialised");
  members.readAdapters("adapter", options);
}

std::optional<models::Objective> parseObjective(std::string_view name) {
  if (name == "likelihood")
    return models::Objective::Likelihood;
  if (name == "policy")
    return models::Objective::Policy;
  if (name == "distillation")
    return models::Objective::Distillation;
  return std::nullopt;
}

} // namespace

absl::StatusOr<models::TrainingOptions>
parseTrainingOptions(std::string_view text) {
  StatusOr<Json> json = io::parseJson(text, "training options");
  if (!json.ok())
    return toAbsl(json.status());
  models::TrainingOptions options;
  AdamW::Options adam;
  Sgd::Options sgd;
  std::string optimizer = "adamw", compute = "f32", objective = "likelihood";
  Members members(*json);
  members.read("tokens", options.tokens);
  members.read("sequences", options.sequences);
  members.read("accumulates", options.accumulates);
  members.read("optimizer", optimizer);
  members.read("beta1", adam.beta1);
  members.read("beta2", adam.beta2);
  members.read("epsilon", adam.epsilon);
  members.read("momentum", sgd.momentum);
  members.read("decay", adam.decay);
  members.read("clip", options.clip);
  members.read("checkpoint", options.checkpoint);
  members.read("compute", compute);
  members.read("frozen", options.frozen);
  members.read("undecayed", options.undecayed);
  members.read("objective", objective);
  members.read("values", options.hasValues);
  members.read("scores_all", options.scoresAll);
  readExperts(members, options);
  readFurther(members, options);
  readDecoder(members, options.decoder);
  members.expect(options.checkpoint.empty() ||
                     options.checkpoint == "selective" ||
                     options.checkpoint == "layer",
                 "checkpoint", "selective or layer");
  members.expect(compute == "f32" || compute == "bf16", "compute",
                 "f32 or bf16");
  options.compute = compute == "bf16" ? DType::bf16 : DType::f32;
  members.expect(optimizer == "adamw" || optimizer == "sgd", "optimizer",
                 "adamw or sgd");
  std::optional<models::Objective> learned = parseObjective(objective);
  members.expect(learned.has_value(), "objective",
                 "likelihood, policy or distillation");
  options.objective = learned.value_or(models::Objective::Likelihood);
  if (absl::Status status = members.finish(); !status.ok())
    return status;
  if (options.clip == 0)
    options.clip = std::numeric_limits<double>::infinity();
  sgd.decay = adam.decay;
  if (optimizer == "sgd")
    options.optimizer = sgd;
  else
    options.optimizer = adam;
  return options;
}

} // namespace tenon::tools
