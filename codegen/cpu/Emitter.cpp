//===- Emitter.cpp - Index arithmetic, vectors, control, failures ---------===//

#include "codegen/cpu/Emitter.h"

#include "tenon/abi.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace tenon::codegen::cpu {

using namespace mlir;

//===----------------------------------------------------------------------===//
// Index arithmetic
//===----------------------------------------------------------------------===//

Value KernelEmitter::index(int64_t value) {
  return arith::ConstantIndexOp::create(builder, value);
}

Value KernelEmitter::add(Value a, Value b) {
  return builder.createOrFold<arith::AddIOp>(a, b);
}

Value KernelEmitter::sub(Value a, Value b) {
  return builder.createOrFold<arith::SubIOp>(a, b);
}

Value KernelEmitter::mul(Value a, Value b) {
  return builder.createOrFold<arith::MulIOp>(a, b);
}

Value KernelEmitter::div(Value a, Value b) {
  return builder.createOrFold<arith::DivUIOp>(a, b);
}

Value KernelEmitter::rem(Value a, Value b) {
  return builder.createOrFold<arith::RemUIOp>(a, b);
}

Value KernelEmitter::min(Value a, Value b) {
  return builder.createOrFold<arith::MinSIOp>(a, b);
}

Value KernelEmitter::max(Value a, Value b) {
  return builder.createOrFold<arith::MaxSIOp>(a, b);
}

Value KernelEmitter::toIndex(Value integer) {
  return builder.createOrFold<arith::IndexCastOp>(builder.getIndexType(),
                                                  integer);
}

Value KernelEmitter::fromIndex(Value value, Type integer) {
  return builder.createOrFold<arith::IndexCastOp>(integer, value);
}

SmallVector<Value> KernelEmitter::delinearise(Value row, ValueRange extents) {
  SmallVector<Value> result(extents.size());
  // The outermost axis that is not 1 takes what is left, without a division.
  size_t outer = 0;
  while (outer + 1 < extents.size() && getConstantIntValue(extents[outer]) == 1)
    result[outer++] = index(0);
  for (size_t axis = extents.size(); axis-- > outer + 1;) {
    result[axis] = rem(row, extents[axis]);
    row = div(row, extents[axis]);
  }
  if (!extents.empty())
    result[outer] = row;
  return result;
}

Value KernelEmitter::linearise(RankedTensorType type, ValueRange position) {
  Value linear;
  for (int64_t axis = 0; axis < type.getRank(); ++axis)
    linear = linear ? add(mul(linear, extent(type, axis)), position[axis])
                    : position[axis];
  return linear ? linear : index(0);
}

//===----------------------------------------------------------------------===//
// Vectors
//===----------------------------------------------------------------------===//

Type KernelEmitter::vectorOf(Type element, const Lanes &lanes) {
  return lanes.width == 1 ? element : VectorType::get({lanes.width}, element);
}

Value KernelEmitter::any(Value lanes) {
  return vector::ReductionOp::create(builder, vector::CombiningKind::OR, lanes);
}

Value KernelEmitter::splat(Value scalar, int64_t width) {
  if (width == 1)
    return scalar;
  return builder.createOrFold<vector::BroadcastOp>(
      VectorType::get({width}, scalar.getType()), scalar);
}

Value KernelEmitter::f32(float value) {
  return arith::ConstantOp::create(builder, builder.getF32FloatAttr(value));
}

Value KernelEmitter::firstLanes(Value count, int64_t width) {
  auto type = VectorType::get({width}, builder.getI1Type());
  return vector::CreateMaskOp::create(builder, type, ValueRange{count});
}

//===----------------------------------------------------------------------===//
// Control
//===----------------------------------------------------------------------===//

void KernelEmitter::loop(Value from, Value to, int64_t step, Body body) {
  auto op = scf::ForOp::create(builder, from, to, index(step));
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(op.getBody());
  body(op.getInductionVar());
}

SmallVector<Value> KernelEmitter::loop(Value from, Value to, int64_t step,
                                       ValueRange init, CarryBody body) {
  auto op = scf::ForOp::create(builder, from, to, index(step), init);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(op.getBody());
  SmallVector<Value> next = body(op.getInductionVar(), op.getRegionIterArgs());
  scf::YieldOp::create(builder, next);
  return SmallVector<Value>(op.getResults());
}

