//===- ProductSteps.cpp - Products and rows by number in random graphs ----===//

#include "tests/numerics/GraphSteps.h"

#include "ir/tn/Panels.h"

namespace tenon::testing {

using namespace mlir;

// Of one product, for the oracle's sake.
static constexpr int64_t kMostMultiplications = 1 << 21;

static SsaValue findMatrix(GraphBuilder &g, int64_t rank, int64_t divisor) {
  return g.find([&](SsaValue v) {
    RankedTensorType type = g.typeOf(v);
    return g.isFloat(v) && type.getRank() >= 2 &&
           (rank == 0 || type.getRank() == rank) &&
           (divisor == 1 || (!type.isDynamicDim(type.getRank() - 1) &&
                             type.getShape().back() % divisor == 0));
  });
}

/// The product of a and b, with a bias or none, in a type of its own or a's.
static bool addProduct(GraphBuilder &g, SsaValue a, SsaValue b,
                       ArrayRef<NamedAttribute> flags, bool transposeB) {
  RankedTensorType type = g.typeOf(b);
  int64_t rank = type.getRank();
  int64_t n = type.getDimSize(transposeB ? rank - 2 : rank - 1);
  if (g.sizeOf(g.typeOf(a)) * (n < 0 ? 64 : n) > kMostMultiplications)
    return false;
  SmallVector<SsaValue> operands = {a, b};
  if (n > 0 && g.below(2))
    operands.push_back(g.weight(g.tensor(n, g.floatType())));
  return g.infer("tn.matmul", ir::infer::matmul, operands, flags,
                 g.below(2) ? g.floatType() : Type());
}

/// A value that can be b: its k is that of a, its leading axes are none or a's.
static SsaValue findRight(GraphBuilder &g, RankedTensorType a, int64_t kAxis,
                          bool transposeB) {
  return g.find([&](SsaValue v) {
    RankedTensorType b = g.typeOf(v);
    int64_t rank = b.getRank();
    if (!g.isFloat(v) || rank < 2 || (rank != 2 && rank != a.getRank()))
      return false;
    for (int64_t axis = 0; axis + 2 < rank; ++axis)
      if (!ir::sameExtent(a, axis, b, axis))
        return false;
    return ir::sameExtent(a, kAxis, b, transposeB ? rank - 1 : rank - 2);
  });
}

/// Every form of plain operands: either transposed, b by batch, square ones.
static bool matmul(GraphBuilder &g, StringRef) {
  SsaValue a = findMatrix(g, 0, 1);
  if (g.below(4) == 0) {
    int64_t size = 3 + g.below(14);
    a = g.argument(g.tensor({size, size}, g.floatType()));
  }
  if (!a)
    return false;
  RankedTensorType type = g.typeOf(a);
  int64_t rank = type.getRank();
  bool transposeA = g.below(3) == 0, transposeB = g.below(2);
  int64_t kAxis = transposeA ? rank - 2 : rank - 1;
  SmallVector<NamedAttribute> flags;
  if (transposeA)
    flags.push_back(g.unit("transpose_a"));
  if (transposeB)
    flags.push_back(g.unit("transpose_b"));
  SsaValue b = g.below(3) ? SsaValue() : findRight(g, type, kAxis, transposeB);
  if (b)
    return addProduct(g, a, b, flags, transposeB);
  int64_t k = type.getDimSize(kAxis);
  int64_t n = k > 0 && k < 130 && g.below(3) == 0 ? k : g.columns();
  SmallVector<int64_t> shape;
  if (rank > 2 && g.below(2))
    llvm::append_range(shape, type.getShape().drop_back(2));
  shape.append({transposeB ? n : k, transposeB ? k : n});
  RankedTensorType typeB = g.tensor(shape, g.floatType());
  if (g.sizeOf(typeB) > 40000)
    return false;
  b = shape.size() == 2 && k > 0 ? g.weight(typeB) : g.argument(typeB);
  return addProduct(g, a, b, flags, transposeB);
}

/// Projections of one value, which fusion joins.
static bool siblings(GraphBuilder &g, StringRef op) {
  SsaValue a = findMatrix(g, 0, 1);
  if (!a || g.typeOf(a).getShape().back() < 1)
    return false;
  int64_t k = g.typeOf(a).getShape().back();
  RankedTensorType b = g.tensor({g.columns(), k}, g.floatType());
  if (g.sizeOf(b) > 40000)
    return false;
  NamedAttribute flag = g.unit("transpose_b");
  SsaValue up = g.weight(b), gate = g.weight(b);
  Operation *y = g.infer(op, ir::infer::matmul, {a, up}, flag);
  Operation *z = g.infer(op, ir::infer::matmul, {a, gate}, flag);
  if (!y || !z || g.isAlone())
    return y || z;
  Operation *open =
      g.add("tn.silu", z->getResult(0), z->getResult(0).getType());
  return g.add("tn.mul", {y->getResult(0), open->getResult(0)},
               y->getResult(0).getType());
}

/// The left operand of a weight with `k` columns: an old value if one fits.
static SsaValue leftOf(GraphBuilder &g, int64_t k) {
  SsaValue old = g.find([&](SsaValue v) {
    RankedTensorType type = g.typeOf(v);
    return g.isFloat(v) && type.getRank() >= 2 && type.getShape().back() == k;
  });
  return old ? old
             : g.argument(g.tensor({ShapedType::kDynamic, k}, g.floatType()));
}

static bool blockedMatmul(GraphBuilder &g, StringRef) {
  auto [element, k] = g.blockedColumns();
  SsaValue a = leftOf(g, k);
  SsaValue b = g.weight(g.tensor({1 + g.below(40), k}, element));
  return addProduct(g, a, b, g.unit("transpose_b"), true);
}

/// A product of integers: of quantised activations, whatever the weight.
static bool integerMatmul(GraphBuilder &g, StringRef) {
  auto [element, k] = g.blockedColumns();
  bool isSuper = ir::panelFormat(ir::storageOf(element)).hasFactors;
  auto q8 = ir::BlockType::get(g.builder.getContext(),
                               isSuper && g.below(2) ? base::ElementType::Q8_K
                                                     : base::ElementType::Q8_0);
  SsaValue a;
  if (g.isAlone()) {
    a = g.weight(g.tensor({ShapedType::kDynamic, k}, q8));
  } else {
    SsaValue x =
        g.wholeBlocks(2, base::info(ir::storageOf(element)).blockElements);
    k = g.typeOf(x).getShape().back();
    a = g.add("tn.quantize", x, ir::withElement(g.typeOf(x), q8))->getResult(0);
  }
  RankedTensorType typeB = g.tensor({1 + g.below(70), k}, element);
  if (g.sizeOf(typeB) > 60000)
    return false;
  SsaValue b = g.weight(typeB);
  if (g.below(2)) {
    Type packed = RankedTensorType::get(
        typeB.getShape(), element,
        ir::PanelsAttr::get(g.builder.getContext(), ir::kPanelLanes));
    b = g.add("tn.pack", b, packed)->getResult(0);
  }
  return addProduct(g, a, b, g.unit("transpose_b"), true);
}

/// A packed weight is read by a matmul and by nothing else.
static bool pack(GraphBuilder &g, StringRef op) {
  auto [element, k] = g.blockedColumns();
  if (g.below(3) == 0)
    std::tie(element, k) = std::pair(g.floatType(), 1 + g.below(70));
  SsaValue a = leftOf(g, k);
  RankedTensorType plain = g.tensor({1 + g.below(70), k}, element);
  SsaValue w = g.weight(plain);
  Type packed = RankedTensorType::get(
      plain.getShape(), element,
      ir::PanelsAttr::get(g.builder.getContext(), ir::kPanelLanes));
  Operation *made = g.add(op, w, packed);
  return made &&
         addProduct(g, a, made->getResult(0), g.unit("transpose_b"), true);
}

static bool unpack(GraphBuilder &g, StringRef op) {
  auto [element, columns] = g.blockedColumns();
  RankedTensorType type = g.tensor({g.rows(), columns}, element);
  return g.add(op, g.weight(type), ir::withElement(type, g.floatType()));
}

/// The shape of an index: of tokens, of tokens and choices, or of one row.
static RankedTensorType indexType(GraphBuilder &g) {
  SmallVector<int64_t> shapes[] = {
      {ShapedType::kDynamic}, {ShapedType::kDynamic, 3}, {g.rows()}, {}};
  return g.tensor(shapes[g.below(4)], g.builder.getI32Type());
}

static bool gather(GraphBuilder &g, StringRef op) {
  SsaValue table = g.below(3) ? SsaValue() : g.find([&](SsaValue v) {
    return g.typeOf(v).getRank() >= 1;
  });
  SmallVector<int64_t> shape = {1 + g.below(40), g.columns()};
  if (g.below(4) == 0)
    shape.insert(shape.begin() + 1, 2);
  if (g.below(4) == 0)
    shape.resize(1);
  if (!table)
    table = g.weight(g.tensor(shape, g.valueType()));
  int64_t rows = g.extentsOf(g.typeOf(table)).front();
  return g.infer(op, ir::infer::gather, {table, g.indices(indexType(g), rows)});
}

static bool blockedGather(GraphBuilder &g, StringRef op) {
  auto [element, columns] = g.blockedColumns();
  int64_t rows = 1 + g.below(20);
  SsaValue table = g.weight(g.tensor({rows, columns}, element));
  return g.infer(op, ir::infer::gather, {table, g.indices(indexType(g), rows)},
                 {}, g.floatType());
}

static bool takeAlong(GraphBuilder &g, StringRef op) {
  SsaValue x = g.find([&](SsaValue v) {
    return g.typeOf(v).getRank() >= 1 && g.typeOf(v).getShape().back() > 0;
  });
  if (!x)
    return false;
  SmallVector<int64_t> shape(g.typeOf(x).getShape());
  int64_t columns = shape.back();
  shape.back() = 1 + g.below(9);
  return g.infer(
      op, ir::infer::takeAlong,
      {x, g.indices(g.tensor(shape, g.builder.getI32Type()), columns)});
}

static bool scatter(GraphBuilder &g, StringRef op) {
  SsaValue base = g.find([&](SsaValue v) {
    return g.typeOf(v).getRank() == 2 && !g.typeOf(v).isDynamicDim(1) &&
           !g.typeOf(v).getElementType().isInteger(1);
  });
  if (!base)
    return false;
  RankedTensorType type = g.typeOf(base);
  int64_t count = g.below(2) ? ShapedType::kDynamic : g.rows();
  SsaValue index =
      g.indices(g.tensor(count, g.builder.getI32Type()), g.extentsOf(type)[0]);
  RankedTensorType rows =
      g.tensor({count, type.getDimSize(1)}, type.getElementType());
  SsaValue old = g.find([&](SsaValue v) { return v.getType() == rows; });
  SmallVector<NamedAttribute> flags;
  if (g.below(2))
    flags.push_back(g.unit("add"));
  return g.infer(op, ir::infer::scatter,
                 {base, index, old && g.below(2) ? old : g.argument(rows)},
                 flags);
}

llvm::ArrayRef<Step> productSteps() {
  static constexpr Step steps[] = {{"tn.matmul", "", matmul},
                                   {"tn.matmul", "again", matmul},
                                   {"tn.matmul", "siblings", siblings},
                                   {"tn.matmul", "blocked", blockedMatmul},
                                   {"tn.matmul", "integers", integerMatmul},
                                   {"tn.pack", "", pack},
                                   {"tn.unpack", "", unpack},
                                   {"tn.gather", "", gather},
                                   {"tn.gather", "blocked", blockedGather},
                                   {"tn.take_along", "", takeAlong},
                                   {"tn.scatter", "", scatter}};
  return steps;
}

} // namespace tenon::testing
