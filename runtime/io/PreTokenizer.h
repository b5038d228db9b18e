//===- PreTokenizer.h - Cutting text into words, one scanner per family ---===//
//
// Byte-level BPE never merges across the words found here, so they are part of
// a model as much as its vocabulary is. Each family is stated elsewhere as
// regular expressions; they are written out by hand here, because they need
// look-ahead and Unicode categories and must take linear time on any text.
//
//   std::vector<std::string_view> words;
//   splitWords(PreTokenizer::Qwen2, "It's 42", words);  // It 's ' ' 4 2
//
//===----------------------------------------------------------------------===//

#ifndef TENON_IO_PRETOKENIZER_H
#define TENON_IO_PRETOKENIZER_H

#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace tenon::io {

/// The numbers stand in .tenon files: add at the end, never renumber.
enum class PreTokenizer {
  None,        ///< The text is one word.
  Gpt2,        ///< GPT-2; also what GGUF calls "default".
  Qwen2,       ///< Qwen 2, 2.5 and 3.
  DeepSeekLlm, ///< DeepSeek-LLM and V2.
  DeepSeekV3,  ///< DeepSeek-V3 and R1.
};

/// What GGUF's tokenizer.ggml.pre calls each, in the order of messages.
struct PreTokenizerName {
  std::string_view name;
  PreTokenizer family;
};
std::span<const PreTokenizerName> preTokenizerNames();

/// Finds a family by its GGUF name.
std::optional<PreTokenizer> parsePreTokenizer(std::string_view name);

/// Appends the words of `text`, well-formed UTF-8, in order; together they are
/// all of it. Takes linear time.
void splitWords(PreTokenizer family, std::string_view text,
                std::vector<std::string_view> &words);

} // namespace tenon::io

#endif // TENON_IO_PRETOKENIZER_H
