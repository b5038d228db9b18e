//===- KernelTable.cpp - The distinct kernels of a program ----------------===//

#include "codegen/host/KernelTable.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace tenon;
using namespace tenon::codegen::host;

/// The symbols that the kernel's types name.
static llvm::StringSet<> namedSymbols(ir::KernelOp op) {
  llvm::StringSet<> names;
  auto collect = [&](Type type) {
    auto tensor = dyn_cast<RankedTensorType>(type);
    for (int64_t axis = 0; tensor && axis < tensor.getRank(); ++axis)
      names.insert(ir::symbolOf(tensor, axis));
  };
  op->walk([&](Operation *inner) {
    llvm::for_each(inner->getOperandTypes(), collect);
    llvm::for_each(inner->getResultTypes(), collect);
  });
  return names;
}

static std::string textOf(ir::KernelOp op) {
  std::string text;
  llvm::raw_string_ostream out(text);
  for (Region &nest : op.getNests())
    for (BlockArgument argument : nest.getArguments())
      out << argument.getType() << ",";
  // Detached, so that its operands have no names.
  OwningOpRef<Operation *> copy = op->clone();
  copy->removeAttr("label");
  copy->removeAttr("not_fused");
  copy->print(out, OpPrintingFlags().useLocalScope());
  return text;
}

unsigned KernelTable::add(ir::KernelOp op, ArrayRef<ir::SymbolAttr> symbols) {
  if (auto found = known.find(op); found != known.end())
    return found->second;
  llvm::StringSet<> named = namedSymbols(op);
  std::vector<ir::SymbolAttr> used;
  std::string key = textOf(op);
  llvm::raw_string_ostream out(key);
  for (ir::SymbolAttr symbol : symbols) {
    if (!named.contains(symbol.getName().getValue()))
      continue;
    used.push_back(symbol);
    out << symbol;
  }
  auto [it, isNew] = numbers.try_emplace(key, entries.size());
  known[op] = it->second;
  if (!isNew)
    return it->second;
  std::string name = "k" + std::to_string(entries.size()) + "_";
  for (char c : op.getLabel().take_front(40))
    name += llvm::isAlnum(c) ? c : '_';
  entries.push_back({op, std::move(used), std::move(name), {}});
  return it->second;
}
