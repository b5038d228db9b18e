//===- MatmulOperands.cpp - What a register tile reads --------------------===//
//
// Rows of the left operand and panels of the right one. What does not lie in
// memory as the register tile wants it is staged in scratch first: rows at a
// stride that spreads them over the sets of a cache, panels of a weight that is
// not packed (MatmulPanels.cpp).
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/MatmulNest.h"
#include "ir/tn/Emit.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace tenon::codegen::cpu {

using namespace mlir;
using ir::kPanelLanes;

// Between staged rows: rows a power of two apart would share a cache set.
static constexpr int64_t kRowPadding = 16;
static constexpr int64_t kRowsAhead = 4;
// Lines of k that are asked for while one is spread over row groups.
static constexpr int64_t kColumnsAhead = 6;

static RankedTensorType typeOf(Value value) {
  return cast<RankedTensorType>(value.getType());
}

bool isPacked(ir::ProductOp product) {
  return isa_and_nonnull<ir::PanelsAttr>(typeOf(product.getB()).getEncoding());
}

bool isInteger(ir::ProductOp product) {
  return isa<ir::BlockType>(typeOf(product.getA()).getElementType());
}

bool isBytes(ir::ProductOp product) {
  return typeOf(product.getA()).getElementType().isInteger(8);
}

Value storedAt(Value tensor) {
  while (auto reshape = tensor.getDefiningOp<ir::ReshapeOp>())
    tensor = reshape.getX();
  return isa<BlockArgument>(tensor) ? tensor : Value();
}

Value sourceOf(Value factor) {
  auto cast = factor.getDefiningOp<ir::CastOp>();
  bool isRounded = cast && typeOf(factor).getElementType().isBF16() &&
                   typeOf(cast.getX()).getElementType().isF32() &&
                   storedAt(cast.getX());
  return isRounded ? cast.getX() : factor;
}

bool isStaged(ir::ProductOp product) {
  bool isReadInPlace = isPacked(product) && product.getTransposeB();
  return !isReadInPlace && !isInteger(product) && !isBytes(product);
}

/// What the register tile reads b as: what is staged for it is f32, or words of
/// bf16 where the machine multiplies these.
ir::PanelFormat MatmulNest::formatOf(ir::ProductOp product) {
  Type b = typeOf(product.getB()).getElementType();
  if (!isStaged(product))
    return ir::panelFormat(ir::storageOf(b));
  bool isPairs = e.hasBf16Dot() && b.isBF16() &&
                 typeOf(product.getA()).getElementType().isBF16() &&
                 storedAt(sourceOf(product.getB()));
  return ir::panelFormat(isPairs ? base::ElementType::BF16
                                 : base::ElementType::F32);
}

/// The index of the tile's matrix in an operand of a batched product: its last
/// two entries are left at 0.
SmallVector<Value> MatmulNest::matrixIndex(RankedTensorType type) {
  SmallVector<Value> index;
  if (shape.isBatched) {
    SmallVector<Value> extents = e.extents(type);
    extents.truncate(type.getRank() - 2);
    index = e.delinearise(matrix, extents);
  }
  index.append(2, e.index(0));
  return index;
}

/// Whether whole panels of a b of f32 are read where they lie: one group of
/// rows would not make up for staging them.
bool MatmulNest::isReadInPlace(ir::ProductOp product) {
  RankedTensorType b = typeOf(product.getB());
  std::optional<int64_t> n = getConstantIntValue(allColumns);
  return isStaged(product) && !product.getTransposeB() && !areRowsGrouped &&
         b.getElementType().isF32() && !b.getEncoding() &&
         storedAt(product.getB()) && n && *n % kPanelLanes == 0;
}

//===----------------------------------------------------------------------===//
// The left operand
//===----------------------------------------------------------------------===//

/// Whether the left operand is staged in words of two bf16: all products that
/// read it multiply pairs.
bool MatmulNest::isPaired(Value a) {
  return e.hasBf16Dot() && typeOf(a).getElementType().isBF16() &&
         llvm::all_of(products, [&](ir::ProductOp product) {
           return product.getA() != a ||
                  formatOf(product).type == base::ElementType::BF16;
         });
}

