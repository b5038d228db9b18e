//===- Table.cpp - Aligned columns, and numbers for people ----------------===//

#include "tools/tenon/Table.h"

#include <algorithm>
#include <cstdio>

namespace tenon::tools {
namespace {

// Characters, so that names of any script line up.
size_t widthOf(std::string_view text) {
  return std::ranges::count_if(text, [](char c) { return (c & 0xC0) != 0x80; });
}

// The bytes of the well-formed UTF-8 character that `text` begins with, or 0.
size_t characterBytes(std::string_view text) {
  auto lead = static_cast<unsigned char>(text[0]);
  size_t size = lead < 0x80                    ? 1
                : lead >= 0xC2 && lead < 0xE0  ? 2
                : (lead & 0xF0) == 0xE0        ? 3
                : lead >= 0xF0 && lead <= 0xF4 ? 4
                                               : 0;
  if (size == 0 || size > text.size())
    return 0;
  for (char c : text.substr(1, size - 1))
    if ((c & 0xC0) != 0x80)
      return 0;
  return size;
}

std::string escape(char c) {
  char text[8];
  std::snprintf(text, sizeof(text), "\\x%02x", static_cast<unsigned char>(c));
  return text;
}

} // namespace

std::string Table::print(std::string_view indent) const {
  std::vector<std::vector<std::string>> lines;
  std::vector<std::string> titles;
  for (const Column &column : columns)
    titles.push_back(column.title);
  if (std::ranges::any_of(titles, [](auto &title) { return !title.empty(); }))
    lines.push_back(titles);
  lines.insert(lines.end(), rows.begin(), rows.end());

  std::vector<size_t> widths(columns.size());
  for (const std::vector<std::string> &line : lines)
    for (size_t i = 0; i < columns.size(); ++i)
      widths[i] = std::max(widths[i], widthOf(line[i]));

  std::string out;
  for (const std::vector<std::string> &line : lines) {
    std::string text(indent);
    for (size_t i = 0; i < columns.size(); ++i) {
      std::string blanks(widths[i] - widthOf(line[i]), ' ');
      bool isRight = columns[i].align == Align::Right;
      text += (i ? "  " : "") + (isRight ? blanks + line[i] : line[i] + blanks);
    }
    text.resize(text.find_last_not_of(' ') + 1);
    out += text + "\n";
  }
  return out;
}

std::string formatBytes(int64_t bytes) {
  if (bytes < 1024)
    return std::to_string(bytes) + " B";
  static constexpr const char *kUnits[] = {"KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(bytes) / 1024;
  size_t unit = 0;
  for (; value >= 1024 && unit < 3; ++unit)
    value /= 1024;
  return formatNumber(value, 1) + " " + kUnits[unit];
}

std::string formatNumber(double value, int decimals) {
  char text[64];
  std::snprintf(text, sizeof(text), "%.*f", decimals, value);
  return text;
}

std::string printable(std::string_view text, size_t maxBytes) {
  std::string out;
  size_t i = 0;
  while (i < text.size() && i < maxBytes) {
    size_t size = characterBytes(text.substr(i));
    auto lead = static_cast<unsigned char>(text[i]);
    // U+0080 to U+009F command terminals as much as the first 32 do.
    if (size == 2 && lead == 0xC2 &&
        static_cast<unsigned char>(text[i + 1]) < 0xA0)
      size = 0;
    if (text[i] == '\n')
      out += "\\n";
    else if (size == 0 || lead < 0x20 || lead == 0x7F)
      out += escape(text[i]);
    else
      out += text.substr(i, size);
    i += std::max<size_t>(size, 1);
  }
  if (i < text.size())
    out += " ... (" + formatBytes(static_cast<int64_t>(text.size())) + ")";
  return out;
}

} // namespace tenon::tools
