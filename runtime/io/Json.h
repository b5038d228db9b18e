//===- Json.h - JSON from strangers, bounded ------------------------------===//
//
//   TENON_ASSIGN_OR_RETURN(Json config, parseJson(text, "config.json"));
//   TENON_ASSIGN_OR_RETURN(const Json *model, member(config, "model",
//                                                    "tokenizer.json"));
//
// Nothing here throws, and nlohmann's throwing accessors (get<T>, at) must not
// be used on parsed input: ask is_*() and get_ptr.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_IO_JSON_H
#define TENON_IO_JSON_H

#include "runtime/base/Status.h"

#include <nlohmann/json.hpp>

#include <string>
#include <string_view>

namespace tenon::io {

using Json = nlohmann::json;

struct JsonLimits {
  size_t maxBytes = size_t{16} << 20;
  int maxDepth = 64;
};

/// Parses one JSON document. `source` names it in messages.
/// Errors: RESOURCE_EXHAUSTED (longer or deeper than `limits`), DATA_LOSS (not
///         JSON, not UTF-8, or an object with the same key twice).
StatusOr<Json> parseJson(std::string_view text, std::string_view source,
                         const JsonLimits &limits = {});

/// Returns the member `key`, or null when `object` is no object or lacks it.
const Json *findMember(const Json &object, std::string_view key);

/// Returns the member `key` of `object`.
/// Errors: DATA_LOSS (no object, or no such member), naming source and key.
StatusOr<const Json *> member(const Json &object, std::string_view key,
                              std::string_view source);

/// Returns the text of a JSON string, or null for anything else.
const std::string *textOf(const Json *value);

/// Returns the value of a JSON boolean, or `fallback` for anything else.
bool boolOr(const Json *value, bool fallback);

/// Reads an integer in [low, high]; false for anything else.
bool readInt(const Json *value, int64_t low, int64_t high, int64_t &out);

} // namespace tenon::io

#endif // TENON_IO_JSON_H
