//===- AdapterFilesTest.cpp - Adapters read, written and merged -----------===//

#include "models/Adapters.h"
#include "runtime/io/Json.h"
#include "runtime/io/MergeAdapter.h"
#include "tests/models/AdapterModel.h"
#include "tests/models/GoldenCases.h"

#include "gmock/gmock.h"

#include <cmath>

namespace tenon::tests {
namespace {

using base::ElementType;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// A golden model's session, with an adapter in it.
class FileModel {
public:
  FileModel(const std::string &path, const models::DecoderOptions &options) {
    open(path, options);
  }

  exec::Session &runtime() { return session->runtime(); }
  std::vector<float> logits() { return logitsOf(*session, adaptedText(30)); }

  std::optional<ModelFiles> files;
  models::Decoder decoder;
  std::unique_ptr<Session> session;

private:
  void open(const std::string &path, const models::DecoderOptions &options) {
    auto opened = ModelFiles::open(path);
    ASSERT_TRUE(opened.ok()) << opened.status();
    files.emplace(*std::move(opened));
    auto built = models::buildModel(*files, options);
    ASSERT_TRUE(built.ok()) << built.status();
    decoder = *std::move(built);
    auto program = models::traceDecoder(decoder, *files, options);
    ASSERT_TRUE(program.ok()) << program.status();
    SessionOptions limits;
    limits.limits = {{"R", 64}};
    auto made = Session::open(*program, Weights::of(*files), limits);
    ASSERT_TRUE(made.ok()) << made.status();
    session = *std::move(made);
  }
};

models::DecoderOptions adapted(AdapterKind kind = AdapterKind::LoRa,
                               std::vector<std::string> targets = {
                                   "*.attention.*", "*.up"}) {
  models::DecoderOptions options;
  options.adapters = {
      .kind = kind, .rank = 4, .alpha = 8, .targets = std::move(targets)};
  return options;
}

models::DecoderOptions like(const std::string &adapter) {
  models::DecoderOptions options;
  options.adapterFiles = adapter;
  return options;
}

/// Gives every weight of the session's adapters values, and writes them.
void writeDrawn(FileModel &model, const std::string &folder) {
  float from = 0;
  for (const NamedTensor &weight : model.decoder.adapters.weights) {
    Array values = *model.session->read(weight.name);
    for (float &value : values.values<float>())
      value = 0.1f * std::sin(from += 1.3f);
    ASSERT_TRUE(model.session->write(weight.name, values).ok());
  }
  auto set = exec::AdapterSet::create(model.runtime().program().program());
  ASSERT_TRUE(set.ok()) << set.status();
  ASSERT_TRUE(set->keep("drawn", model.runtime()).ok());
  Status saved = set->save("drawn", folder);
  ASSERT_TRUE(saved.ok()) << saved;
}

/// Makes the session use the adapter in the folder.
void use(FileModel &model, const std::string &folder) {
  auto set = exec::AdapterSet::create(model.runtime().program().program());
  ASSERT_TRUE(set.ok()) << set.status();
  Status loaded = set->load("drawn", folder);
  ASSERT_TRUE(loaded.ok()) << loaded;
  ASSERT_TRUE(set->use(model.runtime(), "drawn").ok());
}

/// The largest difference over the largest magnitude.
float difference(const std::vector<float> &a, const std::vector<float> &b) {
  if (a.empty() || a.size() != b.size())
    return INFINITY;
  float most = 0, scale = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    most = std::max(most, std::fabs(a[i] - b[i]));
    scale = std::max(scale, std::fabs(a[i]));
  }
  return most / scale;
}

std::string safetensors() {
  return goldenPath("tiny_llama", "model.safetensors");
}
std::string gguf() { return goldenPath("tiny_llama", "model.gguf"); }

StatusOr<io::MergeReport> merge(FileModel &model, const std::string &adapter,
                                const io::MergeOptions &options,
                                const std::string &path) {
  TENON_ASSIGN_OR_RETURN(io::AdapterFile file, io::AdapterFile::open(adapter));
  std::vector<io::MergePart> parts;
  for (auto &part : models::partsInFiles(model.decoder, *model.files))
    parts.push_back({part.tensor, part.part, part.inputsFirst, part.heads});
  return io::mergeAdapter(model.files->weights(), file, parts, options, path);
}

class AdapterRoundTrip : public ::testing::TestWithParam<AdapterKind> {};

TEST_P(AdapterRoundTrip, GivesTheSameBits) {
  TempFolder folder;
  FileModel model(safetensors(), adapted(GetParam()));
  if (HasFatalFailure())
    return;
  writeDrawn(model, folder.path());
  std::vector<float> logits = model.logits();
  FileModel again(safetensors(), like(folder.path()));
  if (HasFatalFailure())
    return;
  EXPECT_GT(difference(logits, again.logits()), 0.01f);
  use(again, folder.path());
  EXPECT_EQ(logits, again.logits());
  auto file = io::AdapterFile::open(folder.path("adapter_model.safetensors"));
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->config().kind, nameOf(GetParam()));
  EXPECT_EQ(file->config().rank, 4);
  EXPECT_EQ(file->config().scale(),
            adapterScale(*adapted(GetParam()).adapters));
  EXPECT_EQ(file->parts().size(), 10u);
}

