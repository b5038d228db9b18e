//===- ElementRows.cpp - Preparing rows: statistics by the row rule -------===//

#include "codegen/cpu/Element.h"
#include "codegen/cpu/Quotient.h"

#include "ir/reference/Reduction.h"
#include "ir/tn/ElementMath.h"
#include "ir/tn/Emit.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace tenon::codegen::cpu {

using namespace mlir;

namespace {

constexpr int64_t kExtremeChains = 4; // a power of two
// Registers that partial sums may take: a quarter of those of AVX-512, which
// those of AVX2 have no room for.
constexpr int64_t kMostPartialRegisters = 8;
// Columns whose terms are kept for the elements: what a core's caches hold.
constexpr int64_t kMostKeptTerms = 16384;

RankedTensorType tensorType(Value tensor) {
  return cast<RankedTensorType>(tensor.getType());
}

} // namespace

//===----------------------------------------------------------------------===//
// Preparing
//===----------------------------------------------------------------------===//

void Elements::prepare(Value tensor, ValueRange index) {
  if (sources.contains(tensor) || !isa<RankedTensorType>(tensor.getType()))
    return;
  if (!index.empty() && find(nullptr, tensor, index.drop_back()))
    return;
  if (isa<BlockArgument>(tensor)) {
    if (isa<ir::BlockType>(tensorType(tensor).getElementType()))
      stageBlocked(tensor, tensor, rowNumber(tensor, index.drop_back()), index);
    return;
  }
  Lanes none;
  Index at = canonical(tensor, index, none);
  for (const Visited &before : llvm::reverse(visited))
    if (before.tensor == tensor && sameValues(before.index, at))
      return;
  prepareOp(tensor.getDefiningOp(), at);
  visited.push_back({tensor, at});
}

void Elements::prepareOp(Operation *op, ValueRange index) {
  if (auto row = dyn_cast<ir::RowOp>(op))
    return prepareRow(row, row.keepsColumns() ? index.drop_back() : index);
  if (auto view = dyn_cast<ir::ViewOp>(op))
    return prepareView(view, index);
  if (isa<ir::PointwiseOp, ir::RandomOp>(op)) {
    for (Value operand : op->getOperands())
      prepare(operand, index);
    return;
  }
  llvm::TypeSwitch<Operation *>(op)
      .Case([&](ir::ConcatOp concat) {
        for (auto [i, x] : llvm::enumerate(concat.getXs()))
          prepare(x, concatIndex(concat, i, index));
      })
      .Case([&](ir::GatherOp gather) { prepareGather(gather, index); })
      .Case([&](ir::MoeGatherOp gather) {
        prepare(gather.getX(), assignmentIndex(gather, index));
      })
      .Case([&](ir::MoeCombineOp sum) { prepareCombine(sum, index[0]); })
      .Case(
          [&](ir::MoeRouteOp route) { prepareRoute(route, index.drop_back()); })
      .Case([&](ir::MoeWeighOp op) { prepareWeigh(op, index.drop_back()); })
      .Case([&](ir::UnpackOp unpack) {
        Value row = rowNumber(unpack.getX(), index.drop_back());
        stageBlocked(unpack.getY(), unpack.getX(), row, index);
      })
      .Case([&](ir::TakeAlongOp take) {
        prepare(take.getIndex(), index);
        if (!isa<BlockArgument>(take.getX()))
          stage(take.getX(), index);
      })
      .Case([&](ir::RopeOp rope) {
        prepareRope(rope, index[0]);
        prepare(rope.getX(), index);
        if (rope.getLayout() == ir::RopeLayout::Half)
          prepare(rope.getX(), partnerIndex(rope, index));
      })
      .Case([&](ir::ArgmaxOp argmax) { prepareArgmax(argmax, index); })
      .Case([&](ir::SampleOp sample) { prepareSample(sample, index); })
      .Case([&](ir::TopKOp topK) { prepareTopK(topK, index.drop_back()); });
}

// The element of a splat is emitted here, before the loop that repeats it.
void Elements::prepareView(ir::ViewOp op, ValueRange index) {
  Index source = sourceIndex(op, index);
  Value x = op->getOperand(0);
  prepare(x, source);
  if (!isSplat(op))
    return;
  Lanes one;
  one.offset = source.empty() ? Value() : e.index(0);
  pull(x, source, one);
}

// A row operand that is dear, or in several runs, is computed once and kept.
void Elements::prepareRowOperands(ir::RowOp op, ValueRange row) {
  Index start(row);
  start.push_back(e.index(0));
  SmallVector<unsigned> rows = op.rowOperands();
  bool isReadTwice = op.statisticCount() + op.keepsColumns() > 1;
  for (auto [i, operand] : llvm::enumerate(op->getOperands())) {
    bool isRow = llvm::is_contained(rows, i);
    bool isKept =
        runLength(operand) != 0 || (isReadTwice && isExpensive(operand));
    if (isRow && isKept)
      stage(operand, start);
    else
      prepare(operand,
              ValueRange(start).take_back(tensorType(operand).getRank()));
  }
}

