//===- PlanExpertDispatch.cpp - Rows of experts; contract in Passes.td ----===//

#include "ir/tn/ExpertPlan.h"
#include "passes/Passes.h"
#include "passes/moe/ExpertPlan.h"

#include "mlir/IR/Remarks.h"

#include <cmath>

namespace tenon::passes {
#define GEN_PASS_DEF_PLANEXPERTDISPATCH
#include "passes/Passes.h.inc"

using namespace mlir;

// Multiply-adds that a machine executes while it reads a byte from memory: of
// CPUs between 4 (f32) and 15 (bytes), by which no choice changes much.
static constexpr double kOperationsPerByte = 8;
// What a row of weights costs before the first row is multiplied by it, in
// rows: a load, and of blocked formats the way from quants to floats.
static constexpr double kLoad = 1.5, kUnpack = 3;
// Rows that registers hold beside each other at most; fewer of quantised rows,
// which have a sum of integers and one of floats for each element.
static constexpr int64_t kMostTogether = 8, kMostQuantised = 4;
// The last tile of a group multiplies as many rows as it has, rounded up to so
// many.
static constexpr int64_t kFewRows = 2;
// A tile of more rows has to be this much cheaper.
static constexpr double kGain = 1.02;
// Groups so large that the remainder of a tile is small beside them.
static constexpr double kManyRows = 256;

/// The tiles of `together` rows to expect of a group that each of so many
/// tokens has a row of with a probability: the sum over j of the probability of
/// more than j * together rows.
static double tilesOf(int64_t tokens, double probability, int64_t together) {
  double mean = static_cast<double>(tokens) * probability;
  if (mean > kManyRows || probability > 0.5)
    return std::max(mean / static_cast<double>(together) + 0.5, 1.0);
  double tiles = 0, below = 0;
  double exactly = std::pow(1 - probability, static_cast<double>(tokens));
  for (int64_t n = 0; n <= tokens; ++n) {
    below += exactly;
    if (n % together == 0)
      tiles += std::max(0.0, 1 - below);
    exactly *= static_cast<double>(tokens - n) / static_cast<double>(n + 1) *
               probability / (1 - probability);
  }
  return tiles;
}

/// The most that an axis may have, by the symbols of a function.
static int64_t mostOf(RankedTensorType type, int64_t axis, ArrayAttr symbols) {
  if (!type.isDynamicDim(axis))
    return type.getDimSize(axis);
  for (auto symbol : symbols.getAsRange<ir::SymbolAttr>())
    if (symbol.getName().getValue() == ir::symbolOf(type, axis))
      return symbol.getMax();
  return 1;
}

int64_t mostRows(ir::GroupedMatmulOp product) {
  RankedTensorType a = product.getA().getType();
  auto function = product->getParentOfType<func::FuncOp>();
  auto symbols = function->getAttrOfType<ArrayAttr>(ir::kSymbolsAttr);
  int64_t rows = 1;
  for (int64_t axis = 0; axis + 1 < a.getRank(); ++axis)
    rows *= mostOf(a, axis, symbols);
  return rows;
}

ExpertPlan planExperts(ir::GroupedMatmulOp product, int64_t rows) {
  RankedTensorType b = product.getB().getType();
  auto groups = static_cast<double>(b.getDimSize(0));
  auto all = static_cast<double>(rows);
  auto plain = RankedTensorType::get(b.getShape(), b.getElementType());
  double bytes = static_cast<double>(ir::storedBytes(plain)) / groups;
  double elements = static_cast<double>(b.getNumElements()) / groups;
  double load = isa<ir::BlockType>(b.getElementType()) ? kUnpack : kLoad;
  bool isQuantised =
      isa<ir::BlockType>(product.getA().getType().getElementType());
  int64_t most = isQuantised ? kMostQuantised : kMostTogether;
  // A token's experts differ, so that a group has one of its rows at most.
  RankedTensorType a = product.getA().getType();
  int64_t perToken = a.getRank() > 2 ? a.getDimSize(a.getRank() - 2) : 1;
  int64_t tokens = std::max<int64_t>(rows / std::max<int64_t>(perToken, 1), 1);
  double probability =
      std::min(1.0, all / static_cast<double>(tokens) / groups);
  ExpertPlan best;
  double least = 0;
  for (int64_t together = 1; together <= most; together *= 2) {
    ExpertPlan plan;
    plan.together = together;
    plan.groups =
        groups * (1 - std::pow(1 - probability, static_cast<double>(tokens)));
    auto tilesOfGroups = [&](int64_t held) {
      return std::min(all, groups * tilesOf(tokens, probability, held));
    };
    // A tile of rows follows the group's first one closely enough to find its
    // weights in a cache, but single rows all read them.
    plan.bytes = bytes * (together == 1 ? all : plan.groups);
    int64_t few = std::min(together, kFewRows);
    plan.operations = tilesOfGroups(few) * static_cast<double>(few) * elements;
    double cost = plan.bytes * kOperationsPerByte + plan.operations +
                  tilesOfGroups(together) * load * elements;
    if (together > 1 && cost * kGain >= least)
      continue;
    best = plan;
    least = cost;
  }
  return best;
}

namespace {

struct PlanExpertDispatchPass
    : impl::PlanExpertDispatchBase<PlanExpertDispatchPass> {
  void runOnOperation() override {
    getOperation().walk([&](ir::GroupedMatmulOp product) {
      int64_t together = planExperts(product, mostRows(product)).together;
      OpBuilder builder(product);
      product->setAttr(ir::kRowsTogetherAttr,
                       builder.getI64IntegerAttr(together));
      remark::passed(
          product.getLoc(),
          remark::RemarkOpts::name("PlanExpertDispatch").category("moe"))
          << std::to_string(together) << " rows together";
    });
  }
};

} // namespace
} // namespace tenon::passes
