//===- SyntheticQwen.cpp - A Qwen2 of any depth, without data -------------===//

#include "benchmarks/SyntheticQwen.h"

#include <filesystem>
#include <fstream>
#include <vector>

namespace tenon::benchmarks {
namespace {

constexpr int64_t kWidth = 896, kHidden = 4864, kKeys = 128,
                  kVocabulary = 151936;

struct Weight {
  std::string name;
  std::vector<int64_t> shape;
};

constexpr const char *kConfig = R"({"model_type": "qwen2",
  "architectures": ["Qwen2ForCausalLM"], "hidden_act": "silu",
  "hidden_size": 896, "intermediate_size": 4864, "num_attention_heads": 14,
  "num_key_value_heads": 2, "rms_norm_eps": 1e-06, "rope_theta": 1000000.0,
  "max_position_embeddings": 32768, "use_sliding_window": false,
  "tie_word_embeddings": true, "bos_token_id": 0, "eos_token_id": 0,
  "vocab_size": 151936, "torch_dtype": "bfloat16", "num_hidden_layers": )";

std::vector<Weight> layerWeights(int64_t layer) {
  std::string prefix = "model.layers." + std::to_string(layer) + ".";
  std::string attention = prefix + "self_attn.", mlp = prefix + "mlp.";
  return {{prefix + "input_layernorm.weight", {kWidth}},
          {prefix + "post_attention_layernorm.weight", {kWidth}},
          {attention + "q_proj.weight", {kWidth, kWidth}},
          {attention + "q_proj.bias", {kWidth}},
          {attention + "k_proj.weight", {kKeys, kWidth}},
          {attention + "k_proj.bias", {kKeys}},
          {attention + "v_proj.weight", {kKeys, kWidth}},
          {attention + "v_proj.bias", {kKeys}},
          {attention + "o_proj.weight", {kWidth, kWidth}},
          {mlp + "gate_proj.weight", {kHidden, kWidth}},
          {mlp + "up_proj.weight", {kHidden, kWidth}},
          {mlp + "down_proj.weight", {kWidth, kHidden}}};
}

/// The header of a safetensors file; adds the weights' bytes to `sizeBytes`.
std::string header(const std::vector<Weight> &weights, int64_t &sizeBytes) {
  std::string text = "{";
  for (const Weight &weight : weights) {
    std::string shape;
    int64_t bytes = 2; // bfloat16
    for (int64_t extent : weight.shape) {
      shape += (shape.empty() ? "" : ",") + std::to_string(extent);
      bytes *= extent;
    }
    text += (text.size() > 1 ? ",\"" : "\"") + weight.name +
            R"(":{"dtype":"BF16","shape":[)" + shape + R"(],"data_offsets":[)" +
            std::to_string(sizeBytes) + "," +
            std::to_string(sizeBytes + bytes) + "]}";
    sizeBytes += bytes;
  }
  text += "}";
  text.resize((text.size() + 7) / 8 * 8, ' ');
  return text;
}

} // namespace

SyntheticQwen::SyntheticQwen(int64_t layers) {
  folder.add("config.json", kConfig + std::to_string(layers) + "}");
  std::vector<Weight> weights = {
      {"model.embed_tokens.weight", {kVocabulary, kWidth}},
      {"model.norm.weight", {kWidth}}};
  for (int64_t layer = 0; layer < layers; ++layer)
    for (Weight &weight : layerWeights(layer))
      weights.push_back(std::move(weight));
  int64_t sizeBytes = 0;
  std::string text = header(weights, sizeBytes);
  uint64_t length = text.size();
  std::string start(reinterpret_cast<const char *>(&length), sizeof(length));
  std::string file = folder.add("model.safetensors", start + text);
  std::filesystem::resize_file(file, start.size() + length + sizeBytes);
}

} // namespace tenon::benchmarks
