//===- HostLowering.cpp - From functions of kernels to a Program ----------===//

#include "codegen/host/HostLowering.h"

#include "codegen/host/BodyLowering.h"
#include "ir/tn/Panels.h"
#include "tenon/abi.h"

using namespace mlir;
using namespace tenon;
using namespace tenon::codegen;
using namespace tenon::codegen::host;
using base::Expr;

static FailureOr<Expr> extentOf(RankedTensorType type, int64_t axis,
                                const base::Entry &entry) {
  if (!type.isDynamicDim(axis))
    return Expr::constant(type.getDimSize(axis));
  StringRef name = ir::symbolOf(type, axis);
  for (auto [index, symbol] : llvm::enumerate(entry.symbols))
    if (symbol.name == name)
      return Expr::symbol(index);
  return failure();
}

FailureOr<Expr> host::sizeOf(RankedTensorType type, const base::Entry &entry) {
  base::ElementType element = ir::storageOf(type.getElementType());
  if (isa_and_nonnull<ir::PanelsAttr>(type.getEncoding()))
    return Expr::constant(
        ir::packedBytes(element, type.getDimSize(0), type.getDimSize(1)));
  const base::ElementInfo &info = base::info(element);
  Expr size = Expr::constant(info.blockBytes);
  for (int64_t axis = 0; axis < type.getRank(); ++axis) {
    FailureOr<Expr> extent = extentOf(type, axis, entry);
    if (failed(extent))
      return failure();
    size = Expr::binary(Expr::Op::Mul, size, *extent);
  }
  // Whole blocks: the last axis is a multiple of them.
  return Expr::binary(Expr::Op::FloorDiv, size,
                      Expr::constant(info.blockElements));
}

static FailureOr<base::TensorType> typeOf(RankedTensorType type,
                                          const base::Entry &entry) {
  base::TensorType result;
  result.element = ir::storageOf(type.getElementType());
  for (int64_t axis = 0; axis < type.getRank(); ++axis) {
    FailureOr<Expr> extent = extentOf(type, axis, entry);
    if (failed(extent))
      return failure();
    result.shape.push_back(*extent);
  }
  return result;
}

static void addSymbol(base::Entry &entry, StringRef name, int64_t max) {
  if (llvm::none_of(entry.symbols,
                    [&](const auto &symbol) { return symbol.name == name; }))
    entry.symbols.push_back({name.str(), 1, max, 1});
}

static int64_t symbolNumber(const base::Entry &entry, StringRef name) {
  for (auto [index, symbol] : llvm::enumerate(entry.symbols))
    if (symbol.name == name)
      return index;
  return -1;
}

/// A batch's arguments: i32 [T], [T] and [S, P].
static void addBatch(base::Entry &entry) {
  addSymbol(entry, "T", int64_t(1) << 20);
  addSymbol(entry, "S", int64_t(1) << 16);
  addSymbol(entry, "P", int64_t(1) << 20);
  addSymbol(entry, "pageBlocks", int64_t(1) << 20);
  auto symbol = [&](StringRef name) {
    return Expr::symbol(symbolNumber(entry, name));
  };
  base::TensorType tokens{base::ElementType::I32, {symbol("T")}};
  entry.arguments.push_back({"batch.sequence", tokens});
  entry.arguments.push_back({"batch.position", tokens});
  entry.arguments.push_back(
      {"batch.pages", {base::ElementType::I32, {symbol("S"), symbol("P")}}});
}

static std::string nameOf(DictionaryAttr attributes, Twine otherwise) {
  if (attributes)
    if (auto name = attributes.getAs<StringAttr>("tn.name"))
      return name.str();
  return otherwise.str();
}

LogicalResult HostLowering::declareEntry(func::FuncOp function) {
  base::Entry entry;
  entry.name = function.getName().str();
  if (auto symbols = function->getAttrOfType<ArrayAttr>(ir::kSymbolsAttr))
    for (auto symbol : symbols.getAsRange<ir::SymbolAttr>())
      entry.symbols.push_back({symbol.getName().str(), symbol.getMin(),
                               symbol.getMax(), symbol.getDivisor()});
  auto add = [&](std::vector<base::Value> &list, Type type,
                 DictionaryAttr attributes, StringRef kind) -> LogicalResult {
    auto tensor = cast<RankedTensorType>(type);
    FailureOr<base::TensorType> lowered = typeOf(tensor, entry);
    if (failed(lowered))
      return function.emitOpError("expects every symbol of ")
             << type << " to be declared";
    std::string name = nameOf(attributes, kind + Twine(list.size()));
    list.push_back({name, *lowered});
    return success();
  };
  for (unsigned i = 0; i < function.getNumArguments(); ++i) {
    Type type = function.getArgumentTypes()[i];
    if (isa<ir::BatchType>(type))
      addBatch(entry);
    else if (isa<RankedTensorType>(type) &&
             failed(add(entry.arguments, type, function.getArgAttrDict(i),
                        "argument")))
      return failure();
  }
  if (entry.name != "prepare")
    for (unsigned i = 0; i < function.getNumResults(); ++i)
      if (isa<RankedTensorType>(function.getResultTypes()[i]) &&
          failed(add(entry.results, function.getResultTypes()[i],
                     function.getResultAttrDict(i), "result")))
        return failure();
  program.entries.push_back(std::move(entry));
  return success();
}