INSTANTIATE_TEST_SUITE_P(Kinds, AdapterRoundTrip,
                         ::testing::Values(AdapterKind::LoRa,
                                           AdapterKind::RsLoRa,
                                           AdapterKind::Bottleneck),
                         [](const auto &info) {
                           return std::string(nameOf(info.param));
                         });

TEST(AdapterFiles, HaveTheUsualNames) {
  TempFolder folder;
  FileModel model(gguf(), adapted(AdapterKind::LoRa, {"*.0.*.query"}));
  if (::testing::Test::HasFatalFailure())
    return;
  writeDrawn(model, folder.path());
  auto file = io::AdapterFile::open(folder.path());
  ASSERT_TRUE(file.ok()) << file.status();
  std::vector<std::string> names;
  for (const io::TensorEntry &tensor : file->weights().tensors())
    names.push_back(tensor.name);
  EXPECT_THAT(
      names,
      ElementsAre(
          "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight",
          "base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight"));
  std::ifstream in(folder.path("adapter_config.json"));
  io::Json config = io::Json::parse(in);
  EXPECT_EQ(config["peft_type"], "LORA");
  EXPECT_EQ(config["r"], 4);
  EXPECT_EQ(config["lora_alpha"], 8);
  EXPECT_EQ(config["target_modules"], io::Json::array({"q_proj"}));
}

// GGUF files of a Llama have rows of queries and keys in another order.
TEST(AdapterFiles, MeanTheSameBesideGgufAndSafetensors) {
  TempFolder folder;
  for (AdapterKind kind : {AdapterKind::LoRa, AdapterKind::Bottleneck}) {
    FileModel model(safetensors(), adapted(kind)), other(gguf(), adapted(kind));
    if (::testing::Test::HasFatalFailure())
      return;
    float before = difference(model.logits(), other.logits());
    writeDrawn(model, folder.path());
    EXPECT_GT(difference(model.logits(), other.logits()), 0.05f);
    use(other, folder.path());
    EXPECT_LE(difference(model.logits(), other.logits()), 2 * before + 1e-5f);
    // Written beside GGUF, it is the file that was read.
    TempFolder second;
    auto set = exec::AdapterSet::create(other.runtime().program().program());
    ASSERT_TRUE(set.ok() && set->keep("a", other.runtime()).ok());
    ASSERT_TRUE(set->save("a", second.path()).ok());
    use(model, second.path());
    FileModel fresh(safetensors(), adapted(kind));
    use(fresh, folder.path());
    EXPECT_EQ(model.logits(), fresh.logits());
  }
}

/// Merges drawn adapters of a tiny model into its file, which then gives their
/// logits, and takes them out again.
void expectMerges(const std::string &tiny, const std::string &file,
                  const std::vector<std::string> &targets, int64_t weights) {
  TempFolder adapter, merged;
  FileModel model(goldenPath(tiny, file), adapted(AdapterKind::LoRa, targets));
  if (::testing::Test::HasFatalFailure())
    return;
  std::vector<float> plain = model.logits();
  writeDrawn(model, adapter.path());
  std::vector<float> logits = model.logits();
  EXPECT_GT(difference(logits, plain), 0.05f);
  merged.add("config.json",
             (std::ostringstream()
              << std::ifstream(goldenPath(tiny, "config.json")).rdbuf())
                 .str());
  std::string output = merged.path(file);
  auto report = merge(model, adapter.path(), {ElementType::F32, false}, output);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->merged, weights);
  FileModel again(output, {});
  EXPECT_LT(difference(logits, again.logits()), 1e-4f) << tiny << file;
  std::string undone = merged.path("undone" + file.substr(file.rfind('.')));
  report = merge(again, adapter.path(), {ElementType::F32, true}, undone);
  ASSERT_TRUE(report.ok()) << report.status();
  FileModel before(undone, {});
  EXPECT_LT(difference(plain, before.logits()), 1e-4f) << tiny << file;
}

// Merged weights are rounded once more than the sum of both products.
TEST(AdapterMerges, EqualNotMerged) {
  for (const char *file : {"model.safetensors", "model.gguf"}) {
    expectMerges("tiny_llama", file, {"*.attention.*", "*.up"}, 10);
    expectMerges("tiny_qwen3moe", file, {"*.experts.*"}, 6);
  }
}

/// The names and shapes of the tensors in a safetensors file, as it has them.
std::map<std::string, std::vector<int64_t>> tensorsIn(const std::string &path) {
  std::ifstream in(path, std::ios::binary);
  uint64_t size = 0;
  in.read(reinterpret_cast<char *>(&size), sizeof(size));
  std::string text(size, ' ');
  in.read(text.data(), static_cast<std::streamsize>(size));
  std::map<std::string, std::vector<int64_t>> found;
  io::Json header = io::Json::parse(text);
  for (const auto &[name, tensor] : header.items())
    if (tensor.contains("shape"))
      found[name] = tensor["shape"].get<std::vector<int64_t>>();
  return found;
}

