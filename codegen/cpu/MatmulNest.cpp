//===- MatmulNest.cpp - Products and the epilogue over them ---------------===//
//
// A tile is some rows by some columns of the result. Its columns are walked in
// groups of a few panels; for a group every product of the nest is accumulated
// into scratch, row group by row group, then the epilogue reads the sums as
// elements. Operands that are not f32 rows or packed panels in memory are
// staged in scratch first.
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/Element.h"
#include "codegen/cpu/MatmulQuants.h"
#include "codegen/cpu/Schedule.h"
#include "ir/tn/Emit.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

#include <numeric>

namespace tenon::codegen::cpu {

using namespace mlir;
using ir::kPanelLanes;

namespace {

RankedTensorType typeOf(Value value) {
  return cast<RankedTensorType>(value.getType());
}

bool isPacked(ir::MatmulOp product) {
  return isa_and_nonnull<ir::PanelsAttr>(typeOf(product.getB()).getEncoding());
}

bool isInteger(ir::MatmulOp product) {
  return isa<ir::BlockType>(typeOf(product.getA()).getElementType());
}

/// What the register tile reads b as: what is staged for it is f32.
ir::PanelFormat formatOf(ir::MatmulOp product) {
  if (!isPacked(product) && !isInteger(product))
    return ir::panelFormat(base::ElementType::F32);
  return ir::panelFormat(
      ir::storageOf(typeOf(product.getB()).getElementType()));
}

/// What all products of a nest share.
struct Shape {
  RankedTensorType y;
  bool isBatched = false; // b has leading axes of its own
  int64_t tileRows = 1, tileCols = 1;

  int64_t rank() const { return y.getRank(); }
  int64_t rowAxes() const { return isBatched ? 1 : rank() - 1; }
};

SmallVector<ir::MatmulOp> productsOf(const Nest &nest) {
  return llvm::to_vector(nest.body->getOps<ir::MatmulOp>());
}

Shape shapeOf(const Nest &nest) {
  ir::MatmulOp product = productsOf(nest).front();
  Shape shape;
  shape.y = typeOf(product.getY());
  shape.isBatched = typeOf(product.getB()).getRank() > 2;
  shape.tileRows = nest.schedule.getTileRows();
  shape.tileCols = nest.schedule.getTileCols();
  return shape;
}

/// Products of extents: matrices of a batched product, rows, columns.
struct Sizes {
  Size matrices, rows, columns;
};

Sizes sizesOf(KernelEmitter &e, const Shape &shape) {
  Sizes sizes{e.size(1), e.size(1), e.size(shape.y, shape.rank() - 1)};
  for (int64_t axis = 0; axis < shape.rank() - 1; ++axis) {
    bool isRow = axis >= shape.rank() - 1 - shape.rowAxes();
    Size &size = isRow ? sizes.rows : sizes.matrices;
    size = e.mul(size, e.size(shape.y, axis));
  }
  return sizes;
}

int64_t columnsOfTile(KernelEmitter &e, const Shape &shape) {
  if (shape.tileCols > 0)
    return shape.tileCols;
  return llvm::alignTo(e.maxExtent(shape.y, shape.rank() - 1), kPanelLanes);
}

/// The left operand of a tile as rows of f32, or of quants.
struct Rows {
  Value pointer; // of the tile's first row
  Value stride;  // index: k
  Value tail;    // a whole row group that repeats the last rows; may be null
  QuantRows quants = {};
};

class MatmulNest {
public:
  MatmulNest(KernelEmitter &e, const Nest &nest, Value tile);

  LogicalResult emit();

private:
  LogicalResult verify();
  Rows directRows(ir::MatmulOp product);
  Rows stagedRows(ir::MatmulOp product);
  Rows leftRows(ir::MatmulOp product);
  SmallVector<Value> rowIndex(RankedTensorType type, Value row);
  void forEachRun(Value tensor, SmallVector<Value> index, Value from,
                  Value count,
                  function_ref<void(ValueRange, const Lanes &)> body);
  void emitGroup(Value column);
  TileOperands rightOperand(ir::MatmulOp product, Value column);
  Value stageRight(ir::MatmulOp product, Value firstColumn);
  void accumulate(ir::MatmulOp product, Value column, Value sums);
  void bindSums(ir::MatmulOp product, Value column, Value sums, Value row);
  void emitEpilogue(Value column, ArrayRef<Value> sums);

