//===- TargetDescription.cpp - The machine that schedules are for ---------===//

#include "runtime/base/TargetDescription.h"

#include <charconv>
#include <sstream>

namespace tenon::base {
namespace {

struct Field {
  const char *name;
  int64_t TargetDescription::*member;
  int64_t most;
};

constexpr int64_t kMostBytes = int64_t{1} << 40;
constexpr Field kFields[] = {
    {"threads", &TargetDescription::threads, 4096},
    {"l1_bytes", &TargetDescription::l1Bytes, kMostBytes},
    {"l2_bytes", &TargetDescription::l2Bytes, kMostBytes},
    {"l3_bytes", &TargetDescription::l3Bytes, kMostBytes},
};

Status parseLine(const std::string &line, int number,
                 TargetDescription &description) {
  std::istringstream words(line.substr(0, line.find('#')));
  std::string name, value, more;
  if (!(words >> name))
    return Status();
  words >> value >> more;
  for (const Field &field : kFields) {
    if (name != field.name)
      continue;
    int64_t parsed = 0;
    const char *end = value.data() + value.size();
    auto [stop, error] = std::from_chars(value.data(), end, parsed);
    if (error != std::errc() || stop != end || !more.empty() || parsed < 1 ||
        parsed > field.most)
      return invalidArgument("line ", number, " expects ", name,
                             " and a number from 1 to ", field.most, ", got '",
                             line, "'");
    description.*field.member = parsed;
    return Status();
  }
  return invalidArgument("line ", number,
                         " expects threads, l1_bytes, l2_bytes or l3_bytes, "
                         "got '",
                         name, "'");
}

} // namespace

std::string print(const TargetDescription &description) {
  std::string text;
  for (const Field &field : kFields)
    text += concat(field.name, " ", description.*field.member, "\n");
  return text;
}

StatusOr<TargetDescription> parseTargetDescription(std::string_view text) {
  TargetDescription description;
  std::istringstream lines{std::string(text)};
  int number = 0;
  for (std::string line; std::getline(lines, line);)
    TENON_RETURN_IF_ERROR(parseLine(line, ++number, description));
  return description;
}

} // namespace tenon::base
