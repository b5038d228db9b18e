//===- MatmulTilePlain.cpp - Weights of f32, f16 and bf16 -----------------===//
//
// bf16 weights lie in words of two k. Rows of bf16 do, too, where the machine
// adds both products of a pair: it rounds after each, the high half's first, as
// two fused multiply-adds do.
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/MatmulTileEmitter.h"

#include "ir/tn/Emit.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/TypeUtilities.h"

namespace tenon::codegen::cpu {

using namespace mlir;
using base::ElementType;
using ir::kPanelLanes;

constexpr int64_t kLineBytes = 64;
// A tenth of the peak lies between 48 and 192 of them in a loop body.
constexpr int64_t kPlainMultiplyAdds = 192;

/// f32: the half of a word of two bf16.
static Value halfOf(KernelEmitter &e, Value word, bool isHigh) {
  auto &b = e.builder;
  auto constant = [&](int32_t value) -> Value {
    TypedAttr attribute = b.getI32IntegerAttr(value);
    if (auto vector = dyn_cast<VectorType>(word.getType()))
      attribute = DenseElementsAttr::get(vector, attribute);
    return arith::ConstantOp::create(b, attribute);
  };
  constexpr int32_t kHighHalf = static_cast<int32_t>(0xffff0000);
  Value bits = isHigh
                   ? Value(arith::AndIOp::create(b, word, constant(kHighHalf)))
                   : Value(arith::ShLIOp::create(b, word, constant(16)));
  Type f32 = b.getF32Type();
  if (auto vector = dyn_cast<VectorType>(word.getType()))
    f32 = vector.clone(f32);
  return arith::BitcastOp::create(b, f32, bits);
}

Value addProducts(KernelEmitter &e, Value sum, Value a, Value b) {
  auto &builder = e.builder;
  if (isa<FloatType>(getElementTypeOrSelf(b.getType())))
    return math::FmaOp::create(builder, a, b, sum);
  int64_t lanes = cast<VectorType>(sum.getType()).getNumElements();
  auto pairs = VectorType::get({2 * lanes}, builder.getBF16Type());
  auto call = LLVM::CallIntrinsicOp::create(
      builder, sum.getType(),
      builder.getStringAttr("llvm.x86.avx512bf16.dpbf16ps.512"),
      ValueRange{sum, LLVM::BitcastOp::create(builder, pairs, a),
                 LLVM::BitcastOp::create(builder, pairs, b)});
  return call.getResult(0);
}

/// What the rows of a hold at step k: an f32 for each lane, or a word.
Value TileEmitter::loadRow(int64_t row, Value at) {
  auto &b = e.builder;
  Type type = in.isPaired ? Type(b.getI32Type()) : Type(b.getF32Type());
  return e.load(in.a, type, e.add(e.mul(at, in.aStep), e.mul(in.aStride, row)));
}

void TileEmitter::accumulate(Value k, ArrayRef<Value> weights,
                             SmallVector<Value> &acc) {
  int64_t across = tile.panels * vectors;
  for (int64_t row = 0; row < tile.rows; ++row) {
    Value a = in.isPaired
                  ? halfOf(e, loadRow(row, e.div(k, 2)), /*isHigh=*/true)
                  : loadRow(row, k);
    Value splat = e.splat(a, lanes);
    for (int64_t i = 0; i < across; ++i) {
      Value &sum = acc[row * across + i];
      sum = math::FmaOp::create(e.builder, splat, weights[i], sum);
    }
  }
}

void TileEmitter::accumulatePairs(Value word, ArrayRef<Value> weights,
                                  SmallVector<Value> &acc) {
  int64_t across = tile.panels * vectors;
  for (int64_t row = 0; row < tile.rows; ++row) {
    Value a = e.splat(loadRow(row, word), lanes);
    for (int64_t i = 0; i < across; ++i) {
      Value &sum = acc[row * across + i];
      sum = addProducts(e, sum, a, weights[i]);
    }
  }
}

// An f32 of each lane; of bf16 a word.
Value TileEmitter::loadPlain(Value panel, Value word, int64_t vector) {
  auto &b = e.builder;
  Type element = b.getF32Type();
  if (in.format.type == ElementType::F16)
    element = b.getF16Type();
  if (in.format.type == ElementType::BF16)
    element = b.getI32Type();
  Value stride = in.panelStride ? in.panelStride : e.index(kPanelLanes);
  Value at = e.add(e.mul(word, stride), e.index(vector * lanes));
  Value weight = e.load(panel, element, at, Lanes{lanes});
  return ir::Emit(b, b.getLoc(), weight.getType()).extend(weight);
}

SmallVector<Value> TileEmitter::loadPanels(Value word) {
  SmallVector<Value> weights;
  for (Value panel : in.panels)
    for (int64_t v = 0; v < vectors; ++v)
      weights.push_back(loadPlain(panel, word, v));
  return weights;
}

// Element `inGroup` of the words at `word`: all of the group if there is none.
void TileEmitter::plainStep(Value word, std::optional<int64_t> only,
                            SmallVector<Value> &acc) {
  SmallVector<Value> weights = loadPanels(word);
  int64_t group = in.format.group();
  if (group == 1)
    return accumulate(word, weights, acc);
  if (in.isPaired && !only)
    return accumulatePairs(word, weights, acc);
  for (int64_t i = 0; i < (only ? 1 : group); ++i) {
    SmallVector<Value> halves = llvm::map_to_vector(weights, [&](Value weight) {
      return halfOf(e, weight, /*isHigh=*/i == 0);
    });
    accumulate(e.add(e.mul(word, group), e.index(i)), halves, acc);
  }
}

// Rows a page or so apart: no hardware foresees them.
void TileEmitter::prefetchInPlace(Value k) {
  constexpr int64_t kStepsAhead = 12;
  Type f32 = e.builder.getF32Type();
  Value ahead = e.mul(e.add(k, e.index(kStepsAhead)), in.panelStride);
  for (Value panel : in.panels)
    for (int64_t lane = 0; lane < kPanelLanes; lane += kLineBytes / 4)
      e.prefetch(e.address(panel, f32, e.add(ahead, e.index(lane))), 1);
}

// The lines from which the next panels are staged, in order: step k of row
// group g of G prefetches part (count * g + k) / (count * G) of them.
void TileEmitter::prefetchRows(Value k, int64_t steps) {
  const Segment &segment = in.segment;
  int64_t bytes = in.next.bytesOfStep, groups = in.rowGroups;
  int64_t lines = llvm::divideCeil(steps * bytes, kLineBytes * groups);
  Value step = e.add(e.mul(segment.count, in.rowGroup), e.sub(k, segment.from));
  Value first = e.div(e.mul(step, bytes), kLineBytes * groups);
  for (int64_t i = 0; i < lines; ++i) {
    Value line = e.add(first, e.index(i));
    Value at = e.add(e.mul(e.div(line, in.next.linesOfRow), in.next.rowBytes),
                     e.mul(e.rem(line, in.next.linesOfRow), kLineBytes));
    for (Value panel : in.next.panels)
      e.prefetch(e.address(panel, e.builder.getI8Type(), at));
  }
}

// Step k of row group g of G prefetches what step (count * g + k) / G of the
// next panels reads, but for what division leaves over. An address past the end
// is harmless.
void TileEmitter::prefetchNext(Value k, int64_t steps) {
  if (!in.next.panels.empty() && in.rowGroups > 1)
    return prefetchRows(k, steps);
  if (in.bytesToNext == 0 || (in.rowGroups == 1 && !in.rowGroupsHere))
    return;
  const Segment &segment = in.segment;
  Value groups = in.rowGroupsHere ? in.rowGroupsHere : e.index(in.rowGroups);
  int64_t leastGroups = in.rowGroupsHere ? 1 : in.rowGroups;
  // A super-block's bytes count evenly for its elements.
  int64_t superBlock = in.format.superBlock * in.format.group();
  int64_t bytes = in.format.panelBytes(superBlock);
  int64_t lines =
      llvm::divideCeil(steps * bytes, superBlock * kLineBytes * leastGroups);
  Value step = e.add(e.mul(segment.count, in.rowGroup), e.sub(k, segment.from));
  Value part = e.div(e.index(bytes), groups);
  Value first =
      e.div(e.add(e.mul(segment.from, bytes), e.mul(step, part)), superBlock);
  for (Value panel : in.panels)
    for (int64_t line = 0; line < lines; ++line) {
      Value at = e.add(first, e.index(in.bytesToNext + line * kLineBytes));
      e.prefetch(e.address(panel, e.builder.getI8Type(), at));
    }
}

SmallVector<Value> TileEmitter::plainSteps(Value from, Value to,
                                           ValueRange carried) {
  int64_t group = in.format.group();
  auto steps = [&](int64_t count) {
    return [=, this](Value word, ValueRange sums) {
      SmallVector<Value> acc(sums);
      prefetchNext(e.mul(word, group), count * group);
      for (int64_t u = 0; u < count && in.panelStride; ++u)
        prefetchInPlace(e.add(word, e.index(u)));
      for (int64_t u = 0; u < count; ++u)
        plainStep(e.add(word, e.index(u)), std::nullopt, acc);
      return acc;
    };
  };
  std::optional<int64_t> known = getConstantIntValue(in.segment.count);
  int64_t count = unroll(kPlainMultiplyAdds);
  Value first = e.div(from, group), words = e.div(in.segment.count, group);
  Value middle = e.add(first, e.mul(e.div(words, count), count));
  SmallVector<Value> acc = e.loop(first, middle, count, carried, steps(count));
  if (known && *known % (count * group) == 0)
    return acc;
  Value end = e.add(first, words);
  acc = e.loop(middle, end, 1, acc, steps(1));
  if (group == 1 || (known && *known % group == 0))
    return acc;
  // The last word of an odd k holds one element.
  return e.loop(end, e.div(e.add(to, e.index(group - 1)), group), 1, acc,
                [&](Value word, ValueRange sums) {
                  SmallVector<Value> last(sums);
                  plainStep(word, 0, last);
                  return last;
                });
}

} // namespace tenon::codegen::cpu
