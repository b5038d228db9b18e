//===- ExplainFusion.cpp - Which kernels a function has, and why ----------===//

#include "tools/tenon-opt/ExplainFusion.h"

#include "ir/tn/Tn.h"

#include "mlir/Pass/Pass.h"

#include <map>

using namespace mlir;
using namespace tenon;

namespace {

/// A sum of products of symbols: "" -> 2560, "T" -> 5120.
using Bytes = std::map<std::string, int64_t>;

void add(Bytes &bytes, RankedTensorType type) {
  std::vector<std::string> symbols;
  int64_t elements = 1;
  for (int64_t axis = 0; axis < type.getRank(); ++axis)
    if (type.isDynamicDim(axis))
      symbols.push_back(ir::symbolOf(type, axis).str());
    else
      elements *= type.getDimSize(axis);
  llvm::sort(symbols);
  auto whole = RankedTensorType::get({elements}, type.getElementType());
  bytes[llvm::join(symbols, " * ")] +=
      symbols.empty() ? ir::storedBytes(type) : ir::storedBytes(whole);
}

/// The rows of a table that a kernel only gathers from are all it reads of it.
std::optional<RankedTensorType> gatheredRows(Value argument) {
  for (OpOperand &use : argument.getUses()) {
    auto gather = dyn_cast<ir::GatherOp>(use.getOwner());
    if (!gather || use.get() != gather.getTable())
      return std::nullopt;
  }
  if (argument.use_empty())
    return std::nullopt;
  auto gather = cast<ir::GatherOp>(*argument.user_begin());
  auto rows = cast<RankedTensorType>(gather->getResult(0).getType());
  auto table = cast<RankedTensorType>(argument.getType());
  return ir::withElement(rows, table.getElementType());
}

/// What a kernel reads of an operand: the most that any of its nests does.
void addRead(Bytes &bytes, ir::KernelOp kernel, unsigned operand) {
  auto type = dyn_cast<RankedTensorType>(kernel.getOperand(operand).getType());
  if (!type)
    return; // A cache: what is read of it depends on the sequences.
  bool isGathered = true;
  std::optional<RankedTensorType> rows;
  for (Region &nest : kernel.getNests()) {
    BlockArgument argument = nest.getArgument(operand);
    if (argument.use_empty())
      continue;
    rows = gatheredRows(argument);
    isGathered &= rows.has_value();
  }
  add(bytes, isGathered && rows ? *rows : type);
}

std::string print(const Bytes &bytes) {
  std::string text;
  for (const auto &[symbols, factor] : bytes) {
    if (!text.empty())
      text += " + ";
    text += std::to_string(factor);
    if (!symbols.empty())
      text += " * " + symbols;
  }
  return text.empty() ? "0" : text;
}

void explain(ir::KernelOp kernel) {
  Bytes bytes;
  for (unsigned i = 0; i < kernel.getNumOperands(); ++i)
    addRead(bytes, kernel, i);
  for (Type type : kernel.getResultTypes())
    if (auto tensor = dyn_cast<RankedTensorType>(type))
      add(bytes, tensor);
  raw_ostream &out = llvm::outs();
  out << "  " << kernel.getLabel() << "\n    holds ";
  bool isFirst = true;
  kernel->walk([&](Operation *op) {
    if (op == kernel || isa<ir::YieldOp>(op))
      return;
    out << (isFirst ? "" : ", ") << op->getName();
    isFirst = false;
  });
  out << "\n    moves " << print(bytes) << " bytes\n";
  if (ArrayAttr reasons = kernel.getNotFusedAttr())
    for (auto reason : reasons.getAsRange<StringAttr>())
      out << "    apart from " << reason.getValue() << "\n";
}

struct ExplainFusionPass
    : PassWrapper<ExplainFusionPass, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(ExplainFusionPass)

  StringRef getArgument() const override { return "explain-fusion"; }
  StringRef getDescription() const override {
    return "Prints what each kernel holds and moves, and why it is apart from "
           "others";
  }

  void runOnOperation() override {
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      SmallVector<ir::KernelOp> kernels;
      function.walk([&](ir::KernelOp op) { kernels.push_back(op); });
      llvm::outs() << "@" << function.getName() << ": " << kernels.size()
                   << (kernels.size() == 1 ? " kernel\n" : " kernels\n");
      llvm::for_each(kernels, explain);
    }
  }
};

} // namespace

void tools::registerExplainFusionPass() {
  PassRegistration<ExplainFusionPass>();
}
