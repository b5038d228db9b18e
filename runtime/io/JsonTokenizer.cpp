//===- JsonTokenizer.cpp - A tokenizer from tokenizer.json ----------------===//
//
// The file describes a pipeline: normalizer, pre_tokenizer, model,
// post_processor. Only the pipelines of the families we have are accepted; a
// step that we do not know would change ids in silence.
//
//===----------------------------------------------------------------------===//

#include "runtime/io/Json.h"
#include "runtime/io/TokenizerSpec.h"

#include <algorithm>

namespace tenon::io {

namespace {

constexpr std::string_view kSpaceMark = "\u2581";

std::string typeOf(const Json &step) {
  const std::string *type = textOf(findMember(step, "type"));
  return type ? *type : "";
}

// Lists the steps of a pipeline member: none, one, or a sequence's.
std::vector<const Json *> stepsOf(const Json *step, const char *listKey) {
  if (!step || step->is_null())
    return {};
  const Json *list = findMember(*step, listKey);
  if (typeOf(*step) != "Sequence" || !list || !list->is_array())
    return {step};
  std::vector<const Json *> steps;
  for (const Json &inner : *list)
    steps.push_back(&inner);
  return steps;
}

// Returns the text of {"String": ...} or {"Regex": ...}; regular expressions
// with line ends written as escapes, as some files and we do.
std::string patternOf(const Json &step, const char *kind) {
  const Json *pattern = findMember(step, "pattern");
  const std::string *text =
      pattern ? textOf(findMember(*pattern, kind)) : nullptr;
  std::string result;
  for (char c : text ? *text : std::string())
    if (c == '\r')
      result += "\\r";
    else if (c == '\n')
      result += "\\n";
    else
      result += c;
  return result;
}

class Reader {
public:
  Reader(const Json &rootOfFile, std::string_view source) : root(rootOfFile) {
    spec.source = source;
  }

  Status read();

  TokenizerSpec spec;

private:
  Status readNormaliser();
  Status readPreTokenizer();
  Status readModel();
  Status readVocabulary(const Json &vocab);
  Status readMerges(const Json &merges);
  Status readAddedTokens();
  void readPostProcessor();
  std::optional<int32_t> idOf(const Json *token) const;
  Status unknownStep(std::string_view part, const Json &step) const;
  Status rename(int32_t id, std::string_view piece);

  const Json &root;
  std::vector<std::string> pieces; // until every id is known
  bool isByteLevel = false;
};

Status Reader::unknownStep(std::string_view part, const Json &step) const {
  std::string text = step.dump(-1, ' ', false, Json::error_handler_t::replace);
  return unimplemented(spec.source, ": expects the ", part,
                       " of a known family (gpt-2, qwen2, deepseek-llm, "
                       "deepseek-v3, gemma), got ",
                       text.substr(0, 200));
}

Status Reader::readNormaliser() {
  for (const Json *step :
       stepsOf(findMember(root, "normalizer"), "normalizers")) {
    std::string type = typeOf(*step);
    const std::string *content = textOf(findMember(*step, "content"));
    const std::string *prefix = textOf(findMember(*step, "prepend"));
    if (type == "NFC")
      spec.nfc = true;
    else if (type == "Replace" && patternOf(*step, "String") == " " &&
             content && *content == kSpaceMark)
      spec.escapeSpaces = true;
    else if (type == "Prepend" && prefix && *prefix == kSpaceMark)
      spec.addSpacePrefix = true;
    else
      return unknownStep("normalizer", *step);
  }
  return Status();
}

// A pipeline of pre-tokenizers, each step written as one line.
struct Pipeline {
  PreTokenizer family;
  std::vector<std::string_view> steps;
};

const std::vector<Pipeline> &knownPipelines() {
  static const std::vector<Pipeline> pipelines = {
      {PreTokenizer::None, {}},
      {PreTokenizer::None, {"bytes"}},
      {PreTokenizer::Gpt2, {"gpt2"}},
      {PreTokenizer::Qwen2,
       {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|)"
        R"( ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
        "bytes"}},
      {PreTokenizer::DeepSeekLlm,
       {R"([\r\n])", "cased letters",
        "\\s?[!-/:-~\uff01-\uff0f\uff1a-\uff5e\u2018-\u201f\u3000-\u3002]+",
        R"(\s+$)", "[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+", "digits",
        "bytes"}},
      {PreTokenizer::DeepSeekV3,
       {R"(\p{N}{1,3})", "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+",
        R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|)"
        R"([^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|)"
        R"(\s*[\r\n]+|\s+(?!\S)|\s+)",
        "bytes"}},
  };
  return pipelines;
}

