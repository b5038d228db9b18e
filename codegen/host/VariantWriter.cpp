//===- VariantWriter.cpp - A variant's ops as instructions ----------------===//

#include "codegen/host/VariantWriter.h"

#include "llvm/ADT/TypeSwitch.h"

#include <algorithm>

using namespace mlir;
using namespace tenon;
using namespace tenon::codegen;
using namespace tenon::codegen::host;
using base::Expr;
using base::Instruction;
using base::Opcode;

static constexpr uint32_t kNotUsed = UINT32_MAX;

std::vector<Expr> host::shapeOf(RankedTensorType type, rt::EntryOp entry) {
  std::vector<Expr> shape;
  for (int64_t axis = 0; axis < type.getRank(); ++axis)
    shape.push_back(
        type.isDynamicDim(axis)
            ? Expr::symbol(entry.symbolNumber(ir::symbolOf(type, axis)))
            : Expr::constant(type.getDimSize(axis)));
  return shape;
}

static Expr sizeOf(Type content, rt::EntryOp entry) {
  auto type = dyn_cast<RankedTensorType>(content);
  if (!type) // a cache: as large as the session has pages
    return Expr::constant(0);
  if (type.hasStaticShape())
    return Expr::constant(ir::storedBytes(type));
  const base::ElementInfo &info =
      base::info(ir::storageOf(type.getElementType()));
  Expr size = Expr::constant(info.blockBytes);
  for (const Expr &extent : shapeOf(type, entry))
    size = Expr::binary(Expr::Op::Mul, size, extent);
  // Whole blocks: the last axis is a multiple of them.
  return Expr::binary(Expr::Op::FloorDiv, size,
                      Expr::constant(info.blockElements));
}

/// The bytes of a constant as kernels read it.
static std::string bytesOf(DenseElementsAttr value) {
  Type element = value.getElementType();
  std::string bytes;
  auto put = [&](uint64_t word, unsigned size) {
    bytes.append(reinterpret_cast<const char *>(&word), size);
  };
  if (isa<FloatType>(element)) {
    for (APFloat number : value.getValues<APFloat>())
      put(number.bitcastToAPInt().getZExtValue(),
          element.getIntOrFloatBitWidth() / 8);
    return bytes;
  }
  unsigned size = std::max(1u, element.getIntOrFloatBitWidth() / 8);
  for (APInt number : value.getValues<APInt>())
    put(size == 1 ? number.getZExtValue() : number.getSExtValue(), size);
  return bytes;
}

//===----------------------------------------------------------------------===//
// Buffers and their lifetimes
//===----------------------------------------------------------------------===//

LogicalResult VariantWriter::writeBuffer(rt::BufferOp op) {
  // Both enumerations have the same kinds in the same order.
  static_assert(static_cast<int>(rt::BufferKind::State) ==
                static_cast<int>(base::BufferKind::State));
  base::Buffer buffer;
  buffer.kind = static_cast<base::BufferKind>(op.getKind());
  buffer.index = op.getIndex().value_or(0);
  buffer.name = op.getLabel().value_or("").str();
  if (op.getGlobal()) {
    buffer.index = numbers.globals.lookup(*op.getGlobal());
    buffer.name = op.getGlobal()->str();
  }
  if (op.getKind() == rt::BufferKind::Argument)
    buffer.name =
        cast<rt::ValueAttr>(entry.getArguments()[buffer.index]).getName().str();
  if (auto value = dyn_cast_or_null<DenseElementsAttr>(op.getValueAttr())) {
    auto [it, isNew] = numbers.constants.try_emplace(
        value, (program.constants.size() + 63) / 64 * 64);
    if (isNew) {
      program.constants.resize(it->second);
      program.constants += bytesOf(value);
    }
    buffer.index = it->second;
    buffer.name = "constant";
  }
  buffer.element = ir::storageOf(rt::elementOf(op.getType()));
  buffer.sizeBytes = sizeOf(op.getType().getContent(), entry);
  buffer.firstUse = kNotUsed;
  buffers[op] = variant.buffers.size();
  variant.buffers.push_back(std::move(buffer));
  declaredAt.push_back(position());
  return success();
}

