//===- GoldenTokensTest.cpp - Tokens equal other implementations' ---------===//
//
// golden/make_tokenizers.py says how the small vocabularies and their ids were
// made; tests/models/gemma_tokens.json says how Gemma's were.
//
//===----------------------------------------------------------------------===//

#include "runtime/io/Json.h"
#include "runtime/io/StoredTokenizer.h"
#include "runtime/io/Tokenizer.h"
#include "tests/support/GgufWriter.h"

#include <cstdlib>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tenon::io {
namespace {

using tests::asBytes;
using tests::GgufWriter;

Json readGolden(const std::string &name) {
  std::string path = std::string(TENON_SOURCE_DIR) + "/tests/" + name;
  StatusOr<std::string> text = readFile(path, size_t{64} << 20);
  EXPECT_TRUE(text.ok()) << text.status();
  StatusOr<Json> json =
      parseJson(text.ok() ? *text : "{}", path, {.maxBytes = size_t{64} << 20});
  EXPECT_TRUE(json.ok()) << json.status();
  return json.ok() ? *json : Json::object();
}

// Checks every case's ids, and that decoding gives back the text.
void checkCases(const Tokenizer &tokenizer, const Json &cases, bool special,
                bool roundTrip) {
  ASSERT_FALSE(cases.empty());
  for (const Json &test : cases) {
    auto text = test["text"].get<std::string>();
    StatusOr<std::vector<int32_t>> ids =
        tokenizer.encode(text, {.addSpecial = false, .parseSpecial = special});
    ASSERT_TRUE(ids.ok()) << ids.status();
    EXPECT_EQ(*ids, test["ids"].get<std::vector<int32_t>>()) << test;
    if (!roundTrip)
      continue;
    StatusOr<std::string> decoded =
        tokenizer.decode(*ids, {.printControl = true});
    ASSERT_TRUE(decoded.ok()) << decoded.status();
    EXPECT_EQ(*decoded, text);
  }
}

// Sends a tokenizer through the section that a .tenon file keeps it in.
Tokenizer storeAndRead(const Tokenizer &tokenizer) {
  std::string section = storeTokenizer(tokenizer.description());
  StatusOr<TokenizerSpec> spec =
      readStoredTokenizer(asBytes(section), "m.tenon");
  EXPECT_TRUE(spec.ok()) << spec.status();
  StatusOr<Tokenizer> again = Tokenizer::create(std::move(*spec));
  EXPECT_TRUE(again.ok()) << again.status();
  return *std::move(again);
}

class BpeFamily : public testing::TestWithParam<const char *> {};

Json familyOf(const Json &golden, const std::string &name) {
  Json document = golden["tokenizer"];
  document["pre_tokenizer"] = golden["families"][name]["pre_tokenizer"];
  document["normalizer"] = golden["families"][name]["normalizer"];
  return document;
}

TEST_P(BpeFamily, EncodesAsTokenizers) {
  Json golden = readGolden("runtime/io/golden/bpe.json");
  StatusOr<TokenizerSpec> spec = readJsonTokenizer(
      familyOf(golden, GetParam()).dump(), "", "tokenizer.json");
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ(spec->preTokenizer, *parsePreTokenizer(GetParam()));
  bool normalises = spec->nfc;
  StatusOr<Tokenizer> tokenizer = Tokenizer::create(std::move(*spec));
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  // "</user>" swallows the space after it.
  const Json &cases = golden["families"][GetParam()]["cases"];
  checkCases(*tokenizer, cases, /*special=*/true, /*roundTrip=*/!normalises);
  checkCases(storeAndRead(*tokenizer), cases, /*special=*/true,
             /*roundTrip=*/!normalises);
}

TEST_P(BpeFamily, CutsWordsAsTokenizers) {
  Json golden = readGolden("runtime/io/golden/bpe.json");
  int checked = 0;
  for (const Json &test : golden["families"][GetParam()]["cases"]) {
    if (!test.contains("words"))
      continue;
    auto text = test["text"].get<std::string>();
    std::vector<std::string_view> words;
    splitWords(*parsePreTokenizer(GetParam()), text, words);
    std::vector<std::string> copies(words.begin(), words.end());
    EXPECT_EQ(copies, test["words"].get<std::vector<std::string>>()) << test;
    ++checked;
  }
  EXPECT_GT(checked, 50);
}

// The same vocabulary as GGUF metadata gives the same ids.
TEST_P(BpeFamily, GgufEqualsJson) {
  Json golden = readGolden("runtime/io/golden/bpe.json");
  Json document = familyOf(golden, GetParam());
  std::vector<std::string> pieces, merges;
  std::vector<int32_t> kinds;
  auto set = [&](size_t id, const std::string &piece, int32_t kind) {
    pieces.resize(std::max(pieces.size(), id + 1));
    kinds.resize(pieces.size());
    pieces[id] = piece;
    kinds[id] = kind;
  };
  for (const auto &[piece, id] : document["model"]["vocab"].items())
    set(id.get<size_t>(), piece, 1);
  for (const Json &token : document["added_tokens"])
    set(token["id"].get<size_t>(), token["content"].get<std::string>(),
        token["special"].get<bool>() ? 3 : 4);
  for (const Json &merge : document["model"]["merges"])
    merges.push_back(merge[0].get<std::string>() + " " +
                     merge[1].get<std::string>());
  GgufWriter gguf;
  gguf.addString("tokenizer.ggml.model", "gpt2");
  gguf.addString("tokenizer.ggml.pre", GetParam());
  gguf.addStrings("tokenizer.ggml.tokens", pieces);
  gguf.addArray("tokenizer.ggml.token_type", 5, kinds);
  gguf.addStrings("tokenizer.ggml.merges", merges);
  std::string file = gguf.write();
  StatusOr<WeightsFile> weights = WeightsFile::parse(asBytes(file), "a.gguf");
  ASSERT_TRUE(weights.ok()) << weights.status();
  StatusOr<Tokenizer> tokenizer = Tokenizer::load(*weights);
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  Json cases = golden["families"][GetParam()]["cases"];
  for (auto it = cases.begin(); it != cases.end();)
    // GGUF cannot say that "</user>" swallows spaces.
    it = (*it)["text"].get<std::string>().find("</user>") != std::string::npos
             ? cases.erase(it)
             : it + 1;
  checkCases(*tokenizer, cases, /*special=*/true, /*roundTrip=*/false);
}

INSTANTIATE_TEST_SUITE_P(Families, BpeFamily,
                         testing::Values("gpt-2", "qwen2", "deepseek-llm",
                                         "deepseek-v3"));

TEST(GemmaLikeJson, EncodesAsTokenizers) {
  Json golden = readGolden("runtime/io/golden/bpe.json")["gemma_like"];
  StatusOr<TokenizerSpec> spec =
      readJsonTokenizer(golden["tokenizer"].dump(), "", "tokenizer.json");
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ(spec->kind, TokenizerKind::CharBpe);
  StatusOr<Tokenizer> tokenizer = Tokenizer::create(std::move(*spec));
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  checkCases(*tokenizer, golden["cases"], /*special=*/true,
             /*roundTrip=*/true);
}

class SentencePiece : public testing::TestWithParam<const char *> {};

TEST_P(SentencePiece, EncodesAsSentencePiece) {
  Json golden = readGolden("runtime/io/golden/sentencepiece.json")[GetParam()];
  GgufWriter gguf;
  gguf.addString("tokenizer.ggml.model", "llama");
  gguf.addStrings("tokenizer.ggml.tokens",
                  golden["pieces"].get<std::vector<std::string>>());
  gguf.addArray("tokenizer.ggml.token_type", 5,
                golden["kinds"].get<std::vector<int32_t>>());
  gguf.addArray("tokenizer.ggml.scores", 6,
                golden["scores"].get<std::vector<float>>());
  gguf.addU32("tokenizer.ggml.unknown_token_id", 0);
  gguf.addU32("tokenizer.ggml.bos_token_id", 1);
  gguf.addBool("tokenizer.ggml.add_space_prefix",
               golden["add_space_prefix"].get<bool>());
  std::string file = gguf.write();
  StatusOr<WeightsFile> weights = WeightsFile::parse(asBytes(file), "a.gguf");
  ASSERT_TRUE(weights.ok()) << weights.status();
  StatusOr<Tokenizer> tokenizer = Tokenizer::load(*weights);
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  checkCases(*tokenizer, golden["cases"], /*special=*/false,
             /*roundTrip=*/true);
  checkCases(storeAndRead(*tokenizer), golden["cases"], /*special=*/false,
             /*roundTrip=*/true);
}

INSTANTIATE_TEST_SUITE_P(Models, SentencePiece,
                         testing::Values("plain", "prefix"));

std::string gemmaPath() {
  const char *cache = std::getenv("TENON_CACHE"), *home = std::getenv("HOME");
  std::string folder =
      cache ? cache : std::string(home ? home : "") + "/.cache/tenon";
  return folder + "/gemma-3-270m-q4_k_m.gguf";
}

TEST(Gemma, EncodesAsLlamaCpp) {
  StatusOr<WeightsFile> weights = WeightsFile::open(gemmaPath());
  if (!weights.ok() && weights.status().code() == TENON_NOT_FOUND)
    GTEST_SKIP() << "no model file; scripts/get-model gemma3-270m fetches it: "
                 << weights.status();
  ASSERT_TRUE(weights.ok()) << weights.status();
  StatusOr<Tokenizer> tokenizer = Tokenizer::load(*weights);
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  EXPECT_EQ(tokenizer->size(), 262144);
  EXPECT_THAT(tokenizer->endOfText(), testing::ElementsAre(1, 106));
  const Json golden = readGolden("models/gemma_tokens.json");
  ASSERT_EQ(golden["cases"].size(), 40u);
  for (const Json &test : golden["cases"]) {
    bool special = test["parse_special"].get<bool>();
    StatusOr<std::vector<int32_t>> ids =
        tokenizer->encode(test["text"].get<std::string>(),
                          {.addSpecial = !special, .parseSpecial = special});
    ASSERT_TRUE(ids.ok()) << ids.status();
    EXPECT_EQ(*ids, test["ids"].get<std::vector<int32_t>>()) << test;
    StatusOr<std::string> text = tokenizer->decode(*ids);
    ASSERT_TRUE(text.ok()) << text.status();
    // A U+2581 in the text is spelled like a space: it decodes to one.
    auto original = test["text"].get<std::string>();
    if (!special && original.find("\u2581") == std::string::npos)
      EXPECT_EQ(*text, original);
  }
}

} // namespace
} // namespace tenon::io
