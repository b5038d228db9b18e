//===- Unicode.cpp - UTF-8, categories, normalisation ---------------------===//

#include "runtime/io/Unicode.h"

#include <algorithm>
#include <cstdlib>
#include <utf8proc.h>

namespace tenon::io {

namespace {

// White_Space of PropList.txt; utf8proc does not have it.
bool isWhiteSpace(char32_t c) {
  return (c >= 9 && c <= 13) || c == 0x20 || c == 0x85 || c == 0xa0 ||
         c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 ||
         c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

uint8_t byteAt(std::string_view text, size_t i) {
  return static_cast<uint8_t>(text[i]);
}

// What the first byte promises, and which second bytes it allows.
struct Lead {
  size_t length;
  uint8_t low, high;
};

Lead leadOf(uint8_t byte) {
  if (byte < 0x80)
    return {1, 0, 0};
  if (byte >= 0xc2 && byte <= 0xdf)
    return {2, 0x80, 0xbf};
  if (byte == 0xe0)
    return {3, 0xa0, 0xbf};
  if (byte == 0xed)
    return {3, 0x80, 0x9f};
  if (byte >= 0xe1 && byte <= 0xef)
    return {3, 0x80, 0xbf};
  if (byte == 0xf0)
    return {4, 0x90, 0xbf};
  if (byte >= 0xf1 && byte <= 0xf3)
    return {4, 0x80, 0xbf};
  if (byte == 0xf4)
    return {4, 0x80, 0x8f};
  return {0, 0, 0};
}

// Counts how many of the sequence's bytes are there and right.
size_t rightBytes(std::string_view text, const Lead &lead) {
  size_t count = 1;
  size_t available = std::min(lead.length, text.size());
  while (count < available) {
    uint8_t low = count == 1 ? lead.low : 0x80;
    uint8_t high = count == 1 ? lead.high : 0xbf;
    if (byteAt(text, count) < low || byteAt(text, count) > high)
      break;
    ++count;
  }
  return count;
}

} // namespace

uint8_t classOf(char32_t code) {
  uint8_t space = isWhiteSpace(code) ? kSpace : 0;
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(code))) {
  case UTF8PROC_CATEGORY_LU:
  case UTF8PROC_CATEGORY_LL:
  case UTF8PROC_CATEGORY_LT:
  case UTF8PROC_CATEGORY_LM:
  case UTF8PROC_CATEGORY_LO:
    return kLetter;
  case UTF8PROC_CATEGORY_MN:
  case UTF8PROC_CATEGORY_MC:
  case UTF8PROC_CATEGORY_ME:
    return kMark;
  case UTF8PROC_CATEGORY_ND:
  case UTF8PROC_CATEGORY_NL:
  case UTF8PROC_CATEGORY_NO:
    return kNumber;
  case UTF8PROC_CATEGORY_PC:
  case UTF8PROC_CATEGORY_PD:
  case UTF8PROC_CATEGORY_PS:
  case UTF8PROC_CATEGORY_PE:
  case UTF8PROC_CATEGORY_PI:
  case UTF8PROC_CATEGORY_PF:
  case UTF8PROC_CATEGORY_PO:
    return kPunctuation;
  case UTF8PROC_CATEGORY_SM:
  case UTF8PROC_CATEGORY_SC:
  case UTF8PROC_CATEGORY_SK:
  case UTF8PROC_CATEGORY_SO:
    return kSymbol;
  default:
    return space;
  }
}

size_t sequenceLength(std::string_view text) {
  if (text.empty())
    return 0;
  Lead lead = leadOf(byteAt(text, 0));
  return rightBytes(text, lead) == lead.length ? lead.length : 0;
}

bool isPartialSequence(std::string_view text) {
  Lead lead = leadOf(byteAt(text, 0));
  return text.size() < lead.length && rightBytes(text, lead) == text.size();
}

char32_t decodeFirst(std::string_view text, size_t length) {
  if (length == 1)
    return byteAt(text, 0);
  char32_t code = byteAt(text, 0) & (0xffu >> (length + 1));
  for (size_t i = 1; i < length; ++i)
    code = code << 6 | (byteAt(text, i) & 0x3fu);
  return code;
}

Status checkUtf8(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    size_t length = sequenceLength(text.substr(at));
    if (length == 0)
      return invalidArgument("expects UTF-8 text, got byte ",
                             int{byteAt(text, at)}, " at offset ", at);
    at += length;
  }
  return Status();
}

void appendUtf8(std::string &out, char32_t code) {
  utf8proc_uint8_t bytes[4];
  utf8proc_ssize_t length =
      utf8proc_encode_char(static_cast<utf8proc_int32_t>(code), bytes);
  out.append(reinterpret_cast<const char *>(bytes),
             static_cast<size_t>(length));
}

StatusOr<std::string> normaliseNfc(std::string_view text) {
  bool ascii = std::all_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x80;
  });
  if (ascii)
    return std::string(text);
  utf8proc_uint8_t *mapped = nullptr;
  utf8proc_ssize_t size = utf8proc_map(
      reinterpret_cast<const utf8proc_uint8_t *>(text.data()),
      static_cast<utf8proc_ssize_t>(text.size()), &mapped,
      static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
  if (size < 0)
    return resourceExhausted("expects text that can be normalised, got ",
                             text.size(), " bytes: ", utf8proc_errmsg(size));
  std::string result(reinterpret_cast<const char *>(mapped),
                     static_cast<size_t>(size));
  std::free(mapped); // utf8proc_map allocates with malloc
  return result;
}

} // namespace tenon::io