  KernelEmitter &e;
  const Nest &nest;
  Shape shape;
  SmallVector<ir::MatmulOp> products;
  RegisterTile registers;
  Elements elements;
  int64_t paddedRows = 0; // tileRows in whole row groups
  Value matrix;           // which matrix of a batched product
  Value firstRow, rows;   // of the tile in the matrix, and how many
  Value firstColumn, columns;
  Value matrixRows, allColumns;
  DenseMap<Value, Rows> lefts;
};

MatmulNest::MatmulNest(KernelEmitter &e, const Nest &nest, Value tile)
    : e(e), nest(nest), shape(shapeOf(nest)), products(productsOf(nest)),
      elements(e) {
  registers =
      registerTile(nest.schedule, e.features(), isInteger(products.front()));
  paddedRows = llvm::alignTo(shape.tileRows, registers.rows);
  Sizes sizes = sizesOf(e, shape);
  int64_t tileCols = columnsOfTile(e, shape);
  matrixRows = sizes.rows.device;
  allColumns = sizes.columns.device;
  Value rowTiles = e.ceilDiv(sizes.rows, shape.tileRows).device;
  Value columnTiles = e.ceilDiv(sizes.columns, tileCols).device;
  // Row tiles move fastest: neighbours read the same weights.
  firstRow = e.mul(e.rem(tile, rowTiles), shape.tileRows);
  Value rest = e.div(tile, rowTiles);
  matrix = shape.isBatched ? e.div(rest, columnTiles) : e.index(0);
  firstColumn =
      e.mul(shape.isBatched ? e.rem(rest, columnTiles) : rest, tileCols);
  rows = e.min(e.index(shape.tileRows), e.sub(matrixRows, firstRow));
  columns = e.min(e.index(tileCols), e.sub(allColumns, firstColumn));
}

LogicalResult MatmulNest::verify() {
  for (ir::MatmulOp product : products) {
    if (product.getY().getType().getShape() != shape.y.getShape())
      return product.emitOpError("expects the products of a nest to have one "
                                 "shape, got ")
             << product.getType() << " beside " << shape.y;
    if (isPacked(product) && !isa<BlockArgument>(product.getB()))
      return product.emitOpError("expects a packed b to be an operand of the "
                                 "kernel, got a value of the nest");
    if (isInteger(product) && !(isa<BlockArgument>(product.getA()) &&
                                isa<BlockArgument>(product.getB())))
      return product.emitOpError("expects the operands of a product of "
                                 "integers to be operands of the kernel");
    if (isPacked(product) && !product.getTransposeB())
      return product.emitOpError("expects transpose_b with a packed b");
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Indices and runs
//===----------------------------------------------------------------------===//

// The index in a tensor of y's leading axes for a row of the tile; the last
// entry is left at column 0.
SmallVector<Value> MatmulNest::rowIndex(RankedTensorType type, Value row) {
  Value number = e.add(e.mul(matrix, matrixRows), e.add(firstRow, row));
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
// The left operand
//===----------------------------------------------------------------------===//

// Rows are read where they lie. A last row group of fewer rows is copied, its
// last row repeated, since memory may end after it.
Rows MatmulNest::directRows(ir::MatmulOp product) {
  Type f32 = e.builder.getF32Type();
  RankedTensorType type = typeOf(product.getA());
  Value k = e.extent(type, type.getRank() - 1);
  Value first = e.add(e.mul(matrix, matrixRows), firstRow);
  Rows left{e.address(e.pointer(product.getA()), f32, e.mul(first, k)), k, {}};
  if (registers.rows == 1)
    return left;
  int64_t maxK = e.maxExtent(type, type.getRank() - 1);
  left.tail = e.scratch(registers.rows * maxK * sizeof(float));
  Value over = e.rem(rows, e.index(registers.rows));
  Value hasTail = arith::CmpIOp::create(e.builder, arith::CmpIPredicate::ne,
                                        over, e.index(0));
  e.ifThen(hasTail, [&] {
    e.loop(e.index(0), e.index(registers.rows), 1, [&](Value row) {
      Value start = e.sub(rows, over);
      Value from = e.min(e.add(start, row), e.sub(rows, e.index(1)));
      e.columns(k, e.vectorWidth(), [&](const Lanes &lanes) {
        Value at = e.add(e.mul(from, k), lanes.offset);
        Value value = e.load(left.pointer, f32, at, lanes);
        e.store(value, left.tail, e.add(e.mul(row, k), lanes.offset), lanes);
      });
    });
  });
  return left;
}

// Rows of any type and producer, as f32 in scratch. What lies after the last
// row of a group is read, never stored.
Rows MatmulNest::stagedRows(ir::MatmulOp product) {
  Value a = product.getA();
  RankedTensorType type = typeOf(a);
  int64_t last = type.getRank() - 1;
  int64_t kAxis = product.getTransposeA() ? last - 1 : last;
  Value k = e.extent(type, kAxis);
  int64_t maxK = e.maxExtent(type, kAxis);
  Rows left{e.scratch(paddedRows * maxK * sizeof(float)), k, {}};
  e.loop(e.index(0), rows, 1, [&](Value row) {
    Elements::Scope scope(elements);
    SmallVector<Value> index = rowIndex(shape.y, row);
    auto store = [&](Value value, Value column, const Lanes &lanes) {
      Value at = e.add(e.mul(row, k), column);
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

Rows MatmulNest::leftRows(ir::MatmulOp product) {
  Value a = product.getA();
  Type element = typeOf(a).getElementType();
  if (isa<ir::BlockType>(element)) {
    Value first = e.add(e.mul(matrix, matrixRows), firstRow);
    SmallVector<ir::PanelFormat> formats;
    for (ir::MatmulOp other : products)
      if (other.getA() == a)
        formats.push_back(formatOf(other));
    QuantRows staged = stageQuantRows(e, a, first, rows, paddedRows, formats);
    return {staged.quants, staged.k, {}, staged};
  }
  bool isDirect =
      isa<BlockArgument>(a) && !product.getTransposeA() && element.isF32();
  return isDirect ? directRows(product) : stagedRows(product);
}

//===----------------------------------------------------------------------===//
// The right operand
//===----------------------------------------------------------------------===//

// One panel of a b that is not packed, as f32 [k][32] in scratch.
Value MatmulNest::stageRight(ir::MatmulOp product, Value panelColumn) {
  Value b = product.getB();
  RankedTensorType type = typeOf(b);
  int64_t last = type.getRank() - 1;
  int64_t kAxis = product.getTransposeB() ? last : last - 1;
  Value k = e.extent(type, kAxis);
  Value panel =
      e.scratch(e.maxExtent(type, kAxis) * kPanelLanes * sizeof(float));
  SmallVector<Value> index;
  if (shape.isBatched) {
    SmallVector<Value> extents = e.extents(type);
    extents.resize(last - 1);
    index = e.delinearise(matrix, extents);
  }
  index.append(2, e.index(0));
  if (!product.getTransposeB()) {
    Value count = e.min(e.index(kPanelLanes), e.sub(allColumns, panelColumn));
    e.loop(e.index(0), k, 1, [&](Value row) {
      index[last - 1] = row;
      forEachRun(
          b, index, panelColumn, count, [&](ValueRange at, const Lanes &lanes) {
            Value lane = e.sub(e.add(at.back(), lanes.offset), panelColumn);
            e.store(elements.element(b, at, lanes), panel,
                    e.add(e.mul(row, kPanelLanes), lane),
                    Lanes{lanes.width, lanes.mask});
          });
    });
    return panel;
  }
  e.loop(e.index(0), e.index(kPanelLanes), 1, [&](Value lane) {
    Elements::Scope scope(elements);
    Value column =
        e.min(e.add(panelColumn, lane), e.sub(allColumns, e.index(1)));
    index[last - 1] = column;
    index[last] = e.index(0);
    if (isa<ir::BlockType>(type.getElementType()))
      elements.prepare(b, index); // its values, once a row
    e.loop(e.index(0), k, 1, [&](Value row) {
      Elements::Scope inner(elements);
      index[last] = row;
      elements.prepare(b, index);
      e.store(elements.element(b, index, {}), panel,
              e.add(e.mul(row, kPanelLanes), lane));
    });
  });
  return panel;
}

TileOperands MatmulNest::rightOperand(ir::MatmulOp product, Value column) {
  TileOperands operands;
  RankedTensorType type = typeOf(product.getB());
  operands.format = formatOf(product);
  Value first = e.add(firstColumn, column);
  Value lastPanel = e.div(e.sub(allColumns, e.index(1)), kPanelLanes);
  for (int64_t p = 0; p < registers.panels; ++p) {
    // A group may reach past the last panel: that one is read again.
    Value number =
        e.min(e.add(e.div(first, kPanelLanes), e.index(p)), lastPanel);
    if (!isPacked(product)) {
      operands.panels.push_back(
          isInteger(product)
              ? stageQuantPanel(e, product.getB(), matrix, number)
              : stageRight(product, e.mul(number, kPanelLanes)));
      continue;
    }
    int64_t bytes = operands.format.panelBytes(type.getDimSize(1));
    operands.panels.push_back(e.address(e.pointer(product.getB()),
                                        e.builder.getI8Type(),
                                        e.mul(number, bytes)));
  }
  return operands;
}

//===----------------------------------------------------------------------===//
// One group of panels
//===----------------------------------------------------------------------===//

void MatmulNest::accumulate(ir::MatmulOp product, Value column, Value sums) {
  TileOperands operands = rightOperand(product, column);
  const Rows &left = lefts[product.getA()];
  Type f32 = e.builder.getF32Type();
  operands.k = operands.aStride = left.stride;
  const QuantRows &quants = left.quants;
  Type element = f32;
  if (quants.quants)
    element = e.builder.getIntegerType(8 * stagedQuantBytes(e));
  e.loop(e.index(0), rows, registers.rows, [&](Value row) {
    operands.a = e.address(left.pointer, element, e.mul(row, left.stride));
    if (quants.quants)
      operands.quants = quants.of(e, row, operands.format);
    if (left.tail) {
      Value isWhole =
          arith::CmpIOp::create(e.builder, arith::CmpIPredicate::sle,
                                e.add(row, e.index(registers.rows)), rows);
      operands.a =
          arith::SelectOp::create(e.builder, isWhole, operands.a, left.tail);
    }
    operands.out = e.address(sums, f32, e.mul(row, registers.columns()));
    emitRegisterTile(e, registers, operands);
  });
}

// The sums in scratch become the elements of the product's result.
void MatmulNest::bindSums(ir::MatmulOp product, Value column, Value sums,
                          Value row) {
  Value group = e.add(firstColumn, column);
  elements.bind(product.getY(), [=, this](ValueRange index,
                                          const Lanes &lanes) mutable {
    Value offset = lanes.offset ? lanes.offset : e.index(0);
    Value at = e.sub(e.add(index.back(), offset), group);
    Value value =
        e.load(sums, e.builder.getF32Type(),
               e.add(e.mul(row, registers.columns()), at), Lanes{lanes.width});
    ir::Emit emit(e.builder, e.builder.getLoc(), value.getType());
    if (product.getBias()) {
      Value bias = elements.element(product.getBias(), {index.back()}, lanes);
      value = emit.add(value, bias);
    }
    return emit.rounded(value, product.getType().getElementType());
  });
}

void MatmulNest::emitEpilogue(Value column, ArrayRef<Value> sums) {
  Value count = e.min(e.index(registers.columns()), e.sub(columns, column));
  Value from = e.add(firstColumn, column);
  e.loop(e.index(0), rows, 1, [&](Value row) {
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

void MatmulNest::emitGroup(Value column) {
  Elements::Scope scope(elements);
  SmallVector<Value> sums;
  for (ir::MatmulOp product : products) {
    int64_t bytes = paddedRows * registers.columns() * sizeof(float);
    sums.push_back(e.scratch(bytes));
    int64_t mark = e.scratchMark();
    accumulate(product, column, sums.back());
    e.restoreScratch(mark);
  }
  emitEpilogue(column, sums);
}

LogicalResult MatmulNest::emit() {
  if (failed(verify()))
    return failure();
  for (ir::MatmulOp product : products) {
    Value a = product.getA();
    if (!lefts.contains(a))
      lefts[a] = leftRows(product);
  }
  e.loop(e.index(0), columns, registers.columns(),
         [&](Value column) { emitGroup(column); });
  return elements.status();
}

} // namespace

Size matmulTiles(KernelEmitter &emitter, const Nest &nest) {
  Shape shape = shapeOf(nest);
  Sizes sizes = sizesOf(emitter, shape);
  Size rowTiles = emitter.ceilDiv(sizes.rows, shape.tileRows);
  Size columnTiles =
      emitter.ceilDiv(sizes.columns, columnsOfTile(emitter, shape));
  return emitter.mul(sizes.matrices, emitter.mul(rowTiles, columnTiles));
}

LogicalResult emitMatmulNest(KernelEmitter &emitter, const Nest &nest,
                             Value tile) {
  return MatmulNest(emitter, nest, tile).emit();
}

} // namespace tenon::codegen::cpu
