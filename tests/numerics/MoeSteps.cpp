//===- MoeSteps.cpp - Mixture of experts in random graphs -----------------===//

#include "tests/numerics/GraphSteps.h"

#include "ir/tn/Panels.h"

#include <algorithm>

namespace tenon::testing {

using namespace mlir;

static constexpr int64_t T = ShapedType::kDynamic; // an axis of tokens
// Of one product, for the oracle's sake.
static constexpr int64_t kMostMultiplications = 1 << 21;

/// Tensors of assignments that belong together.
struct Assignments {
  SsaValue order, places, offsets;
  int64_t k = 1, experts = 1;
};

/// Experts of each token: of all, of a few, or one for all of them.
static SsaValue chosenExperts(GraphBuilder &g, int64_t k, int64_t experts) {
  int64_t most = g.below(3) ? experts : 1 + g.below(experts);
  return g.indices(g.tensor({T, k}, g.builder.getI32Type()), most);
}

static Assignments dispatched(GraphBuilder &g) {
  Assignments made;
  made.k = 1 + g.below(4);
  made.experts = 1 + g.below(6);
  Operation *op = g.infer("tn.moe_dispatch", ir::infer::moeDispatch,
                          chosenExperts(g, made.k, made.experts),
                          g.i64("count", made.experts));
  made.order = op->getResult(0);
  made.places = op->getResult(1);
  made.offsets = op->getResult(2);
  return made;
}

/// Offsets of `groups` of so many rows: even or not, some of them empty.
static SsaValue offsetsOf(GraphBuilder &g, int64_t rows, int64_t groups) {
  SmallVector<int64_t> offsets = {0, rows};
  int64_t least = g.below(3) ? 0 : rows;
  for (int64_t i = 1; i < groups; ++i)
    offsets.push_back(g.below(4) ? g.below(rows + 1) : least);
  llvm::sort(offsets);
  auto next = offsets.begin();
  return g.argument(g.tensor(groups + 1, g.builder.getI32Type()),
                    [&] { return static_cast<double>(*next++); });
}

static bool route(GraphBuilder &g, StringRef op) {
  int64_t groups = g.below(2) ? 1 : 1 + g.below(4);
  int64_t each = g.below(4) ? 1 + g.below(20) : 40 + g.below(100);
  int64_t kept = 1 + g.below(groups);
  int64_t k = 1 + g.below(std::min<int64_t>(kept * each, 20));
  Type f32 = g.builder.getF32Type();
  SmallVector<NamedAttribute> attributes = {
      g.builder.getNamedAttr(
          "scoring",
          ir::ScoringAttr::get(g.builder.getContext(),
                               static_cast<ir::Scoring>(g.below(2)))),
      g.i64("k", k), g.i64("groups", groups), g.i64("kept_groups", kept)};
  if (each > 1 && g.below(2))
    attributes.push_back(g.unit("top2"));
  if (g.below(2))
    attributes.push_back(g.unit("normalize"));
  if (g.below(2))
    attributes.push_back(g.f64("scale", 2.5));
  SmallVector<SsaValue> operands = {
      g.finite(g.tensor({T, groups * each}, f32))};
  if (g.below(2))
    operands.push_back(g.argument(g.tensor(groups * each, f32)));
  return g.infer(op, ir::infer::moeRoute, operands, attributes);
}

static bool weigh(GraphBuilder &g, StringRef op) {
  int64_t experts = 1 + g.below(100), k = 1 + g.below(20);
  SmallVector<NamedAttribute> attributes = {g.builder.getNamedAttr(
      "scoring", ir::ScoringAttr::get(g.builder.getContext(),
                                      static_cast<ir::Scoring>(g.below(2))))};
  if (g.below(2))
    attributes.push_back(g.unit("normalize"));
  if (g.below(2))
    attributes.push_back(g.f64("scale", 2.5));
  SsaValue logits = g.finite(g.tensor({T, experts}, g.builder.getF32Type()));
  return g.infer(op, ir::infer::moeWeigh,
                 {logits, chosenExperts(g, k, experts)}, attributes);
}

static bool dispatch(GraphBuilder &g, StringRef) {
  dispatched(g);
  return true;
}

static bool gather(GraphBuilder &g, StringRef op) {
  Assignments to = dispatched(g);
  SsaValue x = g.find([&](SsaValue v) {
    RankedTensorType type = g.typeOf(v);
    return g.isFloat(v) && type.getRank() == 2 && type.isDynamicDim(0);
  });
  if (!x || g.below(2)) {
    SmallVector<int64_t> shape = {T, g.columns()};
    if (g.below(2))
      shape.insert(shape.begin() + 1, to.k);
    x = g.argument(g.tensor(shape, g.floatType()));
  }
  if (g.below(2))
    std::swap(to.order, to.places);
  return g.infer(op, ir::infer::moeGather, {x, to.order, to.places});
}

static bool combine(GraphBuilder &g, StringRef op) {
  Assignments from = dispatched(g);
  SsaValue rows = g.argument(g.tensor({T, from.k, g.columns()}, g.floatType()));
  SsaValue weights = g.argument(g.tensor({T, from.k}, g.builder.getF32Type()));
  return g.infer(op, ir::infer::moeCombine,
                 {rows, from.places, weights, from.order});
}

/// The left operand of matrices with `k` columns or rows, and its rows' groups.
struct Rows {
  SsaValue a, offsets;
  int64_t groups;
};

static Rows groupedRows(GraphBuilder &g, int64_t k, Type element) {
  SmallVector<int64_t> shape = {T, k};
  if (g.below(2))
    shape.insert(shape.begin() + 1, 1 + g.below(4));
  RankedTensorType type = g.tensor(shape, element);
  bool isPlain = isa<FloatType>(element);
  SsaValue a = isPlain ? g.argument(type) : g.weight(type);
  int64_t groups = 1 + g.below(6);
  return {a, offsetsOf(g, g.sizeOf(type) / k, groups), groups};
}

/// The product of rows and matrices, in a type of its own or a's.
static bool addProduct(GraphBuilder &g, const Rows &rows, SsaValue b,
                       bool transposeB) {
  int64_t n = g.typeOf(b).getDimSize(transposeB ? 1 : 2);
  if (g.sizeOf(g.typeOf(rows.a)) * n > kMostMultiplications)
    return false;
  SmallVector<NamedAttribute> flags;
  if (transposeB)
    flags.push_back(g.unit("transpose_b"));
  return g.infer("tn.grouped_matmul", ir::infer::groupedMatmul,
                 {rows.a, b, rows.offsets}, flags,
                 g.below(2) ? g.floatType() : Type());
}

/// The weights in panels; null where they are too many.
static SsaValue packed(GraphBuilder &g, SsaValue b) {
  RankedTensorType type = g.typeOf(b);
  auto panels = RankedTensorType::get(
      type.getShape(), type.getElementType(),
      ir::PanelsAttr::get(g.builder.getContext(), ir::kPanelLanes));
  Operation *made = g.add("tn.pack", b, panels);
  return made ? made->getResult(0) : SsaValue();
}

static bool grouped(GraphBuilder &g, StringRef) {
  int64_t k = g.below(4) ? 1 + g.below(70) : 513;
  Rows rows = groupedRows(g, k, g.floatType());
  bool transposeB = g.below(2);
  int64_t n = 1 + g.below(70);
  SsaValue b = g.weight(g.tensor(
      {rows.groups, transposeB ? n : k, transposeB ? k : n}, g.floatType()));
  return addProduct(g, rows, b, transposeB);
}

static bool packGrouped(GraphBuilder &g, StringRef) {
  auto [element, k] = g.blockedColumns();
  if (g.below(2))
    std::tie(element, k) = std::pair(g.floatType(), 1 + g.below(70));
  Rows rows = groupedRows(g, k, g.floatType());
  SsaValue b = g.weight(g.tensor({rows.groups, 1 + g.below(70), k}, element));
  SsaValue panels = packed(g, b);
  return panels && addProduct(g, rows, panels, true);
}

static bool blockedGrouped(GraphBuilder &g, StringRef) {
  auto [element, k] = g.blockedColumns();
  bool transposeB = g.below(3);
  int64_t n = 1 + g.below(40);
  Rows rows = groupedRows(g, transposeB ? k : n, g.floatType());
  SsaValue b = g.weight(g.tensor({rows.groups, n, k}, element));
  return addProduct(g, rows, b, transposeB);
}

/// Products of integers, as a program with quantised activations has them.
static bool integerGrouped(GraphBuilder &g, StringRef) {
  auto [element, k] = g.blockedColumns();
  bool isSuper = ir::panelFormat(ir::storageOf(element)).hasFactors;
  auto q8 = ir::BlockType::get(g.builder.getContext(),
                               isSuper && g.below(2) ? base::ElementType::Q8_K
                                                     : base::ElementType::Q8_0);
  Rows rows = groupedRows(g, k, q8);
  SsaValue b = g.weight(g.tensor({rows.groups, 1 + g.below(70), k}, element));
  if (g.below(2))
    b = packed(g, b);
  return b && addProduct(g, rows, b, true);
}

static bool outer(GraphBuilder &g, StringRef op) {
  int64_t n = 1 + g.below(70), k = 1 + g.below(70);
  Rows rows = groupedRows(g, n, g.floatType());
  SmallVector<int64_t> shape(g.typeOf(rows.a).getShape());
  shape.back() = k;
  SsaValue b = g.argument(g.tensor(shape, g.floatType()));
  return g.infer(op, ir::infer::groupedOuter, {rows.a, b, rows.offsets}, {},
                 g.below(2) ? g.floatType() : Type());
}

namespace {
/// A layer of experts, as a model makes it.
struct Layer {
  int64_t width, hidden, experts, k;
  Type element;             // of the weights
  bool isBiased, isAdapted; // its choice; by matrices of low rank
};
} // namespace

/// The tokens' experts and their weights.
static Operation *routed(GraphBuilder &g, const Layer &layer, SsaValue tokens) {
  Type f32 = g.builder.getF32Type();
  // Small ones: large sigmoids would be 1 in f32, and equal.
  auto small = [&] { return static_cast<double>(g.below(2001) - 1000) * 2e-5; };
  SsaValue router =
      g.argument(g.tensor({layer.experts, layer.width}, f32), small);
  SmallVector<SsaValue> operands = {g.infer("tn.matmul", ir::infer::matmul,
                                            {tokens, router},
                                            g.unit("transpose_b"), f32)
                                        ->getResult(0)};
  if (layer.isBiased)
    operands.push_back(g.argument(g.tensor(layer.experts, f32), small));
  NamedAttribute scoring = g.builder.getNamedAttr(
      "scoring",
      ir::ScoringAttr::get(g.builder.getContext(), ir::Scoring::Sigmoid));
  return g.infer("tn.moe_route", ir::infer::moeRoute, operands,
                 {scoring, g.i64("k", layer.k), g.unit("normalize")});
}

/// Rows times their experts' matrices [n, from], adapted or not.
static SsaValue multiplied(GraphBuilder &g, const Layer &layer, SsaValue a,
                           SsaValue offsets, int64_t n) {
  int64_t from = g.typeOf(a).getShape().back();
  auto times = [&](SsaValue x, int64_t rows, int64_t columns, Type element) {
    SsaValue b = g.weight(g.tensor({layer.experts, rows, columns}, element));
    return g
        .infer("tn.grouped_matmul", ir::infer::groupedMatmul, {x, b, offsets},
               g.unit("transpose_b"))
        ->getResult(0);
  };
  SsaValue y = times(a, n, from, layer.element);
  if (!layer.isAdapted)
    return y;
  int64_t rank = 1 + g.below(4);
  Type element = g.typeOf(a).getElementType();
  SsaValue low = times(times(a, rank, from, element), n, rank, element);
  return g.add("tn.add", {y, low}, y.getType())->getResult(0);
}

static bool layerOf(GraphBuilder &g, StringRef op, const Layer &layer,
                    Type activations) {
  SsaValue tokens = g.argument(g.tensor({T, layer.width}, activations));
  Operation *route = routed(g, layer, tokens);
  Operation *to = g.infer("tn.moe_dispatch", ir::infer::moeDispatch,
                          route->getResult(1), g.i64("count", layer.experts));
  SsaValue order = to->getResult(0), places = to->getResult(1),
           offsets = to->getResult(2);
  SsaValue x =
      g.infer("tn.moe_gather", ir::infer::moeGather, {tokens, order, places})
          ->getResult(0);
  SsaValue up = multiplied(g, layer, x, offsets, layer.hidden);
  SsaValue gate = multiplied(g, layer, x, offsets, layer.hidden);
  SsaValue open = g.add("tn.silu", gate, gate.getType())->getResult(0);
  SsaValue h = g.add("tn.mul", {up, open}, up.getType())->getResult(0);
  return g.infer(op, ir::infer::moeCombine,
                 {multiplied(g, layer, h, offsets, layer.width), places,
                  route->getResult(0), order});
}

static bool layer(GraphBuilder &g, StringRef op) {
  Layer made = {};
  made.width = 1 + g.below(24);
  made.hidden = 1 + g.below(24);
  made.experts = 1 + g.below(8);
  made.k = 1 + g.below(std::min<int64_t>(made.experts, 4));
  made.element = g.floatType();
  return layerOf(g, op, made, made.element);
}

/// Matrices of low rank beside weights that are packed and stay as they are.
static bool adaptedLayer(GraphBuilder &g, StringRef op) {
  Layer made = {};
  made.width = made.hidden = 32;
  made.experts = 2 + g.below(6);
  made.k = 1 + g.below(2);
  made.element = ir::BlockType::get(g.builder.getContext(),
                                    g.below(2) ? base::ElementType::Q4_0
                                               : base::ElementType::Q8_0);
  made.isBiased = made.isAdapted = true;
  return layerOf(g, op, made, g.builder.getF32Type());
}

llvm::ArrayRef<Step> moeSteps() {
  static constexpr Step steps[] = {
      {"tn.moe_route", "", route},
      {"tn.moe_weigh", "", weigh},
      {"tn.moe_dispatch", "", dispatch},
      {"tn.moe_gather", "", gather},
      {"tn.moe_combine", "", combine},
      {"tn.moe_combine", "layer", layer},
      {"tn.moe_combine", "adapted", adaptedLayer},
      {"tn.grouped_matmul", "", grouped},
      {"tn.pack", "grouped", packGrouped},
      {"tn.grouped_matmul", "blocked", blockedGrouped},
      {"tn.grouped_matmul", "integers", integerGrouped},
      {"tn.grouped_outer", "", outer}};
  return steps;
}

} // namespace tenon::testing
