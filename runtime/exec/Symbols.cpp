//===- Symbols.cpp - What a call's shapes say about its symbols -----------===//

#include "runtime/exec/Symbols.h"

#include <algorithm>

namespace tenon::exec {
namespace {

/// "argument 1 'batch.position'".
std::string nameOf(const char *what, size_t index, const base::Value &value) {
  return concat(what, " ", index, " '", value.name, "'");
}

bool isSymbol(const base::Expr &expr, size_t symbol) {
  return expr == base::Expr::symbol(static_cast<uint32_t>(symbol));
}

/// The session's value for a symbol of an entry, or its declared maximum.
int64_t limitOf(const base::Entry &entry, const base::Symbol &symbol,
                const SymbolLimits &limits) {
  if (symbol.name == "pageBlocks")
    return limits.pageBlocks;
  if (symbol.name == "pages")
    return limits.pages;
  auto found = limits.most.find(entry.name + "/" + symbol.name);
  if (found == limits.most.end())
    found = limits.most.find(symbol.name);
  int64_t value = found == limits.most.end()
                      ? symbol.max
                      : std::min(symbol.max, found->second);
  return value / symbol.divisor * symbol.divisor;
}

} // namespace

StatusOr<SymbolBinder> SymbolBinder::create(const base::Entry &entry,
                                            const SymbolLimits &limits) {
  SymbolBinder binder;
  binder.entry = &entry;
  binder.sources.resize(entry.symbols.size());
  for (size_t s = 0; s < entry.symbols.size(); ++s) {
    const base::Symbol &symbol = entry.symbols[s];
    int64_t limit = limitOf(entry, symbol, limits);
    if (limit < symbol.min || limit > symbol.max || limit % symbol.divisor)
      return invalidArgument("entry '", entry.name, "' expects a limit of ",
                             symbol.name, " in [", symbol.min, ", ", symbol.max,
                             "] divisible by ", symbol.divisor, ", got ",
                             limit);
    binder.most.push_back(limit);
  }
  for (size_t a = entry.arguments.size(); a-- > 0;) {
    const std::vector<base::Expr> &shape = entry.arguments[a].type.shape;
    for (size_t axis = shape.size(); axis-- > 0;)
      for (size_t s = 0; s < entry.symbols.size(); ++s)
        if (isSymbol(shape[axis], s)) // The first occurrence is kept.
          binder.sources[s] = {static_cast<int64_t>(a), axis};
  }
  return binder;
}

std::vector<std::string> SymbolBinder::names() const {
  std::vector<std::string> all;
  for (const base::Symbol &symbol : entry->symbols)
    all.push_back(symbol.name);
  return all;
}

Status SymbolBinder::checkType(const Operand &operand) const {
  const base::TensorType &type = operand.value.type;
  if (operand.element != type.element)
    return invalidArgument(nameOf(operand.what, operand.index, operand.value),
                           ": expects elements of type ",
                           base::info(type.element).name, ", got ",
                           base::info(operand.element).name);
  if (operand.shape.size() != type.shape.size())
    return invalidArgument(nameOf(operand.what, operand.index, operand.value),
                           ": expects rank ", type.shape.size(), ", got ",
                           operand.shape.size());
  return Status();
}

Status SymbolBinder::checkShape(const Operand &operand,
                                const std::vector<int64_t> &values) const {
  bool empty = false;
  for (size_t axis = 0; axis < operand.shape.size(); ++axis) {
    const base::Expr &expr = operand.value.type.shape[axis];
    int64_t expected, got = operand.shape[axis];
    empty |= got == 0;
    bool known = expr.tryEvaluate(values.data(), nullptr, expected);
    if (known && expected == got)
      continue;
    std::string equals = expr.isConstant() ? "" : expr.print(names()) + " = ";
    return invalidArgument(nameOf(operand.what, operand.index, operand.value),
                           " axis ", axis, ": expects ", equals,
                           known ? concat(expected) : std::string("<overflow>"),
                           ", got ", got);
  }
  if (!operand.data && !empty)
    return invalidArgument(nameOf(operand.what, operand.index, operand.value),
                           ": expects data, got null");
  return Status();
}

Status SymbolBinder::checkSymbol(size_t index, int64_t value) const {
  const base::Symbol &symbol = entry->symbols[index];
  bool inRange = value >= symbol.min && value <= most[index];
  if (inRange && value % symbol.divisor == 0)
    return Status();
  const Source &source = sources[index];
  std::string where =
      nameOf("argument", source.argument, entry->arguments[source.argument]);
  if (!inRange)
    return invalidArgument(where, " axis ", source.axis, ": expects ",
                           symbol.name, " in [", symbol.min, ", ", most[index],
                           "], got ", value);
  return invalidArgument(where, " axis ", source.axis, ": expects ",
                         symbol.name, " divisible by ", symbol.divisor,
                         ", got ", value);
}

Status SymbolBinder::bind(std::span<const TensorView> arguments,
                          std::span<const MutableTensorView> results,
                          std::vector<int64_t> &values) const {
  if (arguments.size() != entry->arguments.size())
    return invalidArgument("expects ", entry->arguments.size(),
                           " arguments, got ", arguments.size());
  if (results.size() != entry->results.size())
    return invalidArgument("expects ", entry->results.size(), " results, got ",
                           results.size());
  auto argument = [&](size_t i) {
    return Operand{"argument",          i,
                   entry->arguments[i], arguments[i].element,
                   arguments[i].shape,  arguments[i].data};
  };
  auto result = [&](size_t i) {
    return Operand{"result",          i,
                   entry->results[i], results[i].element,
                   results[i].shape,  results[i].data};
  };
  for (size_t i = 0; i < arguments.size(); ++i)
    TENON_RETURN_IF_ERROR(checkType(argument(i)));
  for (size_t i = 0; i < results.size(); ++i)
    TENON_RETURN_IF_ERROR(checkType(result(i)));
  for (size_t s = 0; s < sources.size(); ++s) {
    values[s] = most[s];
    if (sources[s].argument < 0)
      continue;
    values[s] = arguments[sources[s].argument].shape[sources[s].axis];
    TENON_RETURN_IF_ERROR(checkSymbol(s, values[s]));
  }
  for (size_t i = 0; i < arguments.size(); ++i)
    TENON_RETURN_IF_ERROR(checkShape(argument(i), values));
  for (size_t i = 0; i < results.size(); ++i)
    TENON_RETURN_IF_ERROR(checkShape(result(i), values));
  return Status();
}

} // namespace tenon::exec