// Writes a step as Pipeline does; empty when no family has it.
std::string describeStep(const Json &step) {
  std::string type = typeOf(step);
  if (type == "ByteLevel")
    return boolOr(findMember(step, "use_regex"), true) ? "gpt2" : "bytes";
  // Digits that are never merged look the same cut one by one.
  if (type == "Digits")
    return "digits";
  const std::string *behaviour = textOf(findMember(step, "behavior"));
  if (type != "Split" || !behaviour || *behaviour != "Isolated" ||
      boolOr(findMember(step, "invert"), false))
    return "";
  std::string pattern = patternOf(step, "Regex");
  // Four hundred characters of letters; its beginning tells it from the rest.
  return pattern.starts_with("\\s?[A-Za-zµ") ? "cased letters" : pattern;
}

Status Reader::readPreTokenizer() {
  const Json *whole = findMember(root, "pre_tokenizer");
  std::vector<std::string> steps;
  for (const Json *step : stepsOf(whole, "pretokenizers")) {
    if (typeOf(*step) == "ByteLevel") {
      isByteLevel = true;
      spec.addSpacePrefix |=
          boolOr(findMember(*step, "add_prefix_space"), true);
    }
    // Gemma splits at spaces that its normaliser has already replaced.
    if (typeOf(*step) == "Split" && patternOf(*step, "String") == " " &&
        spec.escapeSpaces)
      continue;
    steps.push_back(describeStep(*step));
  }
  for (const Pipeline &known : knownPipelines())
    if (std::equal(steps.begin(), steps.end(), known.steps.begin(),
                   known.steps.end())) {
      spec.preTokenizer = known.family;
      spec.kind = isByteLevel ? TokenizerKind::ByteBpe : TokenizerKind::CharBpe;
      return Status();
    }
  return unknownStep("pre_tokenizer", *whole);
}

Status Reader::rename(int32_t id, std::string_view piece) {
  auto at = static_cast<size_t>(id);
  if (at >= pieces.size())
    pieces.resize(at + 1);
  if (!pieces[at].empty() && pieces[at] != piece)
    return dataLoss(spec.source, ": expects one token for each id, got \"",
                    pieces[at], "\" and \"", piece, "\" for ", id);
  pieces[at] = piece;
  return Status();
}

// Ids are dense but for a few that models leave out; more would let a small
// file ask for much memory.
int64_t idLimit(const Json &root, const Json &vocab) {
  const Json *added = findMember(root, "added_tokens");
  size_t count = vocab.size() + (added ? added->size() : 0);
  return static_cast<int64_t>(std::min<size_t>(2 * count + 4096, 1 << 30));
}

Status Reader::readVocabulary(const Json &vocab) {
  if (!vocab.is_object() || vocab.empty())
    return dataLoss(spec.source,
                    ": expects \"model.vocab\" to be an object with tokens");
  int64_t limit = idLimit(root, vocab);
  for (const auto &[piece, value] : vocab.items()) {
    int64_t id = 0;
    if (!readInt(&value, 0, limit, id))
      return dataLoss(spec.source, ": expects \"model.vocab\" to map \"", piece,
                      "\" to an id of at most ", limit, ", got ",
                      value.dump().substr(0, 40));
    TENON_RETURN_IF_ERROR(rename(static_cast<int32_t>(id), piece));
  }
  return Status();
}

