//===- Float8WeightsTest.cpp - Weights of 8-bit floats with scales --------===//
//
// golden/make_float8.py says how the golden file was made.
//
//===----------------------------------------------------------------------===//

#include "runtime/io/Float8Weights.h"
#include "runtime/io/ModelConfig.h"
#include "runtime/io/WeightsFile.h"

#include <cmath>
#include <cstring>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tenon::io {
namespace {
using base::ElementType;
using testing::HasSubstr;

TEST(Float8Weights, MeanWhatTheirDefinitionSays) {
  StatusOr<WeightsFile> weights =
      WeightsFile::open(std::string(TENON_SOURCE_DIR) +
                        "/tests/runtime/io/golden/float8.safetensors");
  ASSERT_TRUE(weights.ok()) << weights.status();
  EXPECT_EQ(weights->tensors().size(), 8u); // without scales
  for (std::string name : {"all", "a", "b", "c"}) {
    SCOPED_TRACE(name);
    const TensorEntry *weight = weights->find(name + ".weight");
    const TensorEntry *values = weights->find(name + ".values");
    ASSERT_TRUE(weight && values);
    EXPECT_EQ(weight->type, ElementType::BF16);
    ASSERT_EQ(weight->shape, values->shape);
    for (size_t i = 0; i < values->data.size(); i += 2) {
      uint16_t got, expected;
      std::memcpy(&got, &weight->data[i], 2);
      std::memcpy(&expected, &values->data[i], 2);
      if (std::isnan(base::bf16ToF32(expected)))
        EXPECT_TRUE(std::isnan(base::bf16ToF32(got))) << i / 2;
      else
        EXPECT_EQ(got, expected) << i / 2;
    }
  }
}

TEST(Float8Weights, Numbers) {
  EXPECT_EQ(e4m3ToF32(0x7e), 448);
  EXPECT_EQ(e4m3ToF32(0x38), 1);
  EXPECT_EQ(e4m3ToF32(0x01), 0x1p-9f);
  EXPECT_EQ(e4m3ToF32(0xb8), -1);
  EXPECT_TRUE(std::isnan(e4m3ToF32(0xff)));
}

TEST(Float8Weights, ScalesAreChecked) {
  std::vector<uint8_t> bytes(1024);
  auto messageOf = [&](std::vector<TensorEntry> tensors) {
    return joinFloat8Weights(tensors, "file").status().message();
  };
  TensorEntry weight{
      "w", ElementType::U8, {2, 200}, 0, 0, std::span(bytes).first(400), true};
  TensorEntry scale{
      "w_scale_inv", ElementType::F32, {1, 2}, 0, 0, std::span(bytes).first(8)};
  EXPECT_EQ(messageOf({weight, scale}), "");
  EXPECT_THAT(messageOf({weight}), HasSubstr("\"w_scale_inv\""));
  scale.shape = {2};
  EXPECT_THAT(messageOf({scale, weight}), HasSubstr("f32 [1, 2]"));
}

TEST(Float8Weights, ConfigurationsAreChecked) {
  auto parse = [](std::string fields) {
    return ModelConfig::parse(
               R"({"model_type": "m", "quantization_config": {)" + fields +
                   "}}",
               "config.json")
        .status();
  };
  EXPECT_TRUE(parse(R"("quant_method": "fp8", "fmt": "e4m3",
                       "activation_scheme": "dynamic",
                       "weight_block_size": [128, 128])")
                  .ok());
  EXPECT_THAT(parse(R"("quant_method": "fp8", "fmt": "e5m2")").message(),
              HasSubstr("e4m3"));
  EXPECT_THAT(parse(R"("quant_method": "fp8", "fmt": "e4m3",
                       "weight_block_size": [64, 64])")
                  .message(),
              HasSubstr("[128,128]"));
}

} // namespace
} // namespace tenon::io
