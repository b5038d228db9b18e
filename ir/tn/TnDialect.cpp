//===- TnDialect.cpp - Types, attributes and registration -----------------===//

#include "ir/tn/Tn.h"

#include "ir/tn/Panels.h"
#include "ir/tn/Verify.h"

#include "tenon/abi.h"

#include "mlir/IR/Builders.h"
#include "mlir/Transforms/InliningUtils.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace tenon;
using namespace tenon::ir;

#include "ir/tn/TnEnums.cpp.inc"

#include "ir/tn/TnDialect.cpp.inc"

#include "ir/tn/TnInterfaces.cpp.inc"

#define GET_TYPEDEF_CLASSES
#include "ir/tn/TnTypes.cpp.inc"

// A generated parser takes no empty list.
static ParseResult parseRegisters(AsmParser &parser,
                                  SmallVector<int64_t> &registers) {
  return parser.parseCommaSeparatedList(AsmParser::Delimiter::Square, [&] {
    return parser.parseInteger(registers.emplace_back());
  });
}

static void printRegisters(AsmPrinter &printer, ArrayRef<int64_t> registers) {
  printer << '[';
  llvm::interleaveComma(registers, printer.getStream());
  printer << ']';
}

#define GET_ATTRDEF_CLASSES
#include "ir/tn/TnAttrs.cpp.inc"

namespace {
/// Every op may be inlined anywhere: none refers to what is around it.
struct TnInliner : DialectInlinerInterface {
  using DialectInlinerInterface::DialectInlinerInterface;
  bool isLegalToInline(Operation *, Operation *, bool) const final {
    return true;
  }
  bool isLegalToInline(Region *, Region *, bool, IRMapping &) const final {
    return true;
  }
  bool isLegalToInline(Operation *, Region *, bool, IRMapping &) const final {
    return true;
  }
};
} // namespace

void TnDialect::initialize() {
  addTypes<
#define GET_TYPEDEF_LIST
#include "ir/tn/TnTypes.cpp.inc"
      >();
  addAttributes<
#define GET_ATTRDEF_LIST
#include "ir/tn/TnAttrs.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "ir/tn/TnOps.cpp.inc"
      >();
  addInterfaces<TnInliner>();
}

Operation *TnDialect::materializeConstant(OpBuilder &builder, Attribute value,
                                          Type type, Location loc) {
  auto elements = dyn_cast<ElementsAttr>(value);
  if (!elements || elements.getType() != type)
    return nullptr;
  return ConstantOp::create(builder, loc, type, elements);
}

LogicalResult TnDialect::verifyOperationAttribute(Operation *op,
                                                  NamedAttribute attr) {
  if (attr.getName() != kSymbolsAttr)
    return success();
  return verifySymbols(op, attr.getValue());
}

//===----------------------------------------------------------------------===//
// Schedules
//===----------------------------------------------------------------------===//

LogicalResult ScheduleAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                   NestKind kind, int64_t, int64_t,
                                   ArrayRef<int64_t>, int64_t streamBytes) {
  if (streamBytes < 0) // C1
    return emitError() << "expects stream >= 0 bytes, got " << streamBytes;
  if (streamBytes > 0 && kind != NestKind::Rows) // C2
    return emitError() << "expects stream in nests of rows alone, got it in "
                       << stringifyNestKind(kind);
  return success();
}

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

Type BlockType::parse(AsmParser &parser) {
  StringRef keyword;
  SMLoc loc = parser.getCurrentLocation();
  if (parser.parseLess() || parser.parseKeyword(&keyword) ||
      parser.parseGreater())
    return {};
  std::optional<base::ElementType> format = base::parseElementType(keyword);
  if (!format) {
    parser.emitError(loc) << "unknown element format '" << keyword << "'";
    return {};
  }
  return getChecked([&] { return parser.emitError(loc); }, parser.getContext(),
                    *format);
}

