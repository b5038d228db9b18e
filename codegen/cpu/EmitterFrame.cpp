//===- EmitterFrame.cpp - What a kernel reads from its frame; memory ------===//

#include "codegen/cpu/Emitter.h"
#include "ir/tn/ExpertPlan.h"

#include "tenon/abi.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace tenon::codegen::cpu {

using namespace mlir;

namespace {

Type pointerType(MLIRContext *context) {
  return LLVM::LLVMPointerType::get(context);
}

} // namespace

KernelEmitter::KernelEmitter(ir::KernelOp kernel,
                             ArrayRef<ir::SymbolAttr> symbols,
                             base::CpuFeatures features, func::FuncOp function,
                             KernelInfo &info)
    : builder(kernel.getLoc(), kernel.getContext()), kernelOp(kernel),
      symbolTable(symbols), cpu(features), function(function), info(info) {
  if (auto module = kernel->getParentOfType<ModuleOp>())
    if (auto at = module->getAttrOfType<IntegerAttr>(ir::kCountProductsAttr))
      counter = at.getInt();
  builder.setInsertionPointToStart(function.addEntryBlock());
  Value frame = function.getArgument(0);
  Type pointer = pointerType(builder.getContext());
  // The fields of tenon_frame are four pointers.
  buffers = prologueLoad(pointer, frame, 0);
  dims = prologueLoad(pointer, frame, 1);
  scratchBase = prologueLoad(pointer, frame, 2);
  failure = prologueLoad(pointer, frame, 3);

  int64_t next = 0;
  for (Type type : kernel.getInputs().getTypes()) {
    inputBuffers.push_back(next);
    next += isa<ir::BatchType>(type) ? 3 : 1;
  }
  for (Type type : kernel.getResults().getTypes())
    resultBuffers.push_back(isa<ir::CacheType>(type) ? -1 : next++);
  bufferValues.resize(next);
  info.bufferCount = next;
}

//===----------------------------------------------------------------------===//
// The prologue
//===----------------------------------------------------------------------===//

Value KernelEmitter::prologueLoad(Type type, Value base, int64_t number) {
  OpBuilder::InsertionGuard guard(builder);
  if (prologueEnd)
    builder.setInsertionPointAfter(prologueEnd);
  else
    builder.setInsertionPointToStart(&function.getBody().front());
  Value at = LLVM::GEPOp::create(builder, pointerType(builder.getContext()),
                                 builder.getI64Type(), base,
                                 ArrayRef<LLVM::GEPArg>{int32_t(number)});
  auto load = LLVM::LoadOp::create(builder, type, at);
  load.setInvariant(true);
  prologueEnd = load;
  return load;
}

Value KernelEmitter::buffer(int64_t number) {
  Value &value = bufferValues[number];
  if (!value)
    value = prologueLoad(pointerType(builder.getContext()), buffers, number);
  return value;
}

const ir::SymbolAttr *KernelEmitter::findSymbol(StringRef name) const {
  for (const ir::SymbolAttr &symbol : symbolTable)
    if (symbol.getName().getValue() == name)
      return &symbol;
  return nullptr;
}

int64_t KernelEmitter::dimNumber(StringRef symbol) {
  auto found = llvm::find(info.dims, symbol.str());
  int64_t number = found - info.dims.begin();
  if (found == info.dims.end())
    info.dims.push_back(symbol.str());
  return number;
}

Value KernelEmitter::dim(StringRef symbol) {
  const ir::SymbolAttr *bounds = findSymbol(symbol);
  if (bounds && bounds->getMin() == bounds->getMax())
    return index(bounds->getMin());
  size_t number = dimNumber(symbol);
  dimValues.resize(std::max(dimValues.size(), number + 1));
  if (dimValues[number])
    return dimValues[number];
  Value value = prologueLoad(builder.getI64Type(), dims, number);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointAfter(prologueEnd);
  auto cast =
      arith::IndexCastOp::create(builder, builder.getIndexType(), value);
  prologueEnd = cast;
  return dimValues[number] = cast;
}