/// Memory for the terms of a row.
Value Elements::termsOf(int64_t count) {
  constexpr int64_t kPage = 4096, kLine = 64;
  int64_t bytes = count * static_cast<int64_t>(sizeof(float));
  if (!streamed)
    return e.scratch(bytes);
  Value first = e.scratch(bytes + kPage);
  Value aim = e.add(e.misalignment(streamed, kPage), e.index(kPage * 3 / 2));
  Value shift = e.rem(e.sub(aim, e.misalignment(first, kPage)), kPage);
  return e.address(first, e.builder.getI8Type(),
                   e.mul(e.div(shift, kLine), kLine));
}

void Elements::prepareRow(ir::RowOp op, ValueRange row) {
  if (find(op, Value(), row))
    return;
  prepareRowOperands(op, row);
  RankedTensorType x = tensorType(op->getOperand(op.rowOperands()[0]));
  Value count = e.extent(x, x.getRank() - 1);
  Value columns =
      arith::SIToFPOp::create(e.builder, e.builder.getF32Type(),
                              e.fromIndex(count, e.builder.getI64Type()));
  // The last terms of a softmax are its elements but for a division.
  Value terms;
  int64_t most = e.maxExtent(x, x.getRank() - 1);
  if (isa<ir::SoftmaxOp>(op) && most > 0 && most <= kMostKeptTerms)
    terms = termsOf(llvm::alignTo(most, e.vectorWidth()));
  SmallVector<Value, 2> statistics;
  for (int64_t i = 0; i < op.statisticCount(); ++i) {
    Value reduced = op.statisticKind(i) == ir::Reduction::Sum
                        ? reduceSum(op, i, count, row, statistics, terms)
                        : reduceExtreme(op, i, count, row, statistics);
    statistics.push_back(op.emitFinish(e.builder, i, reduced, columns));
  }
  prepared.push_back({op, Value(), Index(row), statistics});
  if (terms) {
    Divisor sum = divisorOf(e, statistics.back());
    prepared.push_back({op,
                        op->getResult(0),
                        Index(row),
                        {terms, sum.value, sum.reciprocal, sum.rest}});
  }
}

//===----------------------------------------------------------------------===//
// Elements and terms
//===----------------------------------------------------------------------===//

SmallVector<Value> Elements::rowOperandElements(ir::RowOp op, ValueRange index,
                                                const Lanes &lanes,
                                                bool everyOperand) {
  SmallVector<unsigned> rows = op.rowOperands();
  SmallVector<Value> elements(op->getNumOperands());
  for (auto [i, operand] : llvm::enumerate(op->getOperands()))
    if (everyOperand || llvm::is_contained(rows, i))
      elements[i] =
          pull(operand, index.take_back(tensorType(operand).getRank()), lanes);
  // Terms do not depend on the others.
  for (Value &element : elements)
    if (!element)
      element = elements[rows[0]];
  return elements;
}

static SmallVector<Value> splats(KernelEmitter &e, ValueRange values,
                                 int64_t width) {
  SmallVector<Value> result;
  for (Value value : values)
    result.push_back(e.splat(value, width));
  return result;
}

Value Elements::rowElement(ir::RowOp op, ValueRange index, const Lanes &lanes) {
  bool keeps = op.keepsColumns();
  ValueRange row = keeps ? index.drop_back() : index;
  prepareRow(op, row); // Nothing where it was prepared.
  if (const Prepared *kept = find(op, op->getResult(0), row)) {
    Value term = e.load(kept->values[0], e.builder.getF32Type(),
                        column(index, lanes), lanes);
    ArrayRef<Value> sum = ArrayRef(kept->values).drop_front();
    Value value = quotient(e, term, {sum[0], sum[1], sum[2]});
    return rounded(value, tensorType(op->getResult(0)).getElementType());
  }
  SmallVector<Value> statistics =
      splats(e, find(op, Value(), row)->values, lanes.width);
  SmallVector<Value> elements;
  if (keeps)
    elements = rowOperandElements(op, index, lanes, /*everyOperand=*/true);
  Value value = op.emitElement(e.builder, elements, statistics);
  return rounded(value, tensorType(op->getResult(0)).getElementType());
}