uint32_t VariantWriter::append(Instruction instruction) {
  for (uint32_t number : instruction.buffers) {
    base::Buffer &buffer = variant.buffers[number];
    buffer.firstUse = std::min(buffer.firstUse, position());
    buffer.lastUse = position();
  }
  variant.body.push_back(std::move(instruction));
  return position() - 1;
}

/// What was declared before a loop and is used in it lives through all of it.
void VariantWriter::widenLifetimes(uint32_t begin, uint32_t end) {
  for (auto [buffer, declared] : llvm::zip_equal(variant.buffers, declaredAt)) {
    bool isUsed = buffer.firstUse != kNotUsed && buffer.lastUse >= begin;
    if (declared >= begin || !isUsed)
      continue;
    buffer.firstUse = std::min(buffer.firstUse, begin);
    buffer.lastUse = end;
  }
}

LogicalResult VariantWriter::write(rt::VariantOp op) {
  if (failed(writeBlock(op.getBody().front())))
    return failure();
  for (base::Buffer &buffer : variant.buffers)
    if (buffer.firstUse == kNotUsed)
      buffer.firstUse = buffer.lastUse = 0;
  return success();
}

//===----------------------------------------------------------------------===//
// Ops
//===----------------------------------------------------------------------===//

LogicalResult VariantWriter::writeBlock(Block &block) {
  for (Operation &op : block)
    if (failed(writeOp(&op)))
      return failure();
  return success();
}

LogicalResult VariantWriter::writeOp(Operation *op) {
  return llvm::TypeSwitch<Operation *, LogicalResult>(op)
      .Case([&](rt::BufferOp o) { return writeBuffer(o); })
      .Case([&](rt::LaunchOp o) { return writeLaunch(o); })
      .Case([&](rt::CopyOp o) { return writeCopy(o); })
      .Case([&](rt::LoadOp o) { return writeLoad(o); })
      .Case([&](rt::StoreOp o) { return writeStore(o); })
      .Case([&](rt::EmitOp o) { return writeEmit(o); })
      .Case([&](rt::IfOp o) { return writeIf(o); })
      .Case([&](rt::WhileOp o) { return writeWhile(o); })
      .Case([&](rt::ReturnOp) { return append({}), success(); })
      .Case<rt::YieldOp, rt::ConditionOp>([](auto) { return success(); })
      .Default([](Operation *o) {
        return o->emitOpError("expects to be an op that a variant runs");
      });
}

/// A kernel's tile count, with each dim replaced by an expression.
static Expr toExpr(AffineExpr expr, ArrayRef<Expr> dims) {
  if (auto constant = dyn_cast<AffineConstantExpr>(expr))
    return Expr::constant(constant.getValue());
  if (auto symbol = dyn_cast<AffineSymbolExpr>(expr))
    return dims[symbol.getPosition()];
  auto opOf = [](AffineExprKind kind) {
    switch (kind) {
    case AffineExprKind::Add:
      return Expr::Op::Add;
    case AffineExprKind::Mul:
      return Expr::Op::Mul;
    case AffineExprKind::Mod:
      return Expr::Op::Mod;
    case AffineExprKind::FloorDiv:
      return Expr::Op::FloorDiv;
    default:
      return Expr::Op::CeilDiv;
    }
  };
  auto binary = cast<AffineBinaryOpExpr>(expr);
  return Expr::binary(opOf(expr.getKind()), toExpr(binary.getLHS(), dims),
                      toExpr(binary.getRHS(), dims));
}

LogicalResult VariantWriter::writeLaunch(rt::LaunchOp op) {
  auto kernel = module.lookup<rt::KernelOp>(op.getKernel());
  if (!kernel.getTiles())
    return op.emitOpError("expects a kernel that has been emitted");
  Instruction launch;
  launch.op = Opcode::Launch;
  launch.kernel = numbers.kernels.lookup(op.getKernel());
  launch.label = op.getLayer().value_or("").str();
  for (Value buffer : op.getBuffers())
    launch.buffers.push_back(buffers.lookup(buffer));
  for (auto dim : kernel.getDimsAttr().getAsRange<StringAttr>()) {
    int64_t symbol = entry.symbolNumber(dim);
    if (symbol < 0)
      return op.emitOpError("expects the dim '")
             << dim.getValue() << "' of the kernel among the symbols of '"
             << entry.getSymName() << "'";
    launch.exprs.push_back(Expr::symbol(symbol));
  }
  launch.tiles = toExpr(kernel.getTiles()->getResult(0), launch.exprs);
  append(std::move(launch));
  return success();
}

