//===- StoredTokenizer.cpp - A tokenizer as one section of a file ---------===//

#include "runtime/io/StoredTokenizer.h"

#include "runtime/io/Gguf.h"

#include <cstring>

namespace tenon::io {

namespace {

// Both directions walk these, so that a member cannot be forgotten in one.
struct FlagMember {
  const char *key;
  bool TokenizerSpec::*member;
};
constexpr FlagMember kFlags[] = {
    {"tenon.escape_spaces", &TokenizerSpec::escapeSpaces},
    {"tenon.add_space_prefix", &TokenizerSpec::addSpacePrefix},
    {"tenon.nfc", &TokenizerSpec::nfc},
    {"tenon.ignore_merges", &TokenizerSpec::ignoreMerges},
    {"tenon.fuse_unknown", &TokenizerSpec::fuseUnknown},
    {"tenon.add_bos", &TokenizerSpec::addBos},
    {"tenon.add_eos", &TokenizerSpec::addEos},
};

struct IdMember {
  const char *key;
  std::optional<int32_t> TokenizerSpec::*member;
};
constexpr IdMember kIds[] = {
    {"tenon.bos", &TokenizerSpec::bos},
    {"tenon.eos", &TokenizerSpec::eos},
    {"tenon.eot", &TokenizerSpec::eot},
    {"tenon.unknown", &TokenizerSpec::unknown},
    {"tenon.padding", &TokenizerSpec::padding},
};

template <typename T> void put(std::string &out, T value) {
  char bytes[sizeof(T)];
  std::memcpy(bytes, &value, sizeof(T));
  out.append(bytes, sizeof(T));
}

void putString(std::string &out, std::string_view text) {
  put<uint64_t>(out, text.size());
  out += text;
}

// Writes key-value pairs in GGUF's encoding and counts them.
class Writer {
public:
  void integer(std::string_view key, int64_t value) {
    begin(key, ValueType::I64);
    put(body, value);
  }
  void flag(std::string_view key, bool value) {
    begin(key, ValueType::Bool);
    put<uint8_t>(body, value);
  }
  void text(std::string_view key, std::string_view value) {
    begin(key, ValueType::String);
    putString(body, value);
  }
  void array(std::string_view key, ValueType element, uint64_t size) {
    begin(key, ValueType::Array);
    put(body, static_cast<uint32_t>(element));
    put(body, size);
  }

  std::string finish() const {
    std::string file = "GGUF";
    put<uint32_t>(file, 3);
    put<uint64_t>(file, 0);
    put(file, count);
    return file + body;
  }

  std::string body;

private:
  void begin(std::string_view key, ValueType type) {
    putString(body, key);
    put(body, static_cast<uint32_t>(type));
    ++count;
  }

