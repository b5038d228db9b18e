//===- WeightsFileTest.cpp - One table over either format -----------------===//

#include "runtime/io/WeightsFile.h"
#include "runtime/io/ModelConfig.h"
#include "tests/support/GgufWriter.h"
#include "tests/support/SafetensorsWriter.h"
#include "tests/support/TempFolder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tenon::io {
namespace {

using testing::HasSubstr;
using tests::asBytes;
using tests::GgufWriter;
using tests::kGgmlF32;
using tests::TempFolder;
using tests::writeSafetensors;

std::string oneByte(const std::string &name) {
  return writeSafetensors(
      "{\"" + name + R"(":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})",
      "x");
}

std::string splitGguf(uint16_t number, uint16_t count,
                      const std::string &tensor) {
  GgufWriter gguf;
  if (number == 0)
    gguf.addString("general.architecture", "deepseek2");
  gguf.addScalar("split.no", 2, number);
  gguf.addScalar("split.count", 2, count);
  gguf.addTensor(tensor, {1}, kGgmlF32, "1234");
  return gguf.write();
}

TEST(WeightsFile, OpensGgufByMagic) {
  TempFolder folder;
  GgufWriter gguf;
  gguf.addString("general.architecture", "gemma3");
  gguf.addTensor("w", {1}, kGgmlF32, "1234");
  std::string path = folder.add("weights.bin", gguf.write());
  StatusOr<WeightsFile> weights = WeightsFile::open(path);
  ASSERT_TRUE(weights.ok()) << weights.status();
  EXPECT_EQ(weights->format(), WeightsFormat::Gguf);
  EXPECT_EQ(weights->path(), path);
  EXPECT_EQ((*weights->tensor("w"))->data[3], '4');
  weights->release(**weights->tensor("w"));
  EXPECT_EQ((*weights->tensor("w"))->data[3], '4');
  EXPECT_EQ(weights->tensor("v").status().message(),
            path + ": expects a tensor \"v\", got none");
}

TEST(WeightsFile, OpensWhatAFolderHolds) {
  TempFolder gguf, safetensors;
  gguf.add("m.gguf", GgufWriter().write());
  EXPECT_TRUE(WeightsFile::open(gguf.path()).ok());
  safetensors.add("model.safetensors", oneByte("w"));
  StatusOr<WeightsFile> weights = WeightsFile::open(safetensors.path());
  ASSERT_TRUE(weights.ok()) << weights.status();
  EXPECT_EQ(weights->format(), WeightsFormat::Safetensors);
  EXPECT_NE(weights->find("w"), nullptr);
}

TEST(WeightsFile, JoinsShards) {
  TempFolder folder;
  folder.add("1.safetensors", oneByte("a"));
  folder.add("2.safetensors", oneByte("b"));
  folder.add("model.safetensors.index.json",
             R"({"weight_map":{"a":"1.safetensors","b":"2.safetensors"}})");
  StatusOr<WeightsFile> weights = WeightsFile::open(folder.path());
  ASSERT_TRUE(weights.ok()) << weights.status();
  EXPECT_EQ(weights->files().size(), 2u);
  EXPECT_EQ(weights->find("b")->file, 1u);
  EXPECT_EQ(weights->find("b")->data[0], 'x');
}

TEST(WeightsFile, RefusesShardsThatLackTheirTensor) {
  TempFolder folder;
  folder.add("1.safetensors", oneByte("a"));
  std::string path = folder.add("model.safetensors.index.json",
                                R"({"weight_map":{"b":"1.safetensors"}})");
  EXPECT_EQ(WeightsFile::open(path).status().message(),
            path + ": expects tensor \"b\" in 1.safetensors, got none there");
  folder.add("model.safetensors.index.json",
             R"({"weight_map":{"b":"9.safetensors"}})");
  Status missing = WeightsFile::open(path).status();
  EXPECT_EQ(missing.code(), TENON_NOT_FOUND);
  EXPECT_THAT(missing.message(), HasSubstr(folder.path("9.safetensors")));
}

TEST(WeightsFile, JoinsSplitGguf) {
  TempFolder folder;
  std::string first = folder.add("m-00001-of-00002.gguf", splitGguf(0, 2, "a"));
  folder.add("m-00002-of-00002.gguf", splitGguf(1, 2, "b"));
  StatusOr<WeightsFile> weights = WeightsFile::open(folder.path());
  ASSERT_TRUE(weights.ok()) << weights.status();
  EXPECT_EQ(weights->tensors().size(), 2u);
  EXPECT_EQ(weights->find("b")->file, 1u);
  EXPECT_EQ(*weights->metadata().getString("general.architecture"),
            "deepseek2");

  folder.add("m-00002-of-00002.gguf", splitGguf(0, 2, "b"));
  EXPECT_THAT(WeightsFile::open(first).status().message(),
              HasSubstr("00002-of-00002.gguf: expects \"split.no\" to be 1, "
                        "got 0"));
  folder.add("m-00002-of-00002.gguf", splitGguf(1, 2, "a"));
  EXPECT_THAT(WeightsFile::open(first).status().message(),
              HasSubstr("expects each tensor once, got \"a\" twice"));
  std::string lone = folder.add("other.gguf", splitGguf(0, 2, "a"));
  EXPECT_THAT(WeightsFile::open(lone).status().message(),
              HasSubstr("to end in \"-00001-of-00002.gguf\""));
}

