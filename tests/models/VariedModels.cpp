//===- VariedModels.cpp - Small decoders in every weights format ----------===//

#include "tests/models/VariedModels.h"

#include "runtime/io/WeightsFile.h"
#include "tests/models/GoldenCases.h"
#include "tests/support/GgufWriter.h"

namespace tenon::tests {
namespace {

using base::ElementType;

constexpr uint32_t kContextTokens = 1024;

/// The numbers of ggml's types.
/// Source: ggml-org/ggml, include/ggml.h, enum ggml_type.
uint32_t ggmlType(ElementType type) {
  switch (type) {
  case ElementType::F16:
    return 1;
  case ElementType::Q4_0:
    return 2;
  case ElementType::Q4_1:
    return 3;
  case ElementType::Q5_0:
    return 6;
  case ElementType::Q5_1:
    return 7;
  case ElementType::Q8_0:
    return 8;
  case ElementType::Q4_K:
    return 12;
  case ElementType::Q5_K:
    return 13;
  case ElementType::Q6_K:
    return 14;
  case ElementType::BF16:
    return 30;
  default:
    return kGgmlF32;
  }
}

void addValue(GgufWriter &gguf, std::string_view key, const io::Value &value) {
  if (key.ends_with(".context_length"))
    return gguf.addU32(key, kContextTokens);
  if (const auto *flag = std::get_if<bool>(&value))
    return gguf.addBool(key, *flag);
  if (const auto *count = std::get_if<uint64_t>(&value))
    return gguf.addU32(key, static_cast<uint32_t>(*count));
  if (const auto *number = std::get_if<double>(&value))
    return gguf.addF32(key, static_cast<float>(*number));
  if (const auto *text = std::get_if<std::string_view>(&value))
    return gguf.addString(key, *text);
  const auto *list = std::get_if<io::ArrayView>(&value);
  if (!list || key.starts_with("tokenizer.")) // not asked for here
    return;
  std::string bytes;
  GgufWriter::put(bytes, static_cast<uint32_t>(list->element));
  GgufWriter::put(bytes, list->count);
  bytes.append(list->bytes.begin(), list->bytes.end());
  gguf.addRaw(key, static_cast<uint32_t>(io::ValueType::Array), bytes);
}

/// Adds a tensor, f32 where it is a vector, as files have them.
bool addTensor(GgufWriter &gguf, std::string_view name,
               const std::vector<uint64_t> &shape, ElementType type,
               const std::vector<float> &values) {
  ElementType stored = shape.size() < 2 ? ElementType::F32 : type;
  auto count = static_cast<int64_t>(values.size());
  auto size = base::sizeBytes(stored, count);
  if (!size.ok() || shape.back() % base::info(stored).blockElements != 0)
    return false;
  std::string bytes(*size, '\0');
  if (!base::pack(stored, values.data(), count, bytes.data()).ok())
    return false;
  gguf.addTensor(name, shape, ggmlType(stored), bytes);
  return true;
}

/// The names and shapes of a Qwen2 of one layer.
/// D width, F feed-forward, H heads, G key heads, W head width, V vocabulary.
std::vector<std::pair<std::string, std::vector<uint64_t>>> wideTensors() {
  constexpr uint64_t D = 256, F = 512, H = 4, G = 2, W = 64, V = 160;
  std::string layer = "blk.0.";
  return {{"token_embd.weight", {V, D}},
          {"output_norm.weight", {D}},
          {"output.weight", {V, D}},
          {layer + "attn_norm.weight", {D}},
          {layer + "attn_q.weight", {H * W, D}},
          {layer + "attn_q.bias", {H * W}},
          {layer + "attn_k.weight", {G * W, D}},
          {layer + "attn_k.bias", {G * W}},
          {layer + "attn_v.weight", {G * W, D}},
          {layer + "attn_v.bias", {G * W}},
          {layer + "attn_output.weight", {D, H * W}},
          {layer + "ffn_norm.weight", {D}},
          {layer + "ffn_gate.weight", {F, D}},
          {layer + "ffn_up.weight", {F, D}},
          {layer + "ffn_down.weight", {D, F}}};
}
} // namespace

std::string repackedModel(const std::string &model, ElementType type) {
  auto file = io::WeightsFile::open(goldenPath(model, "model.gguf"));
  if (!file.ok())
    return "";
  GgufWriter gguf;
  for (std::string_view key : file->metadata().keys())
    addValue(gguf, key, *file->metadata().find(key));
  for (const io::TensorEntry &tensor : file->tensors()) {
    std::vector<float> values(tensor.elements());
    std::vector<uint64_t> shape(tensor.shape.begin(), tensor.shape.end());
    if (!base::unpack(tensor.type, tensor.data.data(), tensor.elements(),
                      values.data())
             .ok() ||
        !addTensor(gguf, tensor.name, shape, type, values))
      return "";
  }
  return gguf.write();
}

std::string wideQwen(ElementType type) {
  GgufWriter gguf;
  gguf.addString("general.architecture", "qwen2");
  gguf.addU32("qwen2.block_count", 1);
  gguf.addU32("qwen2.context_length", kContextTokens);
  gguf.addU32("qwen2.embedding_length", 256);
  gguf.addU32("qwen2.feed_forward_length", 512);
  gguf.addU32("qwen2.attention.head_count", 4);
  gguf.addU32("qwen2.attention.head_count_kv", 2);
  gguf.addF32("qwen2.attention.layer_norm_rms_epsilon", 1e-6F);
  gguf.addF32("qwen2.rope.freq_base", 1e4F);
  for (const auto &[name, shape] : wideTensors()) {
    uint64_t count = 1;
    for (uint64_t extent : shape)
      count *= extent;
    if (!addTensor(gguf, name, shape, type, std::vector<float>(count)))
      return "";
  }
  return gguf.write();
}

} // namespace tenon::tests
