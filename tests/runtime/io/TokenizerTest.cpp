//===- TokenizerTest.cpp - Encoding, decoding, and what is refused --------===//

#include "runtime/io/Tokenizer.h"
#include "runtime/io/ChatTemplate.h"
#include "runtime/io/Json.h"
#include "runtime/io/StoredTokenizer.h"
#include "tests/support/GgufWriter.h"
#include "tests/support/TempFolder.h"

#include <functional>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tenon::io {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using tests::asBytes;
using tests::GgufWriter;

// A SentencePiece vocabulary of a few pieces, of which a test may break parts.
struct Parts {
  std::string model = "llama";
  std::vector<std::string> tokens = {"<unk>", "<s>",      "</s>", "<turn>",
                                     "[x]",   "\u2581",   "a",    "b",
                                     "ab",    "\u2581ab", "é",    "abab"};
  std::vector<int32_t> kinds = {2, 3, 3, 3, 4, 1, 1, 1, 1, 1, 1, 1};
  std::vector<float> scores = {0, 0, 0, 0, 0, -9, -9, -9, -2, -3, -9, -4};
  uint32_t bos = 1;
  bool prefix = false;
};

Parts withBytes() {
  Parts parts;
  static constexpr char digits[] = "0123456789ABCDEF";
  for (int byte = 0; byte < 256; ++byte) {
    parts.tokens.push_back(std::string("<0x") + digits[byte / 16] +
                           digits[byte % 16] + ">");
    parts.kinds.push_back(6);
    parts.scores.push_back(0);
  }
  return parts;
}

StatusOr<Tokenizer> make(const Parts &parts) {
  GgufWriter gguf;
  gguf.addString("tokenizer.ggml.model", parts.model);
  gguf.addStrings("tokenizer.ggml.tokens", parts.tokens);
  gguf.addArray("tokenizer.ggml.token_type", 5, parts.kinds);
  gguf.addArray("tokenizer.ggml.scores", 6, parts.scores);
  gguf.addU32("tokenizer.ggml.bos_token_id", parts.bos);
  gguf.addU32("tokenizer.ggml.eos_token_id", 2);
  gguf.addU32("tokenizer.ggml.unknown_token_id", 0);
  gguf.addBool("tokenizer.ggml.add_space_prefix", parts.prefix);
  std::string file = gguf.write();
  StatusOr<WeightsFile> weights = WeightsFile::parse(asBytes(file), "m.gguf");
  EXPECT_TRUE(weights.ok()) << weights.status();
  return Tokenizer::load(*weights);
}

// The Gemma file in circulation has the tokens of turns but no template.
TEST(ChatTemplate, IsKnownByTheTokensOfTurnsWhereTheFileHasNone) {
  Parts parts;
  EXPECT_FALSE(chooseChatFormat(*make(parts)).ok());
  parts.tokens[3] = "<start_of_turn>";
  StatusOr<ChatFormat> format = chooseChatFormat(*make(parts));
  ASSERT_TRUE(format.ok()) << format.status();
  EXPECT_EQ(*format, ChatFormat::Gemma);
}

template <typename... Expected>
void expectRefused(const Parts &parts, const Expected &...expected) {
  StatusOr<Tokenizer> tokenizer = make(parts);
  ASSERT_FALSE(tokenizer.ok());
  EXPECT_THAT(tokenizer.status().message(),
              AllOf(HasSubstr("m.gguf: expects"), HasSubstr(expected)...));
}

std::vector<int32_t> encode(const Tokenizer &tokenizer, std::string_view text,
                            EncodeOptions options = {}) {
  StatusOr<std::vector<int32_t>> ids = tokenizer.encode(text, options);
  EXPECT_TRUE(ids.ok()) << ids.status();
  return ids.ok() ? *ids : std::vector<int32_t>();
}

TEST(Tokenizer, MergesBestScoreFirst) {
  StatusOr<Tokenizer> tokenizer = make(Parts());
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  EXPECT_THAT(encode(*tokenizer, "abab ab"), ElementsAre(1, 11, 9));
  EXPECT_THAT(encode(*tokenizer, "a[x]b"), ElementsAre(1, 6, 4, 7));
  EXPECT_EQ(tokenizer->idToPiece(11), "abab");
  EXPECT_EQ(tokenizer->pieceToId("abab"), 11);
  EXPECT_EQ(tokenizer->bos(), 1);
  EXPECT_TRUE(tokenizer->isEndOfText(2));
}

