//===- Decoder.cpp - Token ids to text ------------------------------------===//

#include "runtime/io/ByteAlphabet.h"
#include "runtime/io/Tokenizer.h"
#include "runtime/io/Unicode.h"

namespace tenon::io {

namespace {

constexpr std::string_view kSpaceMark = "\u2581";
constexpr std::string_view kReplacement = "\ufffd";

void appendUnescaped(std::string &out, std::string_view piece) {
  while (!piece.empty()) {
    size_t mark = piece.find(kSpaceMark);
    out += piece.substr(0, mark);
    if (mark == std::string_view::npos)
      return;
    out += ' ';
    piece.remove_prefix(mark + kSpaceMark.size());
  }
}

// Appends what a byte-level piece spells; a character that spells no byte (only
// a foreign vocabulary has one) stands for itself.
void appendSpelledBytes(std::string &out, std::string_view piece) {
  while (!piece.empty()) {
    size_t length = std::max<size_t>(1, sequenceLength(piece.substr(0, 4)));
    int byte = byteOfChar(decodeFirst(piece, length));
    if (byte >= 0)
      out += static_cast<char>(byte);
    else
      out += piece.substr(0, length);
    piece.remove_prefix(length);
  }
}

// Moves what is complete from `held` to the result; of a broken sequence, one
// U+FFFD for each longest part that could have become a character.
std::string takeComplete(std::string &held) {
  std::string out;
  std::string_view rest = held;
  while (!rest.empty()) {
    size_t length = sequenceLength(rest.substr(0, 4));
    if (length > 0) {
      out += rest.substr(0, length);
      rest.remove_prefix(length);
      continue;
    }
    if (isPartialSequence(rest))
      break;
    size_t bad = 1;
    while (bad < rest.size() && isPartialSequence(rest.substr(0, bad + 1)))
      ++bad;
    out += kReplacement;
    rest.remove_prefix(bad);
  }
  held = std::string(rest);
  return out;
}

} // namespace

void Tokenizer::appendBytes(int32_t id, const DecodeOptions &options,
                            std::string &out) const {
  std::string_view piece = idToPiece(id);
  switch (kindOf(id)) {
  case PieceKind::Control:
  case PieceKind::Unknown:
    if (options.printControl)
      out += piece;
    return;
  case PieceKind::Byte:
    for (size_t byte = 0; byte < byteIds.size(); ++byte)
      if (byteIds[byte] == id)
        out += static_cast<char>(byte);
    return;
  case PieceKind::UserDefined:
  case PieceKind::Normal:
  case PieceKind::Unused:
    break;
  }
  if (spec.escapeSpaces)
    appendUnescaped(out, piece);
  else if (spec.kind == TokenizerKind::ByteBpe &&
           kindOf(id) != PieceKind::UserDefined)
    appendSpelledBytes(out, piece);
  else
    out += piece;
}

StatusOr<std::string> Tokenizer::decode(std::span<const int32_t> ids,
                                        const DecodeOptions &options) const {
  Decoder decoder(*this, options);
  std::string text;
  for (int32_t id : ids) {
    TENON_ASSIGN_OR_RETURN(std::string part, decoder.push(id));
    text += part;
  }
  return text + decoder.finish();
}

StatusOr<std::string> Decoder::push(int32_t id) {
  if (id < 0 || id >= tokenizer.size())
    return outOfRange("expects a token id below ", tokenizer.size(), ", got ",
                      id);
  size_t before = held.size();
  tokenizer.appendBytes(id, options, held);
  // The space that encoding put before the text is not part of it.
  if (atStart && held.size() > before) {
    if (tokenizer.spec.addSpacePrefix && held[before] == ' ')
      held.erase(before, 1);
    atStart = false;
  }
  return takeComplete(held);
}

std::string Decoder::finish() {
  bool cut = !held.empty();
  held.clear();
  atStart = true;
  return cut ? std::string(kReplacement) : std::string();
}

} // namespace tenon::io
