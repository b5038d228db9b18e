//===- MatmulGroups.cpp - Tiles of products of groups of rows -------------===//
//
// Where offsets cut the rows of a product, a tile is some rows of one group by
// some columns. The host knows the number of rows alone, so it starts as many
// tiles as any offsets may need; a tile finds its rows by counting those of the
// groups before it, and has nothing to do past the last one. A group that has
// one row takes the way of a product of one row, which reads a weight as it
// lies and fills no registers with rows that are not there.
//
// Where offsets cut what is summed, tiles are those of a matrix for each group,
// whose k are the group's rows.
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/MatmulNest.h"
#include "codegen/cpu/Schedule.h"

#include "tenon/abi.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

namespace tenon::codegen::cpu {

using namespace mlir;

namespace {

// Tiles of at least so many rows are of groups so large that one row, left over
// or alone, is rare: its own code would not be worth compiling.
constexpr int64_t kManyRows = 32;

int64_t groupsOf(Value offsets) {
  return cast<RankedTensorType>(offsets.getType()).getDimSize(0) - 1;
}

Value compare(KernelEmitter &e, arith::CmpIPredicate how, Value x, Value y) {
  return arith::CmpIOp::create(e.builder, how, x, y);
}

} // namespace

// Each group may end in a tile that is not full, but has at least a row: of the
// two bounds the one that is lower where rows are most, since tile counts have
// no minimum.
Size rowTilesOf(KernelEmitter &e, const MatmulShape &shape, const Size &rows) {
  Size full = e.ceilDiv(rows, shape.tileRows);
  if (!shape.areRowsCut())
    return full;
  int64_t most = 1, groups = groupsOf(shape.offsets);
  for (int64_t axis = 0; axis + 1 < shape.rank(); ++axis)
    most *= e.maxExtent(shape.y, axis);
  int64_t others = llvm::divideCeilSigned(most, shape.tileRows) + groups;
  if (most <= others)
    return rows;
  return e.add(full, e.size(groups));
}

/// The rows that the offsets cut: those of the left operand.
Value MatmulNest::allRows() {
  RankedTensorType a = products.front().getA().getType();
  Value all = e.index(1);
  for (int64_t axis = 0; axis + 1 < a.getRank(); ++axis)
    all = e.mul(all, e.extent(a, axis));
  return all;
}

/// Offset `number` as an index.
Value MatmulNest::statedOffset(Value number) {
  Elements::Scope scope(elements);
  elements.prepare(shape.offsets, number);
  return e.toIndex(elements.element(shape.offsets, number, {}));
}

/// The same, kept inside of the rows whatever it says.
Value MatmulNest::offsetAt(Value number) {
  return e.max(e.index(0), e.min(statedOffset(number), allRows()));
}

/// The index of row k of the tile's matrix in an operand that has k along its
/// rows: the last entry is 0.
MatmulNest::Index MatmulNest::rowOfK(RankedTensorType type, Value k) {
  if (!shape.isCutAlongK) {
    Index index = matrixIndex(type);
    index[index.size() - 2] = k;
    return index;
  }
  SmallVector<Value> extents = e.extents(type);
  extents.pop_back();
  Index index = e.delinearise(e.add(firstK, k), extents);
  index.push_back(e.index(0));
  return index;
}

/// One tile notes the first offset that is not where it may be.
void MatmulNest::reportOffsets() {
  Value last = e.index(groupsOf(shape.offsets));
  Value all = allRows(), zero = e.index(0);
  auto check = [&](Value number, ValueRange before) -> SmallVector<Value> {
    Value offset = statedOffset(number);
    Value isFirst = compare(e, arith::CmpIPredicate::eq, number, zero);
    Value isLast = compare(e, arith::CmpIPredicate::eq, number, last);
    Value least = arith::SelectOp::create(e.builder, isLast, all, before[0]);
    Value most = arith::SelectOp::create(e.builder, isFirst, zero, all);
    Value isWrong = arith::OrIOp::create(
        e.builder, compare(e, arith::CmpIPredicate::slt, offset, least),
        compare(e, arith::CmpIPredicate::sgt, offset, most));
    e.emitFailure(isWrong, TENON_FAILURE_INDEX, products.front(), number,
                  offset);
    return {offset};
  };
  e.ifThen(compare(e, arith::CmpIPredicate::eq, tile, zero),
           [&] { e.loop(zero, e.add(last, e.index(1)), 1, zero, check); });
}

/// Finds the group of the tile, and its rows; returns whether it has some.
Value MatmulNest::locateGroup() {
  Size all = e.size(1);
  for (int64_t axis = 0; axis + 1 < shape.rank(); ++axis)
    all = e.mul(all, e.size(shape.y, axis));
  Value slot = e.rem(tile, rowTilesOf(e, shape, all).device);
  Value zero = e.index(0), tileRows = e.index(shape.tileRows);
  // Carried: tiles of the groups before, where the group begins; of the group
  // that was found its number, the tile's first row and the group's end.
  SmallVector<Value> init(5, zero);
  auto step = [&](Value group, ValueRange so) -> SmallVector<Value> {
    Value end = e.max(offsetAt(e.add(group, e.index(1))), so[1]);
    Value tiles =
        e.div(e.add(e.sub(end, so[1]), e.index(shape.tileRows - 1)), tileRows);
    Value number = e.sub(slot, so[0]); // a large one where it is negative
    Value isHere = compare(e, arith::CmpIPredicate::ult, number, tiles);
    auto choose = [&](Value here, Value other) -> Value {
      return arith::SelectOp::create(e.builder, isHere, here, other);
    };
    return {e.add(so[0], tiles), end, choose(group, so[2]),
            choose(e.add(so[1], e.mul(number, tileRows)), so[3]),
            choose(end, so[4])};
  };
  SmallVector<Value> found =
      e.loop(zero, e.index(groupsOf(shape.offsets)), 1, init, step);
  matrix = found[2];
  firstRow = found[3];
  rows = e.min(tileRows, e.sub(found[4], firstRow));
  return compare(e, arith::CmpIPredicate::slt, firstRow, found[4]);
}

void MatmulNest::emitRowsOfGroup() {
  auto emitPart = [&] {
    Elements::Scope scope(elements);
    lefts.clear();
    emitTile();
  };
  if (registers.rows == 1 || shape.tileRows >= kManyRows)
    return emitPart();
  Value isOne = compare(e, arith::CmpIPredicate::eq, rows, e.index(1));
  auto choice = scf::IfOp::create(e.builder, TypeRange(), isOne,
                                  /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(e.builder);
  e.builder.setInsertionPointToStart(choice.elseBlock());
  emitPart();
  SmallVector<int64_t> one(nest.schedule.getRegisterRows().size(), 1);
  cutBy(ir::ScheduleAttr::get(nest.schedule.getContext(), ir::NestKind::Matmul,
                              1, nest.schedule.getTileCols(), one));
  e.builder.setInsertionPointToStart(choice.thenBlock());
  rows = e.index(1);
  emitPart();
  cutBy(nest.schedule);
}

/// The tile of a matrix whose group has no rows.
void MatmulNest::emitZeros() {
  int64_t width = e.vectorWidth();
  Value sums = e.scratch(paddedRows * registers.columns() * sizeof(float));
  Value zero = e.splat(e.f32(0), width);
  e.loop(e.index(0), e.index(paddedRows * registers.columns()), width,
         [&](Value at) { e.store(zero, sums, at); });
  e.loop(e.index(0), columns, registers.columns(), [&](Value column) {
    SmallVector<Value> each(products.size(), sums);
    emitEpilogue(column, each, e.index(0), rows);
  });
}

void MatmulNest::emitSums() {
  firstK = offsetAt(matrix);
  Value end = offsetAt(e.add(matrix, e.index(1)));
  countK = e.sub(e.max(end, firstK), firstK);
  Value isEmpty = compare(e, arith::CmpIPredicate::eq, countK, e.index(0));
  auto choice = scf::IfOp::create(e.builder, TypeRange(), isEmpty,
                                  /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(e.builder);
  e.builder.setInsertionPointToStart(choice.thenBlock());
  {
    Elements::Scope scope(elements);
    emitZeros();
  }
  e.builder.setInsertionPointToStart(choice.elseBlock());
  Elements::Scope scope(elements);
  emitTile();
}

void MatmulNest::emitGroups() {
  reportOffsets();
  if (shape.isCutAlongK)
    return emitSums();
  e.ifThen(locateGroup(), [&] { emitRowsOfGroup(); });
}

} // namespace tenon::codegen::cpu
