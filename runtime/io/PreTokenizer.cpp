//===- PreTokenizer.cpp - One scanner per family --------------------------===//
//
// A family is a list of rules applied in turn: each cuts every stretch that the
// rules before it left into its matches and the gaps between them. A rule is
// one regular expression, quoted above its function, matched as a backtracking
// engine would; look-ahead sees to the end of the stretch.
//
//===----------------------------------------------------------------------===//

#include "runtime/io/PreTokenizer.h"

#include "runtime/io/Unicode.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace tenon::io {

namespace {

struct Char {
  char32_t code;
  uint32_t offset; // of its first byte
  uint8_t classes; // CharClass bits
};

using Stretch = std::span<const Char>;

// Returns the end of the match that begins at `at`, or `at` if there is none.
using Rule = size_t (*)(Stretch text, size_t at);

bool is(const Char &c, int classes) { return (c.classes & classes) != 0; }
bool isNewline(const Char &c) { return c.code == '\r' || c.code == '\n'; }
bool isAsciiLetter(const Char &c) {
  return (c.code | 32) >= 'a' && (c.code | 32) <= 'z' && c.code < 128;
}

template <typename Predicate>
size_t skipWhile(Stretch text, size_t at, Predicate predicate) {
  while (at < text.size() && predicate(text[at]))
    ++at;
  return at;
}

// Matches a character at `at` if `optional` accepts it, then at least one that
// `repeated` accepts. Without the former, the latter must begin at `at`.
template <typename First, typename Rest>
size_t optionalThenRun(Stretch text, size_t at, First optional, Rest repeated) {
  if (optional(text[at])) {
    size_t end = skipWhile(text, at + 1, repeated);
    if (end > at + 1)
      return end;
  }
  return skipWhile(text, at, repeated);
}

bool isBlank(const Char &c) { return c.code == ' '; }

// \s+(?!\S)|\s+
size_t spaces(Stretch text, size_t at) {
  size_t end = skipWhile(text, at, [](const Char &c) { return is(c, kSpace); });
  // Before a word the run gives back one character, if it keeps any.
  return end < text.size() && end > at + 1 ? end - 1 : end;
}

// \s*[\r\n]+|\s+(?!\S)|\s+
size_t newlinesOrSpaces(Stretch text, size_t at) {
  size_t end = at, afterNewline = at;
  for (; end < text.size() && is(text[end], kSpace); ++end)
    if (isNewline(text[end]))
      afterNewline = end + 1;
  return afterNewline > at ? afterNewline : spaces(text, at);
}

// 's|'t|'re|'ve|'m|'ll|'d, in any case if `fold`.
size_t contraction(Stretch text, size_t at, bool fold) {
  static constexpr std::array<std::u32string_view, 7> suffixes = {
      U"s", U"t", U"re", U"ve", U"m", U"ll", U"d"};
  if (text[at].code != '\'')
    return at;
  auto same = [fold](char32_t got, char32_t wanted) {
    if (fold && got == 0x17f) // The long s folds to s.
      got = 's';
    return got == wanted ||
           (fold && got >= 'A' && got <= 'Z' && got + ('a' - 'A') == wanted);
  };
  for (std::u32string_view suffix : suffixes) {
    if (text.size() - at - 1 < suffix.size())
      continue;
    size_t matched = 0;
    while (matched < suffix.size() &&
           same(text[at + 1 + matched].code, suffix[matched]))
      ++matched;
    if (matched == suffix.size())
      return at + 1 + matched;
  }
  return at;
}

// 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
size_t gpt2(Stretch text, size_t at) {
  if (size_t end = contraction(text, at, /*fold=*/false); end > at)
    return end;
  for (int classes : {int{kLetter}, int{kNumber}}) {
    size_t end = optionalThenRun(
        text, at, isBlank, [classes](const Char &c) { return is(c, classes); });
    if (end > at)
      return end;
  }
  size_t end = optionalThenRun(text, at, isBlank, [](const Char &c) {
    return !is(c, kSpace | kLetter | kNumber);
  });
  return end > at ? end : spaces(text, at);
}

// (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|
//  ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
size_t qwen2(Stretch text, size_t at) {
  if (size_t end = contraction(text, at, /*fold=*/true); end > at)
    return end;
  size_t end = optionalThenRun(
      text, at,
      [](const Char &c) { return !isNewline(c) && !is(c, kLetter | kNumber); },
      [](const Char &c) { return is(c, kLetter); });
  if (end > at)
    return end;
  if (is(text[at], kNumber))
    return at + 1;
  end = optionalThenRun(text, at, isBlank, [](const Char &c) {
    return !is(c, kSpace | kLetter | kNumber);
  });
  if (end > at)
    return skipWhile(text, end, isNewline);
  return newlinesOrSpaces(text, at);
}

// \p{N}{1,3}
size_t upToThreeDigits(Stretch text, size_t at) {
  size_t end = at;
  while (end < text.size() && end < at + 3 && is(text[end], kNumber))
    ++end;
  return end;
}

// [一-龥぀-ゟ゠-ヿ]+
size_t hanAndKana(Stretch text, size_t at) {
  return skipWhile(text, at, [](const Char &c) {
    return (c.code >= 0x4e00 && c.code <= 0x9fa5) ||
           (c.code >= 0x3040 && c.code <= 0x30ff);
  });
}

// [!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|
// [^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|
// \s*[\r\n]+|\s+(?!\S)|\s+
size_t deepSeekWords(Stretch text, size_t at) {
  bool asciiMark = text[at].code < 128 && is(text[at], kPunctuation | kSymbol);
  if (asciiMark) {
    size_t end = skipWhile(text, at + 1, isAsciiLetter);
    if (end > at + 1)
      return end;
  }
  size_t end = optionalThenRun(
      text, at,
      [](const Char &c) {
        return !isNewline(c) && !is(c, kLetter | kPunctuation | kSymbol);
      },
      [](const Char &c) { return is(c, kLetter | kMark); });
  if (end > at)
    return end;
  end = optionalThenRun(text, at, isBlank, [](const Char &c) {
    return is(c, kPunctuation | kSymbol);
  });
  if (end > at)
    return skipWhile(text, end, isNewline);
  return newlinesOrSpaces(text, at);
}

// [\r\n]
size_t newline(Stretch text, size_t at) { return at + isNewline(text[at]); }

struct Range {
  char32_t first, last;
};

// The letters that DeepSeek-LLM's second rule lists: those with case, as of the
// Unicode of its day.
constexpr Range kCasedLetters[] = {
    {0x41, 0x5a},       {0x61, 0x7a},       {0xb5, 0xb5},
    {0xc0, 0xd6},       {0xd8, 0xf6},       {0xf8, 0x1ba},
    {0x1bc, 0x1bf},     {0x1c4, 0x293},     {0x295, 0x2af},
    {0x370, 0x373},     {0x376, 0x376},     {0x377, 0x377},
    {0x37b, 0x37d},     {0x37f, 0x37f},     {0x386, 0x386},
    {0x388, 0x38a},     {0x38c, 0x38c},     {0x38e, 0x3a1},
    {0x3a3, 0x3f5},     {0x3f7, 0x481},     {0x48a, 0x52f},
    {0x531, 0x556},     {0x10a0, 0x10c5},   {0x13a0, 0x13f5},
    {0x13f8, 0x13fd},   {0x1c90, 0x1cba},   {0x1cbd, 0x1cbf},
    {0x1d00, 0x1d2b},   {0x1d6b, 0x1d77},   {0x1d79, 0x1d9a},
    {0x1e00, 0x1f15},   {0x1f18, 0x1f1d},   {0x1f20, 0x1f45},
    {0x1f48, 0x1f4d},   {0x1f50, 0x1f57},   {0x1f59, 0x1f59},
    {0x1f5b, 0x1f5b},   {0x1f5d, 0x1f5d},   {0x1f5f, 0x1f7d},
    {0x1f80, 0x1fb4},   {0x1fb6, 0x1fbc},   {0x1fbe, 0x1fbe},
    {0x1fc2, 0x1fc4},   {0x1fc6, 0x1fcc},   {0x1fd0, 0x1fd3},
    {0x1fd6, 0x1fdb},   {0x1fe0, 0x1fec},   {0x1ff2, 0x1ff4},
    {0x1ff6, 0x1ffc},   {0x2102, 0x2102},   {0x2107, 0x2107},
    {0x210a, 0x2113},   {0x2115, 0x2115},   {0x2119, 0x211d},
    {0x2124, 0x2124},   {0x2126, 0x2126},   {0x2128, 0x2128},
    {0x212a, 0x212d},   {0x212f, 0x2134},   {0x2139, 0x2139},
    {0x213c, 0x213f},   {0x2145, 0x2149},   {0x214e, 0x214e},
    {0x2183, 0x2183},   {0x2184, 0x2184},   {0x2c00, 0x2c7b},
    {0x2c7e, 0x2ce4},   {0x2ceb, 0x2cee},   {0x2cf2, 0x2cf2},
    {0x2cf3, 0x2cf3},   {0xa640, 0xa66d},   {0xa680, 0xa69b},
    {0xa722, 0xa76f},   {0xa771, 0xa787},   {0xa78b, 0xa78e},
    {0xab70, 0xabbf},   {0xfb00, 0xfb06},   {0xfb13, 0xfb17},
    {0xff21, 0xff3a},   {0xff41, 0xff5a},   {0x10400, 0x1044f},
    {0x104b0, 0x104d3}, {0x104d8, 0x104fb}, {0x10c80, 0x10cb2},
    {0x10cc0, 0x10cf2}, {0x118a0, 0x118df}, {0x1e900, 0x1e943}};

bool isCasedLetter(const Char &c) {
  const Range *it = std::lower_bound(
      std::begin(kCasedLetters), std::end(kCasedLetters), c.code,
      [](const Range &range, char32_t code) { return range.last < code; });
  return it != std::end(kCasedLetters) && it->first <= c.code;
}

bool isAnySpace(const Char &c) { return is(c, kSpace); }

// \s?[A-Za-zµÀ-ÖØ-öø-ƺ...]+
size_t casedWord(Stretch text, size_t at) {
  return optionalThenRun(text, at, isAnySpace, isCasedLetter);
}

// \s?[!-/:-~！-／：-～‘-‟　-。]+
size_t deepSeekMarks(Stretch text, size_t at) {
  return optionalThenRun(text, at, isAnySpace, [](const Char &c) {
    return (c.code >= '!' && c.code <= '/') ||
           (c.code >= ':' && c.code <= '~') ||
           (c.code >= 0xff01 && c.code <= 0xff0f) ||
           (c.code >= 0xff1a && c.code <= 0xff5e) ||
           (c.code >= 0x2018 && c.code <= 0x201f) ||
           (c.code >= 0x3000 && c.code <= 0x3002);
  });
}

// \s+$
size_t trailingSpaces(Stretch text, size_t at) {
  // A run that does not reach the end fails at each of its characters; only
  // its first may look, or a long run would take quadratic time.
  if (at > 0 && is(text[at - 1], kSpace))
    return at;
  size_t end = skipWhile(text, at, isAnySpace);
  return end == text.size() ? end : at;
}

// [一-龥ࠀ-一가-퟿]+
size_t hanAndHangul(Stretch text, size_t at) {
  return skipWhile(text, at, [](const Char &c) {
    return (c.code >= 0x800 && c.code <= 0x9fa5) ||
           (c.code >= 0xac00 && c.code <= 0xd7ff);
  });
}

// \p{N}+
size_t digits(Stretch text, size_t at) {
  return skipWhile(text, at, [](const Char &c) { return is(c, kNumber); });
}

std::span<const Rule> rulesOf(PreTokenizer family) {
  static constexpr Rule gpt2Rules[] = {gpt2};
  static constexpr Rule qwen2Rules[] = {qwen2};
  static constexpr Rule deepSeekLlmRules[] = {
      newline, casedWord, deepSeekMarks, trailingSpaces, hanAndHangul, digits};
  static constexpr Rule deepSeekV3Rules[] = {upToThreeDigits, hanAndKana,
                                             deepSeekWords};
  switch (family) {
  case PreTokenizer::None:
    return {};
  case PreTokenizer::Gpt2:
    return gpt2Rules;
  case PreTokenizer::Qwen2:
    return qwen2Rules;
  case PreTokenizer::DeepSeekLlm:
    return deepSeekLlmRules;
  case PreTokenizer::DeepSeekV3:
    return deepSeekV3Rules;
  }
  return {};
}

// Appends the ends, from the beginning of `text`, of its matches and gaps.
void cut(Rule rule, Stretch text, size_t base, std::vector<size_t> &ends) {
  size_t gap = 0;
  for (size_t at = 0; at < text.size();) {
    size_t end = rule(text, at);
    if (end == at) {
      ++at;
      continue;
    }
    if (gap < at)
      ends.push_back(base + at);
    ends.push_back(base + end);
    gap = at = end;
  }
  if (gap < text.size())
    ends.push_back(base + text.size());
}

std::vector<Char> decode(std::string_view text) {
  std::vector<Char> chars;
  chars.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    size_t length = std::max<size_t>(1, sequenceLength(text.substr(at, 4)));
    char32_t code = decodeFirst(text.substr(at), length);
    chars.push_back({code, static_cast<uint32_t>(at), classOf(code)});
    at += length;
  }
  return chars;
}

