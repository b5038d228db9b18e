//===- Tokenizer.cpp - Text to token ids ----------------------------------===//

#include "runtime/io/Tokenizer.h"

#include "runtime/io/ByteAlphabet.h"
#include "runtime/io/Unicode.h"

#include <algorithm>

namespace tenon::io {

namespace {

constexpr size_t kMaxTextBytes = size_t{1} << 30;
constexpr std::string_view kSpaceMark = "\u2581";

std::string escapeSpaces(std::string_view text) {
  std::string escaped;
  escaped.reserve(text.size());
  for (char c : text)
    if (c == ' ')
      escaped += kSpaceMark;
    else
      escaped += c;
  return escaped;
}

// Counts the bytes of white space that `text` begins with.
size_t leadingSpace(std::string_view text) {
  size_t at = 0;
  while (at < text.size()) {
    size_t length = sequenceLength(text.substr(at, 4));
    if (length == 0 ||
        !(classOf(decodeFirst(text.substr(at), length)) & kSpace))
      break;
    at += length;
  }
  return at;
}

// Removes the white space that `text` ends with.
std::string_view trimRight(std::string_view text) {
  while (!text.empty()) {
    size_t begin = text.size() - 1;
    while (begin > 0 && (static_cast<uint8_t>(text[begin]) & 0xc0) == 0x80)
      --begin;
    if (leadingSpace(text.substr(begin)) == 0)
      break;
    text = text.substr(0, begin);
  }
  return text;
}

} // namespace

// What one call to encode needs; Tokenizer itself never changes.
struct Tokenizer::Scratch {
  std::string text;
  struct Range {
    size_t begin, end;
  };
  std::vector<Range> trusted; // ascending; where control tokens may stand

  std::vector<int32_t> ids;
  MergeQueue queue;
  std::vector<std::string_view> words;
  bool afterSpecial = true;  // the next text begins the prompt or follows one
  bool afterUnknown = false; // the last id was an unknown of this text

  void append(int32_t id) {
    ids.push_back(id);
    afterUnknown = false;
  }
};

// Returns the longest special piece that `text` begins with, or -1. Control
// pieces count only if they end within the first `trustedBytes`.
int32_t Tokenizer::matchSpecial(std::string_view text,
                                size_t trustedBytes) const {
  int32_t longest = -1;
  size_t node = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    uint64_t key = uint64_t{node} << 8 | static_cast<uint8_t>(text[i]);
    int32_t edge = trie.find(mixBits(key), [&](int32_t other) {
      return trieEdges[static_cast<size_t>(other)] == key;
    });
    if (edge < 0)
      break;
    node = static_cast<size_t>(edge) + 1;
    int32_t id = specialAt[node];
    if (id >= 0 &&
        (kindOf(id) == PieceKind::UserDefined || i + 1 <= trustedBytes))
      longest = id;
  }
  return longest;
}

Status Tokenizer::encodeParts(Scratch &work) const {
  std::string_view text = work.text;
  size_t begin = 0, at = 0;
  auto range = work.trusted.begin();
  while (at < text.size()) {
    while (range != work.trusted.end() && range->end <= at)
      ++range;
    bool trusted = range != work.trusted.end() && range->begin <= at;
    int32_t id = matchSpecial(text.substr(at), trusted ? range->end - at : 0);
    if (id < 0) {
      ++at;
      continue;
    }
    auto found = spec.trims.find(id);
    SpecialTrim trim =
        found == spec.trims.end() ? SpecialTrim{} : found->second;
    std::string_view before = text.substr(begin, at - begin);
    TENON_RETURN_IF_ERROR(
        encodeText(trim.left ? trimRight(before) : before, work));
    work.append(id);
    work.afterSpecial = true;
    at += idToPiece(id).size();
    if (trim.right)
      at += leadingSpace(text.substr(at));
    begin = at;
  }
  return encodeText(text.substr(begin), work);
}

Status Tokenizer::encodeText(std::string_view text, Scratch &work) const {
  if (text.empty())
    return Status();
  std::string owned;
  if (spec.nfc) {
    TENON_ASSIGN_OR_RETURN(owned, normaliseNfc(text));
    text = owned;
  }
  bool prefix = spec.addSpacePrefix && work.afterSpecial;
  work.afterSpecial = false;
  work.afterUnknown = false;
  if (spec.kind != TokenizerKind::ByteBpe) {
    std::string whole = (prefix ? " " : "") + std::string(text);
    return encodeChars(spec.escapeSpaces ? escapeSpaces(whole) : whole, work);
  }
  std::string prefixed;
  if (prefix && text.front() != ' ') {
    prefixed = " " + std::string(text);
    text = prefixed;
  }
  work.words.clear();
  splitWords(spec.preTokenizer, text, work.words);
  for (std::string_view word : work.words)
    TENON_RETURN_IF_ERROR(encodeWord(word, work));
  return Status();
}

// Returns the piece that text may merge into, or -1: what is recognised whole
// (control, unknown and byte pieces) cannot be assembled from characters.
int32_t Tokenizer::findMergeable(std::string_view text) const {
  int32_t id = pieceToId(text);
  if (id < 0)
    return -1;
  PieceKind kind = kindOf(id);
  bool mergeable = kind == PieceKind::Normal || kind == PieceKind::Unused ||
                   kind == PieceKind::UserDefined;
  return mergeable ? id : -1;
}

