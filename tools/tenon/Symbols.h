//===- Symbols.h - Values for a program's symbols ---------------*- C++ -*-===//
//
// Sizes and costs are expressions over symbols (T tokens, ...); to show numbers
// each needs a value: what `--set T=16` says, else the most the variant takes
// where it guards the symbol, else the least.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_TOOLS_SYMBOLS_H
#define TENON_TOOLS_SYMBOLS_H

#include "runtime/base/Program.h"

#include <map>
#include <string>
#include <vector>

namespace tenon::tools {

using SymbolValues = std::map<std::string, int64_t, std::less<>>;

/// Reads "T=16" and the like.
/// Errors: INVALID_ARGUMENT, naming the text.
StatusOr<SymbolValues> parseSymbolValues(const std::vector<std::string> &texts);

/// A value for every symbol of `entry`, in order.
std::vector<int64_t> valuesFor(const base::Entry &entry,
                               const base::Variant &variant,
                               const SymbolValues &given);

/// Whether the variant's guards hold.
bool accepts(const base::Variant &variant, const std::vector<int64_t> &values);

/// "T=16 S=1"
std::string describeValues(const base::Entry &entry,
                           const std::vector<int64_t> &values);

/// The names of an entry's symbols, for Expr::print.
std::vector<std::string> symbolNames(const base::Entry &entry);

/// "f32[T, 640]"
std::string describeType(const base::TensorType &type,
                         const std::vector<std::string> &symbols);

/// "T in [1, 16]"
std::string describeGuards(const base::Entry &entry,
                           const base::Variant &variant);

} // namespace tenon::tools
#endif // TENON_TOOLS_SYMBOLS_H
