//===- AdapterModel.h - A small decoder with adapters -----------*- C++ -*-===//

#ifndef TENON_TESTS_MODELS_ADAPTERMODEL_H
#define TENON_TESTS_MODELS_ADAPTERMODEL_H

#include "frontend/Tenon.h"
#include "models/Registry.h"
#include "models/Training.h"
#include "runtime/exec/AdapterSet.h"
#include "tests/support/TempFolder.h"

namespace tenon::tests {

inline constexpr int64_t kAdaptedVocabulary = 96;

/// A Llama of two layers, whose widths are whole blocks of every format.
inline constexpr std::string_view kAdaptedConfig = R"({
  "architectures": ["LlamaForCausalLM"], "model_type": "llama",
  "hidden_size": 256, "intermediate_size": 256, "num_hidden_layers": 2,
  "num_attention_heads": 4, "num_key_value_heads": 2, "hidden_act": "silu",
  "rms_norm_eps": 1e-05, "rope_theta": 10000.0,
  "max_position_embeddings": 256, "tie_word_embeddings": false,
  "vocab_size": 96})";

/// A Qwen3 of two layers of experts, whose widths are whole blocks of 32.
inline constexpr std::string_view kAdaptedExperts = R"({
  "architectures": ["Qwen3MoeForCausalLM"], "model_type": "qwen3_moe",
  "hidden_size": 64, "intermediate_size": 96, "moe_intermediate_size": 32,
  "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
  "head_dim": 32, "hidden_act": "silu", "rms_norm_eps": 1e-06,
  "rope_theta": 10000.0, "num_experts": 8, "num_experts_per_tok": 3,
  "norm_topk_prob": true, "max_position_embeddings": 256,
  "tie_word_embeddings": false, "vocab_size": 96})";

/// A session of one of them, of drawn weights, with the entries of decoders
/// and, for `Purpose::Train`, those of training, or for `Compare`
///   inside(tokens, batch, rows, probe f32[M, V]) -> logits f32[M, V]
/// the logits that the forward pass of a step computes.
class AdapterModel {
public:
  enum class Purpose { Train, Compare };
  /// Adds failures to the test.
  AdapterModel(base::ElementType element,
               const std::optional<AdapterOptions> &adapters, Purpose purpose,
               std::string_view config = kAdaptedConfig);

  exec::Session &runtime() { return session->runtime(); }
  /// Of all tokens of the text, through the caches of a fresh sequence, or
  /// inside a step.
  std::vector<float> logits(const std::vector<int32_t> &text);
  std::vector<float> logitsInside(const std::vector<int32_t> &text);
  /// The same by a call for each token.
  std::vector<float> logitsOneByOne(const std::vector<int32_t> &text);

  TempFolder folder;
  models::Decoder decoder;
  std::unique_ptr<Session> session;

private:
  void open(base::ElementType element,
            const std::optional<AdapterOptions> &adapters, Purpose purpose,
            std::string_view config);
};

/// The logits of all tokens of a text, through the caches of a sequence that is
/// new or has `past` tokens, by the entry "forward" or one like it.
std::vector<float> logitsOf(Session &session, const std::vector<int32_t> &text,
                            const char *entry = "forward", int32_t past = 0);

/// A text that repeats itself.
std::vector<int32_t> adaptedText(int64_t length);

} // namespace tenon::tests
#endif // TENON_TESTS_MODELS_ADAPTERMODEL_H
