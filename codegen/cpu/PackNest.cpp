//===- PackNest.cpp - Lays a weight out in panels -------------------------===//
//
// A tile is some panels of 32 rows. Blocked weights go 32 elements of each row
// at a time: each row's quants are widened to bytes, the 32 x 32 bytes are
// transposed in registers, and rows of 32 lanes are stored. `ir/tn/Panels.h`
// defines the result; its packReference is what this must equal.
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/PackQuants.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace tenon::codegen::cpu {

using namespace mlir;
using base::ElementType;
using ir::kPanelLanes;

namespace {

ir::PackOp packOf(const Nest &nest) {
  return *nest.body->getOps<ir::PackOp>().begin();
}

class PanelPacker {
public:
  PanelPacker(KernelEmitter &e, const PanelSource &source)
      : e(e), type(source.type),
        format(ir::panelFormat(ir::storageOf(type.getElementType()))),
        source(source.pointer), i8(e.builder.getI8Type()), rows(source.rows),
        columns(type.getShape().back()) {}

  void emit(Value panel, Value to) {
    if (format.hasScale)
      blockedPanel(panel, to);
    else
      plainPanel(panel, to);
  }

private:
  void plainPanel(Value panel, Value to);
  void blockedPanel(Value panel, Value to);
  void group(Value panel, Value number, Value to);
  void storeScales(const QuantReader &reader, const QuantRow &row, Value lane,
                   Value to);
  SmallVector<Value> transposed(Value bytes);

  KernelEmitter &e;
  RankedTensorType type;
  ir::PanelFormat format;
  Value source;
  Type i8;
  Value rows;
  int64_t columns;
};

Value isBelow(KernelEmitter &e, Value a, Value b) {
  return arith::CmpIOp::create(e.builder, arith::CmpIPredicate::slt, a, b);
}

// Lanes past the last row are zero; they read the last row instead.
void PanelPacker::plainPanel(Value panel, Value to) {
  // Bits are copied whatever they mean.
  Type element = e.builder.getIntegerType(static_cast<unsigned>(format.bits));
  Value zero =
      arith::ConstantOp::create(e.builder, e.builder.getZeroAttr(element));
  e.loop(e.index(0), e.index(columns), 1, [&](Value k) {
    e.loop(e.index(0), e.index(kPanelLanes), 1, [&](Value lane) {
      Value row = e.add(e.mul(panel, kPanelLanes), lane);
      Value from = e.min(row, e.sub(rows, e.index(1)));
      Value value = e.load(source, element, e.add(e.mul(from, columns), k));
      value = arith::SelectOp::create(e.builder, isBelow(e, row, rows), value,
                                      zero);
      e.store(value, to, e.add(e.mul(k, kPanelLanes), lane));
    });
  });
}

void PanelPacker::storeScales(const QuantReader &reader, const QuantRow &row,
                              Value lane, Value to) {
  int64_t perGroup = kQuantGroup / format.subBlock;
  for (int64_t sub = 0; sub < perGroup; ++sub) {
    Value block = e.address(to, i8, e.index(sub * format.bytesPerSubBlock()));
    e.store(reader.scale(row, sub), block, lane);
    if (!format.hasMin)
      continue;
    Value minima = e.address(block, i8, e.index(format.scaleRowBytes()));
    e.store(reader.minimum(row), minima, lane);
  }
}

// Transposes 32 x 32 bytes by five perfect shuffles: interleaving the first
// half of the matrix with the second moves one bit of the row number below the
// column's.
SmallVector<Value> PanelPacker::transposed(Value bytes) {
  SmallVector<Value> matrix;
  for (int64_t row = 0; row < kPanelLanes; ++row)
    matrix.push_back(
        e.load(bytes, i8, e.index(row * kQuantGroup), Lanes{kQuantGroup}));
  SmallVector<int64_t> low, high;
  for (int64_t i = 0; i < kQuantGroup / 2; ++i) {
    low.append({i, i + kQuantGroup});
    high.append({i + kQuantGroup / 2, i + kQuantGroup / 2 + kQuantGroup});
  }
  for (int64_t round = 0; round < 5; ++round) {
    SmallVector<Value> next;
    for (int64_t i = 0; i < kPanelLanes / 2; ++i) {
      Value a = matrix[i], b = matrix[i + kPanelLanes / 2];
      next.push_back(vector::ShuffleOp::create(e.builder, a, b, low));
      next.push_back(vector::ShuffleOp::create(e.builder, a, b, high));
    }
    matrix = std::move(next);
  }
  return matrix;
}

// Elements [32 * number, + 32) of the panel's rows, to the sub-blocks at `to`.
void PanelPacker::group(Value panel, Value number, Value to) {
  QuantReader reader(e, type, source);
  int64_t mark = e.scratchMark();
  Value bytes = e.scratch(kPanelLanes * kQuantGroup);
  e.loop(e.index(0), e.index(kPanelLanes), 1, [&](Value lane) {
    Value row = e.add(e.mul(panel, kPanelLanes), lane);
    QuantRow at = reader.row(e.min(row, e.sub(rows, e.index(1))), number);
    at.isPresent = isBelow(e, row, rows);
    e.store(reader.quants(at), bytes, e.mul(lane, kQuantGroup),
            Lanes{kQuantGroup});
    storeScales(reader, at, lane, to);
  });
  SmallVector<Value> lanes = transposed(bytes);
  auto four = SplatElementsAttr::get(VectorType::get({kPanelLanes}, i8),
                                     e.builder.getI8IntegerAttr(4));
  for (int64_t k = 0; k < kQuantGroup; k += format.bits == 4 ? 2 : 1) {
    int64_t at = k / format.subBlock * format.bytesPerSubBlock() +
                 format.quantByte(k % format.subBlock, 0);
    Value row = lanes[k];
    if (format.bits == 4) {
      Value shift = arith::ConstantOp::create(e.builder, four);
      Value odd = arith::ShLIOp::create(e.builder, lanes[k + 1], shift);
      row = arith::OrIOp::create(e.builder, row, odd);
    }
    e.store(row, to, e.index(at), Lanes{kPanelLanes});
  }
  e.restoreScratch(mark);
}

void PanelPacker::blockedPanel(Value panel, Value to) {
  int64_t bytes = kQuantGroup / format.subBlock * format.bytesPerSubBlock();
  e.loop(e.index(0), e.index(columns / kQuantGroup), 1, [&](Value number) {
    group(panel, number, e.address(to, i8, e.mul(number, bytes)));
  });
}

} // namespace

void emitPanel(KernelEmitter &e, const PanelSource &source, Value number,
               Value to) {
  PanelPacker(e, source).emit(number, to);
}

Size packTiles(KernelEmitter &emitter, const Nest &nest) {
  auto type = cast<RankedTensorType>(packOf(nest).getX().getType());
  int64_t panels = llvm::divideCeil(type.getDimSize(0), kPanelLanes);
  return emitter.ceilDiv(emitter.size(panels), nest.schedule.getTileRows());
}

LogicalResult emitPackNest(KernelEmitter &emitter, const Nest &nest,
                           Value tile) {
  ir::PackOp op = packOf(nest);
  if (!isa<BlockArgument>(op.getX()))
    return op.emitOpError("expects to pack an operand of the kernel, got a "
                          "value of the nest");
  KernelEmitter &e = emitter;
  auto type = cast<RankedTensorType>(op.getX().getType());
  int64_t rows = type.getDimSize(0), tileRows = nest.schedule.getTileRows();
  int64_t bytes = ir::panelFormat(ir::storageOf(type.getElementType()))
                      .panelBytes(type.getDimSize(1));
  PanelSource source{type, e.pointer(op.getX()), e.index(rows)};
  Value target = e.resultPointer(nest, 0), first = e.mul(tile, tileRows);
  Value end = e.min(e.add(first, e.index(tileRows)),
                    e.index(llvm::divideCeil(rows, kPanelLanes)));
  e.loop(first, end, 1, [&](Value panel) {
    Value to = e.address(target, e.builder.getI8Type(), e.mul(panel, bytes));
    emitPanel(e, source, panel, to);
  });
  return success();
}

} // namespace tenon::codegen::cpu
