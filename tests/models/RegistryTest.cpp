//===- RegistryTest.cpp - Which model, and what files lack ----------------===//

#include "models/Registry.h"
#include "tests/models/GoldenCases.h"
#include "tests/support/SafetensorsWriter.h"
#include "tests/support/TempFolder.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include <filesystem>
#include <fstream>
#include <sstream>

namespace tenon::tests {
namespace {
using ::testing::HasSubstr;

std::string read(const std::string &path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

/// One tensor: the embedding of tiny_qwen2, all zeros.
std::string embeddingOnly() {
  return writeSafetensors(
      R"({"model.embed_tokens.weight":{"dtype":"F32","shape":[96,64],)"
      R"("data_offsets":[0,24576]}})",
      std::string(24576, '\0'));
}

absl::Status traceFolder(const TempFolder &folder) {
  auto files = ModelFiles::open(folder.path("model.safetensors"));
  if (!files.ok())
    return files.status();
  return models::traceModel(*files).status();
}

TEST(Registry, UnknownArchitecturesAreNamedWithTheKnown) {
  TempFolder folder;
  folder.add("model.safetensors", embeddingOnly());
  folder.add("config.json", R"({"model_type": "falcon"})");
  absl::Status status = traceFolder(folder);
  EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented);
  EXPECT_THAT(
      std::string(status.message()),
      HasSubstr("expects one of the architectures deepseek2, deepseek_v2, "
                "deepseek_v3, gemma3, gemma3_text, gpt2, llama, qwen2, qwen3, "
                "qwen3_moe, qwen3moe, got 'falcon'"));
}

TEST(Registry, EveryMissingWeightIsNamed) {
  TempFolder folder;
  folder.add("model.safetensors", embeddingOnly());
  folder.add("config.json", read(goldenPath("tiny_qwen2", "config.json")));
  absl::Status status = traceFolder(folder);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  std::string message(status.message());
  EXPECT_THAT(message,
              HasSubstr("'model.layers.0.self_attn.q_proj.weight', for the "
                        "parameter 'layers.0.attention.query.weight'"));
  EXPECT_THAT(message,
              HasSubstr("'model.layers.1.mlp.down_proj.weight', for the "
                        "parameter 'layers.1.feed_forward.down.weight'"));
}

TEST(Registry, MissingKeysAreNamed) {
  TempFolder folder;
  folder.add("model.safetensors", embeddingOnly());
  folder.add("config.json", R"({"model_type": "qwen2", "hidden_size": 64})");
  absl::Status status = traceFolder(folder);
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("num_hidden_layers"));
}

TEST(Registry, VariationsAreRefused) {
  TempFolder folder;
  folder.add("model.safetensors", embeddingOnly());
  std::string config = read(goldenPath("tiny_qwen2", "config.json"));
  std::string from = "\"use_sliding_window\": false";
  config.replace(config.find(from), from.size(),
                 "\"use_sliding_window\": true");
  folder.add("config.json", config);
  absl::Status status = traceFolder(folder);
  EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("expects a window in every layer or in none"));
}
} // namespace
} // namespace tenon::tests