LogicalResult HostLowering::declare(ModuleOp module) {
  if (auto metadata = module->getAttrOfType<DictionaryAttr>("tn.metadata"))
    for (NamedAttribute entry : metadata)
      program.metadata.push_back(
          {entry.getName().str(), cast<StringAttr>(entry.getValue()).str()});
  for (auto parameter : module.getOps<ir::ParameterOp>()) {
    auto type = cast<RankedTensorType>(parameter.getType());
    base::ElementType element = ir::storageOf(type.getElementType());
    if (auto index = parameter->getAttrOfType<IntegerAttr>(ir::kPreparedAttr)) {
      size_t number = index.getInt();
      program.prepared.resize(std::max(program.prepared.size(), number + 1));
      program.prepared[number] = {parameter.getSymName().str(),
                                  ir::storedBytes(type)};
      continue;
    }
    std::string name = parameter.getSymName().str();
    program.parameters.push_back(
        {name, parameter.getSource().value_or(name).str(), element,
         std::vector<int64_t>(type.getShape().begin(), type.getShape().end())});
  }
  for (auto state : module.getOps<ir::StateOp>()) {
    auto type = cast<ir::CacheType>(state.getType());
    base::ElementType element = ir::storageOf(type.getElementType());
    program.states.push_back(
        {state.getSymName().str(), element,
         type.getHeads() * type.getWidth() * TENON_CACHE_BLOCK *
             base::info(element).blockBytes});
  }
  for (auto function : module.getOps<func::FuncOp>())
    if (function.isPublic() && failed(declareEntry(function)))
      return failure();
  return success();
}

static std::vector<base::Guard> guardsOf(const base::Entry &entry,
                                         ArrayRef<SymbolBound> bounds) {
  std::vector<base::Guard> guards;
  for (const SymbolBound &bound : bounds) {
    int64_t symbol = symbolNumber(entry, bound.symbol);
    if (symbol < 0)
      continue;
    const base::Symbol &declared = entry.symbols[symbol];
    if (bound.min > declared.min || bound.max < declared.max)
      guards.push_back({static_cast<uint32_t>(symbol), bound.min, bound.max});
  }
  return guards;
}

static bool sameGuards(ArrayRef<base::Guard> a, ArrayRef<base::Guard> b) {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [](auto &x, auto &y) {
           return x.symbol == y.symbol && x.min == y.min && x.max == y.max;
         });
}

LogicalResult HostLowering::addVariant(ModuleOp module, StringRef name,
                                       ArrayRef<SymbolBound> bounds) {
  for (base::Entry &entry : program.entries) {
    std::vector<base::Guard> guards = guardsOf(entry, bounds);
    if (llvm::any_of(entry.variants, [&](const base::Variant &variant) {
          return sameGuards(variant.guards, guards);
        }))
      continue;
    base::Variant variant;
    variant.name = name.str();
    variant.guards = std::move(guards);
    auto function = module.lookupSymbol<func::FuncOp>(entry.name);
    if (failed(BodyLowering(program, entry, variant, kernels, module)
                   .lower(function)))
      return failure();
    entry.variants.push_back(std::move(variant));
  }
  return success();
}

/// `expr` with each symbol replaced by an expression.
static Expr substitute(const Expr &expr, ArrayRef<Expr> values) {
  Expr result;
  for (const Expr::Term &term : expr.terms)
    if (term.op == Expr::Op::Symbol)
      llvm::append_range(result.terms, values[term.value].terms);
    else
      result.terms.push_back(term);
  return result;
}

LogicalResult HostLowering::finishLaunches(const base::Entry &entry,
                                           base::Variant &variant) {
  for (base::Instruction &launch : variant.body) {
    if (launch.op != base::Opcode::Launch)
      continue;
    KernelEntry &kernel = kernels.entries[launch.kernel];
    for (const std::string &dim : kernel.info.dims) {
      int64_t symbol = symbolNumber(entry, dim);
      if (symbol < 0)
        return kernel.op.emitOpError("expects the symbol '")
               << dim << "' among those of the entry '" << entry.name << "'";
      launch.exprs.push_back(Expr::symbol(symbol));
    }
    launch.tiles = substitute(kernel.info.tiles, launch.exprs);
  }
  return success();
}

LogicalResult HostLowering::finish() {
  for (KernelEntry &kernel : kernels.entries) {
    base::Kernel lowered;
    lowered.symbol = kernel.symbol;
    lowered.label = kernel.op.getLabel().str();
    lowered.scratchBytes = kernel.info.scratchBytes;
    lowered.bufferCount = kernel.info.bufferCount;
    lowered.dimCount = kernel.info.dims.size();
    lowered.ops = kernel.info.ops;
    lowered.locations = kernel.info.locations;
    if (ArrayAttr reasons = kernel.op.getNotFusedAttr())
      for (auto reason : reasons.getAsRange<StringAttr>())
        lowered.notFused.push_back(reason.str());
    program.kernels.push_back(std::move(lowered));
  }
  for (base::Entry &entry : program.entries)
    for (base::Variant &variant : entry.variants)
      if (failed(finishLaunches(entry, variant)))
        return failure();
  return success();
}
