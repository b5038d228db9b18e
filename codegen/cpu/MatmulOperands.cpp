//===- MatmulOperands.cpp - What a register tile reads --------------------===//
//
// Rows of the left operand and panels of the right one. What does not lie in
// memory as the register tile wants it is staged in scratch first: rows at a
// stride that spreads them over the sets of a cache, panels of a weight that is
// not packed.
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/MatmulNest.h"

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

/// What the register tile reads b as: what is staged for it is f32.
static ir::PanelFormat formatOf(ir::MatmulOp product) {
  if (!isPacked(product) && !isInteger(product))
    return ir::panelFormat(base::ElementType::F32);
  return ir::panelFormat(
      ir::storageOf(typeOf(product.getB()).getElementType()));
}

//===----------------------------------------------------------------------===//
// The left operand
//===----------------------------------------------------------------------===//

/// Whether the left operand lies in memory as rows of f32.
bool MatmulNest::isDirect(ir::MatmulOp product) {
  Value a = product.getA();
  return isa<BlockArgument>(a) && !product.getTransposeA() &&
         typeOf(a).getElementType().isF32();
}

/// The first row of the tile in a direct left operand.
Value MatmulNest::sourceRows(Value a) {
  RankedTensorType type = typeOf(a);
  Value first = e.add(e.mul(matrix, matrixRows), firstRow);
  return e.address(e.pointer(a), e.builder.getF32Type(),
                   e.mul(first, e.extent(type, type.getRank() - 1)));
}

void MatmulNest::stageSegment(Value a, const MatmulRows &left,
                              const Segment &segment) {
  Type f32 = e.builder.getF32Type();
  Value source = sourceRows(a);
  Value k = e.extent(typeOf(a), typeOf(a).getRank() - 1);
  // A segment is less than a page, and each row starts a stream of its own,
  // which the hardware does not foresee.
  Value ahead = e.mul(k, kRowsAhead);
  e.loop(e.index(0), rows, 1, [&](Value row) {
    Value from = e.add(e.mul(row, k), segment.from);
    Value to = e.mul(row, left.stride);
    e.columns(segment.count, e.vectorWidth(), [&](const Lanes &at) {
      Lanes lanes{at.width, at.mask};
      Value next = e.add(e.add(from, ahead), at.offset);
      e.prefetch(e.address(source, f32, next));
      Value value = e.load(source, f32, e.add(from, at.offset), lanes);
      e.store(value, left.pointer, e.add(to, at.offset), lanes);
    });
  });
}

// Rows of any type and producer, as f32 in scratch. What lies after the last
// row of a group is read, never stored.
MatmulRows MatmulNest::stagedRows(ir::MatmulOp product) {
  Value a = product.getA();
  RankedTensorType type = typeOf(a);
  int64_t last = type.getRank() - 1;
  int64_t maxK = e.maxExtent(type, product.getTransposeA() ? last - 1 : last);
  int64_t stride = maxK + kRowPadding;
  MatmulRows left{e.scratch(paddedRows * stride * sizeof(float)),
                  e.index(stride)};
  Value k = extentOfK(product);
  e.loop(e.index(0), rows, 1, [&](Value row) {
    Elements::Scope scope(elements);
    SmallVector<Value> index = rowIndex(shape.y, row);
    auto store = [&](Value value, Value column, const Lanes &lanes) {
      Value at = e.add(e.mul(row, stride), column);
      e.store(value, left.pointer, at, lanes);
    };
    if (!product.getTransposeA())
      return forEachRun(a, index, e.index(0), k,
                        [&](ValueRange at, const Lanes &lanes) {
                          store(elements.element(a, at, lanes),
                                e.add(at.back(), lanes.offset),
                                Lanes{lanes.width, lanes.mask});
                        });
    e.loop(e.index(0), k, 1, [&](Value column) {
      Elements::Scope inner(elements);
      SmallVector<Value> at(index);
      at[last] = index[last - 1];
      at[last - 1] = column;
      elements.prepare(a, at);
      store(elements.element(a, at, {}), column, {});
    });
  });
  return left;
}

// One row is read where it lies. Of more, each segment is staged for all groups
// of columns; a single group of rows is staged at once.
MatmulRows MatmulNest::leftRows(ir::MatmulOp product) {
  if (isInteger(product)) {
    Value first = e.add(e.mul(matrix, matrixRows), firstRow);
    SmallVector<ir::PanelFormat> formats;
    for (ir::MatmulOp other : products)
      if (other.getA() == product.getA())
        formats.push_back(formatOf(other));
    QuantRows staged =
        stageQuantRows(e, product.getA(), first, rows, paddedRows, formats);
    return {staged.quants, staged.k, false, staged};
  }
  if (!isDirect(product))
    return stagedRows(product);
  if (registers.rows == 1)
    return {sourceRows(product.getA()), extentOfK(product)};
  if (!cutsBySegments())
    return stagedRows(product);
  int64_t stride = kSegment + kRowPadding;
  return {e.scratch(paddedRows * stride * sizeof(float)), e.index(stride),
          true};
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
    if (!isPacked(product) && !isInteger(product)) {
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