// In files each expert has an adapter of its own.
TEST(AdapterFiles, OfExpertsHaveTheUsualNames) {
  for (const char *beside : {"model.safetensors", "model.gguf"}) {
    TempFolder folder;
    FileModel model(goldenPath("tiny_qwen3moe", beside),
                    adapted(AdapterKind::LoRa, {"*.1.experts.*"}));
    if (::testing::Test::HasFatalFailure())
      return;
    writeDrawn(model, folder.path());
    std::vector<float> logits = model.logits();
    auto tensors = tensorsIn(folder.path("adapter_model.safetensors"));
    EXPECT_EQ(tensors.size(), 8u * 3 * 2);
    std::string expert = "base_model.model.model.layers.1.mlp.experts.7.";
    EXPECT_THAT(tensors[expert + "gate_proj.lora_A.weight"],
                ElementsAre(4, 64));
    EXPECT_THAT(tensors[expert + "down_proj.lora_B.weight"],
                ElementsAre(64, 4));
    FileModel again(goldenPath("tiny_qwen3moe", beside), like(folder.path()));
    use(again, folder.path());
    EXPECT_EQ(again.logits(), logits);
    FileModel dense(safetensors(), {});
    EXPECT_THAT(
        std::string(models::buildModel(*dense.files, like(folder.path()))
                        .status()
                        .message()),
        HasSubstr("got one of 'model.layers.1.mlp.experts.#."));
  }
}

TEST(AdapterErrors, AreClear) {
  TempFolder folder;
  FileModel model(safetensors(), adapted());
  if (::testing::Test::HasFatalFailure())
    return;
  writeDrawn(model, folder.path());
  models::DecoderOptions unknown = adapted(AdapterKind::LoRa, {"*.q_proj"});
  EXPECT_THAT(
      std::string(models::buildModel(*model.files, unknown).status().message()),
      HasSubstr("layers.*.attention.query, layers.*.attention.key"));
  models::DecoderOptions other = adapted();
  other.adapters->rank = 8;
  FileModel wider(safetensors(), other);
  auto set = exec::AdapterSet::create(wider.runtime().program().program());
  ASSERT_TRUE(set.ok()) << set.status();
  EXPECT_THAT(set->load("a", folder.path()).message(),
              HasSubstr("expects an adapter that is lora of rank 8 and alpha "
                        "8, got lora of rank 4 and alpha 8"));
  EXPECT_THAT(set->load("a", folder.path("nowhere")).message(),
              HasSubstr("expects an adapter's configuration at"));
  // Of fewer targets than the program's.
  TempFolder fewer;
  FileModel narrow(safetensors(), adapted(AdapterKind::LoRa, {"*.query"}));
  writeDrawn(narrow, fewer.path());
  auto all = exec::AdapterSet::create(model.runtime().program().program());
  EXPECT_THAT(all->load("a", fewer.path()).message(),
              HasSubstr("k_proj.lora_A.weight', got none"));
  auto one = exec::AdapterSet::create(narrow.runtime().program().program());
  EXPECT_THAT(one->load("a", folder.path()).message(),
              HasSubstr("the program has no adapter for"));
  // Of another model.
  auto gemma = ModelFiles::open(goldenPath("tiny_gemma3", "model.gguf"));
  ASSERT_TRUE(gemma.ok()) << gemma.status();
  FileModel headed(safetensors(), adapted(AdapterKind::LoRa, {"head"}));
  TempFolder head;
  writeDrawn(headed, head.path());
  EXPECT_THAT(
      std::string(
          models::buildModel(*gemma, like(head.path())).status().message()),
      HasSubstr("expects adapters of this model's parts, got one of "
                "'lm_head'"));
}

TEST(AdapterErrors, OfDamagedFilesAreClear) {
  TempFolder folder;
  FileModel model(safetensors(), adapted());
  if (::testing::Test::HasFatalFailure())
    return;
  writeDrawn(model, folder.path());
  auto message = [&] {
    return io::AdapterFile::open(folder.path()).status().message();
  };
  std::string config = R"({"peft_type": "LORA", "r": 4, "lora_alpha": 8)";
  folder.add("adapter_config.json", config + R"(, "use_dora": true})");
  EXPECT_THAT(message(), HasSubstr("without 'use_dora', got one with it"));
  folder.add("adapter_config.json", config);
  EXPECT_THAT(message(), HasSubstr("adapter_config.json"));
  folder.add("adapter_config.json", R"({"peft_type": "IA3"})");
  EXPECT_THAT(message(), HasSubstr("LORA or BOTTLENECK, got 'IA3'"));
  folder.add("adapter_config.json",
             R"({"peft_type": "LORA", "r": 3, "lora_alpha": 8})");
  EXPECT_THAT(message(), HasSubstr("expects rank 3 of"));
  folder.add("adapter_config.json", config + "}");
  ASSERT_TRUE(io::AdapterFile::open(folder.path()).ok());
  folder.add("adapter_model.safetensors", "damaged");
  EXPECT_THAT(message(), HasSubstr("adapter_model.safetensors"));
}

} // namespace
} // namespace tenon::tests