LogicalResult VariantWriter::writeCopy(rt::CopyOp op) {
  Instruction copy;
  copy.op = Opcode::Copy;
  copy.buffers = {buffers.lookup(op.getFrom()), buffers.lookup(op.getTo())};
  copy.exprs = {variant.buffers[copy.buffers[1]].sizeBytes};
  append(std::move(copy));
  return success();
}

uint32_t VariantWriter::addRegister(Value value) {
  return registers[value] = variant.registerCount++;
}

LogicalResult VariantWriter::writeLoad(rt::LoadOp op) {
  Instruction load;
  load.op = Opcode::Load;
  load.reg = addRegister(op.getValue());
  load.buffers = {buffers.lookup(op.getFrom())};
  load.exprs = {Expr::constant(op.getIndex())};
  append(std::move(load));
  return success();
}

LogicalResult VariantWriter::writeStore(rt::StoreOp op) {
  Instruction store;
  store.op = Opcode::Store;
  store.buffers = {buffers.lookup(op.getTo())};
  store.exprs = {Expr::constant(op.getIndex()),
                 Expr::reg(registers.lookup(op.getValue()))};
  append(std::move(store));
  return success();
}

LogicalResult VariantWriter::writeEmit(rt::EmitOp op) {
  Instruction emit;
  emit.op = Opcode::Emit;
  emit.reg = addRegister(op.getStop());
  emit.buffers = {buffers.lookup(op.getTokens())};
  emit.exprs = {Expr::binary(Expr::Op::FloorDiv,
                             variant.buffers[emit.buffers[0]].sizeBytes,
                             Expr::constant(4))};
  append(std::move(emit));
  return success();
}

//===----------------------------------------------------------------------===//
// Control
//===----------------------------------------------------------------------===//

static Expr isZero(uint32_t reg) {
  return Expr::binary(Expr::Op::Equal, Expr::reg(reg), Expr::constant(0));
}

uint32_t VariantWriter::branch(Opcode op, std::vector<Expr> condition) {
  Instruction branch;
  branch.op = op;
  branch.exprs = std::move(condition);
  return append(std::move(branch));
}

LogicalResult VariantWriter::writeIf(rt::IfOp op) {
  uint32_t flag = registers.lookup(op.getCondition());
  uint32_t toElse = branch(Opcode::BranchIf, {isZero(flag)});
  if (failed(writeBlock(op.getThenRegion().front())))
    return failure();
  uint32_t toEnd = branch(Opcode::Branch, {});
  variant.body[toElse].target = position();
  if (failed(writeBlock(op.getElseRegion().front())))
    return failure();
  variant.body[toEnd].target = position();
  return success();
}

LogicalResult VariantWriter::writeWhile(rt::WhileOp op) {
  Instruction count;
  count.op = Opcode::Set;
  count.reg = variant.registerCount++;
  count.exprs = {Expr::constant(0)};
  append(count);
  Expr trips = Expr::reg(count.reg);
  auto limit = Expr::constant(static_cast<int64_t>(op.getLimit()));
  uint32_t begin =
      branch(Opcode::BranchIf, {Expr::binary(Expr::Op::Equal, trips, limit)});
  if (failed(writeBlock(op.getCondition().front())))
    return failure();
  auto test = cast<rt::ConditionOp>(op.getCondition().front().getTerminator());
  uint32_t toEnd =
      branch(Opcode::BranchIf, {isZero(registers.lookup(test.getHolds()))});
  if (failed(writeBlock(op.getBody().front())))
    return failure();
  count.exprs = {Expr::binary(Expr::Op::Add, trips, Expr::constant(1))};
  append(count);
  uint32_t repeat = branch(Opcode::Branch, {});
  variant.body[repeat].target = begin;
  variant.body[begin].target = variant.body[toEnd].target = position();
  widenLifetimes(begin, repeat);
  return success();
}
