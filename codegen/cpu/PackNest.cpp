//===- PackNest.cpp - Lays a weight out in panels -------------------------===//
//
// A tile is some panels of 32 rows. Blocked weights go 32 elements of each row
// at a time: each row's quants are widened to bytes, and the words of four
// bytes of eight rows each are transposed in registers into the lanes of those
// rows. `ir/tn/Panels.h` defines the result; its packReference is what this
// must equal.
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/PackQuants.h"
#include "codegen/cpu/PanelReader.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace tenon::codegen::cpu {

using namespace mlir;
using base::ElementType;
using ir::kPanelLanes;

namespace {

// Of four quants, in a group of a row.
constexpr int64_t kWords = kQuantGroup / ir::kQuad;

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
                   const PanelSubBlock &to);
  void prefetchNext(Value panel, Value number);
  SmallVector<Value> transposed(Value bytes, Value part);
  void storeQuants(ArrayRef<Value> words, int64_t quad, Value to);
  Value bitsOf(Value words, int64_t from, int64_t count, int64_t to);

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

// Elements past the last row or column are zero; they read the last one
// instead.
void PanelPacker::plainPanel(Value panel, Value to) {
  // Bits are copied whatever they mean; bytes become unsigned.
  auto &b = e.builder;
  Type element = b.getIntegerType(static_cast<unsigned>(format.bits));
  Value zero = arith::ConstantOp::create(b, b.getZeroAttr(element));
  Value offset =
      arith::ConstantOp::create(b, b.getIntegerAttr(element, format.offset));
  int64_t padded = llvm::alignTo(columns, format.group());
  e.loop(e.index(0), e.index(padded), 1, [&](Value k) {
    Value column = k, isColumn;
    if (padded > columns) {
      column = e.min(k, e.index(columns - 1));
      isColumn = isBelow(e, k, e.index(columns));
    }
    e.loop(e.index(0), e.index(kPanelLanes), 1, [&](Value lane) {
      Value row = e.add(e.mul(panel, kPanelLanes), lane);
      Value from = e.min(row, e.sub(rows, e.index(1)));
      Value value =
          e.load(source, element, e.add(e.mul(from, columns), column));
      if (format.offset)
        value = arith::AddIOp::create(b, value, offset);
      Value isPresent = isBelow(e, row, rows);
      if (isColumn)
        isPresent = arith::AndIOp::create(b, isPresent, isColumn);
      value = arith::SelectOp::create(b, isPresent, value, zero);
      e.store(value, to, plainElement(e, format, k, lane));
    });
  });
}

void PanelPacker::storeScales(const QuantReader &reader, const QuantRow &row,
                              Value lane, const PanelSubBlock &to) {
  auto at = [&](Value base, int64_t byte) {
    return e.address(base, i8, e.index(byte));
  };
  e.store(reader.scale(row), to.superBlock, lane);
  if (format.hasMin)
    e.store(reader.minimum(row), at(to.superBlock, format.minimumByte()), lane);
  if (!format.hasFactors)
    return;
  for (int64_t sub = 0; sub < format.perGroup(); ++sub)
    e.store(reader.factor(row, sub), at(to.factors, sub * ir::kByteRowBytes),
            lane);
  if (format.hasMin)
    e.store(reader.minFactor(row), at(to.factors, format.minFactorByte()),
            lane);
}

// Transposes 8 x 8 words, rows 8 * part and on, by three perfect shuffles:
// interleaving the first half of the rows with the second moves one bit of the
// row number below the column's.
SmallVector<Value> PanelPacker::transposed(Value bytes, Value part) {
  SmallVector<Value> matrix;
  Value first = e.mul(part, kWords * kWords);
  for (int64_t row = 0; row < kWords; ++row)
    matrix.push_back(e.load(bytes, e.builder.getI32Type(),
                            e.add(first, e.index(row * kWords)),
                            Lanes{kWords}));
  SmallVector<int64_t> low, high;
  for (int64_t i = 0; i < kWords / 2; ++i) {
    low.append({i, i + kWords});
    high.append({i + kWords / 2, i + kWords / 2 + kWords});
  }
  for (int64_t bit = 1; bit < kWords; bit *= 2) {
    SmallVector<Value> next;
    for (int64_t i = 0; i < kWords / 2; ++i) {
      Value a = matrix[i], b = matrix[i + kWords / 2];
      next.push_back(vector::ShuffleOp::create(e.builder, a, b, low));
      next.push_back(vector::ShuffleOp::create(e.builder, a, b, high));
    }
    matrix = std::move(next);
  }
  return matrix;
}

// Bits [from, from + count) of every byte, moved to start at bit `to`.
Value PanelPacker::bitsOf(Value words, int64_t from, int64_t count,
                          int64_t to) {
  auto constant = [&](int64_t value) -> Value {
    auto shape = cast<VectorType>(words.getType());
    return arith::ConstantOp::create(
        e.builder,
        DenseElementsAttr::get(shape, APInt(32, static_cast<uint64_t>(value))));
  };
  constexpr int64_t kEveryByte = 0x01010101;
  Value bits = arith::ShRUIOp::create(e.builder, words, constant(from));
  bits = arith::AndIOp::create(e.builder, bits,
                               constant(((1 << count) - 1) * kEveryByte));
  return arith::ShLIOp::create(e.builder, bits, constant(to));
}

