//===- KernelTable.cpp - The distinct kernels of a program ----------------===//

#include "codegen/host/KernelTable.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/raw_ostream.h"

#include <algorithm>
#include <numeric>

using namespace mlir;
using namespace tenon;
using namespace tenon::codegen::host;

llvm::StringSet<> codegen::host::namedSymbols(ir::KernelOp op) {
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

std::string codegen::host::textOf(ir::KernelOp op) {
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

rt::KernelOp KernelTable::create(ir::KernelOp op, ArrayRef<Attribute> symbols) {
  std::string name = "k" + std::to_string(kernels.size() - 1) + "_";
  for (char c : op.getLabel().take_front(40))
    name += llvm::isAlnum(c) ? c : '_';
  OpBuilder builder = OpBuilder::atBlockEnd(program.getBody());
  if (auto entries = program.getOps<rt::EntryOp>(); !entries.empty())
    builder.setInsertionPoint(*entries.begin());
  // What emission finds out is added then.
  auto kernel = rt::KernelOp::create(
      builder, op.getLoc(), name, builder.getArrayAttr(symbols), ArrayAttr(),
      AffineMapAttr(), /*scratch_bytes=*/0, ArrayAttr(), ArrayAttr());
  Block &body = kernel.getBody().emplaceBlock();
  for (Value input : op.getInputs())
    body.addArgument(input.getType(), input.getLoc());
  builder.setInsertionPointToStart(&body);
  builder.clone(*op)->setOperands(body.getArguments());
  return kernel;
}

/// Makes the kernel's ranges hold those of an equal op. Functions may list the
/// symbols in another order.
static void widen(rt::KernelOp kernel, ArrayRef<Attribute> symbols) {
  SmallVector<Attribute> wide;
  for (auto known : kernel.getSymbols().getAsRange<ir::SymbolAttr>()) {
    auto same = llvm::find_if(symbols, [&](Attribute symbol) {
      return cast<ir::SymbolAttr>(symbol).getName() == known.getName();
    });
    auto other = same == symbols.end() ? known : cast<ir::SymbolAttr>(*same);
    wide.push_back(
        ir::SymbolAttr::get(known.getContext(), known.getName(),
                            std::min(known.getMin(), other.getMin()),
                            std::max(known.getMax(), other.getMax()),
                            std::gcd(known.getDivisor(), other.getDivisor())));
  }
  kernel.setSymbolsAttr(ArrayAttr::get(kernel.getContext(), wide));
}

rt::KernelOp KernelTable::add(ir::KernelOp op,
                              ArrayRef<ir::SymbolAttr> symbols) {
  if (auto found = known.find(op); found != known.end())
    return found->second;
  llvm::StringSet<> named = namedSymbols(op);
  SmallVector<Attribute> used;
  for (ir::SymbolAttr symbol : symbols)
    if (named.contains(symbol.getName().getValue()))
      used.push_back(symbol);
  rt::KernelOp &kernel = kernels[textOf(op)]; // counted, if it is new
  if (kernel)
    widen(kernel, used);
  else
    kernel = create(op, used);
  return known[op] = kernel;
}