/// Whether the left operand lies in memory as rows of floats.
bool MatmulNest::isDirect(ir::ProductOp product) {
  Value a = product.getA();
  return storedAt(a) && !product.getTransposeA() &&
         isa<FloatType>(typeOf(a).getElementType());
}

/// Whether the rows of a tile lie beside each other at each k.
bool MatmulNest::liesByColumns(ir::ProductOp product) {
  Value a = product.getA();
  if (shape.isCutAlongK)
    return true;
  return product.getTransposeA() &&
         (typeOf(a).getRank() == 2 || shape.isBatched) &&
         elements.runLength(a) == 0;
}

/// The first row of the tile in a direct left operand.
Value MatmulNest::sourceRows(Value a) {
  RankedTensorType type = typeOf(a);
  return e.address(e.pointer(storedAt(a)), type.getElementType(),
                   e.mul(topRow(), e.extent(type, type.getRank() - 1)));
}

MatmulRows MatmulNest::rowsInScratch(Value a, int64_t mostK) {
  MatmulRows left;
  left.isPaired = isPaired(a);
  int64_t words = left.isPaired ? llvm::divideCeil(mostK, 2) : mostK;
  int64_t stride = words + kRowPadding;
  left.pointer = e.scratch(paddedRows * stride * sizeof(float));
  left.stride = e.index(stride);
  return left;
}

Value swapHalves(KernelEmitter &e, Value word) {
  auto &b = e.builder;
  Value by = arith::ConstantOp::create(b, b.getI32IntegerAttr(16));
  if (auto vector = dyn_cast<VectorType>(word.getType()))
    by = e.splat(by, vector.getNumElements());
  return arith::OrIOp::create(b, arith::ShLIOp::create(b, word, by),
                              arith::ShRUIOp::create(b, word, by));
}

/// Words of the high and the low half, f32 that are rounded to bf16.
static Value pairOf(KernelEmitter &e, Value high, Value low) {
  auto &b = e.builder;
  ir::Emit a(b, b.getLoc(), high.getType());
  Value upper = a.bits(a.rounded(high, b.getBF16Type()));
  Value lower = a.bits(a.rounded(low, b.getBF16Type()));
  return arith::OrIOp::create(b, upper,
                              arith::ShRUIOp::create(b, lower, a.integer(16)));
}

Value pairLines(KernelEmitter &e, Type element, Value high, Value low,
                const Lanes &lanes) {
  auto &b = e.builder;
  if (element.isF32())
    return pairOf(e, e.load(high, element, lanes.offset, lanes),
                  e.load(low, element, lanes.offset, lanes));
  auto words = [&](Value line) -> Value {
    Value halves = e.load(line, b.getI16Type(), lanes.offset, lanes);
    return arith::ExtUIOp::create(b, e.vectorOf(b.getI32Type(), lanes), halves);
  };
  Value by = arith::ConstantOp::create(b, b.getI32IntegerAttr(16));
  Value upper = arith::ShLIOp::create(b, words(high), e.splat(by, lanes.width));
  return arith::OrIOp::create(b, upper, words(low));
}

Value pairsOfLine(KernelEmitter &e, Type element, Value line,
                  const Lanes &lanes) {
  auto &b = e.builder;
  if (!element.isF32())
    return swapHalves(e, e.load(line, b.getI32Type(), lanes.offset, lanes));
  // Element `first` of the parts, then each `step` / 2 further on.
  auto every = [&](Value x, Value y, int64_t first, int64_t step) -> Value {
    SmallVector<int64_t> order;
    for (int64_t i = 0; i < lanes.width; ++i)
      order.push_back(first + i * step / 2);
    return vector::ShuffleOp::create(b, x, y, order);
  };
  Value parts[2];
  for (int64_t i : {0, 1}) {
    Lanes half{lanes.width, lanes.mask};
    if (lanes.mask) // A word is there with both of its elements.
      half.mask = every(lanes.mask, lanes.mask, i * lanes.width / 2, 1);
    Value from = e.add(e.mul(lanes.offset, 2), e.index(i * lanes.width));
    parts[i] = e.load(line, element, from, half);
  }
  return pairOf(e, every(parts[0], parts[1], 0, 4),
                every(parts[0], parts[1], 1, 4));
}

