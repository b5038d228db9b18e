//===- Reward.cpp - What a completion is worth ----------------------------===//

#include "training/Reward.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <numeric>
#include <set>

namespace tenon::training {
namespace {

constexpr std::string_view kOpen = "<think>", kClose = "</think>";
constexpr std::string_view kSpace = " \t\r\n";

bool isDigit(char c) { return c >= '0' && c <= '9'; }

std::string_view trimmed(std::string_view text) {
  size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos)
    return {};
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

std::optional<Fraction> fractionOf(int64_t numerator, int64_t denominator) {
  if (denominator == 0)
    return std::nullopt;
  int64_t divisor = std::gcd(numerator, denominator);
  if (denominator < 0)
    divisor = -divisor;
  return Fraction{numerator / divisor, denominator / divisor};
}

/// Reads a number at `at` and moves behind it: digits, or digits with a point.
std::optional<Fraction> readNumber(std::string_view text, size_t &at) {
  constexpr int kMostDigits = 15; // which keep products of two in 64 bits apart
  int64_t value = 0, unit = 1;
  int digits = 0;
  bool hasPoint = false;
  for (; at < text.size(); ++at) {
    bool isPoint = text[at] == '.' && !hasPoint && at + 1 < text.size() &&
                   isDigit(text[at + 1]);
    if (isPoint) {
      hasPoint = true;
      continue;
    }
    if (!isDigit(text[at]))
      break;
    if (++digits <= kMostDigits) {
      value = value * 10 + (text[at] - '0');
      unit *= hasPoint ? 10 : 1;
    }
  }
  if (digits == 0 || digits > kMostDigits)
    return std::nullopt;
  return fractionOf(value, unit);
}

/// Reads a number with its sign, or a fraction of two.
std::optional<Fraction> readSigned(std::string_view text, size_t &at) {
  bool isNegative = at < text.size() && text[at] == '-';
  at += isNegative;
  std::optional<Fraction> found = readNumber(text, at);
  if (found && isNegative)
    found->numerator = -found->numerator;
  return found;
}

std::string_view answerOf(std::string_view completion) {
  size_t end = completion.rfind(kClose);
  return end == std::string_view::npos ? completion
                                       : completion.substr(end + kClose.size());
}

std::vector<double> accuracy(const Task &task,
                             std::span<const Completion> completions) {
  std::vector<double> made;
  for (const Completion &each : completions)
    made.push_back(isRight(task, each.text) ? 1 : 0);
  return made;
}

bool isWellFormed(const Completion &completion) {
  std::string_view text = trimmed(completion.text);
  // The prompt may have opened the thoughts already.
  if (text.starts_with(kOpen))
    text.remove_prefix(kOpen.size());
  size_t end = text.find(kClose);
  if (!completion.isEnded || end == std::string_view::npos ||
      text.find(kOpen) != std::string_view::npos)
    return false;
  std::string_view answer = text.substr(end + kClose.size());
  return !trimmed(text.substr(0, end)).empty() && !trimmed(answer).empty() &&
         answer.find(kClose) == std::string_view::npos;
}

std::vector<double> format(const Task &task,
                           std::span<const Completion> completions) {
  bool isOpened = trimmed(task.prompt).ends_with(kOpen);
  std::vector<double> made;
  for (const Completion &each : completions) {
    bool opens = trimmed(each.text).starts_with(kOpen);
    made.push_back(isWellFormed(each) && opens != isOpened ? 1 : 0);
  }
  return made;
}

void skipSpaces(std::string_view text, size_t &at) {
  while (at < text.size() && (text[at] == ' ' || text[at] == '\t'))
    ++at;
}

/// a op b; nothing where it is not defined or its terms are too large.
std::optional<Fraction> compute(const Fraction &a, char op, const Fraction &b) {
  auto times = [](int64_t x, int64_t y) {
    return static_cast<__int128>(x) * y;
  };
  __int128 top = 0, bottom = times(a.denominator, b.denominator);
  if (op == '+' || op == '-')
    top = times(a.numerator, b.denominator) +
          (op == '+' ? 1 : -1) * times(b.numerator, a.denominator);
  else if (op == '*')
    top = times(a.numerator, b.numerator);
  else {
    top = times(a.numerator, b.denominator);
    bottom = times(a.denominator, b.numerator);
  }
  constexpr __int128 kMost = INT64_MAX;
  if (top > kMost || top < -kMost || bottom > kMost || bottom < -kMost)
    return std::nullopt;
  return fractionOf(static_cast<int64_t>(top), static_cast<int64_t>(bottom));
}

/// Whether "a op b = c" at `at` is true; nothing where no such statement is
/// there. Moves behind what it read.
std::optional<bool> statementAt(std::string_view text, size_t &at) {
  std::optional<Fraction> a = readSigned(text, at);
  size_t next = at;
  skipSpaces(text, next);
  bool hasOperator =
      a && next < text.size() &&
      std::string_view("+-*/").find(text[next]) != std::string_view::npos;
  if (!hasOperator)
    return std::nullopt;
  char op = text[next++];
  skipSpaces(text, next);
  size_t second = next;
  std::optional<Fraction> b = readSigned(text, next);
  size_t equals = next;
  skipSpaces(text, equals);
  if (!b || equals >= text.size() || text[equals] != '=') {
    at = std::max(at, second); // "1 + 2 + 3 = 6" has no statement of two
    return std::nullopt;
  }
  ++equals;
  skipSpaces(text, equals);
  std::optional<Fraction> c = readSigned(text, equals);
  at = equals;
  if (!c)
    return std::nullopt;
  std::optional<Fraction> made = compute(*a, op, *b);
  return made && *made == *c;
}

/// Whether a number may begin here: not in the middle of a word or of a term
/// such as 2x, nor as the second part of a longer sum.
bool mayBegin(std::string_view text, size_t at) {
  bool isNumber =
      isDigit(text[at]) ||
      (text[at] == '-' && at + 1 < text.size() && isDigit(text[at + 1]));
  if (!isNumber)
    return false;
  size_t before = text.substr(0, at).find_last_not_of(" \t");
  if (before == std::string_view::npos)
    return true;
  return std::string_view("+-*/.").find(text[before]) ==
             std::string_view::npos &&
         !std::isalnum(static_cast<unsigned char>(text[at - 1]));
}

std::vector<double> arithmetic(const Task &,
                               std::span<const Completion> completions) {
  std::vector<double> made;
  for (const Completion &each : completions) {
    int right = 0, all = 0;
    for (size_t at = 0; at < each.text.size();) {
      if (!mayBegin(each.text, at)) {
        ++at;
        continue;
      }
      if (std::optional<bool> holds = statementAt(each.text, at)) {
        ++all;
        right += *holds;
      }
    }
    made.push_back(all ? static_cast<double>(right) / all : 1);
  }
  return made;
}

std::set<std::string> threesOf(std::string_view text) {
  std::vector<std::string_view> words;
  for (size_t at = text.find_first_not_of(kSpace); at < text.size();
       at = text.find_first_not_of(kSpace, at)) {
    size_t end = std::min(text.find_first_of(kSpace, at), text.size());
    words.push_back(text.substr(at, end - at));
    at = end;
  }
  std::set<std::string> threes;
  for (size_t i = 0; i + 3 <= words.size(); ++i)
    threes.insert(concat(words[i], " ", words[i + 1], " ", words[i + 2]));
  return threes;
}

std::vector<double> diversity(const Task &,
                              std::span<const Completion> completions) {
  std::vector<std::set<std::string>> threes;
  for (const Completion &each : completions)
    threes.push_back(threesOf(each.text));
  std::vector<double> made(completions.size(), 0);
  for (size_t i = 0; i < threes.size(); ++i)
    for (size_t j = 0; j < threes.size() && !threes[i].empty(); ++j) {
      if (i == j)
        continue;
      auto lacks = std::ranges::count_if(threes[i], [&](const auto &three) {
        return !threes[j].contains(three);
      });
      made[i] += static_cast<double>(lacks) /
                 static_cast<double>(threes[i].size()) /
                 static_cast<double>(threes.size() - 1);
    }
  return made;
}

std::map<std::string, RewardFunction> &rewards() {
  static std::map<std::string, RewardFunction> known = {
      {"accuracy", accuracy},
      {"format", format},
      {"arithmetic", arithmetic},
      {"diversity", diversity}};
  return known;
}

} // namespace

std::optional<Fraction> lastNumber(std::string_view text) {
  size_t end = text.find_last_of("0123456789");
  if (end == std::string_view::npos)
    return std::nullopt;
  // Back to where a number, or a fraction of two, begins.
  size_t begin = end;
  auto goesBack = [&](size_t at) {
    char c = text[at];
    bool joins = (c == '.' || c == '/') && at > 0 && isDigit(text[at - 1]);
    return isDigit(c) || joins;
  };
  while (begin > 0 && goesBack(begin - 1))
    --begin;
  if (begin > 0 && text[begin - 1] == '-')
    --begin;
  std::string_view number = text.substr(begin, end + 1 - begin);
  size_t at = 0;
  std::optional<Fraction> found = readSigned(number, at);
  bool isFraction = found && at < number.size() && number[at] == '/';
  if (isFraction) {
    ++at;
    std::optional<Fraction> below = readNumber(number, at);
    found = below ? compute(*found, '/', *below) : std::nullopt;
  }
  return at == number.size() ? found : std::nullopt;
}

bool isRight(const Task &task, std::string_view completion) {
  std::string_view expected = trimmed(task.answer);
  std::string_view got = trimmed(answerOf(completion));
  bool isNumber =
      !expected.empty() &&
      expected.find_first_not_of("0123456789./-") == std::string_view::npos;
  std::optional<Fraction> number = lastNumber(expected);
  if (isNumber && number)
    return lastNumber(got) == number;
  return got == expected;
}

void addReward(const std::string &name, RewardFunction function) {
  rewards()[name] = std::move(function);
}

StatusOr<std::vector<Reward>> parseRewards(std::span<const std::string> texts) {
  std::vector<Reward> made;
  for (const std::string &text : texts) {
    size_t equals = text.find('=');
    Reward reward;
    reward.name = text.substr(0, equals);
    auto known = rewards().find(reward.name);
    if (known == rewards().end()) {
      std::string names;
      for (const auto &[name, function] : rewards())
        names += (names.empty() ? "" : ", ") + name;
      return invalidArgument("rewards expects names of ", names, ", got '",
                             reward.name, "'");
    }
    reward.function = known->second;
    if (equals != std::string::npos) {
      const char *end = text.data() + text.size();
      auto [stop, error] =
          std::from_chars(text.data() + equals + 1, end, reward.weight);
      if (error != std::errc() || stop != end || !std::isfinite(reward.weight))
        return invalidArgument("rewards expects NAME=WEIGHT, got '", text, "'");
    }
    made.push_back(std::move(reward));
  }
  return made;
}

} // namespace tenon::training