Status Reader::readAddedTokens() {
  const Json *added = findMember(root, "added_tokens");
  const Json *model = findMember(root, "model");
  int64_t limit = idLimit(root, *findMember(*model, "vocab"));
  for (const Json &token :
       added && added->is_array() ? *added : Json::array()) {
    const std::string *content = textOf(findMember(token, "content"));
    int64_t id = 0;
    if (!content || content->empty() ||
        !readInt(findMember(token, "id"), 0, limit, id))
      return dataLoss(spec.source,
                      ": expects each of \"added_tokens\" to have "
                      "\"content\" and an \"id\" of at most ",
                      limit);
    if (boolOr(findMember(token, "single_word"), false))
      return unimplemented(spec.source,
                           ": expects added tokens without "
                           "\"single_word\", got \"",
                           *content, "\"");
    TENON_RETURN_IF_ERROR(rename(static_cast<int32_t>(id), *content));
    auto at = static_cast<size_t>(id);
    spec.kinds.resize(std::max(spec.kinds.size(), at + 1), PieceKind::Normal);
    spec.kinds[at] = boolOr(findMember(token, "special"), false)
                         ? PieceKind::Control
                         : PieceKind::UserDefined;
    SpecialTrim trim = {boolOr(findMember(token, "lstrip"), false),
                        boolOr(findMember(token, "rstrip"), false)};
    if (trim.left || trim.right)
      spec.trims[static_cast<int32_t>(id)] = trim;
  }
  return Status();
}

Status Reader::readMerges(const Json &merges) {
  if (!merges.is_array())
    return dataLoss(spec.source, ": expects \"model.merges\" to be an array");
  for (const Json &merge : merges) {
    const std::string *text = textOf(&merge), *right = nullptr;
    if (merge.is_array() && merge.size() == 2) {
      text = textOf(&merge[0]);
      right = textOf(&merge[1]);
    }
    // A part may begin with a space where pieces are not escaped.
    size_t space = text && !right ? text->find(' ', 1) : 0;
    if (!text || space == std::string::npos || (merge.is_array() && !right))
      return dataLoss(spec.source,
                      ": expects each of \"model.merges\" to be "
                      "\"left right\" or two strings, got ",
                      merge.dump(-1, ' ', false, Json::error_handler_t::replace)
                          .substr(0, 80));
    TENON_ASSIGN_OR_RETURN(
        MergeRule rule,
        right ? makeMergeRule(spec, *text, *right)
              : makeMergeRule(spec, std::string_view(*text).substr(0, space),
                              std::string_view(*text).substr(space + 1)));
    spec.merges.push_back(rule);
  }
  return Status();
}

Status Reader::readModel() {
  TENON_ASSIGN_OR_RETURN(const Json *model, member(root, "model", spec.source));
  TENON_ASSIGN_OR_RETURN(const Json *vocab,
                         member(*model, "vocab", spec.source));
  TENON_ASSIGN_OR_RETURN(const Json *merges,
                         member(*model, "merges", spec.source));
  std::string type = typeOf(*model);
  if (!type.empty() && type != "BPE")
    return unimplemented(spec.source,
                         ": expects a \"model\" of type \"BPE\", "
                         "got \"",
                         type, "\"");
  for (const char *key : {"continuing_subword_prefix", "end_of_word_suffix"})
    if (const std::string *text = textOf(findMember(*model, key));
        text && !text->empty())
      return unimplemented(spec.source, ": expects a model without \"", key,
                           "\", got \"", *text, "\"");
  TENON_RETURN_IF_ERROR(readVocabulary(*vocab));
  TENON_RETURN_IF_ERROR(readAddedTokens());
  spec.kinds.resize(pieces.size(), PieceKind::Normal);
  for (const std::string &piece : pieces)
    TENON_RETURN_IF_ERROR(spec.pieces.add(piece));
  TENON_RETURN_IF_ERROR(spec.pieces.index(spec.source));
  spec.ignoreMerges = boolOr(findMember(*model, "ignore_merges"), false);
  spec.fuseUnknown = boolOr(findMember(*model, "fuse_unk"), false);
  if (boolOr(findMember(*model, "byte_fallback"), false))
    for (size_t i = 0; i < pieces.size(); ++i)
      if (pieces[i].size() == 6 && pieces[i].starts_with("<0x"))
        spec.kinds[i] = PieceKind::Byte;
  spec.unknown = idOf(findMember(*model, "unk_token"));
  return readMerges(*merges);
}

