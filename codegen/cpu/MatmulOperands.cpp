//===- MatmulOperands.cpp - What a register tile reads --------------------===//
//
// Rows of the left operand and panels of the right one. What does not lie in
// memory as the register tile wants it is staged in scratch first: rows at a
// stride that spreads them over the sets of a cache, panels of a weight that is
// not packed.
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/MatmulNest.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"

namespace tenon::codegen::cpu {

using namespace mlir;
using ir::kPanelLanes;

// Between staged rows: rows a power of two apart would share a cache set.
static constexpr int64_t kRowPadding = 16;
static constexpr int64_t kRowsAhead = 2;

static RankedTensorType typeOf(Value value) {
  return cast<RankedTensorType>(value.getType());
}

bool isPacked(ir::MatmulOp product) {
  return isa_and_nonnull<ir::PanelsAttr>(typeOf(product.getB()).getEncoding());
}

bool isInteger(ir::MatmulOp product) {
  return isa<ir::BlockType>(typeOf(product.getA()).getElementType());
}

bool isBytes(ir::MatmulOp product) {
  return typeOf(product.getA()).getElementType().isInteger(8);
}

/// What the register tile reads b as: what is staged for it is f32.
static ir::PanelFormat formatOf(ir::MatmulOp product) {
  if (!isPacked(product) && !isInteger(product) && !isBytes(product))
    return ir::panelFormat(base::ElementType::F32);
  return ir::panelFormat(
      ir::storageOf(typeOf(product.getB()).getElementType()));
}

//===----------------------------------------------------------------------===//
// The left operand
//===----------------------------------------------------------------------===//

/// Whether the left operand is staged in words of two bf16: all products that
/// read it multiply pairs.
bool MatmulNest::isPaired(Value a) {
  return e.hasBf16Dot() && typeOf(a).getElementType().isBF16() &&
         llvm::all_of(products, [&](ir::MatmulOp product) {
           return product.getA() != a ||
                  formatOf(product).type == base::ElementType::BF16;
         });
}

/// Whether the left operand lies in memory as rows of what is staged.
bool MatmulNest::isDirect(ir::MatmulOp product) {
  Value a = product.getA();
  return isa<BlockArgument>(a) && !product.getTransposeA() &&
         (typeOf(a).getElementType().isF32() || isPaired(a));
}

/// The first row of the tile in a direct left operand.
Value MatmulNest::sourceRows(Value a) {
  RankedTensorType type = typeOf(a);
  Value first = e.add(e.mul(matrix, matrixRows), firstRow);
  return e.address(e.pointer(a), type.getElementType(),
                   e.mul(first, e.extent(type, type.getRank() - 1)));
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

/// i32: a word of two bf16 whose halves change places.
static Value swapHalves(KernelEmitter &e, Value word) {
  auto &b = e.builder;
  Value by = arith::ConstantOp::create(b, b.getI32IntegerAttr(16));
  if (auto vector = dyn_cast<VectorType>(word.getType()))
    by = e.splat(by, vector.getNumElements());
  return arith::OrIOp::create(b, arith::ShLIOp::create(b, word, by),
                              arith::ShRUIOp::create(b, word, by));
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
    e.columns(e.div(segment.count, group), e.vectorWidth(),
              [&](const Lanes &lanes) {
                e.prefetch(e.address(next, word, lanes.offset));
                Value value = e.load(from, word, lanes.offset, lanes);
                if (left.isPaired)
                  value = swapHalves(e, value);
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

// Rows of any type and producer in scratch. What lies after the last row of a
// group is read, never stored.
MatmulRows MatmulNest::stagedRows(ir::MatmulOp product) {
  Value a = product.getA();
  RankedTensorType type = typeOf(a);
  int64_t last = type.getRank() - 1;
  MatmulRows left = rowsInScratch(
      a, e.maxExtent(type, product.getTransposeA() ? last - 1 : last));
  Value k = extentOfK(product);
  e.loop(e.index(0), rows, 1, [&](Value row) {
    stageRow(product, left, row, k);
    if (left.isPaired)
      pairRow(left, row, k);
  });
  return left;
}

void MatmulNest::stageRow(ir::MatmulOp product, const MatmulRows &left,
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
MatmulRows MatmulNest::leftRows(ir::MatmulOp product) {
  Value a = product.getA();
  Value first = e.add(e.mul(matrix, matrixRows), firstRow);
  if (isBytes(product)) {
    QuantRows staged = stageByteRows(e, a, first, rows, paddedRows);
    MatmulRows left{staged.quants, staged.k};
    left.quants = staged;
    return left;
  }
  if (isInteger(product)) {
    SmallVector<ir::PanelFormat> formats;
    for (ir::MatmulOp other : products)
      if (other.getA() == a)
        formats.push_back(formatOf(other));
    QuantRows staged = stageQuantRows(e, a, first, rows, paddedRows, formats);
    MatmulRows left{staged.quants, staged.k};
    left.quants = staged;
    return left;
  }
  if (!isDirect(product))
    return stagedRows(product);
  if (registers.rows == 1 && !isPaired(a))
    return {sourceRows(a), extentOfK(product)};
  if (!cutsBySegments())
    return stagedRows(product);
  MatmulRows left = rowsInScratch(a, kSegment);
  left.isSegment = true;
  return left;
}

//===----------------------------------------------------------------------===//
// The right operand
//===----------------------------------------------------------------------===//

// Columns of a panel whose elements lie k by k, each in a row of its own.
void MatmulNest::stageRightColumns(ir::MatmulOp product, Value panelColumn,
                                   const Segment &segment, Value panel,
                                   SmallVector<Value> index) {
  Value b = product.getB();
  RankedTensorType type = typeOf(b);
  int64_t last = type.getRank() - 1;
  e.loop(e.index(0), e.index(kPanelLanes), 1, [&](Value lane) {
    Elements::Scope scope(elements);
    Value column =
        e.min(e.add(panelColumn, lane), e.sub(allColumns, e.index(1)));
    index[last - 1] = column;
    index[last] = e.index(0);
    if (isa<ir::BlockType>(type.getElementType()))
      elements.prepare(b, index); // its values, once a row
    e.loop(e.index(0), segment.count, 1, [&](Value k) {
      Elements::Scope inner(elements);
      index[last] = e.add(segment.from, k);
      elements.prepare(b, index);
      e.store(elements.element(b, index, {}), panel,
              e.add(e.mul(k, kPanelLanes), lane));
    });
  });
}

// A segment of one panel of a b that is not packed, as f32 [k][32] in scratch.
Value MatmulNest::stageRight(ir::MatmulOp product, Value panelColumn,
                             const Segment &segment) {
  Value b = product.getB();
  RankedTensorType type = typeOf(b);
  int64_t last = type.getRank() - 1;
  Value panel = e.scratch(kSegment * kPanelLanes * sizeof(float));
  SmallVector<Value> index;
  if (shape.isBatched) {
    SmallVector<Value> extents = e.extents(type);
    extents.resize(last - 1);
    index = e.delinearise(matrix, extents);
  }
  index.append(2, e.index(0));
  if (product.getTransposeB()) {
    stageRightColumns(product, panelColumn, segment, panel, index);
    return panel;
  }
  Value count = e.min(e.index(kPanelLanes), e.sub(allColumns, panelColumn));
  e.loop(e.index(0), segment.count, 1, [&](Value k) {
    index[last - 1] = e.add(segment.from, k);
    forEachRun(
        b, index, panelColumn, count, [&](ValueRange at, const Lanes &lanes) {
          Value lane = e.sub(e.add(at.back(), lanes.offset), panelColumn);
          e.store(elements.element(b, at, lanes), panel,
                  e.add(e.mul(k, kPanelLanes), lane),
                  Lanes{lanes.width, lanes.mask});
        });
  });
  return panel;
}

TileOperands MatmulNest::rightOperand(ir::MatmulOp product, Value column,
                                      const Segment &segment) {
  TileOperands operands;
  operands.segment = segment;
  RankedTensorType type = typeOf(product.getB());
  operands.format = formatOf(product);
  Value first = e.add(firstColumn, column);
  Value lastPanel = e.div(e.sub(allColumns, e.index(1)), kPanelLanes);
  for (int64_t p = 0; p < registers.panels; ++p) {
    // A group may reach past the last panel: that one is read again.
    Value number =
        e.min(e.add(e.div(first, kPanelLanes), e.index(p)), lastPanel);
    if (!isPacked(product) && !isInteger(product) && !isBytes(product)) {
      Value panel = stageRight(product, e.mul(number, kPanelLanes), segment);
      Value shift = e.mul(segment.from, kPanelLanes);
      operands.panels.push_back(
          e.address(panel, e.builder.getF32Type(), e.sub(e.index(0), shift)));
      continue;
    }
    if (!isPacked(product)) {
      operands.panels.push_back(
          stageQuantPanel(e, product.getB(), matrix, number));
      continue;
    }
    int64_t bytes = operands.format.panelBytes(type.getDimSize(1));
    operands.panels.push_back(e.address(e.pointer(product.getB()),
                                        e.builder.getI8Type(),
                                        e.mul(number, bytes)));
    operands.bytesToNext = registers.panels * bytes;
  }
  return operands;
}

} // namespace tenon::codegen::cpu
