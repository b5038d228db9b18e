//===- MatmulNest.cpp - Products and the epilogue over them ---------------===//
//
// A tile is some rows by some columns of the result. Its columns are walked in
// groups of a few panels; for a group every product of the nest is accumulated
// into scratch, row group by row group, then the epilogue reads the sums as
// elements. With many rows the segments of k are the outermost loop: a segment
// of the rows and of one panel then stay in the second-level cache while they
// are used. The last segment of a row group is followed by its epilogue, so
// that results are stored while the next group is multiplied.
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/MatmulNest.h"
#include "codegen/cpu/Schedule.h"
#include "ir/tn/Emit.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

#include <numeric>

namespace tenon::codegen::cpu {

using namespace mlir;
using ir::kPanelLanes;

namespace {

// Of the rows that experts leave, as many more have code of their own.
constexpr int64_t kFewRows = 2;

RankedTensorType typeOf(Value value) {
  return cast<RankedTensorType>(value.getType());
}

SmallVector<ir::ProductOp> productsOf(const Nest &nest) {
  return llvm::to_vector(nest.body->getOps<ir::ProductOp>());
}

MatmulShape shapeOf(const Nest &nest) {
  ir::ProductOp product = productsOf(nest).front();
  MatmulShape shape;
  shape.y = typeOf(product.getY());
  shape.offsets = product.getOffsets();
  shape.isCutAlongK = product.isCutAlongK();
  shape.isBatched = shape.isCutAlongK || typeOf(product.getB()).getRank() > 2;
  shape.tileRows = nest.schedule.getTileRows();
  shape.tileCols = nest.schedule.getTileCols();
  return shape;
}

/// Products of extents: matrices of a batched product, rows, columns.
struct Sizes {
  Size matrices, rows, columns;
};

Sizes sizesOf(KernelEmitter &e, const MatmulShape &shape) {
  Sizes sizes{e.size(1), e.size(1), e.size(shape.y, shape.rank() - 1)};
  for (int64_t axis = 0; axis < shape.rank() - 1; ++axis) {
    bool isRow = axis >= shape.rank() - 1 - shape.rowAxes();
    Size &size = isRow ? sizes.rows : sizes.matrices;
    size = e.mul(size, e.size(shape.y, axis));
  }
  return sizes;
}

int64_t columnsOfTile(KernelEmitter &e, const MatmulShape &shape) {
  if (shape.tileCols > 0)
    return shape.tileCols;
  return llvm::alignTo(e.maxExtent(shape.y, shape.rank() - 1), kPanelLanes);
}

int64_t axisOfK(ir::ProductOp product) {
  int64_t last = typeOf(product.getA()).getRank() - 1;
  return product.getTransposeA() ? last - 1 : last;
}

bool haveSameK(ir::ProductOp x, ir::ProductOp y) {
  if (x.isCutAlongK())
    return x.getOffsets() == y.getOffsets();
  RankedTensorType a = typeOf(x.getA()), b = typeOf(y.getA());
  int64_t kOfA = axisOfK(x), kOfB = axisOfK(y);
  return a.getDimSize(kOfA) == b.getDimSize(kOfB) &&
         (!a.isDynamicDim(kOfA) ||
          ir::symbolOf(a, kOfA) == ir::symbolOf(b, kOfB));
}

} // namespace

MatmulNest::MatmulNest(KernelEmitter &e, const Nest &nest, Value tile)
    : e(e), nest(nest), shape(shapeOf(nest)), products(productsOf(nest)),
      elements(e), tile(tile) {
  cutBy(nest.schedule);
  Sizes sizes = sizesOf(e, shape);
  int64_t tileCols = columnsOfTile(e, shape);
  matrixRows = sizes.rows.device;
  allColumns = sizes.columns.device;
  Value rowTiles = rowTilesOf(e, shape, sizes.rows).device;
  Value columnTiles = e.ceilDiv(sizes.columns, tileCols).device;
  // Row tiles move fastest: neighbours read the same weights.
  firstRow = e.mul(e.rem(tile, rowTiles), shape.tileRows);
  Value rest = e.div(tile, rowTiles);
  bool hasMatrices = shape.hasMatrices();
  matrix = hasMatrices ? e.div(rest, columnTiles) : e.index(0);
  firstColumn = e.mul(hasMatrices ? e.rem(rest, columnTiles) : rest, tileCols);
  rows = e.min(e.index(shape.tileRows), e.sub(matrixRows, firstRow));
  columns = e.min(e.index(tileCols), e.sub(allColumns, firstColumn));
}

/// Takes the extents of tiles, and of what registers hold, from a schedule.
void MatmulNest::cutBy(ir::ScheduleAttr schedule) {
  registers = registerTile(schedule, e.features(), isInteger(products.front()));
  shape.tileRows = schedule.getTileRows();
  paddedRows = llvm::alignTo(shape.tileRows, registers.rows);
  areRowsGrouped = paddedRows > registers.rows;
  paddedColumns = llvm::alignTo(columnsOfTile(e, shape), registers.columns());
}

/// The tile's first row among all rows of a and of the result.
Value MatmulNest::topRow() {
  if (!shape.hasMatrices())
    return firstRow;
  return e.add(e.mul(matrix, matrixRows), firstRow);
}

LogicalResult MatmulNest::verify() {
  for (ir::ProductOp product : products) {
    if (product.getY().getType().getShape() != shape.y.getShape())
      return product->emitOpError("expects the products of a nest to have one "
                                  "shape, got ")
             << product.getY().getType() << " beside " << shape.y;
    if (isPacked(product) && !isa<BlockArgument>(product.getB()))
      return product->emitOpError("expects a packed b to be an operand of the "
                                  "kernel, got a value of the nest");
    if ((isInteger(product) || isBytes(product)) &&
        !(isa<BlockArgument>(product.getA()) &&
          isa<BlockArgument>(product.getB())))
      return product->emitOpError("expects the operands of a product of "
                                  "integers to be operands of the kernel");
    if (isBytes(product) &&
        typeOf(product.getA()).isDynamicDim(axisOfK(product)))
      return product->emitOpError(
                 "expects a static k with operands of i8, got ")
             << product.getA().getType();
    Type b = typeOf(product.getB()).getElementType();
    if (isPacked(product) && !product.getTransposeB() && !isa<ir::BlockType>(b))
      return product->emitOpError("expects transpose_b with a packed b of a "
                                  "plain type, got ")
             << product.getB().getType();
    if (isa<ir::BlockType>(b) && !product.getTransposeB() &&
        !isa<BlockArgument>(product.getB()))
      return product->emitOpError("expects a blocked b to be an operand of the "
                                  "kernel, got a value of the nest");
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Indices and runs
//===----------------------------------------------------------------------===//

// The index in a tensor of y's leading axes for a row of the tile; the last
// entry is left at column 0.
SmallVector<Value> MatmulNest::rowIndex(RankedTensorType type, Value row) {
  Value number = e.add(topRow(), row);
  SmallVector<Value> extents = e.extents(type);
  extents.pop_back();
  SmallVector<Value> index = e.delinearise(number, extents);
  index.push_back(e.index(0));
  return index;
}

// Calls `body` for columns [from, from + count) of a row, in runs that its
// producers' views keep contiguous; `from` is a multiple of a panel.
void MatmulNest::forEachRun(
    Value tensor, SmallVector<Value> index, Value from, Value count,
    function_ref<void(ValueRange, const Lanes &)> body) {
  int64_t run = elements.runLength(tensor);
  // [start, start + length) lies in the run that starts at index.back().
  auto walk = [&](Value start, Value length, int64_t width) {
    Elements::Scope scope(elements);
    elements.prepare(tensor, index);
    Value shift = e.sub(start, index.back());
    e.columns(length, width, [&](const Lanes &at) {
      Elements::Scope inner(elements);
      body(index, {at.width, at.mask, e.add(shift, at.offset)});
    });
  };
  index.back() = e.index(0);
  if (run == 0)
    return walk(from, count, e.vectorWidth());
  int64_t step = std::gcd(run, kPanelLanes);
  int64_t width = step % e.vectorWidth() == 0 ? e.vectorWidth() : 1;
  Value end = e.add(from, count);
  e.loop(from, end, step, [&](Value start) {
    index.back() = e.mul(e.div(start, run), run);
    walk(start, e.min(e.index(step), e.sub(end, start)), width);
  });
}

//===----------------------------------------------------------------------===//
// Accumulation
//===----------------------------------------------------------------------===//

Value MatmulNest::extentOfK(ir::ProductOp product) {
  if (shape.isCutAlongK)
    return countK;
  return e.extent(typeOf(product.getA()), axisOfK(product));
}

void MatmulNest::forSegments(Value k,
                             function_ref<void(const Segment &)> body) {
  std::optional<int64_t> known = getConstantIntValue(k);
  if (known && *known <= kSegment)
    return body({e.index(0), k, k});
  e.loop(e.index(0), k, kSegment, [&](Value from) {
    if (known && *known % kSegment == 0)
      return body({from, e.add(from, e.index(kSegment)), e.index(kSegment)});
    Value to = e.min(e.add(from, e.index(kSegment)), k);
    body({from, to, e.sub(to, from)});
  });
}

// Fetches where a register tile's part of the first result goes: its epilogue
// would wait for every line that it overwrites.
void MatmulNest::prefetchResult(Value row, Value column) {
  constexpr int64_t kLineBytes = 64;
  RankedTensorType type = typeOf(nest.yield()->getOperand(0));
  if (type.getShape() != shape.y.getShape() ||
      !type.getElementType().isIntOrFloat())
    return;
  int64_t bytes = llvm::divideCeil(type.getElementTypeBitWidth(), 8);
  Value result = e.resultPointer(nest, 0);
  Value top = e.add(topRow(), row);
  for (int64_t r = 0; r < registers.rows; ++r) {
    Value element = e.add(e.mul(e.add(top, e.index(r)), allColumns),
                          e.add(firstColumn, column));
    for (int64_t at = 0; at < registers.columns() * bytes; at += kLineBytes)
      e.prefetch(e.address(result, e.builder.getI8Type(),
                           e.add(e.mul(element, bytes), e.index(at))));
  }
}

// Adds a segment to the sums of the rows that registers hold, of which a group
// of experts' rows may leave few.
void MatmulNest::emitRows(Value left, const TileOperands &operands) {
  auto emit = [&](int64_t count) {
    RegisterTile part = registers;
    part.rows = count;
    emitRegisterTile(e, part, operands);
    e.countProducts(count * registers.columns(), operands.segment.count);
  };
  if (!shape.areRowsCut())
    return emit(registers.rows);
  OpBuilder::InsertionGuard guard(e.builder);
  for (int64_t count = kFewRows; count < registers.rows; count += kFewRows) {
    Value areFew = arith::CmpIOp::create(e.builder, arith::CmpIPredicate::sle,
                                         left, e.index(count));
    auto choice = scf::IfOp::create(e.builder, TypeRange(), areFew,
                                    /*withElseRegion=*/true);
    e.builder.setInsertionPointToStart(choice.thenBlock());
    emit(count);
    e.builder.setInsertionPointToStart(choice.elseBlock());
  }
  emit(registers.rows);
}

// Adds a segment of one product to the sums of a group of columns.
void MatmulNest::accumulate(ir::ProductOp product, Value column, Value sums,
                            const Segment &segment, RowsBody afterRows) {
  int64_t mark = e.scratchMark();
  TileOperands operands = rightOperand(product, column, segment);
  const MatmulRows &left = lefts[product.getA()];
  Type f32 = e.builder.getF32Type();
  int64_t step = left.isGrouped ? registers.rows : 1;
  operands.aStride = left.isGrouped ? e.index(1) : left.stride;
  operands.aStep = step;
  operands.rowGroups = paddedRows / registers.rows;
  // Of floats one group of rows is as fast without: twice the bytes are twice
  // as many lines to ask for.
  if (shape.areRowsCut() && (left.quants.quants || areRowsGrouped))
    operands.rowGroupsHere =
        e.div(e.add(rows, e.index(registers.rows - 1)), registers.rows);
  operands.isPaired = left.isPaired;
  Type element = left.isPaired ? Type(e.builder.getI32Type()) : f32;
  if (left.quants.quants)
    element = e.builder.getIntegerType(8 * stagedQuantBytes(e));
  e.loop(e.index(0), rows, registers.rows, [&](Value row) {
    Value at = e.mul(row, left.stride);
    if (left.isSegment)
      at = e.sub(at, e.mul(e.div(segment.from, left.isPaired ? 2 : 1), step));
    operands.a = e.address(left.pointer, element, at);
    if (left.quants.quants)
      operands.quants = left.quants.of(e, row, operands.format);
    operands.rowGroup = e.div(row, registers.rows);
    operands.out = e.address(sums, f32, e.mul(row, registers.columns()));
    if (afterRows)
      prefetchResult(row, column);
    emitRows(e.sub(rows, row), operands);
    if (afterRows)
      afterRows(row, e.min(e.add(row, e.index(registers.rows)), rows));
  });
  e.restoreScratch(mark);
}

/// Whether the segments of k are the outermost loop. Of a group's rows nobody
/// knows how many there are.
bool MatmulNest::cutsBySegments() {
  ir::ProductOp first = products.front();
  return (areRowsGrouped || shape.isCutAlongK) &&
         llvm::all_of(products, [&](ir::ProductOp product) {
           Type b = typeOf(product.getB()).getElementType();
           // Panels of integers that are not packed are staged whole.
           bool isStagedWhole =
               (isa<ir::BlockType>(b) && product.getTransposeB()) ||
               isBytes(product);
           return haveSameK(product, first) &&
                  (isPacked(product) || !isStagedWhole);
         });
}

void MatmulNest::emitBySegments() {
  SmallVector<Value> sums;
  for (size_t i = 0; i < products.size(); ++i)
    sums.push_back(e.scratch(paddedRows * paddedColumns * sizeof(float)));
  auto groupsAt = [&](Value column) {
    SmallVector<Value> groups;
    for (Value sum : sums)
      groups.push_back(
          e.address(sum, e.builder.getF32Type(), e.mul(column, paddedRows)));
    return groups;
  };
  Value k = extentOfK(products.front());
  forSegments(k, [&](const Segment &segment) {
    for (auto [a, left] : lefts) {
      if (left.isSegment && left.isGrouped)
        stageColumns(a, left, segment);
      else if (left.isSegment)
        stageSegment(a, left, segment);
    }
    Value isLast = arith::CmpIOp::create(e.builder, arith::CmpIPredicate::eq,
                                         segment.to, k);
    e.loop(e.index(0), columns, registers.columns(), [&](Value column) {
      Elements::Scope scope(elements);
      SmallVector<Value> groups = groupsAt(column);
      auto finish = [&](Value from, Value to) {
        e.ifThen(isLast, [&] { emitEpilogue(column, groups, from, to); });
      };
      for (auto [product, group] : llvm::zip_equal(products, groups))
        accumulate(product, column, group, segment,
                   product == products.back() ? RowsBody(finish) : nullptr);
    });
  });
}

void MatmulNest::emitByColumns() {
  int64_t bytes = paddedRows * registers.columns() * sizeof(float);
  e.loop(e.index(0), columns, registers.columns(), [&](Value column) {
    Elements::Scope scope(elements);
    SmallVector<Value> sums;
    for (ir::ProductOp product : products) {
      sums.push_back(e.scratch(bytes));
      if (isOneRow(product)) {
        multiplyRow(product, column, sums.back());
        continue;
      }
      forSegments(extentOfK(product), [&](const Segment &segment) {
        Elements::Scope inner(elements);
        accumulate(product, column, sums.back(), segment);
      });
    }
    emitEpilogue(column, sums, e.index(0), rows);
  });
}

//===----------------------------------------------------------------------===//
// The epilogue
//===----------------------------------------------------------------------===//

// The sums in scratch become the elements of the product's result.
void MatmulNest::bindSums(ir::ProductOp product, Value column, Value sums,
                          Value row) {
  Value group = e.add(firstColumn, column);
  elements.bind(product.getY(), [=, this](ValueRange index,
                                          const Lanes &lanes) mutable {
    Value offset = lanes.offset ? lanes.offset : e.index(0);
    Value at = e.sub(e.add(index.back(), offset), group);
    Type element = isBytes(product) ? Type(e.builder.getI32Type())
                                    : Type(e.builder.getF32Type());
    Value value =
        e.load(sums, element, e.add(e.mul(row, registers.columns()), at),
               Lanes{lanes.width});
    ir::Emit emit(e.builder, e.builder.getLoc(), value.getType());
    if (product.getBias()) {
      Value bias = elements.element(product.getBias(), {index.back()}, lanes);
      value = emit.add(value, bias);
    }
    return emit.rounded(value, product.getY().getType().getElementType());
  });
}

// Of rows [fromRow, toRow) of the tile.
void MatmulNest::emitEpilogue(Value column, ArrayRef<Value> sums, Value fromRow,
                              Value toRow) {
  Value count = e.min(e.index(registers.columns()), e.sub(columns, column));
  Value from = e.add(firstColumn, column);
  e.loop(fromRow, toRow, 1, [&](Value row) {
    Elements::Scope scope(elements);
    for (auto [product, sum] : llvm::zip_equal(products, sums))
      bindSums(product, column, sum, row);
    for (auto [number, result] : llvm::enumerate(nest.yield()->getOperands())) {
      Value pointer = e.resultPointer(nest, number);
      RankedTensorType type = typeOf(result);
      forEachRun(result, rowIndex(type, row), from, count,
                 [&](ValueRange index, const Lanes &lanes) {
                   Value value = elements.element(result, index, lanes);
                   elements.store(value, type, pointer, index, lanes);
                 });
    }
  });
}

void MatmulNest::emitTile() {
  for (ir::ProductOp product : products)
    if (!lefts.contains(product.getA()))
      lefts[product.getA()] = leftRows(product);
  if (cutsBySegments())
    emitBySegments();
  else
    emitByColumns();
}

LogicalResult MatmulNest::emit() {
  if (failed(verify()))
    return failure();
  if (shape.offsets)
    emitGroups();
  else
    emitTile();
  return elements.status();
}

Size matmulTiles(KernelEmitter &emitter, const Nest &nest) {
  MatmulShape shape = shapeOf(nest);
  Sizes sizes = sizesOf(emitter, shape);
  Size rowTiles = rowTilesOf(emitter, shape, sizes.rows);
  Size columnTiles =
      emitter.ceilDiv(sizes.columns, columnsOfTile(emitter, shape));
  return emitter.mul(sizes.matrices, emitter.mul(rowTiles, columnTiles));
}

LogicalResult emitMatmulNest(KernelEmitter &emitter, const Nest &nest,
                             Value tile) {
  return MatmulNest(emitter, nest, tile).emit();
}

} // namespace tenon::codegen::cpu
