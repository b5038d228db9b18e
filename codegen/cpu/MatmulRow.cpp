//===- MatmulRow.cpp - One row by a weight as it lies ---------------------===//
//
// A single row by a right operand [n, k] that is not packed: nothing would
// share a staged panel. Squares of the operand are transposed in registers and
// added at once, while the same lines of the rows that follow are asked for.
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/MatmulNest.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"

namespace tenon::codegen::cpu {

using namespace mlir;

static RankedTensorType typeOf(Value value) {
  return cast<RankedTensorType>(value.getType());
}

/// Whether tiles are of one row and the weight's own rows are read.
bool MatmulNest::isOneRow(ir::ProductOp product) {
  Value b = sourceOf(product.getB());
  if (shape.tileRows > 1 || !isStaged(product) || !product.getTransposeB() ||
      !storedAt(b) || isa<ir::BlockType>(typeOf(b).getElementType()))
    return false;
  std::optional<int64_t> k = getConstantIntValue(extentOfK(product));
  int64_t group = formatOf(product).group();
  return group == 1 || (k && *k % group == 0);
}

/// The row's word, times that of each lane, and `sum`.
Value MatmulNest::addWord(ir::ProductOp product, Value sum, Value word,
                          Value weights) {
  bool isPairs = formatOf(product).group() > 1;
  Type element =
      isPairs ? Type(e.builder.getI32Type()) : Type(e.builder.getF32Type());
  Value a = e.load(lefts[product.getA()].pointer, element, word);
  return addProducts(e, sum, e.splat(a, e.vectorWidth()), weights);
}

/// Asks for the line at `word` of the rows after those of a register's lanes.
void MatmulNest::prefetchRows(ir::ProductOp product, const Panel &panel,
                              Value lane, Value word) {
  Value b = sourceOf(product.getB());
  RankedTensorType type = typeOf(b);
  Index index = matrixIndex(type);
  index.back() = e.add(panel.segment.from, e.mul(word, panel.format.group()));
  for (int64_t row = 0; row < e.vectorWidth() && panel.isWhole; ++row) {
    Value next = e.add(lane, e.index(row + e.vectorWidth()));
    index[index.size() - 2] = e.add(panel.column, next);
    e.prefetch(e.address(e.pointer(storedAt(b)), type.getElementType(),
                         e.linearise(type, index)));
  }
}

/// The last `rest` words of a segment, from `at` on, too few for a square: only
/// those that are there may be multiplied.
Value MatmulNest::addRest(ir::ProductOp product, const Panel &panel,
                          ArrayRef<Index> starts, Value at, Value rest,
                          Value sum) {
  int64_t lanes = e.vectorWidth(), group = panel.format.group();
  if (getConstantIntValue(rest) == 0)
    return sum;
  Type element =
      group > 1 ? Type(e.builder.getI32Type()) : Type(e.builder.getF32Type());
  Value square = e.scratch(lanes * lanes * sizeof(float));
  Lanes last{lanes, e.firstLanes(rest, lanes), at};
  for (auto [i, weights] :
       llvm::enumerate(transposedWords(product, panel, starts, last)))
    e.store(weights, square, e.index(i * lanes), Lanes{lanes});
  Value first = e.add(e.div(panel.segment.from, group), at);
  auto step = [&](Value i, ValueRange before) -> SmallVector<Value> {
    Value weights = e.load(square, element, e.mul(i, lanes), Lanes{lanes});
    return {addWord(product, before[0], e.add(first, i), weights)};
  };
  return e.loop(e.index(0), rest, 1, ValueRange{sum}, step)[0];
}

// Lanes [lane, + those of a register): their sum of a segment.
void MatmulNest::multiplyRow(ir::ProductOp product, const Panel &panel,
                             Value lane, Value sums) {
  int64_t lanes = e.vectorWidth(), group = panel.format.group();
  Value first = e.div(panel.segment.from, group);
  Value words = e.div(panel.segment.count, group);
  Value rest = e.rem(words, lanes), whole = e.sub(words, rest);
  SmallVector<Index> starts = rowsOf(product, panel, lane);
  auto square = [&](Value at, ValueRange before) -> SmallVector<Value> {
    Elements::Scope scope(elements);
    Value sum = before[0];
    prefetchRows(product, panel, lane, at);
    SmallVector<Value> block =
        transposedWords(product, panel, starts, {lanes, Value(), at});
    for (auto [i, weights] : llvm::enumerate(block))
      sum = addWord(product, sum, e.add(e.add(first, at), e.index(i)), weights);
    return {sum};
  };
  Value zero = e.splat(e.f32(0), lanes);
  Value sum = e.loop(e.index(0), whole, lanes, ValueRange{zero}, square)[0];
  sum = addRest(product, panel, starts, whole, rest, sum);
  e.countProducts(lanes, panel.segment.count);
  Value isFirst = arith::CmpIOp::create(e.builder, arith::CmpIPredicate::eq,
                                        panel.segment.from, e.index(0));
  Value before = e.load(sums, e.builder.getF32Type(), lane, Lanes{lanes});
  Value added = arith::AddFOp::create(e.builder, before, sum);
  e.store(arith::SelectOp::create(e.builder, isFirst, sum, added), sums, lane,
          Lanes{lanes});
}

void MatmulNest::multiplyRow(ir::ProductOp product, Value column, Value sums) {
  Panel group;
  group.column = e.add(firstColumn, column);
  group.format = formatOf(product);
  auto multiply = [&](const Panel &panel, Value lane) {
    forSegments(extentOfK(product), [&](const Segment &segment) {
      Elements::Scope scope(elements);
      Panel part = panel;
      part.segment = segment;
      multiplyRow(product, part, lane, sums);
    });
  };
  forWhole(group, registers.columns(), [&](const Panel &panel) {
    e.loop(e.index(0), e.index(registers.columns()), e.vectorWidth(),
           [&](Value lane) { multiply(panel, lane); });
  });
}

} // namespace tenon::codegen::cpu