void BlockType::print(AsmPrinter &printer) const {
  printer << "<" << StringRef(base::info(getFormat()).name) << ">";
}

LogicalResult BlockType::verify(function_ref<InFlightDiagnostic()> emitError,
                                base::ElementType format) {
  if (base::info(format).isBlocked())
    return success();
  return emitError() << "expects a blocked format such as q8_0, got "
                     << StringRef(base::info(format).name);
}

LogicalResult CacheType::verify(function_ref<InFlightDiagnostic()> emitError,
                                CacheLayout, int64_t heads, int64_t width,
                                Type elementType) {
  if (heads < 1 || width < 1)
    return emitError() << "expects heads and width of at least 1, got " << heads
                       << " x " << width;
  if (isa<Float32Type, Float16Type, BFloat16Type>(elementType))
    return success();
  auto block = dyn_cast<BlockType>(elementType);
  if (!block || block.getFormat() != base::ElementType::Q8_0)
    return emitError()
           << "expects an element type of f32, f16, bf16 or q8_0, got "
           << elementType;
  if (int64_t elements = base::info(block.getFormat()).blockElements;
      width % elements != 0)
    return emitError() << "expects a width of whole blocks of " << elements
                       << " elements in a cache of q8_0, got " << width;
  return success();
}

bool CacheType::isQuantized() const { return isa<BlockType>(getElementType()); }

Type CacheType::getRowElement() const {
  return isQuantized() ? Type(Float32Type::get(getContext()))
                       : getElementType();
}

int64_t CacheType::headBytes() const {
  const base::ElementInfo &info = base::info(storageOf(getElementType()));
  return getWidth() * TENON_CACHE_BLOCK / info.blockElements * info.blockBytes;
}

int64_t CacheType::scalesOffset() const {
  return getWidth() * TENON_CACHE_BLOCK;
}

//===----------------------------------------------------------------------===//
// Attributes
//===----------------------------------------------------------------------===//

Attribute DimsAttr::parse(AsmParser &parser, Type) {
  SmallVector<Attribute> dims;
  auto parseDim = [&]() -> ParseResult {
    int64_t extent = 0;
    OptionalParseResult number = parser.parseOptionalInteger(extent);
    if (number.has_value()) {
      dims.push_back(parser.getBuilder().getI64IntegerAttr(extent));
      return *number;
    }
    StringRef name;
    if (parser.parseKeyword(&name))
      return failure();
    dims.push_back(parser.getBuilder().getStringAttr(name));
    return success();
  };
  if (parser.parseCommaSeparatedList(AsmParser::Delimiter::LessGreater,
                                     parseDim))
    return {};
  return get(parser.getContext(), dims);
}

void DimsAttr::print(AsmPrinter &printer) const {
  printer << "<";
  llvm::interleaveComma(getDims(), printer, [&](Attribute dim) {
    if (auto name = dyn_cast<StringAttr>(dim))
      printer << name.getValue();
    else
      printer << cast<IntegerAttr>(dim).getInt();
  });
  printer << ">";
}

LogicalResult
DimsAttr::verifyEncoding(ArrayRef<int64_t> shape, Type,
                         function_ref<InFlightDiagnostic()> emitError) const {
  if (shape.size() != getDims().size()) // C1
    return emitError() << "expects " << shape.size()
                       << " dims, one for each axis, got " << *this;
  for (auto [axis, extent, dim] : llvm::enumerate(shape, getDims())) { // C2
    auto number = dyn_cast<IntegerAttr>(dim);
    if (ShapedType::isDynamic(extent) ? !isa<StringAttr>(dim)
                                      : !number || number.getInt() != extent)
      return emitError() << "expects the dim of axis " << axis << " to be "
                         << (ShapedType::isDynamic(extent)
                                 ? std::string("a symbol")
                                 : std::to_string(extent))
                         << ", got " << *this;
  }
  if (llvm::none_of(shape, ShapedType::isDynamic)) // C3
    return emitError() << "expects no dims on a tensor of static shape, got "
                       << *this;
  return success();
}

