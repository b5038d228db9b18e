//===- Tokenizer.h - Text to token ids and back ---------------------------===//
//
//   TENON_ASSIGN_OR_RETURN(Tokenizer tokenizer, Tokenizer::load(weights));
//   TENON_ASSIGN_OR_RETURN(std::vector<int32_t> ids, tokenizer.encode("Hi!"));
//
//   Decoder decoder(tokenizer);
//   while (...) {
//     if (tokenizer.isEndOfText(id))
//       break;
//     TENON_ASSIGN_OR_RETURN(std::string text, decoder.push(id));
//     print(text); // never half a character
//   }
//   print(decoder.finish());
//
// What users type must not be able to forge a control token ("<end_of_turn>"),
// so control tokens are recognised only where the caller says so: see Prompt.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_IO_TOKENIZER_H
#define TENON_IO_TOKENIZER_H

#include "runtime/io/MergeQueue.h"
#include "runtime/io/TokenizerSpec.h"
#include "runtime/io/WeightsFile.h"

#include <array>
#include <set>
#include <span>

namespace tenon::io {

struct EncodeOptions {
  /// Adds the first and last token that the model asks for. A first token that
  /// the text spells itself is not added again.
  bool addSpecial = true;
  /// Reads control tokens that the text spells as such.
  bool parseSpecial = false;
};

struct DecodeOptions {
  bool printControl =
      false; ///< Spells control tokens instead of dropping them.
};

/// Text of which only the trusted parts may spell control tokens.
struct PromptPart {
  std::string text;
  bool trusted = false;

  bool operator==(const PromptPart &) const = default;
};
using Prompt = std::vector<PromptPart>;

/// A tokenizer of any kind, immutable.
/// Threads: any may use it at once.
class Tokenizer {
public:
  /// Checks `spec` and builds what encoding needs.
  /// Errors: DATA_LOSS (a part is missing or contradicts another), OUT_OF_RANGE
  ///         (a special id beyond the pieces); both name source and key.
  static StatusOr<Tokenizer> create(TokenizerSpec spec);

  /// Reads the tokenizer in a GGUF file, or tokenizer.json (and
  /// tokenizer_config.json if there is one) beside safetensors.
  static StatusOr<Tokenizer> load(const WeightsFile &weights);

  /// Reads `folder`/tokenizer.json and, if there, tokenizer_config.json.
  static StatusOr<Tokenizer> loadFolder(const std::string &folder);

  /// Encodes UTF-8 text. Takes time n log n in its length.
  /// Errors: INVALID_ARGUMENT (not UTF-8; 2^30 bytes or more; a character that
  ///         nothing spells, if there is no unknown token).
  StatusOr<std::vector<int32_t>>
  encode(std::string_view text, const EncodeOptions &options = {}) const;

  /// Encodes the parts in order, each trusted as it says.
  StatusOr<std::vector<int32_t>> encode(const Prompt &prompt,
                                        bool addSpecial = true) const;

  /// Decodes to UTF-8; bytes that are not become U+FFFD.
  /// Errors: OUT_OF_RANGE (an id that is no token).
  StatusOr<std::string> decode(std::span<const int32_t> ids,
                               const DecodeOptions &options = {}) const;

  int32_t size() const { return spec.pieces.size(); }

  /// Returns how the vocabulary spells token `id`, which must be below size().
  std::string_view idToPiece(int32_t id) const { return spec.pieces.piece(id); }

  /// Returns the token that is spelled `piece`, or -1.
  int32_t pieceToId(std::string_view piece) const {
    return spec.pieces.find(piece);
  }

  PieceKind kindOf(int32_t id) const {
    return spec.kinds[static_cast<size_t>(id)];
  }

  std::optional<int32_t> bos() const { return spec.bos; }
  std::optional<int32_t> eos() const { return spec.eos; }
  std::optional<int32_t> padding() const { return spec.padding; }
  std::optional<int32_t> unknown() const { return spec.unknown; }

  /// The tokens that end a turn or a text: eos, eot and their known spellings.
  const std::set<int32_t> &endOfText() const { return ends; }
  bool isEndOfText(int32_t id) const { return ends.count(id) != 0; }

  /// The chat template's text as the model's files give it; may be empty.
  const std::string &chatTemplate() const { return spec.chatTemplate; }

  TokenizerKind kind() const { return spec.kind; }

  /// What this was built from, for storeTokenizer.
  const TokenizerSpec &description() const { return spec; }

private:
  friend class Decoder;
  struct Scratch;

  Tokenizer() = default;
  Status buildSpecials();
  Status buildBytes();
  Status buildMerges();
  Status checkIds() const;

  int32_t matchSpecial(std::string_view text, size_t trustedBytes) const;
  Status encodeParts(Scratch &work) const;
  Status encodeText(std::string_view text, Scratch &work) const;
  Status encodeChars(std::string_view text, Scratch &work) const;
  Status encodeWord(std::string_view word, Scratch &work) const;
  Status appendUnspelled(std::string_view text, Scratch &work) const;
  int32_t findMergeable(std::string_view text) const;
  std::optional<MergeResult> mergeByRank(const Symbol &a,
                                         const Symbol &b) const;
  std::optional<MergeResult>
  mergeByScore(std::string_view text, const Symbol &a, const Symbol &b) const;
  /// Appends the bytes that token `id`, a valid one, stands for.
  void appendBytes(int32_t id, const DecodeOptions &options,
                   std::string &out) const;

  TokenizerSpec spec;
  std::set<int32_t> ends;

  // Special pieces as a trie: edge `i` leads to node i + 1 (node 0 is the
  // root), which spells the piece specialAt[i + 1], unless that is -1.
  std::vector<uint64_t> trieEdges; // node * 256 + byte
  std::vector<int32_t> specialAt;
  IdTable trie;

  std::array<int32_t, 256> byteIds{}; // the piece of each byte, or -1
  IdTable pairs;                      // over spec.merges
};

/// Decodes one token at a time, holding back a character until it is complete.
/// `tokenizer` must outlive it.
class Decoder {
public:
  explicit Decoder(const Tokenizer &tokenizerUsed,
                   DecodeOptions decodeOptions = {})
      : tokenizer(tokenizerUsed), options(decodeOptions) {}

  /// Returns the text that is complete with `id`; often empty.
  /// Errors: OUT_OF_RANGE (no token has this id).
  StatusOr<std::string> push(int32_t id);

  /// Returns what was held back, as U+FFFD, and starts anew.
  std::string finish();

private:
  const Tokenizer &tokenizer;
  DecodeOptions options;
  std::string held;
  bool atStart = true;
};

} // namespace tenon::io

#endif // TENON_IO_TOKENIZER_H
