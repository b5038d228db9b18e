//===- HoistPrepared.cpp - Weights are computed once; see Passes.td -------===//

#include "ir/tn/NestRole.h"
#include "ir/tn/Panels.h"
#include "passes/Passes.h"

#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Remarks.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringMap.h"

namespace tenon::passes {
#define GEN_PASS_DEF_HOISTPREPARED
#include "passes/Passes.h.inc"

namespace {
using namespace mlir;

// What is computed may be so much larger than what it is computed from: a norm
// weight's cast and sum may, a matrix that a cast would widen may not.
constexpr int64_t kMostAddedBytes = 64 << 10;

bool isStatic(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor && tensor.hasStaticShape();
}

/// Which values depend on parameters and constants alone, in any call.
class ConstantFlow {
public:
  explicit ConstantFlow(ModuleOp module) {
    module.walk([&](func::CallOp call) {
      calls[module.lookupSymbol<func::FuncOp>(call.getCallee())].push_back(
          call);
    });
    for (auto function : module.getOps<func::FuncOp>())
      if (!function.isPublic() && !function.isDeclaration())
        constants.insert_range(
            llvm::make_filter_range(function.getArguments(), [](Value value) {
              return isStatic(value.getType());
            }));
    while (dropVarying())
      continue;
  }

  bool isConstant(Value value) const {
    if (isa<BlockArgument>(value))
      return constants.contains(value);
    Operation *op = value.getDefiningOp();
    if (isa<ir::GetParameterOp, ir::ConstantOp>(op))
      return true;
    return isComputed(op) &&
           llvm::all_of(op->getOperands(),
                        [&](Value operand) { return isConstant(operand); });
  }

  ArrayRef<func::CallOp> callsOf(func::FuncOp function) {
    return calls[function];
  }

  void addConstant(BlockArgument argument) { constants.insert(argument); }

private:
  /// Whether an op could be computed elsewhere: it has no region, no effect,
  /// and a single tensor of known size.
  static bool isComputed(Operation *op) {
    return op->getNumResults() == 1 && op->getNumRegions() == 0 &&
           isStatic(op->getResult(0).getType()) && isMemoryEffectFree(op);
  }

  bool dropVarying() {
    bool dropped = false;
    for (auto &[function, sites] : calls)
      for (BlockArgument argument : function.getArguments())
        if (constants.contains(argument) && varies(argument, sites))
          dropped |= constants.erase(argument);
    return dropped;
  }

  bool varies(BlockArgument argument, ArrayRef<func::CallOp> sites) const {
    return llvm::any_of(sites, [&](func::CallOp call) {
      return !isConstant(call.getOperand(argument.getArgNumber()));
    });
  }

  llvm::MapVector<func::FuncOp, SmallVector<func::CallOp>> calls;
  llvm::DenseSet<Value> constants; // arguments
};

/// Clones what a constant value is computed by to where a builder stands.
Value cloneSlice(OpBuilder &builder, Value value, IRMapping &mapping) {
  if (Value known = mapping.lookupOrNull(value))
    return known;
  Operation *op = value.getDefiningOp();
  for (Value operand : op->getOperands())
    cloneSlice(builder, operand, mapping);
  return builder.clone(*op, mapping)->getResult(0);
}

void collectSources(Value value, llvm::SetVector<Value> &sources) {
  Operation *op = value.getDefiningOp();
  if (!op || isa<ir::GetParameterOp>(op)) {
    sources.insert(value);
    return;
  }
  for (Value operand : op->getOperands())
    collectSources(operand, sources);
}

struct HoistPreparedPass : impl::HoistPreparedBase<HoistPreparedPass> {
  /// Whether it pays to keep what an op computes rather than to compute it: a
  /// view costs nothing, and more memory to read costs more than arithmetic.
  bool pays(Operation *op) const {
    if (isa<ir::PackOp>(op))
      return true;
    if (isa<ir::GetParameterOp, ir::ConstantOp>(op) ||
        ir::nestRole(op) == ir::NestRole::Copied)
      return false;
    llvm::SetVector<Value> sources;
    collectSources(op->getResult(0), sources);
    int64_t bytes = kMostAddedBytes;
    for (Value source : sources)
      bytes += ir::storedBytes(cast<RankedTensorType>(source.getType()));
    auto type = cast<RankedTensorType>(op->getResult(0).getType());
    return !sources.empty() && ir::storedBytes(type) <= bytes;
  }

  /// The constant values that what stays in the function reads, last first.
  SmallVector<Value> frontier(func::FuncOp function, const ConstantFlow &flow) {
    SmallVector<Operation *> ops;
    function.walk<WalkOrder::PreOrder>([&](Operation *op) {
      if (op != function)
        ops.push_back(op);
    });
    llvm::DenseSet<Operation *> stays;
    SmallVector<Value> found;
    for (Operation *op : llvm::reverse(ops)) {
      if (op->getNumResults() != 1 || !flow.isConstant(op->getResult(0))) {
        stays.insert(op);
        continue;
      }
      bool isRead = llvm::any_of(op->getUsers(), [&](Operation *user) {
        return stays.contains(user);
      });
      if (isRead && pays(op))
        found.push_back(op->getResult(0));
      else if (isRead)
        stays.insert(op);
    }
    return found;
  }

  static void eraseUnused(Value value) {
    Operation *op = value.getDefiningOp();
    if (!op || !op->use_empty())
      return;
    llvm::SetVector<Value> operands; // One may stand twice.
    operands.insert_range(op->getOperands());
    op->erase();
    for (Value operand : operands)
      eraseUnused(operand);
  }