TEST(Tokenizer, UnknownRunsAreOneTokenUnlessThereAreBytes) {
  StatusOr<Tokenizer> plain = make(Parts()), bytes = make(withBytes());
  ASSERT_TRUE(plain.ok() && bytes.ok()) << bytes.status();
  EXPECT_THAT(encode(*plain, "aéxyb"), ElementsAre(1, 6, 10, 0, 7));
  EXPECT_THAT(encode(*bytes, "x"), ElementsAre(1, 12 + 'x'));
}

TEST(Tokenizer, ControlTokensNeedTrust) {
  StatusOr<Tokenizer> tokenizer = make(withBytes());
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  EXPECT_THAT(encode(*tokenizer, "<turn>", {.parseSpecial = true}),
              ElementsAre(1, 3));
  EXPECT_THAT(encode(*tokenizer, "<turn>"), testing::Not(testing::Contains(3)));
  // A token that only half lies in trusted text is not one either.
  StatusOr<std::vector<int32_t>> forged =
      tokenizer->encode(Prompt{{"<tu", true}, {"rn>", false}});
  ASSERT_TRUE(forged.ok()) << forged.status();
  EXPECT_THAT(*forged, testing::Not(testing::Contains(3)));
}

TEST(Tokenizer, TextMergesAcrossPartsOfAPrompt) {
  StatusOr<Tokenizer> tokenizer = make(Parts());
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  StatusOr<std::vector<int32_t>> ids =
      tokenizer->encode(Prompt{{"<turn>a", true}, {"b", false}});
  ASSERT_TRUE(ids.ok()) << ids.status();
  EXPECT_THAT(*ids, ElementsAre(1, 3, 8));
}

TEST(Tokenizer, TheFirstTokenComesOnce) {
  StatusOr<Tokenizer> tokenizer = make(Parts());
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  EXPECT_THAT(encode(*tokenizer, "<s>a", {.parseSpecial = true}),
              ElementsAre(1, 6));
  EXPECT_THAT(encode(*tokenizer, "a", {.addSpecial = false}), ElementsAre(6));
}

TEST(Tokenizer, SpacePrefixIsAddedAndRemoved) {
  Parts parts;
  parts.prefix = true;
  StatusOr<Tokenizer> tokenizer = make(parts);
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  std::vector<int32_t> ids = encode(*tokenizer, "ab ab");
  EXPECT_THAT(ids, ElementsAre(1, 9, 9));
  EXPECT_EQ(*tokenizer->decode(ids), "ab ab");
}

TEST(Decoder, HoldsBackPartsOfCharacters) {
  StatusOr<Tokenizer> tokenizer = make(withBytes());
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  Decoder decoder(*tokenizer);
  EXPECT_EQ(*decoder.push(12 + 0xf0), "");
  EXPECT_EQ(*decoder.push(12 + 0x9f), "");
  EXPECT_EQ(*decoder.push(12 + 0x99), "");
  EXPECT_EQ(*decoder.push(12 + 0x82), "🙂");
  EXPECT_EQ(*decoder.push(12 + 0xe4), "");
  EXPECT_EQ(*decoder.push(6), "\ufffda"); // broken off by a character
  EXPECT_EQ(*decoder.push(12 + 0xff), "\ufffd");
  EXPECT_EQ(*decoder.push(12 + 0xe4), "");
  EXPECT_EQ(decoder.finish(), "\ufffd");
  EXPECT_EQ(decoder.finish(), "");
  EXPECT_EQ(*decoder.push(1), ""); // control
  EXPECT_THAT(decoder.push(268).status().message(),
              HasSubstr("expects a token id below 268, got 268"));
  EXPECT_EQ(decoder.push(-1).status().code(), TENON_OUT_OF_RANGE);
}

