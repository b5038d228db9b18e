//===- ViewSteps.cpp - Views and constants in random graphs ---------------===//

#include "tests/numerics/GraphSteps.h"

namespace tenon::testing {

using namespace mlir;

/// A static axis of at least `least`, or -1.
static int64_t staticAxis(GraphBuilder &g, RankedTensorType type,
                          int64_t least) {
  SmallVector<int64_t> axes;
  for (int64_t axis = 0; axis < type.getRank(); ++axis)
    if (type.getDimSize(axis) >= least)
      axes.push_back(axis);
  return axes.empty() ? -1 : axes[g.below(axes.size())];
}

static SsaValue findRank(GraphBuilder &g, int64_t least) {
  return g.find([&](SsaValue v) { return g.typeOf(v).getRank() >= least; });
}

static bool transpose(GraphBuilder &g, StringRef op) {
  SsaValue x = findRank(g, 2);
  if (!x)
    return false;
  auto axes = llvm::to_vector(llvm::seq<int64_t>(0, g.typeOf(x).getRank()));
  std::shuffle(axes.begin(), axes.end(), g.random);
  return g.infer(op, ir::infer::transpose, x,
                 g.builder.getNamedAttr("permutation",
                                        g.builder.getDenseI64ArrayAttr(axes)));
}

static bool slice(GraphBuilder &g, StringRef op) {
  SsaValue x = findRank(g, 1);
  int64_t axis = x ? staticAxis(g, g.typeOf(x), 2) : -1;
  if (axis < 0)
    return false;
  int64_t extent = g.typeOf(x).getDimSize(axis);
  int64_t step = 1 + g.below(3), offset = g.below(extent);
  int64_t size = 1 + g.below((extent - 1 - offset) / step + 1);
  return g.infer(op, ir::infer::slice, x,
                 {g.i64("axis", axis), g.i64("offset", offset),
                  g.i64("size", size), g.i64("step", step)});
}

/// Splits the last axis, or joins the last two.
static bool reshape(GraphBuilder &g, StringRef op) {
  SsaValue x = g.find([&](SsaValue v) {
    return g.typeOf(v).getRank() >= 1 && g.typeOf(v).getShape().back() > 0;
  });
  if (!x)
    return false;
  SmallVector<int64_t> shape(g.typeOf(x).getShape());
  int64_t last = shape.pop_back_val();
  if (!shape.empty() && shape.back() > 0 && g.below(2)) {
    shape.back() *= last;
  } else {
    int64_t inner = last % 8 == 0 ? 8 : last % 3 == 0 ? 3 : 1;
    shape.append({last / inner, inner});
  }
  return g.add(op, x, g.tensor(shape, g.typeOf(x).getElementType()));
}

/// Repeats along new leading axes, and along an axis of one.
static bool broadcast(GraphBuilder &g, StringRef op) {
  SsaValue x = g.find([&](SsaValue v) { return g.typeOf(v).getRank() <= 2; });
  if (!x)
    return false;
  RankedTensorType type = g.typeOf(x);
  SmallVector<int64_t> shape(type.getShape());
  bool repeats = llvm::is_contained(shape, 1) && g.below(4);
  for (int64_t &extent : shape)
    if (extent == 1 && repeats && g.below(4))
      extent = g.below(4) ? g.columns() : ShapedType::kDynamic;
  if (!repeats || g.below(3) == 0)
    shape.insert(shape.begin(),
                 g.below(4) ? 2 + g.below(2) : ShapedType::kDynamic);
  return g.add(op, x, g.tensor(shape, type.getElementType()));
}

/// A row's statistic, repeated over the row: how norms are written out.
static bool broadcastColumn(GraphBuilder &g, StringRef op) {
  SsaValue x = g.argument(g.tensor({ShapedType::kDynamic, 1}, g.valueType()));
  return g.add(op, x,
               g.tensor({ShapedType::kDynamic, g.columns()},
                        g.typeOf(x).getElementType()));
}

static bool concat(GraphBuilder &g, StringRef op) {
  SsaValue x = findRank(g, 1);
  int64_t axis = x ? staticAxis(g, g.typeOf(x), 1) : -1;
  if (axis < 0)
    return false;
  RankedTensorType type = g.typeOf(x);
  SmallVector<SsaValue> parts = {x};
  for (int64_t more = g.below(3); more > 0; --more)
    parts.push_back(g.another(x));
  SmallVector<int64_t> shape(type.getShape());
  shape[axis] = 1 + g.below(9);
  if (g.below(2))
    parts.push_back(g.argument(g.tensor(shape, type.getElementType())));
  return g.infer(op, ir::infer::concat, parts, g.i64("axis", axis));
}

static bool iota(GraphBuilder &g, StringRef op) {
  Type element = g.below(2) ? g.builder.getI32Type() : g.builder.getI64Type();
  int64_t rows = g.below(2) ? g.rows() : ShapedType::kDynamic;
  return g.add(op, {}, g.tensor({rows, g.columns()}, element),
               g.i64("axis", g.below(2)));
}

static bool constant(GraphBuilder &g, StringRef op) {
  RankedTensorType type =
      RankedTensorType::get({g.rows(), g.columns()}, g.valueType());
  if (g.sizeOf(type) > 4000)
    return false;
  Tensor drawn = randomTensor(g.random, type.getElementType(), type.getShape());
  SmallVector<Attribute> elements;
  for (float x : drawn.floats)
    elements.push_back(FloatAttr::get(type.getElementType(), x));
  for (int64_t x : drawn.ints)
    elements.push_back(IntegerAttr::get(type.getElementType(), x));
  if (g.below(2))
    elements.resize(1); // a splat
  auto value = DenseElementsAttr::get(type, elements);
  return g.add(op, {}, type, g.builder.getNamedAttr("value", value));
}

llvm::ArrayRef<Step> viewSteps() {
  static constexpr Step steps[] = {{"tn.transpose", "", transpose},
                                   {"tn.slice", "", slice},
                                   {"tn.reshape", "", reshape},
                                   {"tn.broadcast", "", broadcast},
                                   {"tn.broadcast", "column", broadcastColumn},
                                   {"tn.concat", "", concat},
                                   {"tn.iota", "", iota},
                                   {"tn.constant", "", constant}};
  return steps;
}

} // namespace tenon::testing
