//===- Config.cpp - The sizes of a DeepSeek-V2 or -V3 model ---------------===//

#include "models/deepseek/Config.h"

#include <cmath>

namespace tenon::models::deepseek {
namespace {

/// Reads rope, and what its scaling multiplies scores with.
double readRope(const ModelFiles &files, ConfigReader &read, Config &c) {
  c.rope.layout = RopeLayout::Interleaved; // in either format
  c.rope.theta = read.number("rope.freq_base", "rope_theta", 1e4);
  std::string kind = read.text("", "rope_scaling.rope_type", "none");
  kind = read.text("rope.scaling.type", "rope_scaling.type", kind);
  if (kind == "none" || kind == "default")
    return 1;
  read.expect(kind == "yarn",
              "expects rope without scaling, or YaRN's, got '" + kind + "'");
  ir::RopeScaling &scaling = c.rope.scaling;
  scaling.kind = ir::RopeScaling::Yarn;
  scaling.factor = read.number("rope.scaling.factor", "rope_scaling.factor");
  scaling.originalContext =
      read.integer("rope.scaling.original_context_length",
                   "rope_scaling.original_max_position_embeddings");
  scaling.betaFast =
      read.number("rope.scaling.yarn_beta_fast", "rope_scaling.beta_fast", 32);
  scaling.betaSlow =
      read.number("rope.scaling.yarn_beta_slow", "rope_scaling.beta_slow", 1);
  read.expect(scaling.factor >= 1 && scaling.originalContext > 0,
              "expects YaRN's factor >= 1 and its original context > 0");
  if (files.isGguf()) { // It has 0.1 mscale_all_dim alone.
    double slope = read.number("rope.scaling.yarn_log_multiplier", "", 0);
    return ir::yarnMagnitude(scaling.factor, 10 * slope);
  }
  double all = read.number("", "rope_scaling.mscale_all_dim", 0);
  double magnitude = ir::yarnMagnitude(scaling.factor, all);
  double own = read.number("", "rope_scaling.mscale", 1);
  c.rope.amplitude = ir::yarnMagnitude(scaling.factor, own) / magnitude;
  return magnitude;
}

/// GGUF's numbers of what makes scores of logits.
constexpr int64_t kSoftmax = 1, kSigmoid = 2;

/// How experts are chosen: V2's ways, or V3's, which has biases.
void readRouting(const ModelFiles &files, ConfigReader &read, Config &c,
                 ExpertsOptions &experts) {
  std::string own = std::to_string(c.denseLayers);
  bool hasBias = files.has("blk." + own + ".exp_probs_b.bias");
  bool isV3 = files.config().architecture() == "deepseek_v3" || hasBias;
  bool hasGroups =
      files.isGguf() && read.integer("expert_group_count", "", 1) > 1;
  std::string method = read.text("", "topk_method",
                                 isV3        ? "noaux_tc"
                                 : hasGroups ? "group_limited_greedy"
                                             : "greedy");
  int64_t gating =
      read.integer("expert_gating_func", "", isV3 ? kSigmoid : kSoftmax);
  std::string scoring =
      read.text("", "scoring_func", gating == kSigmoid ? "sigmoid" : "softmax");
  read.expect(scoring == "softmax" || scoring == "sigmoid",
              "expects scores of 'softmax' or 'sigmoid', got '" + scoring +
                  "'");
  read.expect(method == "greedy" || method == "group_limited_greedy" ||
                  method == "noaux_tc",
              "expects experts chosen by 'greedy', 'group_limited_greedy' or "
              "'noaux_tc', got '" +
                  method + "'");
  experts.scoring = scoring == "sigmoid" ? Scoring::Sigmoid : Scoring::Softmax;
  experts.bias = experts.top2 = method == "noaux_tc";
  if (method != "greedy") {
    experts.groups = read.integer("expert_group_count", "n_group", 1);
    experts.keptGroups =
        read.integer("expert_group_used_count", "topk_group", experts.groups);
  }
  experts.top2 = experts.top2 && experts.groups > 1;
  experts.normalize = read.flag("expert_weights_norm", "norm_topk_prob", isV3);
  experts.scale =
      read.number("expert_weights_scale", "routed_scaling_factor", 1);
}

void readExperts(const ModelFiles &files, ConfigReader &read, Config &c) {
  c.denseLayers =
      read.integer("leading_dense_block_count", "first_k_dense_replace", 0);
  int64_t count = read.integer("expert_count", "n_routed_experts", 0);
  if (count == 0 || c.denseLayers >= c.layers)
    return;
  ExpertsOptions experts;
  experts.width = c.width;
  experts.experts = count;
  experts.hidden =
      read.integer("expert_feed_forward_length", "moe_intermediate_size");
  experts.perToken = read.integer("expert_used_count", "num_experts_per_tok");
  experts.shared = experts.hidden *
                   read.integer("expert_shared_count", "n_shared_experts", 0);
  readRouting(files, read, c, experts);
  read.expect(read.integer("", "moe_layer_freq", 1) == 1,
              "expects experts in all layers after the first ones, got some "
              "without");
  int64_t kept = experts.groups > 0 && count % experts.groups == 0
                     ? count / experts.groups * experts.keptGroups
                     : 0;
  read.expect(experts.perToken >= 1 && experts.perToken <= kept,
              "expects a token to have 1 to " + std::to_string(kept) +
                  " experts, those of " + std::to_string(experts.keptGroups) +
                  " of " + std::to_string(experts.groups) + " groups, got " +
                  std::to_string(experts.perToken));
  c.experts = experts;
}

/// Finds the layer that predicts a further token. It is as if it were not there
/// where nobody asks for drafts, or where the files say that it is and have not
/// its weights. GGUF counts it among the layers; some files without it do not.
void readFurther(const ModelFiles &files, ConfigReader &read,
                 const DecoderOptions &options, Config &c) {
  int64_t count =
      read.integer("nextn_predict_layers", "num_nextn_predict_layers", 0);
  if (count <= 0)
    return;
  bool isGguf = files.isGguf();
  auto has = [&](std::string gguf, std::string safetensors, int64_t back = 0) {
    std::string number = std::to_string(c.layers - back);
    return files.has(isGguf
                         ? "blk." + number + gguf + ".weight"
                         : "model.layers." + number + safetensors + ".weight");
  };
  if (isGguf && (has(".nextn.eh_proj", "", count) || !has(".attn_norm", "", 1)))
    c.layers -= count;
  if (!options.drafts ||
      (files.hasWeights() && !has(".nextn.eh_proj", ".eh_proj")))
    return;
  read.expect(count == 1, "expects one layer that predicts a further token, "
                          "for drafts, got " +
                              std::to_string(count));
  c.further = {true, has(".nextn.embed_tokens", ".embed_tokens"),
               has(".nextn.shared_head_head", ".shared_head.head")};
}

void expectVariations(const ModelFiles &files, ConfigReader &read,
                      const Config &c) {
  read.expect(!read.flag("attention_bias", false),
              "expects weights without biases, got some");
  std::string activation = read.text("", "hidden_act", "silu");
  read.expect(activation == "silu",
              "expects the activation 'silu', got '" + activation + "'");
  read.expect(c.turnedWidth > 0 && c.turnedWidth % 2 == 0 && c.plainWidth > 0,
              "expects heads of which an even number of elements turns and "
              "some do not, got " +
                  std::to_string(c.turnedWidth) + " that turn and " +
                  std::to_string(c.plainWidth) + " that do not");
  if (files.hasWeights() && files.isGguf())
    read.expect(c.splitUp || files.has("blk.0.attn_kv_b.weight"),
                "expects the tensors 'attn_k_b' and 'attn_v_b', or "
                "'attn_kv_b', of each layer, got none of them");
}

} // namespace

absl::StatusOr<Config> readConfig(const ModelFiles &files,
                                  const DecoderOptions &options) {
  ConfigReader read(files);
  Config c;
  c.readSizes(files, read, 1);
  readFurther(files, read, options, c);
  c.cacheType = options.cacheType;
  c.queryRank = read.integer("attention.q_lora_rank", "q_lora_rank", 0);
  c.latentWidth = read.integer("attention.kv_lora_rank", "kv_lora_rank");
  c.turnedWidth = read.integer("rope.dimension_count", "qk_rope_head_dim");
  // Older GGUF files have the widths of heads as others do.
  bool isGguf = files.isGguf();
  int64_t whole = isGguf ? read.integer("attention.key_length", "", 0) : 0;
  whole = isGguf ? read.integer("attention.key_length_mla", "", whole) : 0;
  c.plainWidth = read.integer("", "qk_nope_head_dim", whole - c.turnedWidth);
  int64_t values = isGguf ? read.integer("attention.value_length", "", 0) : 0;
  c.valueWidth = isGguf ? read.integer("attention.value_length_mla", "", values)
                        : read.integer("", "v_head_dim");
  double magnitude = readRope(files, read, c);
  c.scale = magnitude * magnitude /
            std::sqrt(static_cast<double>(c.plainWidth + c.turnedWidth));
  c.tied = files.hasWeights()
               ? !files.has(isGguf ? "output.weight" : "lm_head.weight")
               : read.flag("tie_word_embeddings", false);
  c.splitUp = files.has("blk.0.attn_k_b.weight");
  // Of one matrix of blocks for both, heads are no views.
  bool canAbsorb = c.splitUp || !files.has("blk.0.attn_kv_b.weight");
  read.expect(canAbsorb || options.latents != LatentForm::Absorbed,
              "expects the tensors 'attn_k_b' and 'attn_v_b' of each layer, "
              "for attention in its absorbed form, got 'attn_kv_b'");
  c.isAbsorbed = canAbsorb && options.latents != LatentForm::Materialised;
  readExperts(files, read, c);
  expectVariations(files, read, c);
  if (!read.status().ok())
    return read.status();
  return c;
}

} // namespace tenon::models::deepseek
