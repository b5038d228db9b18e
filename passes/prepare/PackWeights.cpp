//===- PackWeights.cpp - Panels for matmul weights; see Passes.td ---------===//

#include "ir/tn/Panels.h"
#include "passes/Passes.h"

#include "mlir/IR/Remarks.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringSet.h"

namespace tenon::passes {
#define GEN_PASS_DEF_PACKWEIGHTS
#include "passes/Passes.h.inc"

namespace {
using namespace mlir;

bool isPackable(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor && tensor.getRank() == 2 && tensor.hasStaticShape() &&
         !tensor.getEncoding();
}

RankedTensorType packedType(Type type) {
  auto tensor = cast<RankedTensorType>(type);
  return RankedTensorType::get(
      tensor.getShape(), tensor.getElementType(),
      ir::PanelsAttr::get(type.getContext(), ir::kPanelLanes));
}

bool isPackedMatmulOperand(OpOperand &use) {
  auto matmul = dyn_cast<ir::MatmulOp>(use.getOwner());
  return matmul && matmul.getTransposeB() && use.get() == matmul.getB() &&
         use.get() != matmul.getA();
}

bool isGatherTable(OpOperand &use) {
  auto gather = dyn_cast<ir::GatherOp>(use.getOwner());
  return gather && use.get() == gather.getTable();
}

/// Follows weights from parameters through calls.
class WeightFlow {
public:
  explicit WeightFlow(ModuleOp module) : module(module) {
    module.walk(
        [&](func::CallOp call) { callsOf[call.getCallee()].push_back(call); });
  }

  func::FuncOp callee(OpOperand &use) {
    auto call = dyn_cast<func::CallOp>(use.getOwner());
    return call ? module.lookupSymbol<func::FuncOp>(call.getCallee()) : nullptr;
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
      return isPackedMatmulOperand(use) || isGatherTable(use);
    });
  }

  /// Gives the value, and every argument it reaches, the packed type.
  void retype(Value value, RankedTensorType type) {
    if (value.getType() == type)
      return;
    value.setType(type);
    for (OpOperand &use : value.getUses())
      if (func::FuncOp function = callee(use))
        retype(function.getArgument(use.getOperandNumber()), type);
  }

private:
  ModuleOp module;
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

  /// The parameters to pack, in the order of their declaration.
  llvm::SetVector<StringRef> selectParameters(WeightFlow &flow) {
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
    llvm::SetVector<StringRef> selected;
    for (auto parameter : getOperation().getOps<ir::ParameterOp>())
      if (wanted.contains(parameter.getSymName()))
        selected.insert(parameter.getSymName());
    return selected;
  }

  /// Declares `@name.packed` and computes it in `@prepare`.
  void declare(OpBuilder &builder, StringRef name, int64_t index,
               SmallVectorImpl<Value> &packed) {
    auto parameter = getOperation().lookupSymbol<ir::ParameterOp>(name);
    RankedTensorType type = packedType(parameter.getType());
    Location loc = parameter.getLoc();
    Value raw =
        ir::GetParameterOp::create(builder, loc, parameter.getType(),
                                   FlatSymbolRefAttr::get(&getContext(), name));
    packed.push_back(ir::PackOp::create(builder, loc, type, raw));
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointAfter(parameter);
    auto declared = ir::ParameterOp::create(
        builder, loc, builder.getStringAttr(name + ".packed"),
        TypeAttr::get(type), StringAttr());
    declared->setAttr("tn.prepared", builder.getI64IntegerAttr(index));
    remark::passed(loc,
                   remark::RemarkOpts::name("PackWeights").category("prepare"))
        << name;
  }

  void runOnOperation() override {
    WeightFlow flow(getOperation());
    llvm::SetVector<StringRef> selected = selectParameters(flow);
    if (selected.empty())
      return;
    SmallVector<ir::GetParameterOp> reads;
    getOperation().walk([&](ir::GetParameterOp get) {
      if (selected.contains(get.getParameter()))
        reads.push_back(get);
    });
    for (ir::GetParameterOp get : reads) {
      flow.retype(get, packedType(get.getType()));
      get.setParameter((get.getParameter() + ".packed").str());
    }
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (!function.isDeclaration())
        function.setType(FunctionType::get(
            &getContext(), function.getBody().getArgumentTypes(),
            function.getResultTypes()));

    auto builder = OpBuilder::atBlockEnd(getOperation().getBody());
    Location loc = getOperation().getLoc();
    auto prepare = func::FuncOp::create(builder, loc, "prepare",
                                        builder.getFunctionType({}, {}));
    builder.setInsertionPointToStart(prepare.addEntryBlock());
    SmallVector<Value> packed;
    for (auto [index, name] : llvm::enumerate(selected))
      declare(builder, name, index, packed);
    func::ReturnOp::create(builder, loc, packed);
    prepare.setType(builder.getFunctionType({}, ValueRange(packed).getTypes()));
  }
};
} // namespace
} // namespace tenon::passes
