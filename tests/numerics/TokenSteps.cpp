//===- TokenSteps.cpp - Positions, caches, sampling in random graphs ------===//

#include "tests/numerics/GraphSteps.h"

#include <cmath>
#include <optional>

namespace tenon::testing {

using namespace mlir;

static constexpr int64_t T = ShapedType::kDynamic; // an axis of tokens

/// Turns x, [T, heads, even width].
static SsaValue addRope(GraphBuilder &g, SsaValue x) {
  int64_t pairs = g.typeOf(x).getDimSize(2) / 2, pair = 0;
  SsaValue frequency = g.argument(g.tensor(pairs, g.builder.getF32Type()), [&] {
    return std::pow(10000.0, -double(pair++) / double(pairs));
  });
  auto layout = ir::RopeLayoutAttr::get(
      g.builder.getContext(), static_cast<ir::RopeLayout>(g.below(2)));
  SmallVector<NamedAttribute> attributes = {
      g.builder.getNamedAttr("layout", layout)};
  if (g.below(3) == 0)
    attributes.push_back(g.f64("amplitude", 1.25));
  return g.add("tn.rope", {x, g.batch(), frequency}, x.getType(), attributes)
      ->getResult(0);
}

static bool rope(GraphBuilder &g, StringRef) {
  SsaValue x = g.find([&](SsaValue v) {
    RankedTensorType type = g.typeOf(v);
    return g.isFloat(v) && type.getRank() == 3 && type.isDynamicDim(0) &&
           type.getDimSize(1) > 0 && type.getDimSize(2) > 0 &&
           type.getDimSize(2) % 2 == 0;
  });
  if (!x)
    x = g.argument(
        g.tensor({T, 1 + g.below(3), 2 * (1 + g.below(40))}, g.floatType()));
  addRope(g, x);
  return true;
}

/// Rows for attention, as a model makes them: perhaps normed, perhaps turned.
static SsaValue dressed(GraphBuilder &g, RankedTensorType type) {
  SsaValue x = g.argument(type);
  if (g.isAlone())
    return x;
  if (g.below(2)) {
    SsaValue w = g.weight(g.tensor(type.getDimSize(2), g.floatType()));
    x = g.add("tn.rms_norm", {x, w}, type, g.f64("eps", 1e-6))->getResult(0);
  }
  return type.getDimSize(2) % 2 == 0 && g.below(2) ? addRope(g, x) : x;
}

/// Elements of a cache: floats or, where the width has whole blocks, q8_0.
static Type cacheElement(GraphBuilder &g, int64_t width) {
  if (width % 32 == 0 && g.below(2))
    return ir::BlockType::get(g.builder.getContext(), base::ElementType::Q8_0);
  return g.floatType();
}

static void append(GraphBuilder &g, size_t cache) {
  auto type = cast<ir::CacheType>(g.cache(cache).getType());
  SsaValue x = dressed(
      g, g.tensor({T, type.getHeads(), type.getWidth()}, type.getRowElement()));
  Operation *op = g.add("tn.cache_append", {g.cache(cache), x, g.batch()},
                        g.cache(cache).getType());
  g.setCache(cache, op->getResult(0));
}

static bool cacheAppend(GraphBuilder &g, StringRef) {
  auto layout = static_cast<ir::CacheLayout>(g.below(2));
  int64_t width = g.below(3) ? 1 + g.below(40) : 32 * (1 + g.below(3));
  append(g, g.newCache(ir::CacheType::get(g.builder.getContext(), layout,
                                          1 + g.below(3), width,
                                          cacheElement(g, width))));
  return true;
}

/// Tokens of a window, and globals beside it.
using Window = std::pair<int64_t, int64_t>;

static void addWindow(GraphBuilder &g, Window window,
                      SmallVectorImpl<NamedAttribute> &attributes) {
  attributes.push_back(g.i64("window", window.first));
  attributes.push_back(g.i64("globals", window.second));
}

/// Attention before or after the tokens' own rows are in the caches; before
/// only where the rows of earlier calls are there.
static bool attention(GraphBuilder &g, StringRef op) {
  MLIRContext *context = g.builder.getContext();
  constexpr int64_t widths[] = {2, 6, 8, 16, 24, 32, 34, 64, 96};
  int64_t heads = 1 + g.below(2), width = g.pick(widths);
  auto make = [&](ir::CacheLayout layout, int64_t width) {
    return g.newCache(ir::CacheType::get(context, layout, heads, width,
                                         cacheElement(g, width)));
  };
  size_t keys = make(ir::CacheLayout::Keys, width);
  std::optional<size_t> values; // none: in the keys
  if (g.below(3))
    values = make(ir::CacheLayout::Values, g.below(2) ? width : g.pick(widths));
  bool appends = g.isProgram() || (!g.isAlone() && g.below(3));
  if (appends)
    append(g, keys);
  if (appends && values)
    append(g, *values);
  SsaValue q =
      dressed(g, g.tensor({T, heads * (1 + g.below(3)), width}, g.floatType()));
  SmallVector<NamedAttribute> attributes = {
      g.f64("scale", 1 / std::sqrt(double(width)))};
  constexpr Window windows[] = {{1, 0}, {3, 0},   {64, 0},  {100, 0}, {1, 70},
                                {3, 2}, {64, 64}, {100, 5}, {513, 0}, {513, 9}};
  if (g.below(2))
    addWindow(g, g.pick(windows), attributes);
  SmallVector<SsaValue> operands{q, g.cache(keys)};
  if (values)
    operands.push_back(g.cache(*values));
  else
    attributes.push_back(g.i64("latent", 1 + g.below(width)));
  operands.push_back(g.batch());
  g.infer(op, ir::infer::attention, operands, attributes);
  if (!appends && !g.isAlone())
    append(g, keys);
  return true;
}

/// What the ops over a step's own rows share.
struct StepRows {
  SmallVector<SsaValue> rows; // q, k, and v if it is not in k
  SmallVector<NamedAttribute> attributes;
  SsaValue batch;
};

static std::optional<StepRows> stepRows(GraphBuilder &g) {
  constexpr int64_t widths[] = {1, 6, 8, 16, 24, 33, 64, 80};
  constexpr Window windows[] = {{1, 0}, {3, 0}, {7, 0}, {64, 0},
                                {1, 1}, {3, 9}, {7, 2}, {64, 70}};
  StepRows made;
  made.batch = g.wholeBatch();
  if (!made.batch)
    return std::nullopt;
  int64_t heads = 1 + g.below(3), width = g.pick(widths);
  made.rows = {
      dressed(g, g.tensor({T, heads * (1 + g.below(3)), width}, g.floatType())),
      dressed(g, g.tensor({T, heads, width}, g.floatType()))};
  made.attributes = {g.f64("scale", 1 / std::sqrt(double(width)))};
  if (g.below(3)) {
    int64_t values = g.below(2) ? width : g.pick(widths);
    made.rows.push_back(
        dressed(g, g.tensor({T, heads, values}, g.floatType())));
  } else {
    made.attributes.push_back(g.i64("latent", 1 + g.below(width)));
  }
  if (g.below(2))
    addWindow(g, g.pick(windows), made.attributes);
  return made;
}

static Operation *addSelfAttention(GraphBuilder &g, const StepRows &step) {
  SmallVector<SsaValue> operands(step.rows);
  operands.push_back(step.batch);
  return g.infer("tn.self_attention", ir::infer::selfAttention, operands,
                 step.attributes);
}

static bool selfAttention(GraphBuilder &g, StringRef) {
  std::optional<StepRows> step = stepRows(g);
  return step && addSelfAttention(g, *step);
}

/// A gradient, after the op whose logarithms it needs.
static bool selfAttentionGrad(GraphBuilder &g, StringRef op) {
  std::optional<StepRows> step = stepRows(g);
  if (!step)
    return false;
  Operation *forward = addSelfAttention(g, *step);
  SsaValue lse = forward->getResult(1);
  SmallVector<SsaValue> operands(step->rows);
  operands.push_back(g.argument(g.typeOf(forward->getResult(0))));
  operands.push_back(lse);
  operands.push_back(g.argument(g.typeOf(lse)));
  operands.push_back(step->batch);
  bool isQuery = op.ends_with("query");
  auto rows = ArrayRef(step->rows);
  auto results = isQuery ? rows.take_front(1) : rows.drop_front(1);
  return g.add(op, operands, ValueRange(results).getTypes(), step->attributes);
}

static SsaValue seeds(GraphBuilder &g, int64_t rows) {
  return g.argument(g.tensor(rows, g.builder.getI64Type()),
                    [&] { return double(g.random()) - 0x1p63; });
}

static SsaValue positions(GraphBuilder &g, int64_t rows) {
  return g.indices(g.tensor(rows, g.builder.getI32Type()), 100000);
}

static bool random(GraphBuilder &g, StringRef op) {
  int64_t rows = g.below(2) ? T : g.rows();
  return g.infer(op, ir::infer::random, {seeds(g, rows), positions(g, rows)});
}

static bool sample(GraphBuilder &g, StringRef op) {
  int64_t rows = g.below(3) ? T : g.rows(), choices = g.columns();
  Type f32 = g.builder.getF32Type();
  auto numbers = [&](std::initializer_list<double> of) {
    return g.argument(g.tensor(rows, f32),
                      [&] { return of.begin()[g.below(of.size())]; });
  };
  SsaValue logits = g.finite(g.tensor({rows, choices}, f32));
  SsaValue temperature = numbers({0, 0.3, 0.7, 1, 1.5});
  SsaValue topK = g.argument(g.tensor(rows, g.builder.getI32Type()),
                             [&] { return double(g.below(choices + 3) - 1); });
  SsaValue topP = numbers({0, 0.5, 0.9, 0.99, 1, 2});
  SsaValue minP = numbers({-1, 0, 0.05, 0.5, 2});
  return g.infer(op, ir::infer::sample,
                 {logits, temperature, topK, topP, minP, seeds(g, rows),
                  positions(g, rows)});
}

llvm::ArrayRef<Step> tokenSteps() {
  static constexpr Step steps[] = {
      {"tn.rope", "", rope},
      {"tn.cache_append", "", cacheAppend},
      {"tn.attention", "", attention},
      {"tn.self_attention", "", selfAttention},
      {"tn.self_attention_grad_query", "", selfAttentionGrad},
      {"tn.self_attention_grad_keys", "", selfAttentionGrad},
      {"tn.random", "", random},
      {"tn.sample", "", sample}};
  return steps;
}

} // namespace tenon::testing