/// The last element of an odd number of bf16, as a word.
static void stageLastOfRow(KernelEmitter &e, Value source, Value count,
                           Value target) {
  auto &b = e.builder;
  if (std::optional<int64_t> known = getConstantIntValue(count);
      known && *known % 2 == 0)
    return;
  Value isOdd = arith::CmpIOp::create(b, arith::CmpIPredicate::ne,
                                      e.rem(count, 2), e.index(0));
  e.ifThen(isOdd, [&] {
    Value last = e.load(source, b.getI16Type(), e.sub(count, e.index(1)));
    Value word = arith::ExtUIOp::create(b, b.getI32Type(), last);
    e.store(swapHalves(e, word), target, e.div(count, 2));
  });
}

void MatmulNest::stageSegment(Value a, const MatmulRows &left,
                              const Segment &segment) {
  auto &b = e.builder;
  Type element = typeOf(a).getElementType();
  Type word = left.isPaired ? Type(b.getI32Type()) : element;
  int64_t group = left.isPaired ? 2 : 1;
  Value source = sourceRows(a);
  Value k = e.extent(typeOf(a), typeOf(a).getRank() - 1);
  // A segment is less than a page, and each row starts a stream of its own,
  // which the hardware does not foresee.
  Value ahead = e.mul(k, kRowsAhead);
  e.loop(e.index(0), rows, 1, [&](Value row) {
    Value from = e.address(source, element, e.add(e.mul(row, k), segment.from));
    Value to = e.address(left.pointer, b.getF32Type(), e.mul(row, left.stride));
    Value next = e.address(from, element, ahead);
    e.columns(
        e.div(segment.count, group), e.vectorWidth(), [&](const Lanes &lanes) {
          e.prefetch(e.address(next, word, lanes.offset));
          Value value = e.load(from, word, lanes.offset, lanes);
          value = left.isPaired
                      ? swapHalves(e, value)
                      : ir::Emit(b, b.getLoc(), value.getType()).extend(value);
          e.store(value, to, lanes.offset, lanes);
        });
    if (left.isPaired)
      stageLastOfRow(e, from, segment.count, to);
  });
}

/// Stores elements of a staged row as they come: f32, or the bits of bf16.
void MatmulNest::storeStaged(const MatmulRows &left, Value row, Value column,
                             Value value, const Lanes &lanes) {
  auto &b = e.builder;
  Value stride = left.stride;
  if (left.isPaired) {
    stride = e.mul(stride, 2);
    value =
        arith::TruncFOp::create(b, e.vectorOf(b.getBF16Type(), lanes), value);
    value =
        arith::BitcastOp::create(b, e.vectorOf(b.getI16Type(), lanes), value);
  }
  e.store(value, left.pointer, e.add(e.mul(row, stride), column), lanes);
}

/// Turns a staged row of bf16 into words.
void MatmulNest::pairRow(const MatmulRows &left, Value row, Value k) {
  auto &b = e.builder;
  Value words = e.div(e.add(k, e.index(1)), 2);
  Value start =
      e.address(left.pointer, b.getI32Type(), e.mul(row, left.stride));
  e.columns(words, e.vectorWidth(), [&](const Lanes &lanes) {
    Value word = e.load(start, b.getI32Type(), lanes.offset, lanes);
    e.store(swapHalves(e, word), start, lanes.offset, lanes);
  });
}

/// The elements of the tile's rows at one k, beside each other: where they lie,
/// or staged in `line`.
Value MatmulNest::columnsAt(Value a, const MatmulRows &left, Value k,
                            Value line) {
  RankedTensorType type = typeOf(a);
  Index index = rowOfK(type, k);
  if (!line) {
    index.back() = firstRow;
    return e.address(e.pointer(storedAt(a)), type.getElementType(),
                     e.linearise(type, index));
  }
  auto keep = [&](ValueRange at, Value column, const Lanes &lanes) {
    Value value = elements.element(a, at, lanes);
    if (left.isPaired)
      value = arith::TruncFOp::create(
          e.builder, e.vectorOf(e.builder.getBF16Type(), lanes), value);
    e.store(value, line, e.sub(column, firstRow),
            Lanes{lanes.width, lanes.mask});
  };
  if (elements.runLength(a) == 0) {
    forEachRun(a, index, firstRow, rows,
               [&](ValueRange at, const Lanes &lanes) {
                 keep(at, e.add(at.back(), lanes.offset), lanes);
               });
    return line;
  }
  e.loop(e.index(0), rows, 1, [&](Value row) { // in runs that tiles cut
    Elements::Scope scope(elements);
    index.back() = e.add(firstRow, row);
    elements.prepare(a, index);
    keep(index, index.back(), {});
  });
  return line;
}

