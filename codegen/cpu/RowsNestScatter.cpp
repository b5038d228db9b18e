//===- RowsNestScatter.cpp - tn.sum_rows and tn.scatter -------------------===//

#include "codegen/cpu/RowsNest.h"

#include "ir/reference/Reduction.h"

#include "tenon/abi.h"

namespace tenon::codegen::cpu {

using namespace mlir;

//===----------------------------------------------------------------------===//
// sum_rows
//===----------------------------------------------------------------------===//

/// Columns of a tile: a few cache lines of every row.
static constexpr int64_t kSumColumns = 64;

Size sumRowsTiles(KernelEmitter &e, ir::SumRowsOp op) {
  return e.ceilDiv(e.size(op.getY().getType(), 0), kSumColumns);
}

namespace {

class SumRows {
public:
  SumRows(KernelEmitter &emitter, ir::SumRowsOp op)
      : e(emitter), op(op), elements(emitter),
        run(elements.runLength(op.getX())),
        width(run == 0 ? emitter.vectorWidth() : 1) {}

  LogicalResult emit(const Nest &nest, Value tile);

private:
  Value sumColumn(const Lanes &lanes);
  Value sumSegment(Value from, Value to, const Lanes &lanes);

  KernelEmitter &e;
  ir::SumRowsOp op;
  Elements elements;
  int64_t run, width;
};

/// Rows [from, to) of the columns at lanes.offset, ascending.
Value SumRows::sumSegment(Value from, Value to, const Lanes &lanes) {
  Value zero = e.splat(e.f32(0), width);
  return e.loop(from, to, 1, zero,
                [&](Value row, ValueRange sum) -> SmallVector<Value> {
                  Elements::Scope scope(elements);
                  Lanes inRun = lanes;
                  Value start = e.index(0);
                  if (run != 0) {
                    inRun.offset = e.rem(lanes.offset, run);
                    start = e.sub(lanes.offset, inRun.offset);
                  }
                  elements.prepare(op.getX(), {row, start});
                  Value x = elements.element(op.getX(), {row, start}, inRun);
                  return {arith::AddFOp::create(e.builder, sum[0], x)};
                })[0];
}

Value SumRows::sumColumn(const Lanes &lanes) {
  Value rows = e.extent(op.getX().getType(), 0);
  Value segment = e.index(ir::ref::kColumnSegment);
  return e.loop(
      e.index(0), rows, ir::ref::kColumnSegment, e.splat(e.f32(0), width),
      [&](Value from, ValueRange total) -> SmallVector<Value> {
        Value part = sumSegment(from, e.min(e.add(from, segment), rows), lanes);
        Value isFirst = arith::CmpIOp::create(
            e.builder, arith::CmpIPredicate::eq, from, e.index(0));
        Value sum = arith::AddFOp::create(e.builder, total[0], part);
        return {arith::SelectOp::create(e.builder, isFirst, part, sum)};
      })[0];
}

LogicalResult SumRows::emit(const Nest &nest, Value tile) {
  RankedTensorType type = op.getY().getType();
  Value from = e.mul(tile, kSumColumns);
  Value count = e.min(e.index(kSumColumns), e.sub(e.extent(type, 0), from));
  e.columns(count, width, [&](const Lanes &lanes) {
    Elements::Scope scope(elements);
    Lanes at{width, lanes.mask, e.add(from, lanes.offset)};
    elements.store(sumColumn(at), type, e.resultPointer(nest, 0), e.index(0),
                   at);
  });
  return elements.status();
}

} // namespace

LogicalResult emitSumRows(KernelEmitter &e, const Nest &nest, ir::SumRowsOp op,
                          Value tile) {
  return SumRows(e, op).emit(nest, tile);
}

//===----------------------------------------------------------------------===//
// scatter
//===----------------------------------------------------------------------===//

/// Writes row `from` of the rows at row `to` of the result.
static void scatterRow(KernelEmitter &e, Elements &elements, ir::ScatterOp op,
                       Value pointer, Value from, Value to) {
  RankedTensorType type = op.getY().getType();
  Type element = type.getElementType();
  elements.forColumns(
      op.getRows(), from, [&](ValueRange index, const Lanes &lanes) {
        Value value = elements.element(op.getRows(), index, lanes);
        if (op.getAdd()) {
          Value at = e.add(e.linearise(type, {to, index.back()}), lanes.offset);
          Value so = e.load(pointer, element, at, lanes);
          ir::Emit a(e.builder, e.builder.getLoc(), value.getType());
          value = a.add(a.extend(so), value);
        }
        elements.store(value, type, pointer, {to, index.back()}, lanes);
      });
}

LogicalResult emitScatter(KernelEmitter &e, const Nest &nest, ir::ScatterOp op,
                          Value tile, int64_t tileRows) {
  Elements elements(e);
  RankedTensorType type = op.getY().getType();
  Value rows = e.extent(type, 0), pointer = e.resultPointer(nest, 0);
  Value from = e.mul(tile, tileRows);
  Value to = e.min(e.add(from, e.index(tileRows)), rows);
  e.loop(from, to, 1, [&](Value row) {
    Elements::Scope scope(elements);
    elements.forColumns(
        op.getBase(), row, [&](ValueRange index, const Lanes &lanes) {
          elements.store(elements.element(op.getBase(), index, lanes), type,
                         pointer, index, lanes);
        });
  });
  // One tile reports the numbers that no tile has.
  auto compare = [&](arith::CmpIPredicate how, Value x, Value y) -> Value {
    return arith::CmpIOp::create(e.builder, how, x, y);
  };
  Value reports = compare(arith::CmpIPredicate::eq, tile, e.index(0));
  Value count = e.extent(op.getIndex().getType(), 0);
  e.loop(e.index(0), count, 1, [&](Value i) {
    Elements::Scope scope(elements);
    elements.prepare(op.getIndex(), i);
    Value row = e.toIndex(elements.element(op.getIndex(), i, {}));
    Value isOutside = compare(arith::CmpIPredicate::uge, row, rows);
    e.emitFailure(arith::AndIOp::create(e.builder, isOutside, reports),
                  TENON_FAILURE_INDEX, op, i, row);
    Value isHere = arith::AndIOp::create(
        e.builder, compare(arith::CmpIPredicate::sge, row, from),
        compare(arith::CmpIPredicate::slt, row, to));
    e.ifThen(isHere, [&] {
      Elements::Scope inner(elements);
      scatterRow(e, elements, op, pointer, i, row);
    });
  });
  return elements.status();
}

} // namespace tenon::codegen::cpu