constexpr PreTokenizerName kNames[] = {
    {"gpt-2", PreTokenizer::Gpt2},
    {"default", PreTokenizer::Gpt2},
    {"qwen2", PreTokenizer::Qwen2},
    {"deepseek-r1-qwen", PreTokenizer::Qwen2},
    {"deepseek-llm", PreTokenizer::DeepSeekLlm},
    {"deepseek-v3", PreTokenizer::DeepSeekV3},
};

} // namespace

std::span<const PreTokenizerName> preTokenizerNames() { return kNames; }

std::optional<PreTokenizer> parsePreTokenizer(std::string_view name) {
  for (const PreTokenizerName &entry : kNames)
    if (entry.name == name)
      return entry.family;
  return std::nullopt;
}

void splitWords(PreTokenizer family, std::string_view text,
                std::vector<std::string_view> &words) {
  if (text.empty())
    return;
  std::vector<Char> chars = decode(text);
  std::vector<size_t> ends = {chars.size()}, next;
  for (Rule rule : rulesOf(family)) {
    next.clear();
    size_t begin = 0;
    for (size_t end : ends) {
      cut(rule, Stretch(chars).subspan(begin, end - begin), begin, next);
      begin = end;
    }
    ends.swap(next);
  }
  size_t begin = 0;
  for (size_t end : ends) {
    size_t from = chars[begin].offset;
    size_t to = end < chars.size() ? chars[end].offset : text.size();
    words.push_back(text.substr(from, to - from));
    begin = end;
  }
}

} // namespace tenon::io