std::optional<int32_t> Reader::idOf(const Json *token) const {
  // Configurations give a string, or an object with its content.
  if (token && token->is_object())
    token = findMember(*token, "content");
  const std::string *text = textOf(token);
  int32_t id = text ? spec.pieces.find(*text) : -1;
  return id >= 0 ? std::optional<int32_t>(id) : std::nullopt;
}

// Reads which tokens the template puts around a text.
void Reader::readPostProcessor() {
  for (const Json *step :
       stepsOf(findMember(root, "post_processor"), "processors")) {
    const Json *single = findMember(*step, "single");
    if (typeOf(*step) != "TemplateProcessing" || !single ||
        !single->is_array() || single->empty())
      continue;
    auto special = [](const Json &item) {
      const Json *found = findMember(item, "SpecialToken");
      return found ? findMember(*found, "id") : nullptr;
    };
    if (std::optional<int32_t> id = idOf(special(single->front())))
      spec.bos = id, spec.addBos = true;
    std::optional<int32_t> last = idOf(special(single->back()));
    if (single->size() > 1 && last)
      spec.eos = last, spec.addEos = true;
  }
}

Status Reader::read() {
  TENON_RETURN_IF_ERROR(readNormaliser());
  TENON_RETURN_IF_ERROR(readPreTokenizer());
  TENON_RETURN_IF_ERROR(readModel());
  readPostProcessor();
  return Status();
}

// A configuration names its special tokens and may overrule the template.
Status applyConfig(std::string_view text, TokenizerSpec &spec) {
  std::string source = spec.source + " (tokenizer_config.json)";
  TENON_ASSIGN_OR_RETURN(Json config, parseJson(text, source));
  auto idOf = [&](const char *key) -> std::optional<int32_t> {
    const Json *token = findMember(config, key);
    if (token && token->is_object())
      token = findMember(*token, "content");
    const std::string *piece = textOf(token);
    int32_t id = piece ? spec.pieces.find(*piece) : -1;
    return id >= 0 ? std::optional<int32_t>(id) : std::nullopt;
  };
  auto update = [](std::optional<int32_t> &id, std::optional<int32_t> found) {
    if (found)
      id = found;
  };
  update(spec.bos, idOf("bos_token"));
  update(spec.eos, idOf("eos_token"));
  update(spec.padding, idOf("pad_token"));
  update(spec.unknown, idOf("unk_token"));
  spec.addBos =
      boolOr(findMember(config, "add_bos_token"), spec.addBos) && spec.bos;
  spec.addEos =
      boolOr(findMember(config, "add_eos_token"), spec.addEos) && spec.eos;
  const Json *chat = findMember(config, "chat_template");
  // Several named templates: the default one, else the first.
  if (chat && chat->is_array()) {
    const Json *chosen = chat->empty() ? nullptr : &chat->front();
    for (const Json &entry : *chat)
      if (const std::string *name = textOf(findMember(entry, "name"));
          name && *name == "default")
        chosen = &entry;
    chat = chosen ? findMember(*chosen, "template") : nullptr;
  }
  if (const std::string *found = textOf(chat))
    spec.chatTemplate = *found;
  return Status();
}

} // namespace

StatusOr<TokenizerSpec> readJsonTokenizer(std::string_view tokenizer,
                                          std::string_view config,
                                          std::string_view source) {
  JsonLimits limits = {.maxBytes = size_t{256} << 20, .maxDepth = 32};
  TENON_ASSIGN_OR_RETURN(Json root, parseJson(tokenizer, source, limits));
  if (!root.is_object())
    return dataLoss(source, ": expects a JSON object, got ", root.type_name());
  Reader reader(root, source);
  TENON_RETURN_IF_ERROR(reader.read());
  if (!config.empty())
    TENON_RETURN_IF_ERROR(applyConfig(config, reader.spec));
  return std::move(reader.spec);
}

} // namespace tenon::io
