//===- ElementOps.cpp - Pulling elements: constants, gathers, rotations ---===//

#include "codegen/cpu/Element.h"

#include "tenon/abi.h"

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace tenon::codegen::cpu {

using namespace mlir;

namespace {

RankedTensorType tensorType(Value tensor) {
  return cast<RankedTensorType>(tensor.getType());
}

Value constantOf(KernelEmitter &e, Type type, Attribute value) {
  if (auto vector = dyn_cast<VectorType>(type))
    return arith::ConstantOp::create(e.builder,
                                     DenseElementsAttr::get(vector, value));
  return arith::ConstantOp::create(e.builder, cast<TypedAttr>(value));
}

/// 0, 1, 2, .. as integers of `type`, an integer or a vector of them.
Value laneNumbers(KernelEmitter &e, Type type) {
  auto vector = dyn_cast<VectorType>(type);
  if (!vector)
    return arith::ConstantOp::create(e.builder, e.builder.getZeroAttr(type));
  SmallVector<Attribute> numbers;
  for (int64_t lane = 0; lane < vector.getNumElements(); ++lane)
    numbers.push_back(e.builder.getIntegerAttr(vector.getElementType(), lane));
  return arith::ConstantOp::create(e.builder,
                                   DenseElementsAttr::get(vector, numbers));
}

} // namespace

//===----------------------------------------------------------------------===//
// Constants, iota, concat
//===----------------------------------------------------------------------===//

/// Booleans are bytes in memory.
static DenseElementsAttr asStored(DenseElementsAttr value) {
  if (!value.getElementType().isInteger(1))
    return value;
  return value.mapValues(IntegerType::get(value.getContext(), 8),
                         [](const APInt &bit) { return bit.zext(8); });
}

Value Elements::constantElement(ir::ConstantOp op, ValueRange index,
                                const Lanes &lanes) {
  auto value = cast<DenseElementsAttr>(op.getValue());
  Type element = value.getElementType();
  if (!value.isSplat()) {
    Value table = e.constantTable(asStored(value));
    return fromMemory(tensorType(op), table, index, lanes);
  }
  if (!isa<FloatType>(element))
    return constantOf(e, e.vectorOf(element, lanes),
                      value.getSplatValue<Attribute>());
  APFloat number = value.getSplatValue<APFloat>();
  bool losesInfo = false;
  number.convert(APFloat::IEEEsingle(), APFloat::rmNearestTiesToEven,
                 &losesInfo);
  return e.splat(e.f32(number.convertToFloat()), lanes.width);
}

Value Elements::iotaElement(ir::IotaOp op, ValueRange index,
                            const Lanes &lanes) {
  Type element = tensorType(op).getElementType();
  int64_t axis = op.getAxis();
  bool isLast = axis == int64_t(index.size()) - 1;
  Value first = isLast ? column(index, lanes) : index[axis];
  Value number = e.splat(e.fromIndex(first, element), lanes.width);
  if (!isLast || lanes.width == 1)
    return number;
  return arith::AddIOp::create(e.builder, number,
                               laneNumbers(e, number.getType()));
}

/// The index in operand `number`, kept inside of it where another is meant.
Elements::Index Elements::concatIndex(ir::ConcatOp op, unsigned number,
                                      ValueRange index) {
  Index result(index);
  int64_t axis = op.getAxis(), before = 0;
  for (unsigned i = 0; i < number; ++i)
    before += tensorType(op.getXs()[i]).getDimSize(axis);
  int64_t extent = tensorType(op.getXs()[number]).getDimSize(axis);
  Value inside = e.sub(result[axis], e.index(before));
  result[axis] = e.max(e.index(0), e.min(inside, e.index(extent - 1)));
  return result;
}

Value Elements::concatElement(ir::ConcatOp op, ValueRange index,
                              const Lanes &lanes) {
  Lanes inRun = lanes;
  if (!inRun.offset)
    inRun.offset = e.index(0);
  return concatFrom(op, 0, index, inRun);
}

/// The element, known to be in operand `number` or a later one.
Value Elements::concatFrom(ir::ConcatOp op, unsigned number, ValueRange index,
                           const Lanes &lanes) {
  auto own = [&] {
    return pull(op.getXs()[number], concatIndex(op, number, index), lanes);
  };
  if (number + 1 == op.getXs().size())
    return own();
  int64_t end = 0, axis = op.getAxis();
  for (unsigned i = 0; i <= number; ++i)
    end += tensorType(op.getXs()[i]).getDimSize(axis);
  if (std::optional<int64_t> at = getConstantIntValue(index[axis]))
    return *at < end ? own() : concatFrom(op, number + 1, index, lanes);
  Value isOwn = arith::CmpIOp::create(e.builder, arith::CmpIPredicate::slt,
                                      index[axis], e.index(end));
  Type element = tensorType(op.getY()).getElementType();
  if (isa<FloatType>(element))
    element = e.builder.getF32Type();
  auto choice = scf::IfOp::create(
      e.builder, TypeRange{e.vectorOf(element, lanes)}, isOwn, true);
  OpBuilder::InsertionGuard guard(e.builder);
  e.builder.setInsertionPointToStart(choice.thenBlock());
  {
    Scope scope(*this);
    scf::YieldOp::create(e.builder, own());
  }
  e.builder.setInsertionPointToStart(choice.elseBlock());
  {
    Scope scope(*this);
    scf::YieldOp::create(e.builder, concatFrom(op, number + 1, index, lanes));
  }
  return choice.getResult(0);
}

//===----------------------------------------------------------------------===//
// Gathers
//===----------------------------------------------------------------------===//

Value Elements::checkedNumber(Operation *op, Value number, Value extent,
                              Value row) {
  Value wanted = e.toIndex(number);
  Value isOutside = arith::CmpIOp::create(e.builder, arith::CmpIPredicate::uge,
                                          wanted, extent);
  e.emitFailure(isOutside, TENON_FAILURE_INDEX, op, row, wanted);
  return arith::SelectOp::create(e.builder, isOutside, e.index(0), wanted);
}

Value Elements::tableRow(ir::GatherOp op, ValueRange index) {
  RankedTensorType numbers = tensorType(op.getIndex());
  ValueRange lead = index.take_front(numbers.getRank());
  if (const Prepared *found = find(op, op.getIndex(), lead))
    return found->values[0];
  Value number = element(op.getIndex(), lead, {});
  Value row = checkedNumber(op, number, e.extent(tensorType(op.getTable()), 0),
                            e.linearise(numbers, lead));
  prepared.push_back({op, op.getIndex(), Index(lead), {row}});
  return row;
}

/// Whether the bytes of a weight are not its elements in row-major order.
static bool isStoredOtherwise(Value table) {
  RankedTensorType type = tensorType(table);
  return isa<ir::BlockType>(type.getElementType()) ||
         isa_and_nonnull<ir::PanelsAttr>(type.getEncoding());
}

void Elements::prepareGather(ir::GatherOp op, ValueRange index) {
  Value row = tableRow(op, index);
  Value table = op.getTable();
  if (isStoredOtherwise(table)) {
    if (!find(nullptr, op.getY(), index.drop_back()))
      stageBlocked(op.getY(), table, row, index);
    return;
  }
  Index source{row};
  llvm::append_range(source,
                     index.drop_front(tensorType(op.getIndex()).getRank()));
  if (source.size() > 1)
    prepare(table, source);
}

Value Elements::gatherElement(ir::GatherOp op, ValueRange index,
                              const Lanes &lanes) {
  if (isStoredOtherwise(op.getTable())) { // Not prepared for this row.
    prepareGather(op, index);
    return stagedElement(*find(nullptr, op.getY(), index.drop_back()), index,
                         lanes);
  }
  Index at(index);
  int64_t rank = tensorType(op.getTable()).getRank();
  if (rank == 1 && !at.empty())
    at.back() = column(index, lanes);
  Index source{tableRow(op, at)};
  if (rank == 1)
    return element(op.getTable(), source, {});
  llvm::append_range(source,
                     index.drop_front(tensorType(op.getIndex()).getRank()));
  return pull(op.getTable(), source, lanes);
}

Value Elements::takeAlongElement(ir::TakeAlongOp op, ValueRange index) {
  RankedTensorType x = tensorType(op.getX());
  Value number = element(op.getIndex(), index, {});
  RankedTensorType type = tensorType(op.getY());
  Value row =
      e.div(e.linearise(type, index), e.extent(type, type.getRank() - 1));
  Index source(index);
  source.back() = checkedNumber(op, number, e.extent(x, x.getRank() - 1), row);
  return element(op.getX(), source, {});
}

//===----------------------------------------------------------------------===//
// Rotations
//===----------------------------------------------------------------------===//

const Elements::Prepared *Elements::findRope(ir::RopeOp op, Value token) {
  for (const Prepared &entry : llvm::reverse(prepared)) {
    auto other = dyn_cast_or_null<ir::RopeOp>(entry.op);
    if (other && other.getBatch() == op.getBatch() &&
        other.getFrequency() == op.getFrequency() &&
        other.getLayout() == op.getLayout() &&
        other.getAmplitude() == op.getAmplitude() &&
        sameValue(entry.row[0], token))
      return &entry;
  }
  return nullptr;
}

// Leaves two rows of factors, as wide as a head: y = x * c + partner * s, with
// the sign of the first element's sine in s. (u cos - v sin is u cos + v (-sin)
// bit for bit.)
void Elements::prepareRope(ir::RopeOp op, Value token) {
  if (findRope(op, token))
    return;
  Location loc = e.builder.getLoc();
  int64_t width = tensorType(op.getX()).getShape().back();
  Value cosines = e.scratch(width * 4), sines = e.scratch(width * 4);
  Value position =
      e.load(e.batch(op.getBatch()).position, e.builder.getI32Type(), token);
  Value angleOf =
      arith::SIToFPOp::create(e.builder, e.builder.getF32Type(), position);
  bool isHalf = op.getLayout() == ir::RopeLayout::Half;
  prepare(op.getFrequency(), e.index(0));
  e.columns(e.index(width / 2), e.vectorWidth(), [&](const Lanes &lanes) {
    Scope scope(*this);
    Value frequency = pull(op.getFrequency(), e.index(0), lanes);
    ir::Emit a(e.builder, loc, frequency.getType());
    Value angle = a.mul(e.splat(angleOf, lanes.width), frequency);
    Value amplitude = a.constant(op.getAmplitude().convertToDouble());
    Value cos = a.mul(a.cos(angle), amplitude);
    Value sin = a.mul(a.sin(angle), amplitude);
    Value minus = a.neg(sin);
    if (isHalf) {
      Value second = e.add(lanes.offset, e.index(width / 2));
      e.store(cos, cosines, lanes.offset, lanes);
      e.store(cos, cosines, second, lanes);
      e.store(minus, sines, lanes.offset, lanes);
      e.store(sin, sines, second, lanes);
      return;
    }
    auto interleave = [&](Value x, Value y) -> Value {
      return vector::InterleaveOp::create(e.builder, x, y);
    };
    Lanes pairs{lanes.width * 2, Value(), e.mul(lanes.offset, 2)};
    if (lanes.mask)
      pairs.mask = interleave(lanes.mask, lanes.mask);
    e.store(interleave(cos, cos), cosines, pairs.offset, pairs);
    e.store(interleave(minus, sin), sines, pairs.offset, pairs);
  });
  prepared.push_back({op, Value(), Index{token}, {cosines, sines}});
}

void Elements::prepareRopes(Block *body, RankedTensorType rows, Value token) {
  for (auto op : body->getOps<ir::RopeOp>())
    if (ir::sameExtent(tensorType(op.getX()), 0, rows, 0))
      prepareRope(op, token);
}

/// The start of the run that holds the partners, for the half layout.
Elements::Index Elements::partnerIndex(ir::RopeOp op, ValueRange index) {
  Index result(index);
  int64_t half = tensorType(op.getX()).getShape().back() / 2;
  Value start = index.back();
  Value isFirst = e.builder.createOrFold<arith::CmpIOp>(
      arith::CmpIPredicate::slt, start, e.index(half));
  result.back() = e.builder.createOrFold<arith::SelectOp>(
      isFirst, e.add(start, e.index(half)), e.sub(start, e.index(half)));
  return result;
}

Value Elements::ropeElement(ir::RopeOp op, ValueRange index,
                            const Lanes &lanes) {
  prepareRope(op, index[0]);
  const Prepared *factors = findRope(op, index[0]);
  Value x = pull(op.getX(), index, lanes), partner;
  if (op.getLayout() == ir::RopeLayout::Half) {
    partner = pull(op.getX(), partnerIndex(op, index), lanes);
  } else if (lanes.width == 1) {
    Index other(index);
    other.back() =
        e.builder.createOrFold<arith::XOrIOp>(column(index, lanes), e.index(1));
    partner = element(op.getX(), other, {});
  } else {
    SmallVector<int64_t> swapped;
    for (int64_t lane = 0; lane < lanes.width; ++lane)
      swapped.push_back(lane ^ 1);
    partner = vector::ShuffleOp::create(e.builder, x, x, swapped);
  }
  Type f32 = e.builder.getF32Type();
  Value at = column(index, lanes);
  Value cos = e.load(factors->values[0], f32, at, lanes);
  Value sin = e.load(factors->values[1], f32, at, lanes);
  ir::Emit a(e.builder, e.builder.getLoc(), x.getType());
  Value y = a.add(a.mul(x, cos), a.mul(partner, sin));
  return rounded(y, tensorType(op.getY()).getElementType());
}

//===----------------------------------------------------------------------===//
// Random numbers
//===----------------------------------------------------------------------===//

Value Elements::randomElement(ir::RandomOp op, ValueRange index,
                              const Lanes &lanes) {
  Value seed = pull(op.getSeed(), index, lanes);
  Value position = pull(op.getPosition(), index, lanes);
  return emitUniform(e.builder, emitPhilox(e.builder, seed, position));
}

Value emitPhilox(ImplicitLocOpBuilder &builder, Value seed, Value position) {
  Location loc = builder.getLoc();
  ir::Emit a(builder, loc, seed.getType());
  auto word = [&](int64_t value) { return a.number(value, 64); };
  auto low = [&](Value x) { return a.bitAnd(x, word(0xffffffff)); };
  auto high = [&](Value x) -> Value {
    return arith::ShRUIOp::create(builder, x, word(32));
  };
  // The words of counter and key, each in the low half of an i64.
  Value zero = word(0);
  Value c0 = low(arith::ExtUIOp::create(builder, seed.getType(), position));
  Value c1 = zero, c2 = zero, c3 = zero, k0 = low(seed), k1 = high(seed);
  for (int round = 0; round < 10; ++round) {
    Value p0 = a.mul(c0, word(0xD2511F53)), p1 = a.mul(c2, word(0xCD9E8D57));
    Value n0 = a.bitXor(a.bitXor(high(p1), c1), k0);
    Value n2 = a.bitXor(a.bitXor(high(p0), c3), k1);
    c0 = n0, c1 = low(p1), c2 = n2, c3 = low(p0);
    k0 = low(a.add(k0, word(0x9E3779B9)));
    k1 = low(a.add(k1, word(0xBB67AE85)));
  }
  return c0;
}

Value emitUniform(ImplicitLocOpBuilder &builder, Value word) {
  ir::Emit a(builder, builder.getLoc(), word.getType());
  Value bits = arith::ShRUIOp::create(builder, word, a.number(8, 64));
  return a.mul(a.toFloat(a.resize(bits, 32)), a.constant(0x1p-24));
}

} // namespace tenon::codegen::cpu