//===----------------------------------------------------------------------===//
// Sizes
//===----------------------------------------------------------------------===//

Value KernelEmitter::extent(RankedTensorType type, int64_t axis) {
  if (!type.isDynamicDim(axis))
    return index(type.getDimSize(axis));
  return dim(ir::symbolOf(type, axis));
}

SmallVector<Value> KernelEmitter::extents(RankedTensorType type) {
  SmallVector<Value> result;
  for (int64_t axis = 0; axis < type.getRank(); ++axis)
    result.push_back(extent(type, axis));
  return result;
}

int64_t KernelEmitter::maxExtent(RankedTensorType type, int64_t axis) {
  if (!type.isDynamicDim(axis))
    return type.getDimSize(axis);
  const ir::SymbolAttr *bounds = findSymbol(ir::symbolOf(type, axis));
  return bounds ? bounds->getMax() : 0;
}

Size KernelEmitter::size(int64_t value) {
  return {base::Expr::constant(value), index(value)};
}

Size KernelEmitter::size(RankedTensorType type, int64_t axis) {
  Value device = extent(type, axis);
  if (std::optional<int64_t> known = getConstantIntValue(device))
    return {base::Expr::constant(*known), device};
  return {base::Expr::symbol(dimNumber(ir::symbolOf(type, axis))), device};
}

Size KernelEmitter::add(const Size &a, const Size &b) {
  return {base::Expr::binary(base::Expr::Op::Add, a.host, b.host),
          add(a.device, b.device)};
}

Size KernelEmitter::mul(const Size &a, const Size &b) {
  return {base::Expr::binary(base::Expr::Op::Mul, a.host, b.host),
          mul(a.device, b.device)};
}

