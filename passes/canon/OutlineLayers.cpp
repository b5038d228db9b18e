//===- OutlineLayers.cpp - Merges equal functions; contract in Passes.td --===//

#include "passes/Passes.h"

#include "mlir/IR/Remarks.h"
#include "llvm/Support/raw_ostream.h"

namespace tenon::passes {
#define GEN_PASS_DEF_OUTLINELAYERS
#include "passes/Passes.h.inc"

namespace {
using namespace mlir;

/// The function's text without its name and locations: equal texts are equal
/// functions.
std::string textOf(func::FuncOp function) {
  OwningOpRef<func::FuncOp> copy = function.clone();
  copy->setName("layer");
  std::string text;
  llvm::raw_string_ostream out(text);
  copy->print(out, OpPrintingFlags().useLocalScope());
  return text;
}

struct OutlineLayersPass : impl::OutlineLayersBase<OutlineLayersPass> {
  /// Merges once; a merge can make callers equal, so it is repeated.
  bool mergeEqual() {
    llvm::StringMap<func::FuncOp> kept;
    llvm::StringMap<StringRef> renamed;
    for (auto function :
         llvm::make_early_inc_range(getOperation().getOps<func::FuncOp>())) {
      if (!function.isPrivate() || function.isDeclaration())
        continue;
      auto [it, isNew] = kept.try_emplace(textOf(function), function);
      if (isNew)
        continue;
      renamed[function.getName()] = it->second.getName();
      remark::passed(
          function.getLoc(),
          remark::RemarkOpts::name("OutlineLayers").category("canon"))
          << "same as " << it->second.getName();
    }
    getOperation().walk([&](func::CallOp call) {
      auto it = renamed.find(call.getCallee());
      if (it != renamed.end())
        call.setCallee(it->second);
    });
    getOperation().walk([&](ir::GradientOp gradient) {
      auto it = renamed.find(gradient.getCallee());
      if (it != renamed.end())
        gradient.setCallee(it->second);
    });
    for (auto function : getOperation().getOps<func::FuncOp>())
      for (StringRef name : {ir::kAdjointAttr, ir::kForwardAttr}) {
        auto named = function->getAttrOfType<FlatSymbolRefAttr>(name);
        auto it = named ? renamed.find(named.getValue()) : renamed.end();
        if (it != renamed.end())
          function->setAttr(
              name, FlatSymbolRefAttr::get(function.getContext(), it->second));
      }
    for (auto &entry : renamed)
      getOperation().lookupSymbol(entry.getKey())->erase();
    return !renamed.empty();
  }

  void runOnOperation() override {
    while (mergeEqual())
      continue;
    for (auto function :
         llvm::make_early_inc_range(getOperation().getOps<func::FuncOp>()))
      if (function.isPrivate() &&
          SymbolTable::symbolKnownUseEmpty(function, getOperation()))
        function.erase();
  }
};
} // namespace
} // namespace tenon::passes
