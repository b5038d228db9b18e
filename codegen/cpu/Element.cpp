//===- Element.cpp - Pulling elements: memory, pointwise ops, views -------===//

#include "codegen/cpu/Element.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/OperationSupport.h"

#include <numeric>

namespace tenon::codegen::cpu {

using namespace mlir;

bool sameValue(Value a, Value b) {
  if (a == b)
    return true;
  Operation *x = a ? a.getDefiningOp() : nullptr;
  Operation *y = b ? b.getDefiningOp() : nullptr;
  if (!x || !y || x->getNumResults() != 1 || y->getNumResults() != 1 ||
      !isPure(x))
    return false;
  return OperationEquivalence::isEquivalentTo(
      x, y, [](Value p, Value q) { return success(sameValue(p, q)); },
      /*markEquivalent=*/nullptr, OperationEquivalence::IgnoreLocations);
}

bool sameValues(ValueRange a, ValueRange b) {
  return a.size() == b.size() &&
         llvm::all_of(llvm::zip_equal(a, b), [](auto pair) {
           return sameValue(std::get<0>(pair), std::get<1>(pair));
         });
}

bool sameShape(RankedTensorType a, RankedTensorType b) {
  return a.getRank() == b.getRank() &&
         llvm::all_of(llvm::seq<int64_t>(0, a.getRank()), [&](int64_t axis) {
           return ir::sameExtent(a, axis, b, axis);
         });
}

Type memoryType(Type element) {
  bool isByte = element.isInteger(1) || isa<ir::BlockType>(element);
  return isByte ? IntegerType::get(element.getContext(), 8) : element;
}

namespace {

RankedTensorType tensorType(Value tensor) {
  return cast<RankedTensorType>(tensor.getType());
}

bool sameLanes(const Lanes &a, const Lanes &b) {
  return a.width == b.width && sameValue(a.mask, b.mask) &&
         sameValue(a.offset, b.offset);
}

} // namespace

void Elements::bind(Value tensor, Source source) {
  sources[tensor] = std::move(source);
}

const Elements::Prepared *Elements::find(Operation *op, Value tensor,
                                         ValueRange row) {
  for (const Prepared &entry : llvm::reverse(prepared))
    if (entry.op == op && entry.tensor == tensor && sameValues(entry.row, row))
      return &entry;
  return nullptr;
}

Value Elements::column(ValueRange index, const Lanes &lanes) {
  if (index.empty())
    return e.index(0);
  return lanes.offset ? e.add(index.back(), lanes.offset) : index.back();
}

Value Elements::rounded(Value value, Type element) {
  return ir::Emit(e.builder, e.builder.getLoc(), value.getType())
      .rounded(value, element);
}

//===----------------------------------------------------------------------===//
// Entry
//===----------------------------------------------------------------------===//

// A run that is the whole axis always starts at 0, so that what was prepared
// for a row is found from any of its columns.
Elements::Index Elements::canonical(Value tensor, ValueRange index,
                                    Lanes &lanes) {
  Index result(index);
  if (result.empty() || runLength(tensor) != 0)
    return result;
  lanes.offset = column(index, lanes);
  result.back() = e.index(0);
  return result;
}

Value Elements::element(Value tensor, ValueRange index, const Lanes &lanes) {
  if (lanes.offset || index.empty())
    return pull(tensor, index, lanes);
  Lanes inRun = lanes;
  Index start(index);
  int64_t run = runLength(tensor);
  if (run > 1 && run % lanes.width != 0)
    return perLane(tensor, index, lanes);
  if (run == 1 && lanes.width > 1)
    return perLane(tensor, index, lanes);
  inRun.offset = run > 1 ? e.rem(index.back(), run) : e.index(0);
  start.back() = e.sub(index.back(), inRun.offset);
  return pull(tensor, start, inRun);
}

/// The lanes one by one, where the columns are in several runs.
Value Elements::perLane(Value tensor, ValueRange index, const Lanes &lanes) {
  Value last =
      e.sub(e.extent(tensorType(tensor), index.size() - 1), e.index(1));
  Value vector;
  for (int64_t lane = 0; lane < lanes.width; ++lane) {
    Index one(index);
    one.back() = e.min(e.add(column(index, lanes), e.index(lane)), last);
    Value scalar = element(tensor, one, {});
    if (!vector)
      vector = e.splat(scalar, lanes.width);
    else
      vector = vector::InsertOp::create(e.builder, scalar, vector, lane);
  }
  return vector;
}

Value Elements::pull(Value tensor, ValueRange index, Lanes lanes) {
  if (auto source = sources.find(tensor); source != sources.end())
    return source->second(index, lanes);
  if (!index.empty())
    if (const Prepared *row = find(nullptr, tensor, index.drop_back()))
      return stagedElement(*row, index, lanes);
  Index start = canonical(tensor, index, lanes);
  for (const Emitted &entry : llvm::reverse(memo))
    if (entry.tensor == tensor && sameLanes(entry.lanes, lanes) &&
        sameValues(entry.index, start))
      return entry.value;
  Value value = compute(tensor, start, lanes);
  memo.push_back({tensor, start, lanes, value});
  return value;
}

Value Elements::compute(Value tensor, ValueRange index, const Lanes &lanes) {
  if (isa<BlockArgument>(tensor))
    return fromMemory(tensorType(tensor), e.pointer(tensor), index, lanes);
  Operation *op = tensor.getDefiningOp();
  if (auto pointwise = dyn_cast<ir::PointwiseOp>(op))
    return pointwiseElement(pointwise, index, lanes);
  if (auto view = dyn_cast<ir::ViewOp>(op))
    return viewElement(view, index, lanes);
  if (auto row = dyn_cast<ir::RowOp>(op))
    return rowElement(row, index, lanes);
  if (const Prepared *scalar = find(op, Value(), index)) // one for each row
    return e.splat(scalar->values[0], lanes.width);
  return llvm::TypeSwitch<Operation *, Value>(op)
      .Case([&](ir::ConstantOp o) { return constantElement(o, index, lanes); })
      .Case([&](ir::IotaOp o) { return iotaElement(o, index, lanes); })
      .Case([&](ir::ConcatOp o) { return concatElement(o, index, lanes); })
      .Case([&](ir::GatherOp o) { return gatherElement(o, index, lanes); })
      .Case([&](ir::MoeGatherOp o) {
        return pull(o.getX(), assignmentIndex(o, index), lanes);
      })
      .Case([&](ir::MoeCombineOp o) { return combineElement(o, index, lanes); })
      .Case([&](ir::RopeOp o) { return ropeElement(o, index, lanes); })
      .Case([&](ir::RandomOp o) { return randomElement(o, index, lanes); })
      .Case([&](ir::UnpackOp o) {
        stageBlocked(o.getY(), o.getX(), rowNumber(o.getX(), index.drop_back()),
                     index);
        return pull(tensor, index, lanes);
      })
      .Case([&](ir::TakeAlongOp o) {
        Index one(index);
        one.back() = column(index, lanes);
        return takeAlongElement(o, one);
      })
      .Default([&](Operation *) { return unsupported(tensor, lanes); });
}

Value Elements::unsupported(Value tensor, const Lanes &lanes) {
  if (!hasFailed)
    tensor.getDefiningOp()->emitOpError(
        "has no place in this kernel: expects an op whose elements can be "
        "computed from those of its operands, or a row that was prepared");
  hasFailed = true;
  Type element = tensorType(tensor).getElementType();
  if (isa<FloatType>(element))
    element = e.builder.getF32Type();
  return arith::ConstantOp::create(
      e.builder, e.builder.getZeroAttr(e.vectorOf(element, lanes)));
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

/// A loaded value as an element.
static Value fromStored(KernelEmitter &e, Value stored, Type element) {
  if (!element.isInteger(1))
    return ir::Emit(e.builder, e.builder.getLoc(), stored.getType())
        .extend(stored);
  Value zero = arith::ConstantOp::create(
      e.builder, e.builder.getZeroAttr(stored.getType()));
  return arith::CmpIOp::create(e.builder, arith::CmpIPredicate::ne, stored,
                               zero);
}

/// An element as memory has it.
static Value toStored(KernelEmitter &e, Value value, Type element) {
  if (!element.isInteger(1))
    return ir::Emit(e.builder, e.builder.getLoc(), value.getType())
        .roundTo(value, element);
  Type bytes = e.builder.getI8Type();
  if (auto vector = dyn_cast<VectorType>(value.getType()))
    bytes = vector.clone(bytes);
  return arith::ExtUIOp::create(e.builder, bytes, value);
}

Value Elements::fromMemory(RankedTensorType type, Value pointer,
                           ValueRange index, const Lanes &lanes) {
  Type element = type.getElementType();
  Value offset = e.linearise(type, index);
  if (lanes.offset)
    offset = e.add(offset, lanes.offset);
  Value stored = e.load(pointer, memoryType(element), offset, lanes);
  return fromStored(e, stored, element);
}

void Elements::store(Value value, RankedTensorType type, Value pointer,
                     ValueRange index, const Lanes &lanes, Value isPast) {
  Value offset = e.linearise(type, index);
  if (lanes.offset)
    offset = e.add(offset, lanes.offset);
  Value stored = toStored(e, value, type.getElementType());
  if (isPast && !lanes.mask)
    return e.storePast(stored, pointer, offset, isPast);
  e.store(stored, pointer, offset, lanes);
}

/// The type that a staged row holds: floats are not narrowed again.
static Type stagedType(Type element) {
  if (isa<FloatType, ir::BlockType>(element))
    return Float32Type::get(element.getContext());
  return element;
}

Value Elements::stagedElement(const Prepared &row, ValueRange index,
                              const Lanes &lanes) {
  Type element = stagedType(tensorType(row.tensor).getElementType());
  Value stored =
      e.load(row.values[0], memoryType(element), column(index, lanes), lanes);
  return fromStored(e, stored, element);
}

Value Elements::stage(Value tensor, ValueRange index) {
  ValueRange row = index.drop_back();
  if (const Prepared *found = find(nullptr, tensor, row))
    return found->values[0];
  RankedTensorType type = tensorType(tensor);
  Type element = stagedType(type.getElementType());
  int64_t bytes = memoryType(element).getIntOrFloatBitWidth() / 8;
  Value pointer = e.scratch(bytes * e.maxExtent(type, type.getRank() - 1));
  forColumns(tensor, row, [&](ValueRange at, const Lanes &lanes) {
    Value value = this->element(tensor, at, lanes);
    e.store(toStored(e, value, element), pointer, column(at, lanes), lanes);
  });
  prepared.push_back({nullptr, tensor, Index(row), {pointer}});
  return pointer;
}

int64_t Elements::widthFor(int64_t run) const {
  return run == 0 || run >= 4 ? e.vectorWidth() : 1;
}

void Elements::forColumns(ValueRange tensors, ValueRange row,
                          function_ref<void(ValueRange, const Lanes &)> body,
                          Value first) {
  RankedTensorType type = tensorType(tensors.front());
  Value count = e.extent(type, type.getRank() - 1);
  int64_t run = 0;
  for (Value tensor : tensors)
    run = std::gcd(run, runLength(tensor));
  auto walk = [&](Value start, Value length) {
    Index index(row);
    index.push_back(start);
    for (Value tensor : tensors)
      prepare(tensor, index);
    auto step = [&](const Lanes &lanes) {
      Scope scope(*this);
      body(index, lanes);
    };
    if (first)
      return e.columnsFrom(first, length, widthFor(run), step);
    e.columns(length, widthFor(run), step);
  };
  if (run == 0)
    return walk(e.index(0), count);
  std::optional<int64_t> known = getConstantIntValue(count);
  e.loop(e.index(0), count, run, [&](Value start) {
    Scope scope(*this);
    bool isWhole = run == 1 || (known && *known % run == 0);
    walk(start,
         isWhole ? e.index(run) : e.min(e.index(run), e.sub(count, start)));
  });
}

//===----------------------------------------------------------------------===//
// Pointwise ops and views
//===----------------------------------------------------------------------===//

Value Elements::pointwiseElement(ir::PointwiseOp op, ValueRange index,
                                 const Lanes &lanes) {
  SmallVector<Value> operands;
  for (Value operand : op->getOperands())
    operands.push_back(pull(operand, index, lanes));
  Value value = op.emitElement(e.builder, operands);
  return rounded(value, tensorType(op->getResult(0)).getElementType());
}

bool Elements::isSplat(ir::ViewOp op) {
  RankedTensorType x = tensorType(op->getOperand(0));
  RankedTensorType y = tensorType(op->getResult(0));
  if (x.getRank() == 0)
    return true;
  return isa<ir::BroadcastOp>(op.getOperation()) && y.getRank() > 0 &&
         x.getShape().back() == 1 && y.getShape().back() != 1;
}

Elements::Index Elements::sourceIndex(ir::ViewOp op, ValueRange index) {
  RankedTensorType type = tensorType(op->getResult(0));
  return Index(op.emitSourceIndex(e.builder, index, e.extents(type)));
}

Value Elements::viewElement(ir::ViewOp op, ValueRange index,
                            const Lanes &lanes) {
  Index source = sourceIndex(op, index);
  Value x = op->getOperand(0);
  if (!isSplat(op))
    return pull(x, source, lanes);
  Lanes one;
  one.offset = source.empty() ? Value() : e.index(0);
  return e.splat(pull(x, source, one), lanes.width);
}

} // namespace tenon::codegen::cpu