// The first level has few misses in flight: dear terms alone leave it the time.
void Elements::prefetchAhead(ir::RowOp op, int64_t statistic, ValueRange row,
                             const Lanes &lanes) {
  RankedTensorType own = tensorType(op->getOperand(op.rowOperands()[0]));
  if (statistic + 1 != op.statisticCount() || lanes.mask)
    return;
  uint32_t level = isa<ir::SoftmaxOp, ir::LogSoftmaxOp>(op) ? 1 : 2;
  for (Value input : ahead) {
    RankedTensorType type = tensorType(input);
    if (!sameShape(type, own))
      continue;
    Index next(row);
    next.push_back(e.add(lanes.offset, e.extent(own, own.getRank() - 1)));
    e.prefetch(e.address(e.pointer(input), memoryType(type.getElementType()),
                         e.linearise(type, next)),
               level);
  }
}

Value Elements::emitTerm(ir::RowOp op, int64_t statistic, ValueRange row,
                         ValueRange statistics, const Lanes &lanes) {
  Index index(row);
  index.push_back(e.index(0));
  return op.emitTerm(
      e.builder, statistic,
      rowOperandElements(op, index, lanes, /*everyOperand=*/false),
      splats(e, statistics, lanes.width));
}

//===----------------------------------------------------------------------===//
// Reductions
//===----------------------------------------------------------------------===//

/// The two halves of a vector.
static std::pair<Value, Value> halves(KernelEmitter &e, Value vector) {
  int64_t half = cast<VectorType>(vector.getType()).getNumElements() / 2;
  auto part = [&](int64_t from) -> Value {
    return vector::ExtractStridedSliceOp::create(
        e.builder, vector, ArrayRef<int64_t>{from}, ArrayRef<int64_t>{half},
        ArrayRef<int64_t>{1});
  };
  return {part(0), part(half)};
}

/// Combines a vector's elements by the tree of halves.
static Value
reduceVector(KernelEmitter &e, Value vector,
             function_ref<Value(ir::Emit &, Value, Value)> combine) {
  while (cast<VectorType>(vector.getType()).getNumElements() > 1) {
    auto [low, high] = halves(e, vector);
    ir::Emit a(e.builder, e.builder.getLoc(), low.getType());
    vector = combine(a, low, high);
  }
  return vector::ExtractOp::create(e.builder, vector, 0);
}

static Value sumOf(ir::Emit &a, Value x, Value y) { return a.add(x, y); }

/// The tree of halves over the partial sums.
static Value addPartials(KernelEmitter &e, SmallVector<Value> sums) {
  ir::Emit a(e.builder, e.builder.getLoc(), sums[0].getType());
  for (size_t half = sums.size() / 2; half > 0; half /= 2)
    for (size_t i = 0; i < half; ++i)
      sums[i] = a.add(sums[i], sums[i + half]);
  return reduceVector(e, sums[0], sumOf);
}

/// Whether a sum's partial sums, and a copy of its term for each of their
/// vectors, are for the registers and worth compiling.
bool Elements::isSummedInRegisters(ir::RowOp op) {
  return ir::ref::kRowPartials / e.vectorWidth() <= kMostPartialRegisters &&
         llvm::none_of(op.rowOperands(), [&](unsigned i) {
           return isExpensive(op->getOperand(i));
         });
}

/// Adds columns [from, to), whole groups of 128, to the partial sums.
SmallVector<Value> Elements::addGroups(Value from, Value to,
                                       SmallVector<Value> sums, Term term) {
  int64_t width = e.vectorWidth();
  return e.loop(from, to, ir::ref::kRowPartials, sums,
                [&](Value at, ValueRange carried) -> SmallVector<Value> {
                  SmallVector<Value> next;
                  for (auto [i, sum] : llvm::enumerate(carried)) {
                    Scope scope(*this);
                    Lanes lanes{width, Value(), e.add(at, e.index(i * width))};
                    next.push_back(
                        arith::AddFOp::create(e.builder, sum, term(lanes)));
                  }
                  return next;
                });
}

// The last `rest` columns are added in memory. For dear terms they are all: in
// registers they want a copy of the term's code for each vector of sums, which
// would cost more to compile than the loads and stores, which overlap with the
// term, cost to run.
Value Elements::sumSegment(Value from, Value length, Value rest, Term term) {
  int64_t width = e.vectorWidth();
  Type f32 = e.builder.getF32Type();
  Value zero = e.splat(e.f32(0), width);
  SmallVector<Value> sums(ir::ref::kRowPartials / width, zero);
  Value whole = e.sub(length, rest);
  if (getConstantIntValue(whole) != 0)
    sums = addGroups(from, e.add(from, whole), sums, term);
  if (getConstantIntValue(rest) == 0)
    return addPartials(e, sums);
  Value partials = e.scratch(ir::ref::kRowPartials * 4);
  for (auto [i, sum] : llvm::enumerate(sums))
    e.store(sum, partials, e.index(i * width));
  e.columns(rest, width, [&](const Lanes &lanes) {
    Scope scope(*this);
    Lanes at{width, lanes.mask, e.add(e.add(from, whole), lanes.offset)};
    Value one = term(at);
    if (at.mask)
      one = arith::SelectOp::create(e.builder, at.mask, one, zero);
    Value slot = e.rem(lanes.offset, ir::ref::kRowPartials);
    Value sum = e.load(partials, f32, slot, Lanes{width, Value(), Value()});
    e.store(arith::AddFOp::create(e.builder, sum, one), partials, slot);
  });
  for (auto [i, sum] : llvm::enumerate(sums))
    sum = e.load(partials, f32, e.index(i * width), Lanes{width});
  return addPartials(e, sums);
}

