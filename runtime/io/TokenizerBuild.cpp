//===- TokenizerBuild.cpp - From a spec to a checked tokenizer ------------===//

#include "runtime/io/ByteAlphabet.h"
#include "runtime/io/Tokenizer.h"
#include "runtime/io/Unicode.h"

#include <cmath>
#include <filesystem>

namespace tenon::io {

namespace {

// Bounds on what a file can make matching special pieces cost.
constexpr size_t kMaxSpecialBytes = 1024;
constexpr size_t kMaxSpecialTotal = size_t{64} << 20;

constexpr size_t kMaxTokenizerBytes = size_t{256} << 20;
constexpr size_t kMaxConfigBytes = size_t{4} << 20;

// How the models we know spell "the turn is over"; files name only one token.
constexpr std::string_view kEndSpellings[] = {"<end_of_turn>", "<|im_end|>",
                                              "<|endoftext|>", "<|eot_id|>",
                                              "<｜end▁of▁sentence｜>"};

bool isSpecial(PieceKind kind) {
  return kind == PieceKind::Control || kind == PieceKind::UserDefined ||
         kind == PieceKind::Unknown;
}

uint64_t edgeKey(size_t node, char byte) {
  return uint64_t{node} << 8 | static_cast<uint8_t>(byte);
}

// Reads "<0x0A>"; -1 for anything else.
int parseBytePiece(std::string_view piece) {
  auto digit = [](char c) {
    if (c >= '0' && c <= '9')
      return c - '0';
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
  };
  if (piece.size() != 6 || !piece.starts_with("<0x") || piece[5] != '>')
    return -1;
  int high = digit(piece[3]), low = digit(piece[4]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

// Bytes that no well-formed UTF-8 contains; a vocabulary may lack them.
bool occursInUtf8(int byte) {
  return byte != 0xc0 && byte != 0xc1 && byte < 0xf5;
}

} // namespace

Status Tokenizer::buildSpecials() {
  size_t total = 0;
  for (int32_t id = 0; id < size(); ++id) {
    size_t length = idToPiece(id).size();
    if (!isSpecial(kindOf(id)))
      continue;
    if (length > kMaxSpecialBytes || (total += length) > kMaxSpecialTotal)
      return resourceExhausted(spec.source,
                               ": expects special tokens of at "
                               "most ",
                               kMaxSpecialBytes, " bytes, got ", length,
                               " for token ", id);
  }
  trie = IdTable(total);
  specialAt.assign(1, -1);
  for (int32_t id = 0; id < size(); ++id) {
    if (!isSpecial(kindOf(id)) || idToPiece(id).empty())
      continue;
    size_t node = 0;
    for (char byte : idToPiece(id)) {
      uint64_t key = edgeKey(node, byte);
      auto same = [&](int32_t edge) {
        return trieEdges[static_cast<size_t>(edge)] == key;
      };
      int32_t edge = trie.find(mixBits(key), same);
      if (edge < 0) {
        edge = static_cast<int32_t>(trieEdges.size());
        trieEdges.push_back(key);
        specialAt.push_back(-1);
        if (!trie.insert(mixBits(key), edge, same))
          return resourceExhausted(spec.source, ": expects special tokens that "
                                                "do not all collide");
      }
      node = static_cast<size_t>(edge) + 1;
    }
    if (specialAt[node] < 0)
      specialAt[node] = id;
  }
  return Status();
}

Status Tokenizer::buildBytes() {
  byteIds.fill(-1);
  if (spec.kind == TokenizerKind::ByteBpe) {
    for (int byte = 0; byte < 256; ++byte) {
      std::string piece;
      appendUtf8(piece, charOfByte(static_cast<uint8_t>(byte)));
      int32_t id = pieceToId(piece);
      if (id < 0 && occursInUtf8(byte))
        return dataLoss(spec.source, ": expects a token \"", piece,
                        "\" for byte ", byte, ", got none");
      byteIds[static_cast<size_t>(byte)] = id;
    }
    return Status();
  }
  for (int32_t id = 0; id < size(); ++id) {
    if (kindOf(id) != PieceKind::Byte)
      continue;
    int byte = parseBytePiece(idToPiece(id));
    if (byte < 0)
      return dataLoss(spec.source, ": expects byte token ", id,
                      " to be spelled like \"<0x0A>\", got \"", idToPiece(id),
                      "\"");
    byteIds[static_cast<size_t>(byte)] = id;
  }
  return Status();
}

Status Tokenizer::buildMerges() {
  if (spec.kind == TokenizerKind::SentencePiece) {
    for (size_t i = 0; i < spec.scores.size(); ++i)
      if (std::isnan(spec.scores[i]))
        return dataLoss(spec.source,
                        ": expects scores that are numbers, got a "
                        "NaN for token ",
                        i);
    return Status();
  }
  pairs = IdTable(spec.merges.size());
  for (size_t i = 0; i < spec.merges.size(); ++i) {
    const MergeRule &rule = spec.merges[i];
    auto same = [&](int32_t other) {
      const MergeRule &held = spec.merges[static_cast<size_t>(other)];
      return held.left == rule.left && held.right == rule.right;
    };
    if (!pairs.insert(pairHash(rule.left, rule.right), static_cast<int32_t>(i),
                      same))
      return resourceExhausted(spec.source,
                               ": expects merges that do not all collide");
  }
  return Status();
}

Status Tokenizer::checkIds() const {
  struct Named {
    const char *name;
    std::optional<int32_t> id;
  };
  for (const Named &special :
       {Named{"bos", spec.bos}, Named{"eos", spec.eos}, Named{"eot", spec.eot},
        Named{"unknown", spec.unknown}, Named{"padding", spec.padding}})
    if (special.id && (*special.id < 0 || *special.id >= size()))
      return outOfRange(spec.source, ": expects the ", special.name,
                        " token id to be below ", size(), ", got ",
                        *special.id);
  if (spec.addBos && !spec.bos)
    return dataLoss(spec.source,
                    ": expects a bos token id, as every text is to begin with "
                    "one, got none");
  if (spec.addEos && !spec.eos)
    return dataLoss(spec.source, ": expects an eos token id, as every text is "
                                 "to end with one, got none");
  return Status();
}

StatusOr<Tokenizer> Tokenizer::create(TokenizerSpec spec) {
  Tokenizer made;
  made.spec = std::move(spec);
  size_t count = static_cast<size_t>(made.size());
  bool scored = made.spec.kind == TokenizerKind::SentencePiece;
  if (count == 0 || made.spec.kinds.size() != count ||
      (scored && made.spec.scores.size() != count))
    return dataLoss(made.spec.source,
                    ": expects a kind and a score for each of at least one "
                    "token, got ",
                    count, " tokens, ", made.spec.kinds.size(), " kinds and ",
                    made.spec.scores.size(), " scores");
  TENON_RETURN_IF_ERROR(made.checkIds());
  TENON_RETURN_IF_ERROR(made.buildSpecials());
  TENON_RETURN_IF_ERROR(made.buildBytes());
  TENON_RETURN_IF_ERROR(made.buildMerges());
  for (std::optional<int32_t> id : {made.spec.eos, made.spec.eot})
    if (id)
      made.ends.insert(*id);
  for (std::string_view spelling : kEndSpellings) {
    int32_t id = made.pieceToId(spelling);
    if (id >= 0 && isSpecial(made.kindOf(id)))
      made.ends.insert(id);
  }
  return made;
}

StatusOr<Tokenizer> Tokenizer::load(const WeightsFile &weights) {
  if (weights.format() == WeightsFormat::Safetensors) {
    std::filesystem::path path = weights.path();
    return loadFolder(path.parent_path().string());
  }
  TENON_ASSIGN_OR_RETURN(TokenizerSpec spec,
                         readGgufTokenizer(weights.metadata()));
  return create(std::move(spec));
}

StatusOr<Tokenizer> Tokenizer::loadFolder(const std::string &folder) {
  std::filesystem::path base = folder;
  std::string path = (base / "tokenizer.json").string();
  TENON_ASSIGN_OR_RETURN(std::string text, readFile(path, kMaxTokenizerBytes));
  StatusOr<std::string> config =
      readFile((base / "tokenizer_config.json").string(), kMaxConfigBytes);
  if (!config.ok() && config.status().code() != TENON_NOT_FOUND)
    return config.status();
  TENON_ASSIGN_OR_RETURN(
      TokenizerSpec spec,
      readJsonTokenizer(text, config.ok() ? *config : std::string(), path));
  return create(std::move(spec));
}

} // namespace tenon::io
