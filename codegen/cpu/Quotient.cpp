//===- Quotient.cpp - Many divisions by one divisor -----------------------===//

#include "codegen/cpu/Quotient.h"

#include "ir/tn/Emit.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

namespace tenon::codegen::cpu {

using namespace mlir;

Divisor divisorOf(KernelEmitter &e, Value value) {
  auto &b = e.builder;
  ir::Emit a(b, b.getLoc(), b.getF32Type());
  Value one = e.f32(1), reciprocal = a.div(one, value);
  Value error = a.fma(a.neg(reciprocal), value, one);
  return {value, reciprocal, a.mul(error, reciprocal)};
}

// The remainder of an x below 2^-100 would have bits below the least normal.
Value quotient(KernelEmitter &e, Value x, const Divisor &divisor) {
  auto &b = e.builder;
  constexpr float kLeast = 0x1p-100f;
  ir::Emit a(b, b.getLoc(), x.getType());
  auto vector = dyn_cast<VectorType>(x.getType());
  if (!vector)
    return a.div(x, divisor.value);
  int64_t width = vector.getNumElements();
  Value by = e.splat(divisor.value, width);
  Value isSmall = e.any(a.less(x, e.splat(e.f32(kLeast), width)));
  auto choice = scf::IfOp::create(b, TypeRange{x.getType()}, isSmall,
                                  /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(choice.thenBlock());
  scf::YieldOp::create(b, a.div(x, by));
  b.setInsertionPointToStart(choice.elseBlock());
  Value reciprocal = e.splat(divisor.reciprocal, width);
  Value rest = a.mul(x, e.splat(divisor.rest, width));
  Value faithful = a.fma(x, reciprocal, rest);
  Value remainder = a.fma(a.neg(faithful), by, x);
  scf::YieldOp::create(b, a.fma(remainder, reciprocal, faithful));
  return choice.getResult(0);
}

} // namespace tenon::codegen::cpu