void KernelEmitter::columns(Value count, int64_t width,
                            function_ref<void(const Lanes &)> body) {
  std::optional<int64_t> known = getConstantIntValue(count);
  if (known && *known == width) {
    body({width, Value(), index(0)});
    return;
  }
  Value full = width == 1 ? count : sub(count, rem(count, index(width)));
  if (getConstantIntValue(full) != 0)
    loop(index(0), full, width, [&](Value iv) { body({width, Value(), iv}); });
  if (width == 1 || (known && *known % width == 0))
    return;
  auto tail = [&] { body({width, firstLanes(sub(count, full), width), full}); };
  if (known)
    return tail();
  ifThen(arith::CmpIOp::create(builder, arith::CmpIPredicate::ult, full, count),
         tail);
}

SmallVector<Value> KernelEmitter::columns(Value count, int64_t width,
                                          ValueRange init, CarryColumns body) {
  Value full = width == 1 ? count : sub(count, rem(count, index(width)));
  SmallVector<Value> so(init);
  if (getConstantIntValue(full) != 0)
    so = loop(index(0), full, width, init, [&](Value iv, ValueRange carried) {
      return body(carried, {width, Value(), iv});
    });
  std::optional<int64_t> known = getConstantIntValue(count);
  if (width == 1 || (known && *known % width == 0))
    return so;
  // No branch: a masked step over no columns changes nothing.
  return body(so, {width, firstLanes(sub(count, full), width), full});
}

void KernelEmitter::columnsFrom(Value first, Value count, int64_t width,
                                function_ref<void(const Lanes &)> body) {
  Value from = min(first, count), rest = sub(count, from);
  Value to = add(from, sub(rest, rem(rest, index(width))));
  loop(from, to, width, [&](Value iv) { body({width, Value(), iv}); });
  // One copy of the masked code serves both ends.
  loop(index(0), index(2), 1, [&](Value end) {
    Value isFirst =
        arith::CmpIOp::create(builder, arith::CmpIPredicate::eq, end, index(0));
    Value at = arith::SelectOp::create(builder, isFirst, index(0), to);
    Value lanes =
        arith::SelectOp::create(builder, isFirst, from, sub(count, to));
    Value isSome = arith::CmpIOp::create(builder, arith::CmpIPredicate::ne,
                                         lanes, index(0));
    ifThen(isSome, [&] { body({width, firstLanes(lanes, width), at}); });
  });
}

void KernelEmitter::ifThen(Value condition, function_ref<void()> then) {
  auto op = scf::IfOp::create(builder, condition, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(op.thenBlock());
  then();
}

void KernelEmitter::emitFailure(Value condition, int32_t kind, Operation *at,
                                Value row, Value value) {
  Type i64 = builder.getI64Type();
  int32_t location = locationOf(at);
  auto constant = [&](int32_t number) -> Value {
    return arith::ConstantOp::create(builder,
                                     builder.getI32IntegerAttr(number));
  };
  auto field = [&](int64_t byte) {
    return address(failure, builder.getI8Type(), index(byte));
  };
  // Where the word is taken the exchange is skipped: failures may be many.
  ifThen(condition, [&] {
    auto exchange = LLVM::AtomicCmpXchgOp::create(
        builder, failure, constant(TENON_FAILURE_NONE), constant(kind),
        LLVM::AtomicOrdering::acq_rel, LLVM::AtomicOrdering::acquire);
    Value first = LLVM::ExtractValueOp::create(builder, exchange, 1);
    ifThen(first, [&] {
      LLVM::StoreOp::create(builder, constant(location),
                            field(offsetof(tenon_failure, location)));
      LLVM::StoreOp::create(builder, fromIndex(row, i64),
                            field(offsetof(tenon_failure, row)));
      LLVM::StoreOp::create(builder, fromIndex(value, i64),
                            field(offsetof(tenon_failure, value)));
    });
  });
}

namespace {

std::string describe(Location location) {
  if (auto file = dyn_cast<FileLineColLoc>(location))
    return (file.getFilename().getValue() + ":" + Twine(file.getLine())).str();
  if (auto name = dyn_cast<NameLoc>(location))
    return name.getName().str();
  if (auto call = dyn_cast<CallSiteLoc>(location))
    return describe(call.getCallee());
  if (auto fused = dyn_cast<FusedLoc>(location))
    return fused.getLocations().empty() ? ""
                                        : describe(fused.getLocations()[0]);
  return "";
}

} // namespace

int32_t KernelEmitter::locationOf(Operation *at) {
  auto [it, isNew] = locations.try_emplace(at, info.locations.size());
  if (isNew)
    info.locations.push_back(
        {at->getName().getStringRef().str(), describe(at->getLoc())});
  return it->second;
}

} // namespace tenon::codegen::cpu
