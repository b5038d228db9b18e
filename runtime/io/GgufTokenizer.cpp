//===- GgufTokenizer.cpp - A tokenizer from GGUF metadata -----------------===//

#include "runtime/io/TokenizerSpec.h"

namespace tenon::io {

namespace {

std::string quotedPreTokenizers() {
  std::string names;
  for (const PreTokenizerName &entry : preTokenizerNames())
    names += concat(names.empty() ? "\"" : ", \"", entry.name, "\"");
  return names;
}

Status readPieces(const Metadata &metadata, TokenizerSpec &spec) {
  TENON_ASSIGN_OR_RETURN(std::vector<std::string_view> pieces,
                         metadata.getStrings("tokenizer.ggml.tokens"));
  if (pieces.empty())
    return dataLoss(spec.source,
                    ": expects \"tokenizer.ggml.tokens\" to have pieces");
  for (std::string_view piece : pieces)
    TENON_RETURN_IF_ERROR(spec.pieces.add(piece));
  spec.kinds.assign(pieces.size(), PieceKind::Normal);
  return spec.pieces.index(spec.source);
}

Status checkLength(const TokenizerSpec &spec, std::string_view key,
                   size_t length) {
  if (length == spec.kinds.size())
    return Status();
  return dataLoss(spec.source, ": expects \"", key, "\" to have ",
                  spec.kinds.size(), " entries, one for each token, got ",
                  length);
}

Status readKinds(const Metadata &metadata, TokenizerSpec &spec) {
  constexpr std::string_view key = "tokenizer.ggml.token_type";
  if (!metadata.has(key) && spec.kind == TokenizerKind::ByteBpe)
    return Status(); // Without it every piece is a normal one.
  TENON_ASSIGN_OR_RETURN(std::vector<int64_t> kinds, metadata.getInts(key));
  TENON_RETURN_IF_ERROR(checkLength(spec, key, kinds.size()));
  for (size_t i = 0; i < kinds.size(); ++i) {
    // Zero is "undefined", which old files write for a normal piece.
    if (kinds[i] < 0 || kinds[i] > 6)
      return dataLoss(spec.source, ": expects \"", key,
                      "\" to hold 0 to 6, got ", kinds[i], " for token ", i);
    spec.kinds[i] = static_cast<PieceKind>(kinds[i] ? kinds[i] : 1);
  }
  return Status();
}

Status readScores(const Metadata &metadata, TokenizerSpec &spec) {
  constexpr std::string_view key = "tokenizer.ggml.scores";
  TENON_ASSIGN_OR_RETURN(std::vector<double> scores, metadata.getFloats(key));
  TENON_RETURN_IF_ERROR(checkLength(spec, key, scores.size()));
  spec.scores.assign(scores.begin(), scores.end());
  return Status();
}

Status readMerges(const Metadata &metadata, TokenizerSpec &spec) {
  constexpr std::string_view key = "tokenizer.ggml.merges";
  TENON_ASSIGN_OR_RETURN(std::vector<std::string_view> merges,
                         metadata.getStrings(key));
  spec.merges.reserve(merges.size());
  for (std::string_view text : merges) {
    size_t space = text.find(' ', 1);
    if (space == std::string_view::npos)
      return dataLoss(spec.source, ": expects each of \"", key,
                      "\" to be \"left right\", got \"", text, "\"");
    TENON_ASSIGN_OR_RETURN(
        MergeRule rule,
        makeMergeRule(spec, text.substr(0, space), text.substr(space + 1)));
    spec.merges.push_back(rule);
  }
  return Status();
}

Status readPreTokenizer(const Metadata &metadata, TokenizerSpec &spec) {
  TENON_ASSIGN_OR_RETURN(std::string_view name,
                         metadata.getString("tokenizer.ggml.pre", "default"));
  std::optional<PreTokenizer> family = parsePreTokenizer(name);
  if (!family)
    return unimplemented(spec.source,
                         ": expects \"tokenizer.ggml.pre\" to be one of ",
                         quotedPreTokenizers(), ", got \"", name, "\"");
  spec.preTokenizer = *family;
  // The file does not say so, but the model was trained on normalised text.
  spec.nfc = name == "qwen2";
  return Status();
}

Status readId(const Metadata &metadata, const char *name,
              std::optional<int32_t> &id) {
  std::string key = concat("tokenizer.ggml.", name, "_token_id");
  if (!metadata.has(key))
    return Status();
  TENON_ASSIGN_OR_RETURN(int64_t value, metadata.getInt(key));
  // Some converters write -1 for "none".
  if (value == -1 || value == 0xffffffff)
    return Status();
  if (value < 0 || value > 0x7fffffff)
    return outOfRange(metadata.source(), ": expects \"", key,
                      "\" to be a token id, got ", value);
  id = static_cast<int32_t>(value);
  return Status();
}

Status readSpecials(const Metadata &metadata, TokenizerSpec &spec) {
  TENON_RETURN_IF_ERROR(readId(metadata, "bos", spec.bos));
  TENON_RETURN_IF_ERROR(readId(metadata, "eos", spec.eos));
  TENON_RETURN_IF_ERROR(readId(metadata, "eot", spec.eot));
  TENON_RETURN_IF_ERROR(readId(metadata, "unknown", spec.unknown));
  TENON_RETURN_IF_ERROR(readId(metadata, "padding", spec.padding));
  bool isSentencePiece = spec.kind == TokenizerKind::SentencePiece;
  TENON_ASSIGN_OR_RETURN(
      spec.addBos,
      metadata.getBool("tokenizer.ggml.add_bos_token", isSentencePiece));
  TENON_ASSIGN_OR_RETURN(
      spec.addEos, metadata.getBool("tokenizer.ggml.add_eos_token", false));
  TENON_ASSIGN_OR_RETURN(
      spec.addSpacePrefix,
      metadata.getBool("tokenizer.ggml.add_space_prefix", isSentencePiece));
  TENON_ASSIGN_OR_RETURN(std::string_view chat,
                         metadata.getString("tokenizer.chat_template", ""));
  spec.chatTemplate = chat;
  return Status();
}

} // namespace

StatusOr<MergeRule> makeMergeRule(const TokenizerSpec &spec,
                                  std::string_view left,
                                  std::string_view right) {
  MergeRule rule = {spec.pieces.find(left), spec.pieces.find(right),
                    spec.pieces.find(concat(left, right))};
  if (rule.left < 0 || rule.right < 0 || rule.result < 0)
    return dataLoss(spec.source, ": expects both parts of the merge \"", left,
                    " ", right, "\" and their whole to be tokens");
  return rule;
}

StatusOr<TokenizerSpec> readGgufTokenizer(const Metadata &metadata) {
  TokenizerSpec spec;
  spec.source = metadata.source();
  TENON_ASSIGN_OR_RETURN(std::string_view model,
                         metadata.getString("tokenizer.ggml.model"));
  if (model != "llama" && model != "gpt2")
    return unimplemented(spec.source,
                         ": expects \"tokenizer.ggml.model\" to be \"llama\" "
                         "or \"gpt2\", got \"",
                         model, "\"");
  TENON_RETURN_IF_ERROR(readPieces(metadata, spec));
  spec.kind =
      model == "llama" ? TokenizerKind::SentencePiece : TokenizerKind::ByteBpe;
  TENON_RETURN_IF_ERROR(readKinds(metadata, spec));
  TENON_RETURN_IF_ERROR(readSpecials(metadata, spec));
  if (spec.kind == TokenizerKind::SentencePiece) {
    spec.escapeSpaces = true;
    spec.fuseUnknown = true;
    TENON_RETURN_IF_ERROR(readScores(metadata, spec));
    return spec;
  }
  TENON_RETURN_IF_ERROR(readPreTokenizer(metadata, spec));
  TENON_RETURN_IF_ERROR(readMerges(metadata, spec));
  return spec;
}

} // namespace tenon::io
