//===- TokenizerSpec.h - A tokenizer as data ------------------------------===//
//
// What GGUF metadata and tokenizer.json both say, in one form; Tokenizer is
// built from it. Nothing here is trusted until Tokenizer::create has checked
// it.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_IO_TOKENIZERSPEC_H
#define TENON_IO_TOKENIZERSPEC_H

#include "runtime/io/Metadata.h"
#include "runtime/io/PreTokenizer.h"
#include "runtime/io/Vocabulary.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace tenon::io {

/// The numbers stand in .tenon files: add at the end, never renumber.
enum class TokenizerKind {
  SentencePiece, ///< Characters, merged by the score of the piece they spell.
  CharBpe,       ///< Characters, merged by ranked pairs.
  ByteBpe,       ///< Words of bytes, merged by ranked pairs.
};

/// The numbers are those of GGUF's tokenizer.ggml.token_type.
enum class PieceKind : uint8_t {
  Normal = 1,
  Unknown = 2,
  Control = 3,     ///< Recognised in text only where the caller trusts it.
  UserDefined = 4, ///< Always recognised whole, before anything merges.
  Unused = 5,
  Byte = 6, ///< "<0x0A>": a byte that no piece spells.
};

struct MergeRule {
  int32_t left, right, result;
};

/// How a special piece treats the spaces around it.
struct SpecialTrim {
  bool left = false, right = false;
};

struct TokenizerSpec {
  std::string source; ///< Named by messages.
  TokenizerKind kind = TokenizerKind::ByteBpe;
  PreTokenizer preTokenizer = PreTokenizer::None;

  Vocabulary pieces;
  std::vector<PieceKind> kinds;  ///< One for each piece.
  std::vector<float> scores;     ///< One for each piece, of SentencePiece.
  std::vector<MergeRule> merges; ///< Best first, of the others.
  std::map<int32_t, SpecialTrim> trims;

  bool escapeSpaces = false;   ///< ' ' is spelled U+2581 in pieces.
  bool addSpacePrefix = false; ///< Text begins with a space of its own.
  bool nfc = false;            ///< Text is normalised first.
  bool ignoreMerges = false;   ///< A word that is a piece is not merged.
  bool fuseUnknown = false;    ///< A run of unknowns is one token.
  bool addBos = false, addEos = false;

  std::optional<int32_t> bos, eos, eot, unknown, padding;
  std::string chatTemplate;
};

/// Reads tokenizer.ggml.* and tokenizer.chat_template.
/// Errors: NOT_FOUND, INVALID_ARGUMENT or DATA_LOSS (a key that is missing, of
///         another type, or contradicts another), UNIMPLEMENTED (a model or pre
///         that Tenon has not, with those it has).
StatusOr<TokenizerSpec> readGgufTokenizer(const Metadata &metadata);

/// Reads tokenizer.json, and tokenizer_config.json unless `config` is empty.
/// Errors: as readGgufTokenizer.
StatusOr<TokenizerSpec> readJsonTokenizer(std::string_view tokenizer,
                                          std::string_view config,
                                          std::string_view source);

/// Turns "left right" into a rule over the pieces of `spec`, which are indexed.
/// Errors: DATA_LOSS (no space, or a part or their whole is no piece).
StatusOr<MergeRule> makeMergeRule(const TokenizerSpec &spec,
                                  std::string_view left,
                                  std::string_view right);

} // namespace tenon::io

#endif // TENON_IO_TOKENIZERSPEC_H
