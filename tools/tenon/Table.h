//===- Table.h - Aligned columns, and numbers for people --------*- C++ -*-===//
//
//   Table table({{"tensor"}, {"bytes", Align::Right}});
//   table.add({"token_embd.weight", formatBytes(bytes)});
//   std::fputs(table.print("  ").c_str(), stdout);
//
//===----------------------------------------------------------------------===//

#ifndef TENON_TOOLS_TABLE_H
#define TENON_TOOLS_TABLE_H

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tenon::tools {

enum class Align { Left, Right };

class Table {
public:
  struct Column {
    std::string title; // all empty: no line of titles
    Align align = Align::Left;
  };
  explicit Table(std::vector<Column> columnsShown)
      : columns(std::move(columnsShown)) {}

  /// Adds a row of as many cells as there are columns.
  void add(std::vector<std::string> row) { rows.push_back(std::move(row)); }

  /// The lines, each after `indent`, without blanks at their ends.
  std::string print(std::string_view indent = "") const;

private:
  std::vector<Column> columns;
  std::vector<std::vector<std::string>> rows;
};

/// "812 B", "1.5 MiB".
std::string formatBytes(int64_t bytes);

/// With `decimals` digits after the point: "12.30".
std::string formatNumber(double value, int decimals);

/// What a terminal may show of bytes from a file: control characters and
/// what is not UTF-8 become escapes, and a long text its beginning.
std::string printable(std::string_view text, size_t maxBytes = 200);

} // namespace tenon::tools
#endif // TENON_TOOLS_TABLE_H
