//===- Rt.cpp - Registration; what is declared ----------------------------===//

#include "ir/rt/Rt.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace tenon::ir;
using namespace tenon::ir::rt;

#include "ir/rt/RtEnums.cpp.inc"

#include "ir/rt/RtDialect.cpp.inc"

#define GET_TYPEDEF_CLASSES
#include "ir/rt/RtTypes.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "ir/rt/RtAttrs.cpp.inc"

#define GET_OP_CLASSES
#include "ir/rt/RtOps.cpp.inc"

void RtDialect::initialize() {
  addTypes<
#define GET_TYPEDEF_LIST
#include "ir/rt/RtTypes.cpp.inc"
      >();
  addAttributes<
#define GET_ATTRDEF_LIST
#include "ir/rt/RtAttrs.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "ir/rt/RtOps.cpp.inc"
      >();
}

Type rt::elementOf(Type buffer) {
  Type content = cast<BufferType>(buffer).getContent();
  if (auto cache = dyn_cast<CacheType>(content))
    return cache.getElementType();
  return cast<RankedTensorType>(content).getElementType();
}

LogicalResult BufferType::verify(function_ref<InFlightDiagnostic()> emitError,
                                 Type content) {
  if (isa<RankedTensorType, CacheType>(content)) // C1
    return success();
  return emitError() << "expects a tensor or a cache in a buffer, got "
                     << content;
}

static LogicalResult expectSymbols(Operation *op, EntryOp entry, Type content) {
  auto tensor = dyn_cast<RankedTensorType>(content);
  for (int64_t axis = 0; tensor && axis < tensor.getRank(); ++axis)
    if (tensor.isDynamicDim(axis) &&
        entry.symbolNumber(symbolOf(tensor, axis)) < 0)
      return op->emitOpError("expects axis ")
             << axis << " of " << content << " to have a symbol of the entry '"
             << entry.getSymName() << "'";
  return success();
}

//===----------------------------------------------------------------------===//
// Kernels, entries, variants
//===----------------------------------------------------------------------===//

tenon::ir::KernelOp rt::KernelOp::kernel() {
  return cast<tenon::ir::KernelOp>(getBody().front().front());
}

SmallVector<Type> rt::KernelOp::bufferElements() {
  SmallVector<Type> elements;
  for (Type type : kernel()->getOperandTypes()) {
    if (isa<BatchType>(type))
      elements.append(3, IntegerType::get(getContext(), 32));
    else
      elements.push_back(elementOf(BufferType::get(getContext(), type)));
  }
  for (Type type : kernel()->getResultTypes())
    if (auto tensor = dyn_cast<RankedTensorType>(type))
      elements.push_back(tensor.getElementType());
  return elements;
}

LogicalResult rt::KernelOp::verify() {
  Block &block = getBody().front();
  if (!llvm::hasSingleElement(block) ||
      !isa<tenon::ir::KernelOp>(block.front()) ||
      !llvm::equal(block.front().getOperands(), block.getArguments())) // C1
    return emitOpError("expects one tn.kernel of the block's arguments");
  unsigned dims = getDims() ? getDims()->size() : 0;
  if (getTiles() &&
      (getTiles()->getNumResults() != 1 || getTiles()->getNumDims() != 0 ||
       getTiles()->getNumSymbols() != dims)) // C2
    return emitOpError("expects tiles to be one number over ")
           << dims << " symbols, got " << getTilesAttr();
  return success();
}

int64_t EntryOp::symbolNumber(StringRef name) {
  for (auto [number, symbol] : llvm::enumerate(getSymbols()))
    if (cast<SymbolAttr>(symbol).getName() == name)
      return number;
  return -1;
}

LogicalResult EntryOp::verify() {
  for (Operation &op : getBody().front())
    if (!isa<VariantOp>(op)) // C1
      return emitOpError("expects variants only, got '") << op.getName() << "'";
  for (ArrayAttr values : {getArguments(), getResults()})
    for (auto value : values.getAsRange<ValueAttr>())
      if (failed(expectSymbols(*this, *this, value.getType()))) // C2
        return failure();
  return success();
}

LogicalResult VariantOp::verify() {
  Block &block = getBody().front();
  Type event = EventType::get(getContext());
  if (!llvm::equal(block.getArgumentTypes(), ArrayRef(event)) ||
      block.empty() || !isa<ReturnOp>(block.back())) // C1
    return emitOpError("expects a block that takes one event and ends in "
                       "rt.return");
  auto entry = cast<EntryOp>((*this)->getParentOp());
  for (auto bound : getBounds().getAsRange<SymbolAttr>())
    if (entry.symbolNumber(bound.getName()) < 0) // C2
      return emitOpError("expects bounds of the entry's symbols, got ")
             << bound;
  return success();
}

//===----------------------------------------------------------------------===//
// Buffers
//===----------------------------------------------------------------------===//

LogicalResult BufferOp::verify() {
  auto entry = (*this)->getParentOfType<EntryOp>();
  if (!entry)
    return emitOpError("expects to be in an rt.entry");
  BufferKind kind = getKind();
  bool isArgument = kind == BufferKind::Argument;
  bool isCalls = isArgument || kind == BufferKind::Result;
  size_t count =
      isArgument ? entry.getArguments().size() : entry.getResults().size();
  if (getIndex().has_value() != isCalls || (isCalls && *getIndex() >= count))
    return emitOpError("expects an index below the entry's number of them of "
                       "an argument or a result, and of no other"); // C1
  if ((kind == BufferKind::Constant) != getValue().has_value() ||
      (getValue() &&
       getValue()->getType() != getBuffer().getType().getContent()))
    return emitOpError("expects a value of its type of a constant, and of no "
                       "other"); // C3
  Type content = getBuffer().getType().getContent();
  if (failed(expectSymbols(*this, entry, content))) // C4
    return failure();
  if (isa<CacheType>(content) && kind != BufferKind::State) // C5
    return emitOpError("expects a cache to be a state, got ")
           << stringifyBufferKind(kind);
  return success();
}

LogicalResult BufferOp::verifySymbolUses(SymbolTableCollection &symbols) {
  Operation *global =
      getGlobal() ? symbols.lookupNearestSymbolFrom(*this, getGlobalAttr())
                  : nullptr;
  bool fits = false; // C2
  switch (getKind()) {
  case BufferKind::Parameter:
    fits = isa_and_nonnull<ParameterOp>(global);
    break;
  case BufferKind::Prepared:
    fits =
        isa_and_nonnull<ParameterOp>(global) && global->hasAttr(kPreparedAttr);
    break;
  case BufferKind::State:
    fits = isa_and_nonnull<StateOp>(global);
    break;
  default:
    fits = !getGlobal();
  }
  if (fits)
    return success();
  return emitOpError("expects to name what it is of: a parameter, a prepared "
                     "parameter or a state, and no other to do so");
}