LogicalResult
PanelsAttr::verifyEncoding(ArrayRef<int64_t> shape, Type,
                           function_ref<InFlightDiagnostic()> emitError) const {
  if (getLanes() < 1) // C1
    return emitError() << "expects panels of at least 1 lane, got " << *this;
  bool isWeight = shape.size() == 2 || shape.size() == 3;
  if (!isWeight || llvm::any_of(shape, ShapedType::isDynamic)) // C2
    return emitError()
           << "expects a static tensor of rank 2 or 3 in panels, got " << *this;
  return success();
}

//===----------------------------------------------------------------------===//
// Helpers
//===----------------------------------------------------------------------===//

StringRef ir::symbolOf(RankedTensorType type, int64_t axis) {
  auto dims = dyn_cast_or_null<DimsAttr>(type.getEncoding());
  if (!dims || !type.isDynamicDim(axis))
    return {};
  auto name = dyn_cast<StringAttr>(dims.getDims()[axis]);
  return name ? name.getValue() : StringRef();
}

RankedTensorType ir::tensorOf(ArrayRef<int64_t> shape,
                              ArrayRef<StringRef> symbols, Type element) {
  if (llvm::none_of(shape, ShapedType::isDynamic))
    return RankedTensorType::get(shape, element);
  Builder builder(element.getContext());
  SmallVector<Attribute> dims;
  for (auto [extent, symbol] : llvm::zip_equal(shape, symbols))
    if (ShapedType::isDynamic(extent))
      dims.push_back(builder.getStringAttr(symbol));
    else
      dims.push_back(builder.getI64IntegerAttr(extent));
  return RankedTensorType::get(shape, element,
                               DimsAttr::get(element.getContext(), dims));
}

RankedTensorType ir::takeAxes(RankedTensorType type, ArrayRef<int64_t> axes) {
  SmallVector<int64_t> shape;
  SmallVector<StringRef> symbols;
  for (int64_t axis : axes) {
    shape.push_back(type.getDimSize(axis));
    symbols.push_back(symbolOf(type, axis));
  }
  return tensorOf(shape, symbols, type.getElementType());
}

RankedTensorType ir::withElement(RankedTensorType type, Type element) {
  return RankedTensorType::get(type.getShape(), element, type.getEncoding());
}

bool ir::sameExtent(RankedTensorType a, int64_t axisA, RankedTensorType b,
                    int64_t axisB) {
  if (a.getDimSize(axisA) != b.getDimSize(axisB))
    return false;
  if (!a.isDynamicDim(axisA))
    return true;
  StringRef symbol = symbolOf(a, axisA);
  return !symbol.empty() && symbol == symbolOf(b, axisB);
}

int64_t ir::storedBytes(RankedTensorType type) {
  base::ElementType element = storageOf(type.getElementType());
  if (isa_and_nonnull<PanelsAttr>(type.getEncoding()))
    return (type.getRank() > 2 ? type.getDimSize(0) : 1) *
           packedBytes(element, type.getDimSize(type.getRank() - 2),
                       type.getShape().back());
  const base::ElementInfo &info = base::info(element);
  return type.getNumElements() / info.blockElements * info.blockBytes;
}

base::ElementType ir::storageOf(Type element) {
  return llvm::TypeSwitch<Type, base::ElementType>(element)
      .Case([](BlockType block) { return block.getFormat(); })
      .Case([](Float32Type) { return base::ElementType::F32; })
      .Case([](Float16Type) { return base::ElementType::F16; })
      .Case([](BFloat16Type) { return base::ElementType::BF16; })
      .Case([](IntegerType integer) {
        switch (integer.getWidth()) {
        case 1:
          return base::ElementType::Bool;
        case 8:
          return base::ElementType::I8;
        case 32:
          return base::ElementType::I32;
        default:
          return base::ElementType::I64;
        }
      });
}
