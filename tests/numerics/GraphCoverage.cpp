//===- GraphCoverage.cpp - What random graphs held ------------------------===//

#include "tests/numerics/GraphCoverage.h"

#include "ir/tn/Tn.h"

#include <cstdio>

namespace tenon::testing {

using namespace mlir;

static constexpr int64_t kTails = 16;

std::set<std::string> registeredOps(MLIRContext &context) {
  std::set<std::string> names;
  for (RegisteredOperationName op : context.getRegisteredOperations())
    if (op.getDialectNamespace() == "tn")
      names.insert(op.getStringRef().str());
  return names;
}

void GraphCoverage::countType(Type type) {
  if (auto cache = dyn_cast<ir::CacheType>(type))
    type = cache.getElementType();
  if (auto tensor = dyn_cast<RankedTensorType>(type))
    type = tensor.getElementType();
  if (auto block = dyn_cast<ir::BlockType>(type))
    ++elements[std::string(base::info(block.getFormat()).name)];
  else if (type.isIntOrFloat())
    ++elements[std::string(base::info(ir::storageOf(type)).name)];
}

void GraphCoverage::count(ModuleOp module) {
  module.walk([&](Operation *op) {
    if (op->getName().getDialectNamespace() != "tn")
      return;
    ++ops[op->getName().getStringRef().str()];
    for (mlir::Value operand : op->getOperands())
      countType(operand.getType());
    for (mlir::Value result : op->getResults()) {
      countType(result.getType());
      auto type = dyn_cast<RankedTensorType>(result.getType());
      if (!type)
        continue;
      int64_t last = type.getRank() ? type.getShape().back() : 1;
      ++tails[last < 0 ? "T" : std::to_string(last % kTails)];
    }
  });
}

void GraphCoverage::print() const {
  for (const auto &[title, counts] : {std::pair{"ops", &ops},
                                      {"elements", &elements},
                                      {"columns mod 16", &tails}}) {
    std::printf("%s:", title);
    for (const auto &[name, times] : *counts)
      std::printf(" %s %d", name.c_str(), times);
    std::printf("\n");
  }
}

std::string GraphCoverage::missing(MLIRContext &context) const {
  using base::ElementType;
  // No op of the dialect computes on these: i8 is for weights that a model
  // unpacks by hand, the others are of files alone.
  constexpr ElementType notComputed[] = {ElementType::F64, ElementType::I8,
                                         ElementType::U8, ElementType::I16};
  std::string text;
  auto expect = [&](const std::map<std::string, int> &counts,
                    const std::string &name) {
    if (!counts.count(name))
      text += " " + name;
  };
  // Fusion makes kernels of the others, differentiation replaces gradients, and
  // nothing may read what was overwritten.
  const std::set<std::string> elsewhere = {"tn.kernel", "tn.gradient",
                                           "tn.overwrite"};
  for (const std::string &op : registeredOps(context))
    if (!elsewhere.count(op))
      expect(ops, op);
  for (ElementType type : base::allElementTypes())
    if (!llvm::is_contained(notComputed, type))
      expect(elements, std::string(base::info(type).name));
  for (int64_t tail = 0; tail < kTails; ++tail)
    expect(tails, std::to_string(tail));
  expect(tails, "T");
  return text;
}

} // namespace tenon::testing
