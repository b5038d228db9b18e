//===- Unicode.h - UTF-8, categories, normalisation -----------------------===//
//
// What tokenizers need of Unicode; the tables are utf8proc's.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_IO_UNICODE_H
#define TENON_IO_UNICODE_H

#include "runtime/base/Status.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace tenon::io {

/// General categories by their first letter, and \s, as bits.
enum CharClass : uint8_t {
  kLetter = 1,      // \p{L}
  kMark = 2,        // \p{M}
  kNumber = 4,      // \p{N}
  kPunctuation = 8, // \p{P}
  kSymbol = 16,     // \p{S}
  kSpace = 32,      // \s: White_Space
};

/// Returns the classes of a code point.
uint8_t classOf(char32_t code);

/// Returns the bytes of the well-formed UTF-8 sequence that `text` begins with,
/// or 0: overlong forms, surrogates and values above U+10FFFF are not
/// well-formed. Source: Unicode 15, table 3-7.
size_t sequenceLength(std::string_view text);

/// Returns whether `text` could be the beginning of a well-formed sequence that
/// is not complete yet. `text` must not be empty.
bool isPartialSequence(std::string_view text);

/// Decodes the sequence that `text` begins with, which must be well-formed.
char32_t decodeFirst(std::string_view text, size_t length);

/// Checks that all of `text` is well-formed UTF-8.
/// Errors: INVALID_ARGUMENT, naming the offset of the first bad byte.
Status checkUtf8(std::string_view text);

/// Appends `code` as UTF-8.
void appendUtf8(std::string &out, char32_t code);

/// Returns well-formed `text` in normalisation form C.
/// Errors: RESOURCE_EXHAUSTED (too long).
StatusOr<std::string> normaliseNfc(std::string_view text);

} // namespace tenon::io

#endif // TENON_IO_UNICODE_H