  /// Makes callers compute a layer's constants, and pass them.
  void pushToCallers(func::FuncOp function, ConstantFlow &flow) {
    for (Value value : frontier(function, flow)) {
      for (func::CallOp call : flow.callsOf(function)) {
        OpBuilder builder(call);
        IRMapping mapping;
        for (auto [argument, operand] :
             llvm::zip(function.getArguments(), call.getOperands()))
          mapping.map(argument, operand);
        Value computed = cloneSlice(builder, value, mapping);
        call->insertOperands(call->getNumOperands(), computed);
      }
      (void)function.insertArgument(function.getNumArguments(), value.getType(),
                                    {}, value.getLoc());
      BlockArgument added = function.getArguments().back();
      flow.addConstant(added);
      value.replaceAllUsesWith(added);
      eraseUnused(value);
    }
    for (unsigned i = function.getNumArguments(); i-- > 0;)
      if (function.getArgument(i).use_empty() &&
          flow.isConstant(function.getArgument(i)))
        eraseArgument(function, i, flow);
  }

  static void eraseArgument(func::FuncOp function, unsigned index,
                            ConstantFlow &flow) {
    (void)function.eraseArgument(index);
    for (func::CallOp call : flow.callsOf(function)) {
      Value operand = call.getOperand(index);
      call->eraseOperand(index);
      eraseUnused(operand);
    }
  }

  /// A text that equal computations share.
  static std::string keyOf(Value value) {
    Operation *op = value.getDefiningOp();
    std::string key;
    llvm::raw_string_ostream out(key);
    out << op->getName() << op->getAttrDictionary() << value.getType() << "(";
    for (Value operand : op->getOperands())
      out << keyOf(operand) << ",";
    out << ")";
    return key;
  }

  std::string freshName(Value value) {
    llvm::SetVector<Value> sources;
    collectSources(value, sources);
    auto source = sources.front().getDefiningOp<ir::GetParameterOp>();
    std::string stem =
        source.getParameter().str() +
        (value.getDefiningOp<ir::PackOp>() ? ".packed" : ".prepared");
    std::string name = stem;
    for (int i = 1; symbols->lookup(name); ++i)
      name = stem + std::to_string(i);
    return name;
  }

  /// The parameter that holds a value of an entry once @prepare has run.
  StringRef prepare(Value value) {
    auto [it, isNew] = names.try_emplace(keyOf(value));
    if (!isNew)
      return it->second;
    it->second = freshName(value);
    auto builder = OpBuilder::atBlockEnd(prepareBody);
    IRMapping mapping;
    results.push_back(cloneSlice(builder, value, mapping));
    llvm::SetVector<Value> sources;
    collectSources(value, sources);
    auto source = sources.front().getDefiningOp<ir::GetParameterOp>();
    auto parameter = symbols->lookup<ir::ParameterOp>(source.getParameter());
    builder.setInsertionPointAfter(parameter);
    auto declared = ir::ParameterOp::create(
        builder, value.getLoc(), builder.getStringAttr(it->second),
        TypeAttr::get(value.getType()), StringAttr());
    symbols->insert(declared);
    declared->setAttr(ir::kPreparedAttr,
                      builder.getI64IntegerAttr(results.size() - 1));
    remark::passed(
        value.getLoc(),
        remark::RemarkOpts::name("HoistPrepared").category("prepare"))
        << it->second;
    return it->second;
  }

  void hoist(func::FuncOp entry, const ConstantFlow &flow) {
    SmallVector<Value> found = frontier(entry, flow);
    // All before the first is replaced: @prepare reads no prepared value.
    SmallVector<std::pair<Value, StringRef>> prepared;
    for (Value value : llvm::reverse(found))
      prepared.push_back({value, prepare(value)});
    for (auto [value, name] : prepared) {
      OpBuilder builder(value.getDefiningOp());
      Value read = ir::GetParameterOp::create(
          builder, value.getLoc(), value.getType(),
          FlatSymbolRefAttr::get(&getContext(), name));
      value.replaceAllUsesWith(read);
    }
    for (Value value : found)
      eraseUnused(value);
  }

  void runOnOperation() override {
    ModuleOp module = getOperation();
    ConstantFlow flow(module);
    SmallVector<func::FuncOp> entries;
    for (func::FuncOp function : calleesFirst(module))
      if (function.isPublic())
        entries.push_back(function);
      else
        pushToCallers(function, flow);

    symbols.emplace(module);
    auto builder = OpBuilder::atBlockEnd(module.getBody());
    auto made = func::FuncOp::create(builder, module.getLoc(), "prepare",
                                     builder.getFunctionType({}, {}));
    prepareBody = made.addEntryBlock();
    for (func::FuncOp entry : entries)
      hoist(entry, flow);
    if (results.empty())
      return made.erase();
    builder.setInsertionPointToEnd(prepareBody);
    func::ReturnOp::create(builder, module.getLoc(), results);
    made.setType(builder.getFunctionType({}, ValueRange(results).getTypes()));
  }

  static SmallVector<func::FuncOp> calleesFirst(ModuleOp module) {
    SmallVector<func::FuncOp> order;
    llvm::DenseSet<Operation *> seen;
    std::function<void(func::FuncOp)> visit = [&](func::FuncOp function) {
      if (!function || function.isDeclaration() ||
          !seen.insert(function).second)
        return;
      function.walk([&](func::CallOp call) {
        visit(module.lookupSymbol<func::FuncOp>(call.getCallee()));
      });
      order.push_back(function);
    };
    for (auto function : module.getOps<func::FuncOp>())
      visit(function);
    return order;
  }

  std::optional<SymbolTable> symbols; // a module may have a thousand weights
  Block *prepareBody = nullptr;
  SmallVector<Value> results;         // of @prepare
  llvm::StringMap<std::string> names; // of prepared parameters, by computation
};
} // namespace
} // namespace tenon::passes
