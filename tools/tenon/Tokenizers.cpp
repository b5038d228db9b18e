//===- Tokenizers.cpp - The tokenizer of a MODEL argument -----------------===//

#include "tools/tenon/Tokenizers.h"

#include "runtime/base/Container.h"
#include "runtime/io/ByteAlphabet.h"
#include "runtime/io/Json.h"
#include "runtime/io/MappedFile.h"
#include "runtime/io/StoredTokenizer.h"
#include "runtime/io/Unicode.h"
#include "tools/tenon/ModelPath.h"

#include <filesystem>

namespace tenon::tools {
namespace {

constexpr const char *kEndOfText = "<|endoftext|>";

StatusOr<io::Tokenizer> loadStored(const std::string &path) {
  TENON_ASSIGN_OR_RETURN(io::MappedFile file, io::MappedFile::open(path));
  StatusOr<std::vector<base::Section>> sections =
      base::readContainer(file.bytes().data(), file.bytes().size());
  if (!sections.ok())
    return sections.status().withContext(path);
  for (const base::Section &section : *sections) {
    if (section.kind != base::SectionKind::Tokenizer)
      continue;
    TENON_ASSIGN_OR_RETURN(
        io::TokenizerSpec spec,
        io::readStoredTokenizer(
            {static_cast<const uint8_t *>(section.data), section.size}, path));
    return io::Tokenizer::create(std::move(spec));
  }
  return notFound(path, ": expects a tokenizer section, got none; name the "
                        "weights instead");
}

} // namespace

StatusOr<io::Tokenizer> loadTokenizer(const std::string &path) {
  std::error_code error;
  if (std::filesystem::exists(std::filesystem::path(path) / "tokenizer.json",
                              error))
    return io::Tokenizer::loadFolder(path);
  TENON_ASSIGN_OR_RETURN(ModelKind kind, classifyModel(path));
  if (kind == ModelKind::Program)
    return loadStored(path);
  TENON_ASSIGN_OR_RETURN(io::WeightsFile weights, openWeightsFile(path));
  return io::Tokenizer::load(weights);
}

std::string byteTokenizerJson() {
  nlohmann::ordered_json vocabulary;
  for (int byte = 0; byte < 256; ++byte) {
    std::string piece;
    io::appendUtf8(piece, io::charOfByte(static_cast<uint8_t>(byte)));
    vocabulary[piece] = byte;
  }
  vocabulary[kEndOfText] = 256;
  nlohmann::ordered_json bytes = {{"type", "ByteLevel"},
                                  {"add_prefix_space", false},
                                  {"trim_offsets", true},
                                  {"use_regex", false}};
  nlohmann::ordered_json end = {
      {"id", 256},       {"content", kEndOfText}, {"single_word", false},
      {"lstrip", false}, {"rstrip", false},       {"normalized", false},
      {"special", true}};
  nlohmann::ordered_json json = {
      {"version", "1.0"},
      {"added_tokens", nlohmann::ordered_json::array({end})},
      {"normalizer", nullptr},
      {"pre_tokenizer", bytes},
      {"post_processor", nullptr},
      {"decoder", bytes},
      {"model",
       {{"type", "BPE"},
        {"vocab", vocabulary},
        {"merges", nlohmann::ordered_json::array()}}}};
  return json.dump(1) + "\n";
}

std::string byteTokenizerConfig() {
  nlohmann::ordered_json json = {{"tokenizer_class", "PreTrainedTokenizerFast"},
                                 {"eos_token", kEndOfText}};
  return json.dump(1) + "\n";
}

} // namespace tenon::tools
