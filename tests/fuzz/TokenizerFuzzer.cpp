//===- TokenizerFuzzer.cpp - Tokenizers and texts from strangers ----------===//
//
// The first byte chooses: a GGUF file, a tokenizer.json or a .tenon section;
// then comes, after the last "\n---\n", a text to encode with it.
//
//===----------------------------------------------------------------------===//

#include "runtime/io/StoredTokenizer.h"
#include "runtime/io/Tokenizer.h"

using namespace tenon;

namespace {

constexpr std::string_view kSeparator = "\n---\n";

StatusOr<io::TokenizerSpec> readSpec(uint8_t choice, std::string_view model,
                                     StatusOr<io::WeightsFile> &weights) {
  std::span<const uint8_t> bytes = {
      reinterpret_cast<const uint8_t *>(model.data()), model.size()};
  if (choice == '0')
    return io::readJsonTokenizer(model, "", "fuzz");
  if (choice == '2')
    return io::readStoredTokenizer(bytes, "fuzz");
  weights = io::WeightsFile::parse(bytes, "fuzz");
  if (!weights.ok())
    return weights.status();
  return io::readGgufTokenizer(weights->metadata());
}

void splitEveryWay(std::string_view text) {
  for (io::PreTokenizer family :
       {io::PreTokenizer::None, io::PreTokenizer::Gpt2, io::PreTokenizer::Qwen2,
        io::PreTokenizer::DeepSeekLlm, io::PreTokenizer::DeepSeekV3}) {
    std::vector<std::string_view> words;
    io::splitWords(family, text, words);
    const char *at = text.data();
    for (std::string_view word : words) {
      if (word.empty() || word.data() != at)
        __builtin_trap(); // Words must follow one another without a gap.
      at += word.size();
    }
    if (at != text.data() + text.size())
      __builtin_trap();
  }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0)
    return 0;
  std::string_view input(reinterpret_cast<const char *>(data + 1), size - 1);
  size_t cut = input.rfind(kSeparator);
  std::string_view text =
      cut == std::string_view::npos ? "" : input.substr(cut + 5);
  splitEveryWay(text);

  StatusOr<io::WeightsFile> weights = notFound("unused");
  StatusOr<io::TokenizerSpec> spec =
      readSpec(data[0], input.substr(0, cut), weights);
  if (!spec.ok())
    return 0;
  StatusOr<io::Tokenizer> tokenizer = io::Tokenizer::create(std::move(*spec));
  if (!tokenizer.ok())
    return 0;
  StatusOr<std::vector<int32_t>> ids =
      tokenizer->encode(text, {.addSpecial = true, .parseSpecial = true});
  if (!ids.ok())
    return 0;
  StatusOr<std::string> decoded = tokenizer->decode(*ids);
  if (!decoded.ok()) // Every id that encode gives must decode.
    __builtin_trap();
  return 0;
}