/// Spreads the lines of one k, or of the two of a word, over the row groups.
void MatmulNest::storeColumns(const MatmulRows &left, ArrayRef<Value> lines,
                              ArrayRef<Value> next, Value word) {
  Type f32 = e.builder.getF32Type(), bf16 = e.builder.getBF16Type();
  auto move = [&](Value row, Value target, const Lanes &lanes) {
    Lanes from{lanes.width, lanes.mask, row};
    Value value = left.isPaired ? pairLines(e, bf16, lines[0], lines[1], from)
                                : e.load(lines[0], f32, row, from);
    e.store(value, left.pointer, target, lanes);
  };
  int64_t group = registers.rows;
  Value whole = e.sub(rows, e.rem(rows, group)), at = e.mul(word, group);
  e.loop(e.index(0), whole, group, [&](Value row) {
    for (Value line : next)
      e.prefetch(e.address(line, left.isPaired ? bf16 : f32, row), 1);
    move(row, e.add(e.mul(row, left.stride), at), Lanes{group});
  });
  Value last = e.add(e.mul(whole, left.stride), at);
  e.loop(whole, rows, 1,
         [&](Value row) { move(row, e.add(last, e.sub(row, whole)), {}); });
}

// A segment of rows that lie beside each other at each k: they stay so, group
// by group. One line of memory is read from end to end for each k.
void MatmulNest::stageColumns(Value a, const MatmulRows &left,
                              const Segment &segment) {
  auto &b = e.builder;
  int64_t mark = e.scratchMark(), group = left.isPaired ? 2 : 1;
  Type element = left.isPaired ? Type(b.getBF16Type()) : Type(b.getF32Type());
  bool isStored = storedAt(a) && typeOf(a).getElementType() == element;
  SmallVector<Value> staged(group);
  for (Value &line : staged)
    if (!isStored)
      line = e.scratch(paddedRows * sizeof(float));
  Value words = e.div(e.add(segment.count, e.index(group - 1)), group);
  Value last = e.sub(segment.to, e.index(1));
  Value ahead = e.mul(e.extent(typeOf(a), typeOf(a).getRank() - 1),
                      kColumnsAhead * group);
  e.loop(e.index(0), words, 1, [&](Value word) {
    Elements::Scope scope(elements);
    SmallVector<Value> lines, next;
    // The word of the last one of an odd number has no other half.
    for (auto [i, line] : llvm::enumerate(staged)) {
      Value k = e.add(segment.from, e.add(e.mul(word, group), e.index(i)));
      lines.push_back(columnsAt(a, left, i ? e.min(k, last) : k, line));
    }
    for (size_t i = 0; i < lines.size() && isStored; ++i)
      next.push_back(e.address(lines[i], element, ahead));
    storeColumns(left, lines, next, word);
  });
  e.restoreScratch(mark);
}

// Rows of any type and producer in scratch. What lies after the last row of a
// group is read, never stored.
MatmulRows MatmulNest::stagedRows(ir::ProductOp product) {
  Value a = product.getA();
  RankedTensorType type = typeOf(a);
  int64_t last = type.getRank() - 1;
  MatmulRows left = rowsInScratch(
      a, e.maxExtent(type, product.getTransposeA() ? last - 1 : last));
  Value k = extentOfK(product);
  left.isGrouped = liesByColumns(product);
  if (left.isGrouped) {
    stageColumns(a, left, {e.index(0), k, k});
    return left;
  }
  e.loop(e.index(0), rows, 1, [&](Value row) {
    stageRow(product, left, row, k);
    if (left.isPaired)
      pairRow(left, row, k);
  });
  return left;
}

