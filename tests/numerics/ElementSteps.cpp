//===- ElementSteps.cpp - Pointwise ops in random graphs ------------------===//

#include "tests/numerics/GraphSteps.h"

namespace tenon::testing {

using namespace mlir;

static bool unary(GraphBuilder &g, StringRef op) {
  SsaValue x = g.findFloat(0);
  return x && g.add(op, x, x.getType());
}

static bool binary(GraphBuilder &g, StringRef op) {
  SsaValue x = g.find(
      [&](SsaValue v) { return !g.typeOf(v).getElementType().isInteger(1); });
  return x && g.add(op, {x, g.another(x)}, x.getType());
}

static bool compare(GraphBuilder &g, StringRef op) {
  SsaValue x = g.find(
      [&](SsaValue v) { return !g.typeOf(v).getElementType().isInteger(1); });
  auto predicate = ir::PredicateAttr::get(
      g.builder.getContext(), static_cast<ir::Predicate>(g.below(6)));
  return x && g.infer(op, ir::infer::compare, {x, g.another(x)},
                      g.builder.getNamedAttr("predicate", predicate));
}

static bool select(GraphBuilder &g, StringRef op) {
  SsaValue a = g.find([](SsaValue) { return true; });
  Type type = ir::withElement(g.typeOf(a), g.builder.getI1Type());
  SsaValue condition = g.find([&](SsaValue v) { return v.getType() == type; });
  if (!condition)
    condition = g.argument(cast<RankedTensorType>(type));
  return g.add(op, {condition, a, g.another(a)}, a.getType());
}

static bool logical(GraphBuilder &g, StringRef op) {
  SsaValue x = g.find(
      [&](SsaValue v) { return g.typeOf(v).getElementType().isInteger(1); });
  return x && g.add(op, {x, g.another(x)}, x.getType());
}

static bool cast(GraphBuilder &g, StringRef op) {
  SsaValue x = g.find([](SsaValue) { return true; });
  return g.add(op, x, ir::withElement(g.typeOf(x), g.valueType()));
}

/// To i8 and back: few ops take bytes.
static bool castByBytes(GraphBuilder &g, StringRef op) {
  SsaValue x = g.find([](SsaValue) { return true; });
  Operation *bytes =
      g.add(op, x, ir::withElement(g.typeOf(x), g.builder.getI8Type()));
  return bytes && g.add(op, bytes->getResult(0),
                        ir::withElement(g.typeOf(x), g.valueType()));
}

llvm::ArrayRef<Step> elementSteps() {
  static constexpr Step steps[] = {
      {"tn.neg", "", unary},        {"tn.abs", "", unary},
      {"tn.round_even", "", unary}, {"tn.exp", "", unary},
      {"tn.log", "", unary},        {"tn.sin", "", unary},
      {"tn.cos", "", unary},        {"tn.tanh", "", unary},
      {"tn.sqrt", "", unary},       {"tn.rsqrt", "", unary},
      {"tn.sigmoid", "", unary},    {"tn.silu", "", unary},
      {"tn.relu", "", unary},       {"tn.stop_gradient", "", unary},
      {"tn.gelu_tanh", "", unary},  {"tn.add", "", binary},
      {"tn.sub", "", binary},       {"tn.mul", "", binary},
      {"tn.div", "", binary},       {"tn.max", "", binary},
      {"tn.min", "", binary},       {"tn.compare", "", compare},
      {"tn.select", "", select},    {"tn.and", "", logical},
      {"tn.or", "", logical},       {"tn.cast", "", cast},
      {"tn.cast", "again", cast},   {"tn.cast", "bytes", castByBytes}};
  return steps;
}

} // namespace tenon::testing
