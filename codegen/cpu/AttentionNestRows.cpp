//===- AttentionNestRows.cpp - Rows of one head, staged -------------------===//

#include "codegen/cpu/AttentionNestRows.h"

#include "ir/tn/Emit.h"
#include "tenon/abi.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace tenon::codegen::cpu {

using namespace mlir;

namespace {

constexpr int64_t kBlock = TENON_CACHE_BLOCK;

/// Lanes of a and b in turns, from their lower or their upper halves.
Value interleaved(OpBuilder &b, Location loc, Value x, Value y, bool isUpper) {
  int64_t lanes = cast<VectorType>(x.getType()).getDimSize(0);
  SmallVector<int64_t> order;
  for (int64_t i = 0; i < lanes / 2; ++i) {
    int64_t lane = i + (isUpper ? lanes / 2 : 0);
    order.push_back(lane);
    order.push_back(lanes + lane);
  }
  return vector::ShuffleOp::create(b, loc, x, y, order);
}

} // namespace

// Each step shuffles the rows as a deck of cards, and log2(lanes) of them
// exchange both halves of an element's address.
void transposeLanes(KernelEmitter &e, MutableArrayRef<Value> vectors) {
  OpBuilder &b = e.builder;
  size_t half = vectors.size() / 2;
  for (size_t step = 1; step < vectors.size(); step *= 2) {
    SmallVector<Value> next;
    for (size_t i = 0; i < half; ++i)
      for (bool isUpper : {false, true})
        next.push_back(interleaved(b, e.builder.getLoc(), vectors[i],
                                   vectors[i + half], isUpper));
    llvm::copy(next, vectors.begin());
  }
}

void stageRow(Elements &elements, Value operand, ValueRange leading,
              Value scratch, Value at) {
  Elements::Scope scope(elements);
  KernelEmitter &e = elements.emitter();
  elements.forColumns(operand, leading, [&](ValueRange i, const Lanes &run) {
    Value column = e.add(i.back(), run.offset ? run.offset : e.index(0));
    e.store(elements.element(operand, i, run), scratch, e.add(at, column),
            {run.width, run.mask});
  });
}

HeadRows::HeadRows(Elements &elements, Value operand)
    : elements(elements), e(elements.emitter()), operand(operand),
      lanes(e.vectorWidth()) {
  auto type = cast<RankedTensorType>(operand.getType());
  heads = type.getDimSize(1);
  width = type.getDimSize(2);
  if (!isa<BlockArgument>(operand))
    copy = e.scratch(kBlock * width * sizeof(float));
}

HeadRows::Memory HeadRows::memoryOf(const Range &range) {
  if (copy) {
    stageElements(range, copy, width);
    return {copy, e.index(width), e.builder.getF32Type()};
  }
  Type element = getElementTypeOrSelf(operand.getType());
  Value row = e.add(e.mul(range.first, heads), range.head);
  return {e.address(e.pointer(operand), element, e.mul(row, width)),
          e.index(heads * width), element};
}

void HeadRows::stageElements(const Range &range, Value scratch, int64_t pitch) {
  e.loop(e.index(0), range.count, 1, [&](Value row) {
    SmallVector<Value> leading{e.add(range.first, row), range.head};
    stageRow(elements, operand, leading, scratch, e.mul(row, pitch));
  });
}

void HeadRows::stage(const Range &range, Value scratch, int64_t pitch) {
  stageElements(range, scratch, pitch);
}

/// Up to `lanes` columns of `lanes` rows, whose offsets are given.
void HeadRows::transposeTile(const Memory &memory, ArrayRef<Value> rows,
                             Value key, Value column, int64_t columns,
                             Value scratch) {
  Lanes access{lanes};
  if (columns < lanes)
    access.mask = e.firstLanes(e.index(columns), lanes);
  SmallVector<Value> vectors;
  for (Value row : rows) {
    Value stored =
        e.load(memory.base, memory.element, e.add(row, column), access);
    ir::Emit emit(e.builder, e.builder.getLoc(), stored.getType());
    vectors.push_back(emit.extend(stored));
  }
  transposeLanes(e, vectors);
  for (int64_t i = 0; i < columns; ++i) {
    Value at = e.mul(e.add(column, e.index(i)), kBlock);
    e.store(vectors[i], scratch, e.add(at, key), Lanes{lanes});
  }
}

void HeadRows::stageTransposed(const Range &range, Value scratch) {
  Memory memory = memoryOf(range);
  Value last = e.sub(range.count, e.index(1));
  e.loop(e.index(0), e.index(kBlock), lanes, [&](Value key) {
    SmallVector<Value> rows;
    for (int64_t i = 0; i < lanes; ++i)
      rows.push_back(e.mul(e.min(e.add(key, e.index(i)), last), memory.stride));
    int64_t whole = width / lanes * lanes;
    e.loop(e.index(0), e.index(whole), lanes, [&](Value column) {
      transposeTile(memory, rows, key, column, lanes, scratch);
    });
    if (whole < width)
      transposeTile(memory, rows, key, e.index(whole), width - whole, scratch);
  });
}

} // namespace tenon::codegen::cpu
