//===- Specialize.cpp - Narrows symbols; contract in Passes.td ------------===//

#include "passes/Passes.h"

#include "mlir/IR/AttrTypeSubElements.h"

namespace tenon::passes {
#define GEN_PASS_DEF_SPECIALIZE
#include "passes/Passes.h.inc"

namespace {
using namespace mlir;

struct Bounds {
  int64_t min;
  int64_t max;
};

/// Parses "T=1..16".
FailureOr<std::pair<StringRef, Bounds>> parseBounds(StringRef text) {
  auto [name, range] = text.split('=');
  auto [low, high] = range.split("..");
  Bounds bounds;
  if (name.empty() || low.getAsInteger(10, bounds.min) ||
      high.getAsInteger(10, bounds.max) || bounds.min > bounds.max)
    return failure();
  return std::make_pair(name, bounds);
}

/// The type with every symbol of one value replaced by that extent.
RankedTensorType narrow(RankedTensorType type,
                        const llvm::StringMap<Bounds> &bounds) {
  if (!isa_and_nonnull<ir::DimsAttr>(type.getEncoding()))
    return type;
  SmallVector<int64_t> shape(type.getShape());
  SmallVector<StringRef> symbols;
  for (int64_t axis = 0; axis < type.getRank(); ++axis) {
    StringRef symbol = ir::symbolOf(type, axis);
    symbols.push_back(symbol);
    auto it = bounds.find(symbol);
    if (it != bounds.end() && it->second.min == it->second.max)
      shape[axis] = it->second.min;
  }
  return ir::tensorOf(shape, symbols, type.getElementType());
}

struct SpecializePass : impl::SpecializeBase<SpecializePass> {
  using SpecializeBase::SpecializeBase;

  void narrowDeclarations(func::FuncOp function,
                          const llvm::StringMap<Bounds> &narrowed) {
    auto symbols = function->getAttrOfType<ArrayAttr>(ir::kSymbolsAttr);
    if (!symbols)
      return;
    SmallVector<Attribute> updated;
    for (auto symbol : symbols.getAsRange<ir::SymbolAttr>()) {
      auto it = narrowed.find(symbol.getName().getValue());
      if (it == narrowed.end()) {
        updated.push_back(symbol);
        continue;
      }
      updated.push_back(ir::SymbolAttr::get(
          &getContext(), symbol.getName(),
          std::max(symbol.getMin(), it->second.min),
          std::min(symbol.getMax(), it->second.max), symbol.getDivisor()));
    }
    function->setAttr(ir::kSymbolsAttr, ArrayAttr::get(&getContext(), updated));
  }

  void runOnOperation() override {
    llvm::StringMap<Bounds> narrowed;
    for (const std::string &text : bounds) {
      auto parsed = parseBounds(text);
      if (failed(parsed)) {
        getOperation().emitError()
            << "expects bounds such as T=1..16, got '" << text << "'";
        return signalPassFailure();
      }
      narrowed[parsed->first] = parsed->second;
    }
    AttrTypeReplacer replacer;
    replacer.addReplacement(
        [&](RankedTensorType type) { return narrow(type, narrowed); });
    replacer.recursivelyReplaceElementsIn(getOperation(), /*replaceAttrs=*/true,
                                          /*replaceLocs=*/false,
                                          /*replaceTypes=*/true);
    for (auto function : getOperation().getOps<func::FuncOp>())
      narrowDeclarations(function, narrowed);
  }
};
} // namespace
} // namespace tenon::passes
