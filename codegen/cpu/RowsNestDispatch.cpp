//===- RowsNestDispatch.cpp - tn.moe_dispatch -----------------------------===//
//
// A counting sort: experts are counted, counts summed to offsets, and each
// assignment put at the next place of its expert. One tile does it all: a few
// instructions for each assignment, beside whole rows of products.
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/RowsNest.h"

#include "tenon/abi.h"

namespace tenon::codegen::cpu {

using namespace mlir;

namespace {

class Dispatch {
public:
  Dispatch(KernelEmitter &emitter, const Nest &nest, ir::MoeDispatchOp dispatch)
      : e(emitter), op(dispatch), elements(emitter),
        i32(emitter.builder.getI32Type()), type(op.getExperts().getType()),
        extents(emitter.extents(type)) {
    for (auto [number, value] : llvm::enumerate(nest.yield()->getOperands()))
      results[value] = e.resultPointer(nest, number);
  }

  LogicalResult emit();

private:
  Value expertOf(Value number, bool reports);
  void store(Value value, Value result, Value at) {
    if (Value pointer = results.lookup(result)) // one that is used
      e.store(value, pointer, at);
  }
  Value plusOne(Value x) {
    return arith::AddIOp::create(
        e.builder, x,
        arith::ConstantOp::create(e.builder, e.builder.getI32IntegerAttr(1)));
  }

  KernelEmitter &e;
  ir::MoeDispatchOp op;
  Elements elements;
  Type i32;
  RankedTensorType type;
  SmallVector<Value> extents;
  llvm::DenseMap<Value, Value> results; // where each is stored
};

/// The expert of an assignment, as an index.
Value Dispatch::expertOf(Value number, bool reports) {
  SmallVector<Value> index = e.delinearise(number, extents);
  elements.prepare(op.getExperts(), index);
  Value expert = e.toIndex(elements.element(op.getExperts(), index, {}));
  Value isOutside = arith::CmpIOp::create(e.builder, arith::CmpIPredicate::uge,
                                          expert, e.index(op.getCount()));
  if (reports)
    e.emitFailure(isOutside, TENON_FAILURE_INDEX, op, index[0], expert);
  return arith::SelectOp::create(e.builder, isOutside, e.index(0), expert);
}

LogicalResult Dispatch::emit() {
  int64_t count = op.getCount();
  Value assignments = e.mul(extents[0], extents[1]);
  Value next = e.scratch((count + 1) * sizeof(int32_t)); // place of an expert
  Value zero =
      arith::ConstantOp::create(e.builder, e.builder.getI32IntegerAttr(0));
  e.loop(e.index(0), e.index(count + 1), 1,
         [&](Value at) { e.store(zero, next, at); });
  e.loop(e.index(0), assignments, 1, [&](Value number) {
    Elements::Scope scope(elements);
    Value after = e.add(expertOf(number, /*reports=*/true), e.index(1));
    e.store(plusOne(e.load(next, i32, after)), next, after);
  });
  e.loop(e.index(0), e.index(count + 1), 1, zero,
         [&](Value at, ValueRange so) -> SmallVector<Value> {
           Value sum =
               arith::AddIOp::create(e.builder, so[0], e.load(next, i32, at));
           e.store(sum, next, at);
           store(sum, op.getOffsets(), at);
           return {sum};
         });
  e.loop(e.index(0), assignments, 1, [&](Value number) {
    Elements::Scope scope(elements);
    Value expert = expertOf(number, /*reports=*/false);
    Value place = e.load(next, i32, expert);
    e.store(plusOne(place), next, expert);
    store(place, op.getPlaces(), number);
    store(e.fromIndex(number, i32), op.getOrder(), e.toIndex(place));
  });
  return elements.status();
}

} // namespace

LogicalResult emitDispatch(KernelEmitter &e, const Nest &nest,
                           ir::MoeDispatchOp op) {
  return Dispatch(e, nest, op).emit();
}

} // namespace tenon::codegen::cpu
