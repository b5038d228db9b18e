//===- PackedModels.cpp - A small decoder of packed weights ---------------===//

#include "tests/models/PackedModels.h"

#include "runtime/base/Blocks.h"
#include "tests/support/SafetensorsWriter.h"

#include <random>
#include <vector>

namespace tenon::tests {
namespace {

constexpr int64_t kWidth = 256, kFeedForward = 512, kKeys = 128;

struct Shape {
  std::string name;
  int64_t rows, columns;
};

class Writer {
public:
  template <typename T>
  void add(const std::string &name, const std::string &dtype,
           const std::vector<int64_t> &shape, const std::vector<T> &values) {
    std::string extents;
    for (int64_t extent : shape)
      extents += (extents.empty() ? "" : ",") + std::to_string(extent);
    size_t begin = data.size();
    data.append(reinterpret_cast<const char *>(values.data()),
                values.size() * sizeof(T));
    header += (header.empty() ? "{\"" : ",\"") + name + R"(":{"dtype":")" +
              dtype + R"(","shape":[)" + extents + R"(],"data_offsets":[)" +
              std::to_string(begin) + "," + std::to_string(data.size()) + "]}";
  }

  std::string write() const { return writeSafetensors(header + "}", data); }

private:
  std::string header, data;
};

class QwenWriter {
public:
  explicit QwenWriter(int64_t group) : group(group) {}

  void addPlain(const std::string &name, const std::vector<int64_t> &shape,
                float middle, float width);
  void addMatrix(const Shape &shape);

  Writer packed, unpacked;

private:
  float draw() { return 2 * static_cast<float>(random() % 4096) / 4096 - 1; }

  int64_t group;
  std::mt19937 random{7};
};

void QwenWriter::addPlain(const std::string &name,
                          const std::vector<int64_t> &shape, float middle,
                          float width) {
  int64_t count = 1;
  for (int64_t extent : shape)
    count *= extent;
  std::vector<float> values(static_cast<size_t>(count));
  for (float &value : values)
    value = middle + width * draw();
  packed.add(name, "F32", shape, values);
  unpacked.add(name, "F32", shape, values);
}

void QwenWriter::addMatrix(const Shape &shape) {
  constexpr int64_t kPerWord = 8;
  int64_t count = shape.rows * shape.columns;
  std::vector<float> values(static_cast<size_t>(count));
  std::vector<uint32_t> words(static_cast<size_t>(count / kPerWord));
  std::vector<uint16_t> scales(static_cast<size_t>(count / group));
  for (uint16_t &scale : scales) // each an f16 too
    scale = base::f32ToBf16(0.01f + 0.005f * draw());
  for (int64_t i = 0; i < count; ++i) {
    auto quant = static_cast<uint32_t>(random() % 16);
    words[static_cast<size_t>(i / kPerWord)] |= quant << (i % kPerWord * 4);
    float scale = base::bf16ToF32(scales[static_cast<size_t>(i / group)]);
    values[static_cast<size_t>(i)] =
        scale * static_cast<float>(static_cast<int>(quant) - 8);
  }
  std::vector<int64_t> extents = {shape.rows, shape.columns};
  packed.add(shape.name + "_packed", "I32",
             {shape.rows, shape.columns / kPerWord}, words);
  packed.add(shape.name + "_scale", "BF16", {shape.rows, shape.columns / group},
             scales);
  packed.add(shape.name + "_shape", "I64", {2}, extents);
  unpacked.add(shape.name, "F32", extents, values);
}

std::string configText(int64_t group) {
  return R"({"model_type":"qwen2","hidden_size":256,"intermediate_size":512,
"num_hidden_layers":1,"num_attention_heads":4,"num_key_value_heads":2,
"hidden_act":"silu","rms_norm_eps":1e-06,"rope_theta":10000.0,
"max_position_embeddings":1024,"tie_word_embeddings":false,"vocab_size":160,
"quantization_config":{"quant_method":"compressed-tensors",
"format":"pack-quantized","ignore":["lm_head"],"config_groups":{"group_0":{
"targets":["Linear"],"input_activations":null,"weights":{"num_bits":4,
"type":"int","symmetric":true,"strategy":"group","group_size":)" +
         std::to_string(group) + "}}}}}";
}

} // namespace

PackedModel packedQwen(int64_t group) {
  QwenWriter writer(group);
  std::string layer = "model.layers.0.", attention = layer + "self_attn.";
  writer.addPlain("model.embed_tokens.weight", {kPackedVocabulary, kWidth}, 0,
                  1);
  for (const char *norm : {"input_layernorm", "post_attention_layernorm"})
    writer.addPlain(layer + norm + ".weight", {kWidth}, 1, 0.5f);
  for (auto [name, rows] :
       {std::pair("q_proj", kWidth), {"k_proj", kKeys}, {"v_proj", kKeys}}) {
    writer.addMatrix({attention + name + ".weight", rows, kWidth});
    writer.addPlain(attention + name + ".bias", {rows}, 0, 0.5f);
  }
  writer.addMatrix({attention + "o_proj.weight", kWidth, kWidth});
  for (const char *name : {"gate_proj", "up_proj"})
    writer.addMatrix({layer + "mlp." + name + ".weight", kFeedForward, kWidth});
  writer.addMatrix({layer + "mlp.down_proj.weight", kWidth, kFeedForward});
  writer.addPlain("model.norm.weight", {kWidth}, 1, 0.5f);
  writer.addPlain("lm_head.weight", {kPackedVocabulary, kWidth}, 0, 0.1f);
  return {configText(group), writer.packed.write(), writer.unpacked.write()};
}

} // namespace tenon::tests