Size KernelEmitter::ceilDiv(const Size &a, int64_t b) {
  return {base::Expr::binary(base::Expr::Op::CeilDiv, a.host,
                             base::Expr::constant(b)),
          div(add(a.device, index(b - 1)), b)};
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

int64_t KernelEmitter::bufferOf(Value argument) const {
  auto block = dyn_cast<BlockArgument>(argument);
  return block ? inputBuffers[block.getArgNumber()] : -1;
}

Value KernelEmitter::pointer(Value argument) {
  return buffer(bufferOf(argument));
}

Value KernelEmitter::resultPointer(const Nest &nest, unsigned number) {
  int64_t result = resultBuffers[nest.firstResult + number];
  if (result >= 0)
    return buffer(result);
  // A cache is updated in place: follow the updates to the operand.
  Value cache = nest.yield()->getOperand(number);
  while (auto append = cache.getDefiningOp<ir::CacheAppendOp>())
    cache = append.getCache();
  return pointer(cache);
}

BatchPointers KernelEmitter::batch(Value argument) {
  int64_t first = bufferOf(argument);
  return {buffer(first), buffer(first + 1), buffer(first + 2)};
}

Value KernelEmitter::address(Value base, Type element, Value offset) {
  if (getConstantIntValue(offset) == 0)
    return base;
  return LLVM::GEPOp::create(
      builder, base.getType(), element, base,
      ValueRange{fromIndex(offset, builder.getI64Type())});
}

// Masked accesses of 16-bit floats move their bits: without the instructions
// for them, LLVM would convert each lane by a library call.
Value KernelEmitter::load(Value base, Type element, Value offset,
                          const Lanes &lanes) {
  Type type = vectorOf(element, lanes);
  Value at = address(base, element, offset);
  if (!lanes.mask)
    return LLVM::LoadOp::create(builder, type, at, /*alignment=*/1);
  if (isa<BFloat16Type, Float16Type>(element)) {
    Value bits = load(base, builder.getI16Type(), offset, lanes);
    return arith::BitcastOp::create(builder, type, bits);
  }
  Value zero = arith::ConstantOp::create(builder, builder.getZeroAttr(type));
  return LLVM::MaskedLoadOp::create(builder, type, at, lanes.mask, zero,
                                    builder.getI32IntegerAttr(1), nullptr);
}

void KernelEmitter::store(Value value, Value base, Value offset,
                          const Lanes &lanes) {
  Type element = getElementTypeOrSelf(value.getType());
  if (lanes.mask && isa<BFloat16Type, Float16Type>(element)) {
    Type bits = vectorOf(builder.getI16Type(), lanes);
    value = arith::BitcastOp::create(builder, bits, value);
  }
  Value at = address(base, element, offset);
  if (!lanes.mask)
    LLVM::StoreOp::create(builder, value, at, /*alignment=*/1);
  else
    LLVM::MaskedStoreOp::create(builder, value, at, lanes.mask,
                                builder.getI32IntegerAttr(1));
}

// One branch at the store, the same way for a whole row, is cheaper than two
// loops are to compile.
void KernelEmitter::storePast(Value value, Value base, Value offset,
                              Value isPast) {
  auto vector = cast<VectorType>(value.getType());
  Value at = address(base, vector.getElementType(), offset);
  auto choice = scf::IfOp::create(builder, TypeRange(), isPast,
                                  /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(choice.thenBlock());
  LLVM::StoreOp::create(builder, value, at,
                        vector.getNumElements() *
                            vector.getElementTypeBitWidth() / 8,
                        /*isVolatile=*/false, /*isNonTemporal=*/true);
  builder.setInsertionPointToStart(choice.elseBlock());
  LLVM::StoreOp::create(builder, value, at, /*alignment=*/1);
}

void KernelEmitter::fence() {
  LLVM::CallIntrinsicOp::create(
      builder, builder.getStringAttr("llvm.x86.sse.sfence"), ValueRange());
}

Value KernelEmitter::misalignment(Value pointer, int64_t bytes) {
  Type i64 = builder.getI64Type();
  Value address = LLVM::PtrToIntOp::create(builder, i64, pointer);
  return rem(toIndex(address), bytes);
}

void KernelEmitter::countProducts(int64_t count, Value k) {
  if (!counter)
    return;
  Value address =
      arith::ConstantOp::create(builder, builder.getI64IntegerAttr(*counter));
  Value at = LLVM::IntToPtrOp::create(
      builder, pointerType(builder.getContext()), address);
  LLVM::AtomicRMWOp::create(builder, LLVM::AtomicBinOp::add, at,
                            fromIndex(mul(k, count), builder.getI64Type()),
                            LLVM::AtomicOrdering::monotonic);
}

void KernelEmitter::prefetch(Value pointer, uint32_t level) {
  constexpr uint32_t kRead = 0, kData = 1, kLevels = 4;
  LLVM::Prefetch::create(builder, pointer, kRead, kLevels - level, kData);
}

Value KernelEmitter::scratch(int64_t bytes) {
  Value at = address(scratchBase, builder.getI8Type(), index(scratchUsed));
  scratchUsed += llvm::alignTo(bytes, 64);
  info.scratchBytes = std::max(info.scratchBytes, scratchUsed);
  return at;
}

Value KernelEmitter::constantTable(DenseElementsAttr value) {
  Value &table = tables[value];
  if (table)
    return table;
  auto module = function->getParentOfType<ModuleOp>();
  auto type = cast<ShapedType>(value.getType());
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(module.getBody());
  std::string name =
      (function.getName() + "_table_" + Twine(tables.size())).str();
  auto flat = value.reshape(
      RankedTensorType::get({type.getNumElements()}, type.getElementType()));
  auto global = LLVM::GlobalOp::create(
      builder,
      LLVM::LLVMArrayType::get(type.getElementType(), type.getNumElements()),
      /*isConstant=*/true, LLVM::Linkage::Internal, name, flat,
      /*alignment=*/64);
  builder.setInsertionPointAfter(prologueEnd);
  auto address = LLVM::AddressOfOp::create(builder, global);
  prologueEnd = address;
  return table = address;
}

} // namespace tenon::codegen::cpu