TEST(Tokenizer, RefusesTextThatIsNotUtf8) {
  StatusOr<Tokenizer> tokenizer = make(Parts());
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  for (const char *text : {"a\xff", "a\xc3", "a\xed\xa0\x80", "a\xc0\x80"})
    EXPECT_THAT(tokenizer->encode(text).status().message(),
                HasSubstr("expects UTF-8 text"))
        << text;
}

TEST(Tokenizer, RefusesMissingAndWrongParts) {
  Parts model;
  model.model = "bert";
  expectRefused(model, "\"tokenizer.ggml.model\"", "\"bert\"");
  Parts scores;
  scores.scores.pop_back();
  expectRefused(scores, "\"tokenizer.ggml.scores\" to have 12 entries",
                "got 11");
  Parts kinds;
  kinds.kinds.push_back(1);
  expectRefused(kinds, "\"tokenizer.ggml.token_type\"", "got 13");
  Parts kind;
  kind.kinds[4] = 7;
  expectRefused(kind, "to hold 0 to 6, got 7 for token 4");
  Parts nan;
  nan.scores[6] = std::numeric_limits<float>::quiet_NaN();
  expectRefused(nan, "NaN for token 6");
  Parts bos;
  bos.bos = 12;
  expectRefused(bos, "the bos token id to be below 12, got 12");
  bos.bos = 0xffffffff; // "none"
  expectRefused(bos, "a bos token id", "got none");
  Parts byte;
  byte.kinds[5] = 6;
  expectRefused(byte, "byte token 5 to be spelled like \"<0x0A>\"");
  Parts special;
  special.tokens[4] = std::string(5000, 'x');
  expectRefused(special, "at most 1024 bytes, got 5000 for token 4");
  Parts empty;
  empty.tokens.clear();
  expectRefused(empty, "\"tokenizer.ggml.tokens\" to have pieces");
}

// A byte-level tokenizer.json; `edit` breaks it.
template <typename Edit> Status readEdited(Edit edit) {
  std::string path =
      std::string(TENON_SOURCE_DIR) + "/tests/runtime/io/golden/bpe.json";
  StatusOr<std::string> text = readFile(path, 1 << 20);
  EXPECT_TRUE(text.ok()) << text.status();
  Json golden = Json::parse(*text);
  Json document = golden["tokenizer"];
  document["pre_tokenizer"] = golden["families"]["qwen2"]["pre_tokenizer"];
  edit(document);
  StatusOr<TokenizerSpec> spec =
      readJsonTokenizer(document.dump(), "", "tokenizer.json");
  if (!spec.ok())
    return spec.status();
  return Tokenizer::create(std::move(*spec)).status();
}

TEST(JsonTokenizer, RefusesMissingAndWrongParts) {
  struct Case {
    std::function<void(Json &)> edit;
    std::string expected;
  };
  const Case cases[] = {
      {[](Json &j) { j.erase("model"); }, "a member \"model\", got none"},
      {[](Json &j) { j["model"].erase("vocab"); }, "\"vocab\", got none"},
      {[](Json &j) { j["model"].erase("merges"); }, "\"merges\", got none"},
      {[](Json &j) { j["model"]["type"] = "Unigram"; },
       "of type \"BPE\", got \"Unigram\""},
      {[](Json &j) { j["model"]["vocab"] = 3; }, "to be an object"},
      {[](Json &j) { j["model"]["vocab"]["new"] = 99999999; },
       "map \"new\" to an id of at most"},
      {[](Json &j) { j["model"]["vocab"]["new"] = 0; },
       "one token for each id"},
      {[](Json &j) { j["model"]["vocab"].erase("a"); }, "to be tokens"},
      {[](Json &j) { j["model"]["merges"] = Json::array({"ab"}); },
       "\"left right\" or two strings, got \"ab\""},
      {[](Json &j) { j["model"]["merges"] = Json::array({"q zzz"}); },
       "merge \"q zzz\""},
      {[](Json &j) { j["normalizer"] = {{"type", "Lowercase"}}; },
       "normalizer of a known family"},
      {[](Json &j) { j["pre_tokenizer"] = {{"type", "Whitespace"}}; },
       "pre_tokenizer of a known family (gpt-2, qwen2"},
      {[](Json &j) { j["added_tokens"][0].erase("id"); },
       "\"added_tokens\" to have \"content\" and an \"id\""},
      {[](Json &j) { j["added_tokens"][0]["single_word"] = true; },
       "without \"single_word\""},
      {[](Json &j) {
         j["model"]["merges"] = Json::array();
         j["model"]["vocab"].erase("!");
       },
       "a token \"!\" for byte 33, got none"},
  };
  EXPECT_TRUE(readEdited([](Json &) {}).ok());
  for (const Case &test : cases)
    EXPECT_THAT(
        readEdited(test.edit).message(),
        AllOf(HasSubstr("tokenizer.json: expects"), HasSubstr(test.expected)));
}

