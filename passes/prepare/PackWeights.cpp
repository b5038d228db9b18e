//===- PackWeights.cpp - Panels for matmul weights; see Passes.td ---------===//

#include "ir/tn/Panels.h"
#include "passes/Passes.h"

#include "mlir/IR/Remarks.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/StringSet.h"

namespace tenon::passes {
#define GEN_PASS_DEF_PACKWEIGHTS
#include "passes/Passes.h.inc"

namespace {
using namespace mlir;

bool isPackable(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor && (tensor.getRank() == 2 || tensor.getRank() == 3) &&
         tensor.hasStaticShape() && !tensor.getEncoding();
}

RankedTensorType packedType(Type type) {
  auto tensor = cast<RankedTensorType>(type);
  return RankedTensorType::get(
      tensor.getShape(), tensor.getElementType(),
      ir::PanelsAttr::get(type.getContext(), ir::kPanelLanes));
}

/// Whether an op multiplies groups of rows by the matrices of its right
/// operand, or all rows by one.
bool hasWeight(ir::ProductOp product) {
  return product && !product.isCutAlongK() &&
         (product.getOffsets() || product.getB().getType().getRank() == 2);
}

bool isPackedMatmulOperand(OpOperand &use) {
  auto product = dyn_cast<ir::ProductOp>(use.getOwner());
  return hasWeight(product) && product.getTransposeB() &&
         use.get() == product.getB() && use.get() != product.getA();
}

/// A gradient's product, over the rows of a blocked weight: it reads its
/// panels, but is no reason to have any.
bool isRowsMatmulOperand(OpOperand &use) {
  auto product = dyn_cast<ir::ProductOp>(use.getOwner());
  return hasWeight(product) && !product.getTransposeB() &&
         use.get() == product.getB() &&
         isa<ir::BlockType>(product.getB().getType().getElementType());
}

bool isGatherTable(OpOperand &use) {
  auto gather = dyn_cast<ir::GatherOp>(use.getOwner());
  return gather && use.get() == gather.getTable() &&
         gather.getTable().getType().getRank() == 2;
}

/// Follows weights from parameters through calls.
class WeightFlow {
public:
  explicit WeightFlow(ModuleOp module) : symbols(module) {
    module.walk(
        [&](func::CallOp call) { callsOf[call.getCallee()].push_back(call); });
  }

  func::FuncOp callee(OpOperand &use) {
    auto call = dyn_cast<func::CallOp>(use.getOwner());
    return call ? symbols.lookup<func::FuncOp>(call.getCallee()) : nullptr;
  }

  /// Adds the value, and every argument it reaches.
  void collectReached(Value value, llvm::DenseSet<Value> &reached) {
    if (!reached.insert(value).second)
      return;
    for (OpOperand &use : value.getUses())
      if (func::FuncOp function = callee(use))
        collectReached(function.getArgument(use.getOperandNumber()), reached);
  }

  /// Whether the value reaches an argument that must keep its type, because it
  /// is an entry's or a call passes it something outside `packed`.
  bool sharesArgument(Value value, const llvm::DenseSet<Value> &packed) {
    llvm::DenseSet<Value> reached;
    collectReached(value, reached);
    return llvm::any_of(reached, [&](Value other) {
      auto argument = dyn_cast<BlockArgument>(other);
      if (!argument)
        return false;
      auto function = cast<func::FuncOp>(argument.getOwner()->getParentOp());
      return function.isPublic() ||
             llvm::any_of(callsOf[function.getName()], [&](func::CallOp call) {
               return !packed.contains(
                   call.getOperand(argument.getArgNumber()));
             });
    });
  }

  /// Whether a matmul reads the value as its stored right operand.
  bool feedsMatmul(Value value) {
    return llvm::any_of(value.getUses(), [&](OpOperand &use) {
      if (func::FuncOp function = callee(use))
        return feedsMatmul(function.getArgument(use.getOperandNumber()));
      return isPackedMatmulOperand(use);
    });
  }

  /// Whether every use can read the packed form.
  bool everyUseReadsPanels(Value value) {
    return llvm::all_of(value.getUses(), [&](OpOperand &use) {
      if (func::FuncOp function = callee(use))
        return everyUseReadsPanels(
            function.getArgument(use.getOperandNumber()));
      return isPackedMatmulOperand(use) || isRowsMatmulOperand(use) ||
             isGatherTable(use);
    });
  }

  /// Gives every argument that the value reaches its type.
  void retypeCallees(Value value) {
    for (OpOperand &use : value.getUses()) {
      func::FuncOp function = callee(use);
      if (!function)
        continue;
      BlockArgument argument = function.getArgument(use.getOperandNumber());
      if (argument.getType() == value.getType())
        continue;
      argument.setType(value.getType());
      retypeCallees(argument);
    }
  }

private:
  SymbolTable symbols; // a module may have a thousand weights
  llvm::StringMap<SmallVector<func::CallOp>> callsOf;
};

struct PackWeightsPass : impl::PackWeightsBase<PackWeightsPass> {
  /// Drops the parameters that share a layer's argument with a value that stays
  /// as it is; others may share with those, so it is repeated.
  bool dropSharing(WeightFlow &flow, llvm::StringSet<> &wanted) {
    SmallVector<ir::GetParameterOp> reads;
    llvm::DenseSet<Value> packed;
    getOperation().walk([&](ir::GetParameterOp get) {
      if (!wanted.contains(get.getParameter()))
        return;
      reads.push_back(get);
      flow.collectReached(get, packed);
    });
    bool dropped = false;
    for (ir::GetParameterOp get : reads)
      if (flow.sharesArgument(get, packed))
        dropped |= wanted.erase(get.getParameter());
    return dropped;
  }

  /// The parameters to pack.
  llvm::StringSet<> selectParameters(WeightFlow &flow) {
    llvm::StringMap<bool> allowed;
    getOperation().walk([&](ir::GetParameterOp get) {
      StringRef name = get.getParameter();
      bool ok = isPackable(get.getType()) && flow.everyUseReadsPanels(get);
      auto [it, isNew] = allowed.try_emplace(name, ok);
      it->second = it->second && ok;
    });
    llvm::StringSet<> wanted;
    getOperation().walk([&](ir::GetParameterOp get) {
      if (allowed.lookup(get.getParameter()) && flow.feedsMatmul(get))
        wanted.insert(get.getParameter());
    });
    while (dropSharing(flow, wanted))
      continue;
    return wanted;
  }

  void runOnOperation() override {
    WeightFlow flow(getOperation());
    llvm::StringSet<> selected = selectParameters(flow);
    SmallVector<ir::GetParameterOp> reads;
    getOperation().walk([&](ir::GetParameterOp get) {
      if (selected.contains(get.getParameter()))
        reads.push_back(get);
    });
    for (ir::GetParameterOp get : reads) {
      OpBuilder builder(&getContext());
      builder.setInsertionPointAfter(get);
      auto pack = ir::PackOp::create(builder, get.getLoc(),
                                     packedType(get.getType()), get);
      get.getValue().replaceAllUsesExcept(pack, pack);
      flow.retypeCallees(pack);
      remark::passed(
          get.getLoc(),
          remark::RemarkOpts::name("PackWeights").category("prepare"))
          << get.getParameter();
    }
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (!function.isDeclaration())
        function.setType(FunctionType::get(
            &getContext(), function.getBody().getArgumentTypes(),
            function.getResultTypes()));
  }
};
} // namespace
} // namespace tenon::passes