  uint64_t count = 0;
};

// Reads an integer below `limit`.
StatusOr<int64_t> below(const Metadata &metadata, std::string_view key,
                        int64_t limit) {
  TENON_ASSIGN_OR_RETURN(int64_t value, metadata.getInt(key));
  if (value < 0 || value >= limit)
    return outOfRange(metadata.source(), ": expects \"", key, "\" to be below ",
                      limit, ", got ", value);
  return value;
}

// Reads an array of triples, whose first number and all of the `ids` numbers
// from it on are token ids.
StatusOr<std::vector<int64_t>> triples(const Metadata &metadata,
                                       std::string_view key, size_t ids,
                                       int64_t limit) {
  TENON_ASSIGN_OR_RETURN(std::vector<int64_t> all, metadata.getInts(key));
  if (all.size() % 3 != 0)
    return dataLoss(metadata.source(), ": expects \"", key,
                    "\" to have three numbers each, got ", all.size());
  for (size_t i = 0; i < all.size(); ++i)
    if (i % 3 < ids && (all[i] < 0 || all[i] >= limit))
      return outOfRange(metadata.source(), ": expects the token ids in \"", key,
                        "\" to be below ", limit, ", got ", all[i]);
  return all;
}

Status readVocabulary(const Metadata &metadata, TokenizerSpec &spec) {
  TENON_ASSIGN_OR_RETURN(std::vector<std::string_view> pieces,
                         metadata.getStrings("tenon.pieces"));
  for (std::string_view piece : pieces)
    TENON_RETURN_IF_ERROR(spec.pieces.add(piece));
  TENON_RETURN_IF_ERROR(spec.pieces.index(spec.source));
  TENON_ASSIGN_OR_RETURN(std::vector<int64_t> kinds,
                         metadata.getInts("tenon.kinds"));
  for (int64_t kind : kinds) {
    if (kind < 1 || kind > 6)
      return outOfRange(spec.source,
                        ": expects \"tenon.kinds\" to hold 1 to 6, got ", kind);
    spec.kinds.push_back(static_cast<PieceKind>(kind));
  }
  TENON_ASSIGN_OR_RETURN(std::vector<double> scores,
                         metadata.getFloats("tenon.scores"));
  spec.scores.assign(scores.begin(), scores.end());
  return Status();
}

Status readRules(const Metadata &metadata, TokenizerSpec &spec) {
  TENON_ASSIGN_OR_RETURN(
      std::vector<int64_t> merges,
      triples(metadata, "tenon.merges", /*ids=*/3, spec.pieces.size()));
  for (size_t i = 0; i < merges.size(); i += 3)
    spec.merges.push_back({static_cast<int32_t>(merges[i]),
                           static_cast<int32_t>(merges[i + 1]),
                           static_cast<int32_t>(merges[i + 2])});
  TENON_ASSIGN_OR_RETURN(
      std::vector<int64_t> trims,
      triples(metadata, "tenon.trims", /*ids=*/1, spec.pieces.size()));
  for (size_t i = 0; i < trims.size(); i += 3)
    spec.trims[static_cast<int32_t>(trims[i])] = {trims[i + 1] != 0,
                                                  trims[i + 2] != 0};
  return Status();
}

} // namespace

std::string storeTokenizer(const TokenizerSpec &spec) {
  Writer out;
  out.integer("tenon.kind", static_cast<int64_t>(spec.kind));
  out.integer("tenon.pre", static_cast<int64_t>(spec.preTokenizer));
  out.text("tenon.chat_template", spec.chatTemplate);
  for (const FlagMember &flag : kFlags)
    out.flag(flag.key, spec.*flag.member);
  for (const IdMember &id : kIds)
    out.integer(id.key, (spec.*id.member).value_or(-1));

  out.array("tenon.pieces", ValueType::String,
            static_cast<uint64_t>(spec.pieces.size()));
  for (int32_t id = 0; id < spec.pieces.size(); ++id)
    putString(out.body, spec.pieces.piece(id));
  out.array("tenon.kinds", ValueType::U8, spec.kinds.size());
  for (PieceKind kind : spec.kinds)
    put(out.body, kind);
  out.array("tenon.scores", ValueType::F32, spec.scores.size());
  for (float score : spec.scores)
    put(out.body, score);
  out.array("tenon.merges", ValueType::I32, 3 * spec.merges.size());
  for (const MergeRule &rule : spec.merges)
    for (int32_t id : {rule.left, rule.right, rule.result})
      put(out.body, id);
  out.array("tenon.trims", ValueType::I32, 3 * spec.trims.size());
  for (const auto &[id, trim] : spec.trims)
    for (int32_t value : {id, int32_t{trim.left}, int32_t{trim.right}})
      put(out.body, value);
  return out.finish();
}

StatusOr<TokenizerSpec> readStoredTokenizer(std::span<const uint8_t> bytes,
                                            std::string_view source) {
  TENON_ASSIGN_OR_RETURN(GgufFile file, GgufFile::parse(bytes, source));
  const Metadata &metadata = file.metadata();
  TokenizerSpec spec;
  spec.source = source;
  TENON_ASSIGN_OR_RETURN(int64_t kind, below(metadata, "tenon.kind", 3));
  spec.kind = static_cast<TokenizerKind>(kind);
  TENON_ASSIGN_OR_RETURN(int64_t pre, below(metadata, "tenon.pre", 5));
  spec.preTokenizer = static_cast<PreTokenizer>(pre);
  TENON_ASSIGN_OR_RETURN(std::string_view chat,
                         metadata.getString("tenon.chat_template"));
  spec.chatTemplate = chat;
  for (const FlagMember &flag : kFlags) {
    TENON_ASSIGN_OR_RETURN(spec.*flag.member, metadata.getBool(flag.key));
  }
  TENON_RETURN_IF_ERROR(readVocabulary(metadata, spec));
  for (const IdMember &id : kIds) {
    if (StatusOr<int64_t> none = metadata.getInt(id.key, -1);
        none.ok() && *none == -1)
      continue;
    TENON_ASSIGN_OR_RETURN(int64_t value,
                           below(metadata, id.key, spec.pieces.size()));
    spec.*id.member = static_cast<int32_t>(value);
  }
  TENON_RETURN_IF_ERROR(readRules(metadata, spec));
  return spec;
}

} // namespace tenon::io
