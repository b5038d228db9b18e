//===- Config.cpp - The sizes of a Gemma 3 text model ---------------------===//

#include "models/gemma/Config.h"

#include <cmath>

namespace tenon::models::gemma {
namespace {

/// Every `period`-th layer sees everything, unless the file lists the layers.
std::vector<bool> localLayers(ConfigReader &read, int64_t layers) {
  std::vector<bool> isLocal;
  for (const std::string &kind :
       read.list("attention.sliding_window_pattern", "layer_types"))
    isLocal.push_back(kind == "1" || kind == "sliding_attention");
  if (static_cast<int64_t>(isLocal.size()) == layers)
    return isLocal;
  int64_t period = read.integer("attention.sliding_window_pattern",
                                "sliding_window_pattern", 6);
  read.expect(isLocal.empty() && period > 0,
              "expects a kind of attention for each layer, got " +
                  std::to_string(isLocal.size()) + " for " +
                  std::to_string(layers));
  for (int64_t layer = 0; layer < layers; ++layer)
    isLocal.push_back((layer + 1) % std::max<int64_t>(period, 1) != 0);
  return isLocal;
}

/// A linear scaling of positions concerns the global layers only.
RopeOptions globalRope(ConfigReader &read) {
  RopeOptions rope;
  rope.theta = read.number("rope.freq_base", "rope_theta", 1e6);
  std::string kind =
      read.text("rope.scaling.type", "rope_scaling.rope_type", "none");
  if (kind == "none" || kind == "default")
    return rope;
  read.expect(kind == "linear",
              "expects rope scaling 'linear' or none, got '" + kind + "'");
  rope.scaling.kind = ir::RopeScaling::Linear;
  rope.scaling.factor =
      read.number("rope.scaling.factor", "rope_scaling.factor");
  return rope;
}

/// The nearest number with bf16's 8 significant bits.
double roundToBf16(double x) {
  int exponent = 0;
  double mantissa = std::frexp(x, &exponent);
  return std::ldexp(std::nearbyint(mantissa * 256), exponent - 8);
}

/// sqrt(width): GGUF's reference multiplies in f32; that of bf16 safetensors
/// has the constant in bf16.
double embeddingScale(const ModelFiles &files, ConfigReader &read,
                      int64_t width) {
  float scale = std::sqrt(static_cast<float>(width));
  if (files.isGguf() || read.text("", "torch_dtype", "bfloat16") != "bfloat16")
    return scale;
  return roundToBf16(scale);
}

double attentionScale(const ModelFiles &files, ConfigReader &read,
                      const Config &c) {
  double scalar = static_cast<double>(c.headWidth);
  // GGUF has no key for the 27B model's exception; it has 62 layers.
  if (files.isGguf() && c.layers == 62)
    scalar = static_cast<double>(c.width) / static_cast<double>(c.heads);
  if (!files.isGguf())
    scalar = read.number("", "query_pre_attn_scalar", 256);
  return 1 / std::sqrt(scalar);
}
} // namespace

absl::StatusOr<Config> readConfig(const ModelFiles &files) {
  ConfigReader read(files);
  Config c;
  c.readSizes(files, read, 256);
  c.readWindow(read);
  read.expect(c.window.tokens > 0, "expects layers with a window, got none");
  c.globalRope = globalRope(read);
  c.localRope.theta =
      read.number("rope.freq_base_swa", "rope_local_base_freq", 1e4);
  c.embeddingScale = embeddingScale(files, read, c.width);
  c.attentionScale = attentionScale(files, read, c);
  c.isLocal = localLayers(read, c.layers);
  c.normsWithoutOne = !files.isGguf();
  read.expect(read.number("final_logit_softcapping", "final_logit_softcapping",
                          0) == 0 &&
                  read.number("attn_logit_softcapping",
                              "attn_logit_softcapping", 0) == 0,
              "expects logits without a soft cap, got one");
  if (!read.status().ok())
    return read.status();
  return c;
}

} // namespace tenon::models::gemma
