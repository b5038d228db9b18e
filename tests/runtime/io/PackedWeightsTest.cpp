//===- PackedWeightsTest.cpp - 4-bit weights of compressed-tensors --------===//
//
// golden/make_packed.py says how the golden file was made.
//
//===----------------------------------------------------------------------===//

#include "runtime/io/PackedWeights.h"
#include "runtime/io/ModelConfig.h"
#include "tests/support/GgufWriter.h"
#include "tests/support/SafetensorsWriter.h"
#include "tests/support/TempFolder.h"

#include <cstring>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tenon::io {
namespace {

using base::ElementType;
using testing::HasSubstr;
using tests::asBytes;
using tests::writeSafetensors;

TEST(PackedWeights, MeanWhatTheyWerePackedFrom) {
  StatusOr<WeightsFile> weights =
      WeightsFile::open(std::string(TENON_SOURCE_DIR) +
                        "/tests/runtime/io/golden/packed.safetensors");
  ASSERT_TRUE(weights.ok()) << weights.status();
  EXPECT_EQ(weights->tensors().size(), 6u);
  for (auto [name, type] : {std::pair("a", ElementType::Q4_0),
                            {"b", ElementType::Int4_G64},
                            {"c", ElementType::Int4_G128}}) {
    SCOPED_TRACE(name);
    const TensorEntry *weight = weights->find(std::string(name) + ".weight");
    const TensorEntry *values = weights->find(std::string(name) + ".values");
    ASSERT_TRUE(weight && values);
    EXPECT_EQ(weight->type, type);
    ASSERT_EQ(weight->shape, values->shape);
    weights->release(*weight); // is not the file's, and stays
    std::vector<float> floats(static_cast<size_t>(weight->elements()));
    ASSERT_TRUE(base::unpack(type, weight->data.data(), weight->elements(),
                             floats.data())
                    .ok());
    ASSERT_EQ(values->data.size(), floats.size() * sizeof(float));
    EXPECT_EQ(
        std::memcmp(floats.data(), values->data.data(), values->data.size()),
        0);
  }
}

/// One part of a weight "w": its dtype, its shape and its bytes.
struct Part {
  std::string dtype, shape, bytes;
};

std::string int64s(std::initializer_list<int64_t> values) {
  std::string bytes(values.size() * sizeof(int64_t), '\0');
  std::memcpy(bytes.data(), values.begin(), bytes.size());
  return bytes;
}

/// A weight [2, 64] with a scale for each 32 columns; tests change its parts.
std::map<std::string, Part> goodParts() {
  return {{"w.weight_packed", {"I32", "[2,8]", std::string(64, '\x5a')}},
          {"w.weight_scale", {"F16", "[2,2]", std::string(8, '\x20')}},
          {"w.weight_shape", {"I64", "[2]", int64s({2, 64})}}};
}

std::string fileOf(const std::map<std::string, Part> &parts) {
  std::string header, data;
  for (const auto &[name, part] : parts) {
    size_t begin = data.size();
    data += part.bytes;
    header += concat(header.empty() ? "{" : ",", "\"", name, "\":{\"dtype\":\"",
                     part.dtype, "\",\"shape\":", part.shape,
                     ",\"data_offsets\":[", begin, ",", data.size(), "]}");
  }
  return writeSafetensors(header + "}", data);
}

void expectBad(const std::map<std::string, Part> &parts,
               tenon_status_code_t code, const std::string &message) {
  std::string file = fileOf(parts);
  StatusOr<WeightsFile> weights = WeightsFile::parse(asBytes(file), "m");
  ASSERT_FALSE(weights.ok()) << message;
  EXPECT_EQ(weights.status().code(), code) << weights.status();
  EXPECT_THAT(weights.status().message(), HasSubstr("m: expects " + message));
}

TEST(PackedWeights, ReplaceTheirParts) {
  auto parts = goodParts();
  parts["a"] = parts["x"] = {"U8", "[1]", "1"};
  std::string file = fileOf(parts);
  StatusOr<WeightsFile> weights = WeightsFile::parse(asBytes(file), "m");
  ASSERT_TRUE(weights.ok()) << weights.status();
  std::vector<std::string> names;
  for (const TensorEntry &tensor : weights->tensors())
    names.push_back(tensor.name);
  EXPECT_THAT(names, testing::ElementsAre("a", "w.weight", "x"));
  WeightsFile moved = *std::move(weights);
  EXPECT_EQ(moved.find("w.weight")->data.size(), 4u * 18);
  EXPECT_EQ(moved.find("w.weight")->data[17], 0x55); // elements 15, 31
}

TEST(PackedWeights, RefuseWhatIsNotSupported) {
  auto parts = goodParts();
  parts["w.weight_zero_point"] = {"I32", "[1]", "0000"};
  expectBad(parts, TENON_UNIMPLEMENTED,
            "\"w.weight\" of symmetric integers in the order of their columns, "
            "got \"w.weight_zero_point\"");
  parts = goodParts();
  parts["w.weight_g_idx"] = {"I32", "[1]", "0000"};
  expectBad(parts, TENON_UNIMPLEMENTED, "\"w.weight\" of symmetric integers");
  parts = goodParts();
  parts["w.weight_scale"] = {"F16", "[2,4]", std::string(16, '\x20')};
  expectBad(parts, TENON_UNIMPLEMENTED,
            "\"w.weight_scale\" to have a scale for each 32, 64 or 128 columns "
            "of [2, 64], got f16 [2, 4]");
  parts = goodParts();
  parts["w.weight_packed"] = {"I32", "[2,9]", std::string(72, '\x5a')};
  parts["w.weight_shape"].bytes = int64s({2, 72});
  expectBad(parts, TENON_UNIMPLEMENTED, "\"w.weight_scale\" to have a scale");
}

TEST(PackedWeights, RefuseScalesThatF16HasNot) {
  auto parts = goodParts();
  std::string scales(16, '\0');
  float large = 65520;
  std::memcpy(scales.data() + 12, &large, sizeof(large));
  parts["w.weight_scale"] = {"F32", "[2,2]", scales};
  expectBad(parts, TENON_OUT_OF_RANGE,
            "scales of at most 65504 in \"w.weight_scale\", got 65520 at [1, "
            "1]");
  parts["w.weight_scale"] = {"BF16", "[2,2]", std::string(8, '\xff')}; // NaN
  expectBad(parts, TENON_OUT_OF_RANGE, "scales of at most 65504");
}

TEST(PackedWeights, RefusePartsThatContradict) {
  for (const char *part : {"w.weight_scale", "w.weight_shape"}) {
    auto parts = goodParts();
    parts.erase(part);
    expectBad(parts, TENON_DATA_LOSS,
              concat("\"", part, "\" beside its packed weight"));
  }
  auto parts = goodParts();
  parts["w.weight_packed"].dtype = "F32";
  expectBad(parts, TENON_DATA_LOSS,
            "\"w.weight_packed\" to be i32 of two axes, got f32 [2, 8]");
  parts = goodParts();
  parts["w.weight_scale"].shape = "[4]";
  expectBad(parts, TENON_DATA_LOSS,
            "\"w.weight_scale\" to be f16, bf16 or f32 of two axes, got f16 "
            "[4]");
  parts = goodParts();
  parts["w.weight_shape"] = {"I64", "[1]", int64s({2})};
  expectBad(parts, TENON_DATA_LOSS, "\"w.weight_shape\" to be i64 [2]");
  for (auto extents :
       {int64s({2, 128}), int64s({3, 64}), int64s({-2, 64}), int64s({0, 0})}) {
    parts = goodParts();
    parts["w.weight_shape"].bytes = extents;
    expectBad(parts, TENON_DATA_LOSS,
              "\"w.weight_packed\" to have 8 integers of 4 bits a word");
  }
  parts = goodParts();
  parts["w.weight"] = {"U8", "[1]", "1"};
  expectBad(parts, TENON_DATA_LOSS, "each tensor once, got \"w.weight\" twice");
}

std::string quantized(const std::string &weights,
                      const std::string &format = "pack-quantized") {
  return R"({"model_type":"qwen2","quantization_config":{"quant_method":)"
         R"("compressed-tensors","format":")" +
         format + R"(","config_groups":{"group_0":{"weights":{)" + weights +
         "}}}}}";
}

TEST(PackedWeights, ConfigurationsAreChecked) {
  auto messageOf = [](const std::string &text) {
    return ModelConfig::parse(text, "c").status().message();
  };
  std::string good = R"("num_bits":4,"type":"int","symmetric":true)";
  EXPECT_EQ(messageOf(quantized(good + R"(,"group_size":128)")), "");
  EXPECT_EQ(messageOf(R"({"model_type":"a","quantization_config":null})"), "");
  EXPECT_THAT(messageOf(quantized(R"("num_bits":8,"group_size":128)")),
              HasSubstr("\"num_bits\" of 4, got 8"));
  EXPECT_THAT(
      messageOf(quantized(
          R"("num_bits":4,"type":"int","symmetric":false,"group_size":128)")),
      HasSubstr("\"symmetric\" of true, as zero points are not supported, got "
                "false"));
  EXPECT_THAT(messageOf(quantized(good + R"(,"group_size":-1)")),
              HasSubstr("\"group_size\" of 32, 64 or 128, got -1"));
  EXPECT_THAT(messageOf(quantized(R"("num_bits":4,"type":"float")")),
              HasSubstr("\"type\" of \"int\", got \"float\""));
  EXPECT_THAT(messageOf(quantized(good, "float-quantized")),
              HasSubstr("\"format\" \"pack-quantized\", got "
                        "\"compressed-tensors\" and \"float-quantized\""));
  EXPECT_THAT(messageOf(R"({"model_type":"a","quantization_config":)"
                        R"({"quant_method":"gptq","bits":4}})"),
              HasSubstr("got \"gptq\" and nothing"));
}

} // namespace
} // namespace tenon::io