Value Elements::reduceSum(ir::RowOp op, int64_t statistic, Value count,
                          ValueRange row, ValueRange statistics, Value terms) {
  Scope outer(*this);
  auto termAt = [&](const Lanes &at) {
    prefetchAhead(op, statistic, row, at);
    Value term = emitTerm(op, statistic, row, statistics, at);
    if (terms)
      e.store(term, terms, at.offset, {at.width, at.mask});
    return term;
  };
  bool inRegisters = isSummedInRegisters(op);
  std::optional<int64_t> known = getConstantIntValue(count);
  auto restOf = [&](Value length) {
    if (!inRegisters)
      return length;
    bool isWhole = known && *known % ir::ref::kRowPartials == 0;
    return isWhole ? e.index(0) : e.rem(length, ir::ref::kRowPartials);
  };
  if (known && *known <= ir::ref::kRowSegment)
    return sumSegment(e.index(0), count, restOf(count), termAt);
  return e.loop(
      e.index(0), count, ir::ref::kRowSegment, e.f32(0),
      [&](Value from, ValueRange carried) -> SmallVector<Value> {
        Scope scope(*this);
        Value length = e.min(e.index(ir::ref::kRowSegment), e.sub(count, from));
        Value part = sumSegment(from, length, restOf(length), termAt);
        Value isFirst = arith::CmpIOp::create(
            e.builder, arith::CmpIPredicate::eq, from, e.index(0));
        Value sum = arith::AddFOp::create(e.builder, carried[0], part);
        return {arith::SelectOp::create(e.builder, isFirst, part, sum)};
      })[0];
}

// A step waits for the one before it: several chains hide that. Dear terms hide
// it themselves.
Value Elements::reduceExtreme(ir::RowOp op, int64_t statistic, Value count,
                              ValueRange row, ValueRange statistics) {
  int64_t width = e.vectorWidth();
  ir::Reduction kind = op.statisticKind(statistic);
  auto type = VectorType::get({width}, e.builder.getF32Type());
  ir::Emit a(e.builder, e.builder.getLoc(), type);
  // A softmax is NaN wherever its operand is, whatever the maximum: -infinity,
  // unlike NaN, needs one instruction a step.
  bool isAnyNan = isa<ir::SoftmaxOp, ir::LogSoftmaxOp>(op);
  Value identity = isAnyNan
                       ? a.constant(-std::numeric_limits<double>::infinity())
                       : ir::identityOf(a, kind);
  auto combine = [&](Value so, Value term) {
    if (isAnyNan)
      return a.select(a.less(so, term), term, so);
    return ir::combine(a, kind, so, term);
  };
  auto step = [&](Value so, const Lanes &lanes) -> Value {
    Scope scope(*this);
    prefetchAhead(op, statistic, row, lanes);
    Value term = emitTerm(op, statistic, row, statistics, lanes);
    if (lanes.mask)
      term = arith::SelectOp::create(e.builder, lanes.mask, term, identity);
    return combine(so, term);
  };
  bool isDear = isExpensive(op->getOperand(op.rowOperands()[0]));
  int64_t chains = isDear ? 1 : kExtremeChains, stride = chains * width;
  Value whole = e.sub(count, e.rem(count, e.index(stride)));
  SmallVector<Value> so(chains, identity);
  if (getConstantIntValue(whole) != 0)
    so = e.loop(e.index(0), whole, stride, so, [&](Value at, ValueRange now) {
      SmallVector<Value> next;
      for (auto [i, chain] : llvm::enumerate(now))
        next.push_back(
            step(chain, {width, Value(), e.add(at, e.index(i * width))}));
      return next;
    });
  for (int64_t half = chains / 2; half > 0; half /= 2)
    for (int64_t i = 0; i < half; ++i)
      so[i] = combine(so[i], so[i + half]);
  auto rest = [&](ValueRange now, const Lanes &lanes) -> SmallVector<Value> {
    return {step(now[0], {width, lanes.mask, e.add(whole, lanes.offset)})};
  };
  Value reduced = e.columns(e.sub(count, whole), width, so[0], rest)[0];
  return reduceVector(e, reduced, [&](ir::Emit &half, Value x, Value y) {
    return ir::combine(half, kind, x, y);
  });
}

} // namespace tenon::codegen::cpu