TEST(JsonTokenizer, ReadsTheConfigurationBesideIt) {
  tests::TempFolder folder;
  std::string path =
      std::string(TENON_SOURCE_DIR) + "/tests/runtime/io/golden/bpe.json";
  Json golden = Json::parse(*readFile(path, 1 << 20));
  golden["tokenizer"]["pre_tokenizer"] =
      golden["families"]["gpt-2"]["pre_tokenizer"];
  folder.add("tokenizer.json", golden["tokenizer"].dump());
  ASSERT_TRUE(Tokenizer::loadFolder(folder.path()).ok());
  folder.add(
      "tokenizer_config.json",
      R"({"bos_token":{"content":"<user>"},"eos_token":"<|end|>",)"
      R"("add_bos_token":true,"chat_template":[)"
      R"({"name":"x","template":"1"},{"name":"default","template":"2"}]})");
  StatusOr<Tokenizer> tokenizer = Tokenizer::loadFolder(folder.path());
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  EXPECT_EQ(tokenizer->bos(), tokenizer->pieceToId("<user>"));
  EXPECT_TRUE(tokenizer->isEndOfText(tokenizer->pieceToId("<|end|>")));
  EXPECT_EQ(tokenizer->chatTemplate(), "2");
  EXPECT_EQ(encode(*tokenizer, "").size(), 1u);
  folder.add("tokenizer_config.json", "{");
  EXPECT_THAT(Tokenizer::loadFolder(folder.path()).status().message(),
              HasSubstr("tokenizer_config.json): expects valid JSON"));
  tests::TempFolder none;
  EXPECT_EQ(Tokenizer::loadFolder(none.path()).status().code(),
            TENON_NOT_FOUND);
}

TEST(StoredTokenizer, RefusesWhatIsCutOrContradictory) {
  StatusOr<Tokenizer> tokenizer = make(Parts());
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  std::string section = storeTokenizer(tokenizer->description());
  for (size_t size = 0; size < section.size(); ++size)
    ASSERT_FALSE(readStoredTokenizer(asBytes(section).first(size), "m").ok());
  TokenizerSpec spec = tokenizer->description();
  spec.merges = {{0, 1, 99}};
  std::string bad = storeTokenizer(spec);
  EXPECT_EQ(readStoredTokenizer(asBytes(bad), "m.tenon").status().message(),
            "m.tenon: expects the token ids in \"tenon.merges\" to be below "
            "12, got 99");
  spec.merges.clear();
  spec.eos = 12;
  bad = storeTokenizer(spec);
  EXPECT_THAT(readStoredTokenizer(asBytes(bad), "m.tenon").status().message(),
              HasSubstr("\"tenon.eos\" to be below 12, got 12"));
}

// One merge list of a million bytes; quadratic time would take hours.
TEST(Tokenizer, LongTextsTakeReasonableTime) {
  StatusOr<Tokenizer> tokenizer = make(withBytes());
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  std::string text;
  while (text.size() < (1u << 20))
    text += "abab";
  EXPECT_EQ(encode(*tokenizer, text).size(), text.size() / 4 + 1);
  std::vector<std::string_view> words;
  std::string spaces = std::string(1 << 20, ' ') + "x";
  for (PreTokenizer family :
       {PreTokenizer::Gpt2, PreTokenizer::Qwen2, PreTokenizer::DeepSeekLlm,
        PreTokenizer::DeepSeekV3})
    splitWords(family, spaces, words);
}

} // namespace
} // namespace tenon::io