TEST(WeightsFile, HashIdentifiesContentOfTheHeader) {
  auto hashOf = [](const std::string &file) {
    StatusOr<WeightsFile> weights = WeightsFile::parse(asBytes(file), "m");
    EXPECT_TRUE(weights.ok()) << weights.status();
    return weights->contentHash().toHex();
  };
  EXPECT_EQ(hashOf(oneByte("a")), hashOf(oneByte("a")));
  EXPECT_NE(hashOf(oneByte("a")), hashOf(oneByte("b")));
  EXPECT_EQ(hashOf(oneByte("a")).size(), 32u);
  std::string gguf = GgufWriter().write();
  EXPECT_NE(hashOf(gguf), hashOf(gguf + "x")); // other size, same header
}

TEST(WeightsFile, RefusesWhatIsNoWeightsFile) {
  TempFolder folder;
  std::string path = folder.add("notes.txt", "hello, this is no model");
  Status text = WeightsFile::open(path).status();
  EXPECT_EQ(text.code(), TENON_INVALID_ARGUMENT);
  EXPECT_EQ(text.message(), path + ": expects a GGUF or safetensors file");
  EXPECT_FALSE(WeightsFile::open(folder.add("empty", "")).ok());
  EXPECT_EQ(WeightsFile::open(folder.path("none")).status().code(),
            TENON_NOT_FOUND);
  Status nothing = WeightsFile::open(folder.path()).status();
  EXPECT_EQ(nothing.code(), TENON_NOT_FOUND);
  EXPECT_THAT(nothing.message(), HasSubstr("or one .gguf file, got 0"));
  EXPECT_THAT(MappedFile::open("/dev/null").status().message(),
              HasSubstr("expects a regular file"));
  EXPECT_THAT(readFile(path, 3).status().message(),
              HasSubstr("expects at most 3 bytes, got 23"));
}

TEST(ModelConfig, ReadsGgufKeys) {
  GgufWriter gguf;
  gguf.addString("general.architecture", "gemma3");
  gguf.addU32("gemma3.block_count", 18);
  std::string file = gguf.write();
  StatusOr<WeightsFile> weights = WeightsFile::parse(asBytes(file), "m.gguf");
  ASSERT_TRUE(weights.ok()) << weights.status();
  StatusOr<ModelConfig> config = ModelConfig::load(*weights);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->kind(), ConfigKind::Gguf);
  EXPECT_EQ(config->architecture(), "gemma3");
  EXPECT_EQ(*config->values().getInt(config->key("block_count")), 18);
  EXPECT_THAT(
      config->values().getInt(config->key("head_count")).status().message(),
      HasSubstr("m.gguf: expects a value for \"gemma3.head_count\""));
}

TEST(ModelConfig, ReadsConfigJson) {
  TempFolder folder;
  folder.add("model.safetensors", oneByte("w"));
  folder.add(
      "config.json",
      R"({"model_type":"deepseek_v3","hidden_size":7168,"eps":1e-6,)"
      R"("rope_theta":10000,"tie":false,"none":null,)"
      R"("rope_scaling":{"type":"yarn","factor":40},)"
      R"("layers":[1,2],"names":["a"],"scales":[1,0.5],"mixed":[1,"a"]})");
  StatusOr<WeightsFile> weights = WeightsFile::open(folder.path());
  ASSERT_TRUE(weights.ok()) << weights.status();
  StatusOr<ModelConfig> config = ModelConfig::load(*weights);
  ASSERT_TRUE(config.ok()) << config.status();
  const Metadata &values = config->values();
  EXPECT_EQ(config->kind(), ConfigKind::HuggingFace);
  EXPECT_EQ(config->architecture(), "deepseek_v3");
  EXPECT_EQ(*values.getInt(config->key("hidden_size")), 7168);
  EXPECT_EQ(*values.getFloat("eps"), 1e-6);
  EXPECT_EQ(*values.getFloat("rope_theta"), 10000.0);
  EXPECT_FALSE(*values.getBool("tie"));
  EXPECT_FALSE(values.has("none"));
  EXPECT_FALSE(values.has("mixed"));
  EXPECT_EQ(*values.getString("rope_scaling.type"), "yarn");
  EXPECT_THAT(*values.getInts("layers"), testing::ElementsAre(1, 2));
  EXPECT_THAT(*values.getStrings("names"), testing::ElementsAre("a"));
  EXPECT_THAT(*values.getFloats("scales"), testing::ElementsAre(1.0, 0.5));
  EXPECT_EQ(values.getInt("eps").status().message(),
            folder.path("config.json") +
                ": expects \"eps\" to be an integer below 2^63, got a float");
}

TEST(ModelConfig, RefusesBadJson) {
  auto message = [](const std::string &text) {
    return ModelConfig::parse(text, "config.json").status().message();
  };
  EXPECT_THAT(message("{"), HasSubstr("config.json: expects valid JSON"));
  EXPECT_THAT(message("[1]"), HasSubstr("expects a JSON object, got array"));
  EXPECT_THAT(message("{}"), HasSubstr("a value for \"model_type\""));
  EXPECT_THAT(message(R"({"model_type":3})"), HasSubstr("to be a string"));
  EXPECT_THAT(message(R"({"a":1,"a":2})"), HasSubstr("\"a\" twice"));
  EXPECT_THAT(message(std::string(99, '[')), HasSubstr("at most 16 deep"));
  EXPECT_THAT(message(std::string(5 << 20, ' ')), HasSubstr("at most"));
}

} // namespace
} // namespace tenon::io