std::optional<MergeResult> Tokenizer::mergeByScore(std::string_view text,
                                                   const Symbol &a,
                                                   const Symbol &b) const {
  int32_t id = findMergeable(text.substr(a.begin, b.end - a.begin));
  if (id < 0)
    return std::nullopt;
  return MergeResult{spec.scores[static_cast<size_t>(id)], id};
}

std::optional<MergeResult> Tokenizer::mergeByRank(const Symbol &a,
                                                  const Symbol &b) const {
  int32_t rank = pairs.find(pairHash(a.id, b.id), [&](int32_t other) {
    const MergeRule &rule = spec.merges[static_cast<size_t>(other)];
    return rule.left == a.id && rule.right == b.id;
  });
  if (rank < 0)
    return std::nullopt;
  return MergeResult{-static_cast<double>(rank),
                     spec.merges[static_cast<size_t>(rank)].result};
}

Status Tokenizer::encodeChars(std::string_view text, Scratch &work) const {
  MergeQueue &queue = work.queue;
  queue.clear();
  for (size_t at = 0; at < text.size();) {
    size_t length = std::max<size_t>(1, sequenceLength(text.substr(at, 4)));
    queue.append(static_cast<uint32_t>(at), static_cast<uint32_t>(at + length),
                 findMergeable(text.substr(at, length)));
    at += length;
  }
  if (spec.kind == TokenizerKind::SentencePiece)
    queue.run([&](const Symbol &a, const Symbol &b) {
      return mergeByScore(text, a, b);
    });
  else
    queue.run(
        [&](const Symbol &a, const Symbol &b) { return mergeByRank(a, b); });
  for (int32_t i = 0; i >= 0; i = queue.symbols[static_cast<size_t>(i)].next) {
    const Symbol &symbol = queue.symbols[static_cast<size_t>(i)];
    if (symbol.id >= 0)
      work.append(symbol.id);
    else
      TENON_RETURN_IF_ERROR(appendUnspelled(
          text.substr(symbol.begin, symbol.end - symbol.begin), work));
  }
  return Status();
}

// Appends the byte tokens of a character that no piece spells, or the unknown
// token where there are none.
Status Tokenizer::appendUnspelled(std::string_view text, Scratch &work) const {
  auto idOf = [&](char c) { return byteIds[static_cast<uint8_t>(c)]; };
  if (std::all_of(text.begin(), text.end(),
                  [&](char c) { return idOf(c) >= 0; })) {
    for (char c : text)
      work.append(idOf(c));
    return Status();
  }
  if (!spec.unknown)
    return invalidArgument(spec.source,
                           ": expects text that its tokens can "
                           "spell, got \"",
                           text, "\"");
  if (!work.afterUnknown || !spec.fuseUnknown)
    work.append(*spec.unknown);
  work.afterUnknown = true;
  return Status();
}

Status Tokenizer::encodeWord(std::string_view word, Scratch &work) const {
  if (spec.ignoreMerges) {
    std::string piece;
    for (char c : word)
      appendUtf8(piece, charOfByte(static_cast<uint8_t>(c)));
    if (int32_t id = findMergeable(piece); id >= 0) {
      work.append(id);
      return Status();
    }
  }
  MergeQueue &queue = work.queue;
  queue.clear();
  for (size_t i = 0; i < word.size(); ++i) {
    int32_t id = byteIds[static_cast<uint8_t>(word[i])];
    if (id < 0)
      return invalidArgument(spec.source, ": expects a token for byte ",
                             int{static_cast<uint8_t>(word[i])}, ", got none");
    queue.append(static_cast<uint32_t>(i), static_cast<uint32_t>(i + 1), id);
  }
  queue.run(
      [&](const Symbol &a, const Symbol &b) { return mergeByRank(a, b); });
  for (int32_t i = 0; i >= 0; i = queue.symbols[static_cast<size_t>(i)].next)
    work.append(queue.symbols[static_cast<size_t>(i)].id);
  return Status();
}

StatusOr<std::vector<int32_t>> Tokenizer::encode(const Prompt &prompt,
                                                 bool addSpecial) const {
  Scratch work;
  size_t total = 0;
  for (const PromptPart &part : prompt)
    total += part.text.size();
  if (total >= kMaxTextBytes)
    return invalidArgument("expects text below ", kMaxTextBytes, " bytes, got ",
                           total);
  for (const PromptPart &part : prompt) {
    size_t begin = work.text.size();
    work.text += part.text;
    if (part.trusted)
      work.trusted.push_back({begin, work.text.size()});
  }
  TENON_RETURN_IF_ERROR(checkUtf8(work.text));
  bool addBos = addSpecial && spec.addBos, addEos = addSpecial && spec.addEos;
  if (addBos)
    work.append(*spec.bos);
  TENON_RETURN_IF_ERROR(encodeParts(work));
  // Chat templates spell the first token too; two of them harm the model.
  if (addBos && work.ids.size() > 1 && work.ids[1] == *spec.bos)
    work.ids.erase(work.ids.begin());
  if (addEos && (work.ids.empty() || work.ids.back() != *spec.eos))
    work.append(*spec.eos);
  return std::move(work.ids);
}

StatusOr<std::vector<int32_t>>
Tokenizer::encode(std::string_view text, const EncodeOptions &options) const {
  return encode(Prompt{{std::string(text), options.parseSpecial}},
                options.addSpecial);
}

} // namespace tenon::io
