//===- MakeCorpus.cpp - Seeds for the fuzzers -----------------------------===//
//
//   make_fuzz_corpus out/      writes out/{gguf,safetensors,tokenizer}/*
//   GgufFuzzer out/gguf -max_total_time=300
//
//===----------------------------------------------------------------------===//

#include "runtime/io/StoredTokenizer.h"
#include "runtime/io/WeightsFile.h"
#include "tests/support/GgufWriter.h"
#include "tests/support/SafetensorsWriter.h"

#include <cstdio>
#include <filesystem>
#include <fstream>

using tenon::tests::GgufWriter;
using tenon::tests::writeSafetensors;

namespace {

void save(const std::filesystem::path &path, const std::string &content) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << content;
}

GgufWriter weights() {
  GgufWriter gguf;
  gguf.addString("general.architecture", "gemma3");
  gguf.addU32("general.alignment", 32);
  gguf.addBool("flag", true);
  gguf.addArray<float>("floats", 6, {1, 2});
  gguf.addArray<int64_t>("ints", 11, {1, -2});
  gguf.addStrings("texts", {"a", "bc"});
  gguf.addTensor("q8", {2, 32}, tenon::tests::kGgmlQ8_0, std::string(68, 'q'));
  gguf.addTensor("f", {3}, tenon::tests::kGgmlF32, std::string(12, 'f'));
  gguf.addTensor("q4k", {256}, 12, std::string(144, 'k'));
  gguf.addTensor("q6k", {256}, 14, std::string(210, 'k'));
  return gguf;
}

std::string sentencePiece() {
  GgufWriter gguf;
  gguf.addString("tokenizer.ggml.model", "llama");
  gguf.addStrings("tokenizer.ggml.tokens",
                  {"<unk>", "<s>", "</s>", "<0x0A>", "\u2581", "a", "b", "ab",
                   "\u2581ab", "[x]"});
  gguf.addArray<int32_t>("tokenizer.ggml.token_type", 5,
                         {2, 3, 3, 6, 1, 1, 1, 1, 1, 4});
  gguf.addArray<float>("tokenizer.ggml.scores", 6,
                       {0, 0, 0, 0, -4, -3, -3, -1, -2, 0});
  gguf.addU32("tokenizer.ggml.bos_token_id", 1);
  gguf.addU32("tokenizer.ggml.eos_token_id", 2);
  gguf.addU32("tokenizer.ggml.unknown_token_id", 0);
  return gguf.write();
}

// The same tokenizer as a .tenon file's section.
std::string storedTokenizer() {
  std::string file = sentencePiece();
  auto weights =
      tenon::io::WeightsFile::parse(tenon::tests::asBytes(file), "seed");
  auto spec = tenon::io::readGgufTokenizer(weights->metadata());
  return tenon::io::storeTokenizer(*spec);
}

constexpr const char *kCharBpe =
    R"({"added_tokens":[{"id":0,"content":"<unk>","special":true},)"
    R"({"id":7,"content":"[x]","special":false,"lstrip":true,"rstrip":true}],)"
    R"("normalizer":{"type":"Replace","pattern":{"String":" "},)"
    "\"content\":\"\u2581\"},"
    R"("pre_tokenizer":null,"post_processor":{"type":"TemplateProcessing",)"
    R"("single":[{"SpecialToken":{"id":"<unk>"}},{"Sequence":{"id":"A"}}]},)"
    R"("model":{"type":"BPE","unk_token":"<unk>","fuse_unk":true,)"
    R"("byte_fallback":true,"vocab":{"<unk>":0,"a":1,"b":2,"ab":3,)"
    "\"\u2581\":4,\"\u2581ab\":5,\"<0x0A>\":6},"
    "\"merges\":[\"a b\",[\"\u2581\",\"ab\"]]}}";

constexpr const char *kText = "\n---\nab  ab[x] b\nabab<s>\u00e9 it's 1234";

} // namespace

int main(int argc, char **argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: make_fuzz_corpus folder\n");
    return 2;
  }
  std::filesystem::path out = argv[1];
  save(out / "gguf/weights", weights().write());
  save(out / "gguf/tokenizer", sentencePiece());
  save(out / "gguf/empty", GgufWriter().write());
  save(out / "safetensors/two",
       writeSafetensors(
           R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
           R"("b":{"dtype":"BF16","shape":[2,1],"data_offsets":[4,8]},)"
           R"("__metadata__":{"format":"pt"}} )",
           "12345678"));
  save(out / "safetensors/index",
       R"({"metadata":{"total_size":8},"weight_map":{"a":"1.safetensors"}})");
  save(out / "safetensors/config",
       R"({"model_type":"x","n":1,"f":[1.5],"s":["a"],"o":{"k":true}})");
  save(out / "tokenizer/gguf", "1" + sentencePiece() + kText);
  save(out / "tokenizer/stored", "2" + storedTokenizer() + kText);
  save(out / "tokenizer/json", std::string("0") + kCharBpe + kText);
  return 0;
}
