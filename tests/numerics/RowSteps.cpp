//===- RowSteps.cpp - Norms, reductions and choices in random graphs ------===//

#include "tests/numerics/GraphSteps.h"

namespace tenon::testing {

using namespace mlir;

/// A float value whose last axis is static.
static SsaValue findRow(GraphBuilder &g) {
  return g.find([&](SsaValue v) {
    RankedTensorType type = g.typeOf(v);
    return g.isFloat(v) && type.getRank() >= 1 && type.getShape().back() > 0;
  });
}

static bool rmsNorm(GraphBuilder &g, StringRef op) {
  SsaValue x = findRow(g);
  if (!x)
    return false;
  SsaValue w = g.weight(g.tensor(g.typeOf(x).getShape().back(), g.floatType()));
  return g.add(op, {x, w}, x.getType(), g.f64("eps", 1e-5));
}

static bool layerNorm(GraphBuilder &g, StringRef op) {
  SsaValue x = findRow(g);
  if (!x)
    return false;
  SsaValue w = g.weight(g.tensor(g.typeOf(x).getShape().back(), g.floatType()));
  return g.add(op, {x, w, g.another(w)}, x.getType(), g.f64("eps", 1e-5));
}

static bool softmax(GraphBuilder &g, StringRef op) {
  SsaValue x = g.findFloat(1);
  return x && g.add(op, x, x.getType());
}

static bool reduce(GraphBuilder &g, StringRef op) {
  SsaValue x = g.findFloat(1);
  auto kind = ir::ReductionAttr::get(g.builder.getContext(),
                                     static_cast<ir::Reduction>(g.below(3)));
  return x && g.infer(op, ir::infer::reduce, x,
                      g.builder.getNamedAttr("kind", kind));
}

static bool sumRows(GraphBuilder &g, StringRef op) {
  SsaValue x = g.find(
      [&](SsaValue v) { return g.isFloat(v) && g.typeOf(v).getRank() == 2; });
  if (!x || g.below(4) == 0) // beyond a segment
    x = g.argument(
        g.tensor({500 + g.below(40), 1 + g.below(20)}, g.floatType()));
  return g.infer(op, ir::infer::sumRows, x);
}

static bool quantize(GraphBuilder &g, StringRef op) {
  return g.infer(op, ir::infer::quantize, g.wholeBlocks(1, 32));
}

// Routing ops fail at NaN, so they get what has none.

static bool topK(GraphBuilder &g, StringRef op) {
  int64_t columns = g.columns();
  SsaValue x =
      g.finite(g.tensor({ShapedType::kDynamic, columns}, g.floatType()));
  int64_t most = std::min<int64_t>(columns, 9);
  return g.infer(op, ir::infer::topK, x, g.i64("k", 1 + g.below(most)));
}

static bool argmax(GraphBuilder &g, StringRef op) {
  SmallVector<int64_t> shape = {ShapedType::kDynamic, g.columns()};
  if (g.below(3) == 0)
    shape.insert(shape.begin(), 2);
  return g.infer(op, ir::infer::argmax,
                 g.finite(g.tensor(shape, g.floatType())));
}

llvm::ArrayRef<Step> rowSteps() {
  static constexpr Step steps[] = {
      {"tn.rms_norm", "", rmsNorm}, {"tn.layer_norm", "", layerNorm},
      {"tn.softmax", "", softmax},  {"tn.log_softmax", "", softmax},
      {"tn.reduce", "", reduce},    {"tn.reduce", "again", reduce},
      {"tn.sum_rows", "", sumRows}, {"tn.top_k", "", topK},
      {"tn.argmax", "", argmax},    {"tn.quantize", "", quantize}};
  return steps;
}

} // namespace tenon::testing
