//===- Symbols.cpp - Values for a program's symbols -----------------------===//

#include "tools/tenon/Symbols.h"

#include <charconv>

namespace tenon::tools {

StatusOr<SymbolValues>
parseSymbolValues(const std::vector<std::string> &texts) {
  SymbolValues values;
  for (const std::string &text : texts) {
    size_t equals = text.find('=');
    const char *end = text.data() + text.size();
    int64_t value = 0;
    if (equals == 0 || equals == std::string::npos ||
        std::from_chars(text.data() + equals + 1, end, value).ptr != end ||
        equals + 1 == text.size() || value < 0)
      return invalidArgument("expects --set to be a symbol and its value, as "
                             "in T=16, got '",
                             text, "'");
    values[text.substr(0, equals)] = value;
  }
  return values;
}

std::vector<int64_t> valuesFor(const base::Entry &entry,
                               const base::Variant &variant,
                               const SymbolValues &given) {
  std::vector<int64_t> values;
  for (const base::Symbol &symbol : entry.symbols)
    values.push_back(symbol.min);
  for (const base::Guard &guard : variant.guards)
    values[guard.symbol] = guard.max;
  for (size_t i = 0; i < values.size(); ++i)
    if (auto found = given.find(entry.symbols[i].name); found != given.end())
      values[i] = found->second;
  return values;
}

bool accepts(const base::Variant &variant, const std::vector<int64_t> &values) {
  for (const base::Guard &guard : variant.guards)
    if (values[guard.symbol] < guard.min || values[guard.symbol] > guard.max)
      return false;
  return true;
}

std::string describeValues(const base::Entry &entry,
                           const std::vector<int64_t> &values) {
  std::string text;
  for (size_t i = 0; i < values.size(); ++i)
    text += concat(i ? " " : "", entry.symbols[i].name, "=", values[i]);
  return text;
}

std::vector<std::string> symbolNames(const base::Entry &entry) {
  std::vector<std::string> names;
  for (const base::Symbol &symbol : entry.symbols)
    names.push_back(symbol.name);
  return names;
}

std::string describeType(const base::TensorType &type,
                         const std::vector<std::string> &symbols) {
  std::string text(base::info(type.element).name);
  text += "[";
  for (size_t i = 0; i < type.shape.size(); ++i)
    text += (i ? ", " : "") + type.shape[i].print(symbols);
  return text + "]";
}

std::string describeGuards(const base::Entry &entry,
                           const base::Variant &variant) {
  std::string text;
  for (const base::Guard &guard : variant.guards)
    text += concat(text.empty() ? "" : ", ", entry.symbols[guard.symbol].name,
                   " in [", guard.min, ", ", guard.max, "]");
  return text.empty() ? "always" : text;
}

} // namespace tenon::tools
