//===- Json.cpp - JSON from strangers, bounded ----------------------------===//

#include "runtime/io/Json.h"

#include <algorithm>
#include <set>
#include <vector>

namespace tenon::io {

namespace {

// Measures nesting before parsing: the parser's own stack is bounded by it.
int nestingOf(std::string_view text) {
  int depth = 0, deepest = 0;
  bool inString = false;
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (inString) {
      i += c == '\\';
      inString = c != '"';
      continue;
    }
    inString = c == '"';
    depth += (c == '{' || c == '[') - (c == '}' || c == ']');
    deepest = std::max(deepest, depth);
  }
  return deepest;
}

// Remembers the keys of the objects that are open, to find one given twice,
// which the parser would otherwise settle in silence.
class DuplicateKeys {
public:
  bool operator()(int depth, Json::parse_event_t event, const Json &parsed) {
    auto level = static_cast<size_t>(depth);
    if (event == Json::parse_event_t::object_start) {
      open.resize(std::max(open.size(), level + 2));
      open[level + 1].clear();
    }
    if (event != Json::parse_event_t::key)
      return true;
    const auto *key = parsed.get_ptr<const std::string *>();
    open.resize(std::max(open.size(), level + 1));
    if (!open[level].insert(*key).second && first.empty())
      first = *key;
    return true;
  }

  std::string first; ///< The first key seen twice.

private:
  std::vector<std::set<std::string>> open; // by depth
};

} // namespace

StatusOr<Json> parseJson(std::string_view text, std::string_view source,
                         const JsonLimits &limits) {
  if (text.size() > limits.maxBytes)
    return resourceExhausted(source, ": expects at most ", limits.maxBytes,
                             " bytes of JSON, got ", text.size());
  if (int depth = nestingOf(text); depth > limits.maxDepth)
    return resourceExhausted(source, ": expects JSON nested at most ",
                             limits.maxDepth, " deep, got ", depth);
  DuplicateKeys duplicates;
  Json parsed = Json::parse(
      text.begin(), text.end(),
      [&](int depth, Json::parse_event_t event, Json &value) {
        return duplicates(depth, event, value);
      },
      /*allow_exceptions=*/false);
  if (parsed.is_discarded())
    return dataLoss(source, ": expects valid JSON in UTF-8");
  if (!duplicates.first.empty())
    return dataLoss(source, ": expects each key once, got \"", duplicates.first,
                    "\" twice");
  return parsed;
}

const Json *findMember(const Json &object, std::string_view key) {
  if (!object.is_object())
    return nullptr;
  auto it = object.find(key);
  return it == object.end() ? nullptr : &*it;
}

StatusOr<const Json *> member(const Json &object, std::string_view key,
                              std::string_view source) {
  if (!object.is_object())
    return dataLoss(source, ": expects an object with \"", key, "\", got ",
                    object.type_name());
  const Json *found = findMember(object, key);
  if (!found)
    return dataLoss(source, ": expects a member \"", key, "\", got none");
  return found;
}

const std::string *textOf(const Json *value) {
  return value ? value->get_ptr<const std::string *>() : nullptr;
}

bool boolOr(const Json *value, bool fallback) {
  const bool *found = value ? value->get_ptr<const bool *>() : nullptr;
  return found ? *found : fallback;
}

bool readInt(const Json *value, int64_t low, int64_t high, int64_t &out) {
  if (!value || !value->is_number_integer())
    return false;
  if (value->is_number_unsigned()) {
    const auto *number = value->get_ptr<const uint64_t *>();
    if (high < 0 || *number > static_cast<uint64_t>(high))
      return false;
    out = static_cast<int64_t>(*number);
    return out >= low;
  }
  out = *value->get_ptr<const int64_t *>();
  return out >= low && out <= high;
}

} // namespace tenon::io
