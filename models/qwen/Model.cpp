//===- Model.cpp - Qwen2 and Qwen3, dense and with experts ----------------===//
// Source: Qwen2 technical report, arXiv:2407.10671, section 2.2; Qwen3
// technical report, arXiv:2505.09388, section 2.

#include "models/qwen/Model.h"

namespace tenon::models::qwen {
namespace {

ExpertsOptions readExperts(ConfigReader &read, const llama::Config &c) {
  ExpertsOptions experts;
  experts.width = c.width;
  experts.hidden =
      read.integer("expert_feed_forward_length", "moe_intermediate_size");
  experts.experts = read.integer("expert_count", "num_experts");
  experts.perToken = read.integer("expert_used_count", "num_experts_per_tok");
  experts.normalize = read.flag("norm_topk_prob", true);
  read.expect(read.integer("", "decoder_sparse_step", 1) == 1 &&
                  read.list("", "mlp_only_layers").empty(),
              "expects experts in every layer, got some without");
  read.expect(experts.perToken >= 1 && experts.perToken <= experts.experts,
              "expects a token to have 1 to " +
                  std::to_string(experts.experts) + " experts, got " +
                  std::to_string(experts.perToken));
  return experts;
}
} // namespace

absl::StatusOr<llama::Config> readConfig(const ModelFiles &files) {
  ConfigReader read(files);
  llama::Config c;
  c.readShared(files, read);
  std::string_view architecture = files.config().architecture();
  c.bias = architecture == "qwen2";
  c.headNorms = !c.bias;
  if (architecture.ends_with("moe"))
    c.experts = readExperts(read, c);
  read.expect(c.bias || !read.flag("attention_bias", false),
              "expects weights without biases, got some");
  // Files name a window that they do not use.
  if (read.flag("use_sliding_window", false)) {
    c.readWindow(read);
    read.expect(read.integer("", "max_window_layers", 28) == 0,
                "expects a window in every layer or in none, got layers "
                "without one (max_window_layers)");
  }
  if (!read.status().ok())
    return read.status();
  return c;
}

absl::StatusOr<Decoder> buildQwen(const ModelFiles &files,
                                  const DecoderOptions &options) {
  absl::StatusOr<llama::Config> config = readConfig(files);
  if (!config.ok())
    return config.status();
  config->cacheType = options.cacheType;
  return decoderOf<llama::Model>(*config, llama::weightNames());
}

} // namespace tenon::models::qwen