void MatmulNest::stageRow(ir::ProductOp product, const MatmulRows &left,
                          Value row, Value k) {
  Value a = product.getA();
  int64_t last = typeOf(a).getRank() - 1;
  Elements::Scope scope(elements);
  SmallVector<Value> index = rowIndex(shape.y, row);
  if (!product.getTransposeA())
    return forEachRun(a, index, e.index(0), k,
                      [&](ValueRange at, const Lanes &lanes) {
                        storeStaged(left, row, e.add(at.back(), lanes.offset),
                                    elements.element(a, at, lanes),
                                    Lanes{lanes.width, lanes.mask});
                      });
  e.loop(e.index(0), k, 1, [&](Value column) {
    Elements::Scope inner(elements);
    SmallVector<Value> at(index);
    at[last] = index[last - 1];
    at[last - 1] = column;
    elements.prepare(a, at);
    storeStaged(left, row, column, elements.element(a, at, {}), {});
  });
}

// One row of f32 is read where it lies. Of more, each segment is staged for all
// groups of columns; a single group of rows is staged at once.
MatmulRows MatmulNest::leftRows(ir::ProductOp product) {
  Value a = product.getA(), first = topRow();
  if (isBytes(product)) {
    QuantRows staged = stageByteRows(e, a, first, rows, paddedRows);
    MatmulRows left{staged.quants, staged.k};
    left.quants = staged;
    return left;
  }
  if (isInteger(product)) {
    SmallVector<ir::PanelFormat> formats;
    for (ir::ProductOp other : products)
      if (other.getA() == a)
        formats.push_back(formatOf(other));
    QuantRows staged = stageQuantRows(e, a, first, rows, paddedRows, formats);
    MatmulRows left{staged.quants, staged.k};
    left.quants = staged;
    return left;
  }
  bool isByColumns = liesByColumns(product);
  if (!isDirect(product) && !isByColumns)
    return stagedRows(product);
  if (!isByColumns && registers.rows == 1 && typeOf(a).getElementType().isF32())
    return {sourceRows(a), extentOfK(product)};
  if (!cutsBySegments())
    return stagedRows(product);
  MatmulRows left = rowsInScratch(a, kSegment);
  left.isSegment = true;
  left.isGrouped = isByColumns;
  return left;
}

//===----------------------------------------------------------------------===//
// The right operand
//===----------------------------------------------------------------------===//

TileOperands MatmulNest::rightOperand(ir::ProductOp product, Value column,
                                      const Segment &segment) {
  TileOperands operands;
  operands.segment = segment;
  RankedTensorType type = typeOf(product.getB());
  operands.format = formatOf(product);
  Value first = e.add(firstColumn, column);
  if (isReadInPlace(product)) {
    operands.panelStride = allColumns;
    Index index = rowOfK(type, e.index(0));
    for (int64_t p = 0; p < registers.panels; ++p) {
      // A group may reach past the last panel: that one is read again.
      index.back() = e.min(e.add(first, e.index(p * kPanelLanes)),
                           e.sub(allColumns, e.index(kPanelLanes)));
      operands.panels.push_back(e.address(e.pointer(storedAt(product.getB())),
                                          type.getElementType(),
                                          e.linearise(type, index)));
    }
    return operands;
  }
  Value lastPanel = e.div(e.sub(allColumns, e.index(1)), kPanelLanes);
  operands.next = nextPanels(product, column, segment);
  for (int64_t p = 0; p < registers.panels; ++p) {
    // A group may reach past the last panel: that one is read again.
    Value number =
        e.min(e.add(e.div(first, kPanelLanes), e.index(p)), lastPanel);
    if (isStaged(product)) {
      Value panel = stageRight(product, e.mul(number, kPanelLanes), segment);
      Value words = e.div(segment.from, operands.format.group());
      Value shift = e.sub(e.index(0), e.mul(words, kPanelLanes));
      operands.panels.push_back(
          e.address(panel, e.builder.getF32Type(), shift));
      continue;
    }
    if (!isPacked(product)) {
      operands.panels.push_back(
          stageQuantPanel(e, product.getB(), matrix, number));
      continue;
    }
    int64_t bytes = operands.format.panelBytes(type.getShape().back());
    operands.panels.push_back(
        e.address(e.pointer(product.getB()), e.builder.getI8Type(),
                  e.mul(e.add(firstPanel(type), number), bytes)));
    operands.bytesToNext = registers.panels * bytes;
  }
  return operands;
}

} // namespace tenon::codegen::cpu