// The low or the high parts of the quads that share a word of a sub-block.
void PanelPacker::storeQuants(ArrayRef<Value> words, int64_t quad, Value to) {
  auto store = [&](int64_t byte, int64_t quads, auto bitsOfQuad) {
    Value joined;
    for (int64_t q = quad; q < quad + quads; ++q) {
      Value bits = bitsOfQuad(words[q], q);
      joined =
          joined ? Value(arith::OrIOp::create(e.builder, joined, bits)) : bits;
    }
    e.store(joined, e.address(to, i8, e.index(byte)), e.index(0),
            Lanes{kWords});
  };
  if (quad % format.quadsPerWord() == 0)
    store(format.lowByte(quad), format.quadsPerWord(), [&](Value x, int64_t q) {
      return bitsOf(x, 0, format.bits, format.lowShift(q));
    });
  if (format.highBits && quad % format.quadsPerHighWord() == 0)
    store(format.highByte(quad), format.quadsPerHighWord(),
          [&](Value x, int64_t q) {
            return bitsOf(x, format.bits, format.highBits, format.highShift(q));
          });
}

// The rows of a panel follow one another in the source, but are read a group of
// each at a time, in steps that no hardware prefetcher follows. Meanwhile the
// next panel is fetched as it lies: its part `number` of 32 a group.
void PanelPacker::prefetchNext(Value panel, Value number) {
  const base::ElementInfo &info =
      base::info(ir::storageOf(type.getElementType()));
  int64_t rowBytes = columns / info.blockElements * info.blockBytes;
  int64_t part = llvm::divideCeil(rowBytes, columns / kQuantGroup);
  Value next = e.mul(e.add(panel, e.index(1)), kPanelLanes * rowBytes);
  e.prefetch(e.address(source, i8, e.add(next, e.mul(number, part))));
}

// Elements [32 * number, + 32) of the panel's rows, to the panel at `to`.
void PanelPacker::group(Value panel, Value number, Value to) {
  static_assert(kQuantGroup == ir::kPanelGroup);
  QuantReader reader(e, type, source);
  PanelSubBlock block =
      PanelReader(e, format, 1).at(to, e.mul(number, format.perGroup()));
  int64_t mark = e.scratchMark();
  Value bytes = e.scratch(kPanelLanes * kQuantGroup);
  e.loop(e.index(0), e.index(kPanelLanes), 1, [&](Value lane) {
    Value row = e.add(e.mul(panel, kPanelLanes), lane);
    QuantRow at = reader.row(e.min(row, e.sub(rows, e.index(1))), number);
    at.isPresent = isBelow(e, row, rows);
    e.store(reader.quants(at), bytes, e.mul(lane, kQuantGroup),
            Lanes{kQuantGroup});
    storeScales(reader, at, lane, block);
    prefetchNext(panel, e.add(e.mul(number, kPanelLanes), lane));
  });
  int64_t quads = format.subBlock / ir::kQuad;
  int64_t perSub = kWords / format.perGroup();
  e.loop(e.index(0), e.index(kPanelLanes / kWords), 1, [&](Value part) {
    SmallVector<Value> words = transposed(bytes, part);
    Value lanes = e.address(block.quants, i8, e.mul(part, kWords * ir::kQuad));
    for (int64_t sub = 0; sub < format.perGroup(); ++sub)
      for (int64_t quad = 0; quad < quads; ++quad)
        storeQuants(
            ArrayRef(words).slice(sub * perSub, perSub), quad,
            e.address(lanes, i8, e.index(sub * format.subBlockBytes())));
  });
  e.restoreScratch(mark);
}

void PanelPacker::blockedPanel(Value panel, Value to) {
  e.loop(e.index(0), e.index(columns / kQuantGroup), 1,
         [&](Value number) { group(panel, number, to); });
}

} // namespace

void emitPanel(KernelEmitter &e, const PanelSource &source, Value number,
               Value to) {
  PanelPacker(e, source).emit(number, to);
}

/// The panels of a matrix, and the matrices of a weight.
static int64_t panelsOf(RankedTensorType type) {
  return llvm::divideCeil(type.getDimSize(type.getRank() - 2), kPanelLanes);
}
static int64_t matricesOf(RankedTensorType type) {
  return type.getRank() > 2 ? type.getDimSize(0) : 1;
}

Size packTiles(KernelEmitter &emitter, const Nest &nest) {
  auto type = cast<RankedTensorType>(packOf(nest).getX().getType());
  int64_t panels = panelsOf(type) * matricesOf(type);
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
  int64_t rows = type.getDimSize(type.getRank() - 2), panels = panelsOf(type);
  int64_t columns = type.getShape().back();
  int64_t tileRows = nest.schedule.getTileRows();
  base::ElementType format = ir::storageOf(type.getElementType());
  int64_t bytes = ir::panelFormat(format).panelBytes(columns);
  int64_t matrixBytes = *base::sizeBytes(format, rows * columns);
  Value target = e.resultPointer(nest, 0), first = e.mul(tile, tileRows);
  Value end = e.min(e.add(first, e.index(tileRows)),
                    e.index(panels * matricesOf(type)));
  e.loop(first, end, 1, [&](Value panel) {
    Type i8 = e.builder.getI8Type();
    Value matrix = e.div(panel, panels);
    if (type.getRank() == 2)
      matrix = e.index(0);
    PanelSource source{
        type, e.address(e.pointer(op.getX()), i8, e.mul(matrix, matrixBytes)),
        e.index(rows)};
    Value number = e.sub(panel, e.mul(matrix, panels));
    emitPanel(e, source, number, e.address(target, i8, e.mul(panel, bytes)));
  });
  return success();
}

} // namespace tenon::codegen::cpu
