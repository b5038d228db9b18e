//===- ExplainFusion.cpp - Which kernels a function has, and why ----------===//

#include "tools/tenon-opt/ExplainFusion.h"

#include "codegen/host/RowReads.h"
#include "ir/tn/Tn.h"

#include "mlir/Pass/Pass.h"

#include <map>

using namespace mlir;
using namespace tenon;

namespace {

/// A sum of products of symbols: "" -> 2560, "T" -> 5120.
using Bytes = std::map<std::string, int64_t>;

/// The symbols of a tensor's axes, multiplied, and its elements for each unit
/// of their product.
std::pair<std::string, int64_t> countOf(RankedTensorType type) {
  std::vector<std::string> symbols;
  int64_t elements = 1;
  for (int64_t axis = 0; axis < type.getRank(); ++axis)
    if (type.isDynamicDim(axis))
      symbols.push_back(ir::symbolOf(type, axis).str());
    else
      elements *= type.getDimSize(axis);
  llvm::sort(symbols);
  return {llvm::join(symbols, " * "), elements};
}

void add(Bytes &bytes, RankedTensorType type) {
  auto [symbols, elements] = countOf(type);
  auto whole = RankedTensorType::get({elements}, type.getElementType());
  bytes[symbols] +=
      symbols.empty() ? ir::storedBytes(type) : ir::storedBytes(whole);
}

/// What a kernel reads of its operands: of a table the rows that its indices
/// name, of others all.
void addReads(Bytes &bytes, ir::KernelOp kernel) {
  SmallVector<uint32_t> buffers = codegen::host::firstBuffers(kernel);
  std::vector<base::RowRead> rowReads = codegen::host::rowReadsOf(kernel);
  for (auto [operand, buffer] : llvm::zip_equal(kernel.getInputs(), buffers)) {
    auto type = dyn_cast<RankedTensorType>(operand.getType());
    if (!type)
      continue; // A cache: what is read of it depends on the sequences.
    bool isByRows = false;
    for (const base::RowRead &read : rowReads) {
      if (read.table != buffer)
        continue;
      isByRows = true;
      auto index =
          kernel.getInputs()[llvm::find(buffers, read.index) - buffers.begin()];
      auto [symbols, count] = countOf(cast<RankedTensorType>(index.getType()));
      bytes[symbols] += count * read.rowBytes;
    }
    if (!isByRows)
      add(bytes, type);
  }
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
  addReads(bytes, kernel);
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
