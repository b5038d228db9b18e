//===- ToProgram.cpp - From rt to the program that is run -----------------===//

#include "codegen/host/ToProgram.h"

#include "codegen/host/RowReads.h"
#include "codegen/host/VariantWriter.h"
#include "tenon/abi.h"

using namespace mlir;
using namespace tenon;
using namespace tenon::codegen;
using namespace tenon::codegen::host;
using base::Expr;

//===----------------------------------------------------------------------===//
// Kernels
//===----------------------------------------------------------------------===//

static AffineExpr apply(Expr::Op op, AffineExpr a, AffineExpr b) {
  switch (op) {
  case Expr::Op::Add:
    return a + b;
  case Expr::Op::Mul:
    return a * b;
  case Expr::Op::CeilDiv:
    return a.ceilDiv(b);
  default:
    llvm_unreachable("tile counts are sums, products and quotients");
  }
}

static AffineExpr toAffine(const Expr &expr, MLIRContext *context) {
  SmallVector<AffineExpr> stack;
  for (const Expr::Term &term : expr.terms) {
    if (term.op == Expr::Op::Constant) {
      stack.push_back(getAffineConstantExpr(term.value, context));
    } else if (term.op == Expr::Op::Symbol) {
      stack.push_back(getAffineSymbolExpr(term.value, context));
    } else {
      AffineExpr b = stack.pop_back_val();
      stack.back() = apply(term.op, stack.back(), b);
    }
  }
  return stack.back();
}

void host::describe(rt::KernelOp kernel, const cpu::KernelInfo &info) {
  Builder builder(kernel.getContext());
  auto strings = [&](const std::vector<std::string> &texts) {
    SmallVector<StringRef> refs(texts.begin(), texts.end());
    return builder.getStrArrayAttr(refs);
  };
  kernel.setDimsAttr(strings(info.dims));
  kernel.setTilesAttr(AffineMapAttr::get(
      AffineMap::get(/*dimCount=*/0, info.dims.size(),
                     toAffine(info.tiles, kernel.getContext()))));
  kernel.setScratchBytes(info.scratchBytes);
  kernel.setOpsAttr(strings(info.ops));
  SmallVector<Attribute> locations;
  for (const base::KernelLocation &location : info.locations)
    locations.push_back(
        builder.getStrArrayAttr({location.op, location.source}));
  kernel.setLocationsAttr(builder.getArrayAttr(locations));
}

static std::vector<std::string> textsOf(ArrayAttr attr) {
  std::vector<std::string> texts;
  if (attr)
    for (auto text : attr.getAsRange<StringAttr>())
      texts.push_back(text.str());
  return texts;
}

static base::Kernel kernelOf(rt::KernelOp op) {
  base::Kernel kernel;
  kernel.symbol = op.getSymName().str();
  kernel.label = op.kernel().getLabel().str();
  kernel.scratchBytes = op.getScratchBytes();
  kernel.bufferCount = op.bufferElements().size();
  kernel.dimCount = op.getDims() ? op.getDims()->size() : 0;
  kernel.ops = textsOf(op.getOpsAttr());
  kernel.rowReads = rowReadsOf(op.kernel());
  kernel.notFused = textsOf(op.kernel().getNotFusedAttr());
  if (ArrayAttr locations = op.getLocationsAttr())
    for (auto location : locations.getAsRange<ArrayAttr>()) {
      std::vector<std::string> texts = textsOf(location);
      kernel.locations.push_back({texts[0], texts[1]});
    }
  return kernel;
}

//===----------------------------------------------------------------------===//
// What the module declares
//===----------------------------------------------------------------------===//

static void writeParameter(ir::ParameterOp op, Numbers &numbers,
                           base::Program &program) {
  std::string name = op.getSymName().str();
  auto type = cast<RankedTensorType>(op.getType());
  base::ElementType element = ir::storageOf(type.getElementType());
  if (auto prepared = op->getAttrOfType<IntegerAttr>(ir::kPreparedAttr)) {
    size_t number = prepared.getInt();
    numbers.globals[name] = number;
    program.prepared.resize(std::max(program.prepared.size(), number + 1));
    program.prepared[number] = {name, ir::storedBytes(type)};
    return;
  }
  numbers.globals[name] = program.parameters.size();
  program.parameters.push_back(
      {name, op.getSource().value_or(name).str(), element,
       std::vector<int64_t>(type.getShape().begin(), type.getShape().end())});
}

static void writeState(ir::StateOp op, Numbers &numbers,
                       base::Program &program) {
  numbers.globals[op.getSymName()] = program.states.size();
  base::State &state = program.states.emplace_back();
  state.name = op.getSymName().str();
  if (auto cache = dyn_cast<ir::CacheType>(op.getType())) {
    state.element = ir::storageOf(cache.getElementType());
    state.bytesPerBlock = cache.getHeads() * cache.headBytes();
    return;
  }
  auto tensor = cast<RankedTensorType>(op.getType());
  state.element = ir::storageOf(tensor.getElementType());
  state.source = op.getSource().value_or("").str();
  if (std::optional<ArrayRef<double>> drawn = op.getDrawn()) {
    state.mean = static_cast<float>(drawn->front());
    state.deviation = static_cast<float>(drawn->back());
  }
  state.shape.assign(tensor.getShape().begin(), tensor.getShape().end());
}

static std::vector<base::Value> valuesOf(ArrayAttr values, rt::EntryOp entry) {
  std::vector<base::Value> result;
  for (auto value : values.getAsRange<rt::ValueAttr>())
    result.push_back({value.getName().str(),
                      {ir::storageOf(value.getType().getElementType()),
                       shapeOf(value.getType(), entry)}});
  return result;
}

static LogicalResult writeEntry(rt::EntryOp op, Numbers &numbers,
                                base::Program &program) {
  base::Entry entry;
  entry.name = op.getSymName().str();
  for (auto symbol : op.getSymbols().getAsRange<ir::SymbolAttr>())
    entry.symbols.push_back({symbol.getName().str(), symbol.getMin(),
                             symbol.getMax(), symbol.getDivisor()});
  entry.arguments = valuesOf(op.getArguments(), op);
  entry.results = valuesOf(op.getResults(), op);
  for (auto variantOp : op.getBody().getOps<rt::VariantOp>()) {
    base::Variant variant;
    variant.name = variantOp.getName().str();
    for (auto bound : variantOp.getBounds().getAsRange<ir::SymbolAttr>())
      variant.guards.push_back(
          {static_cast<uint32_t>(op.symbolNumber(bound.getName())),
           bound.getMin(), bound.getMax()});
    auto module = op->getParentOfType<ModuleOp>();
    if (failed(VariantWriter(op, module, numbers, program, variant)
                   .write(variantOp)))
      return failure();
    entry.variants.push_back(std::move(variant));
  }
  program.entries.push_back(std::move(entry));
  return success();
}

FailureOr<base::Program> host::toProgram(ModuleOp module) {
  base::Program program;
  Numbers numbers;
  if (auto metadata = module->getAttrOfType<DictionaryAttr>("tn.metadata"))
    for (NamedAttribute entry : metadata)
      program.metadata.push_back(
          {entry.getName().str(), cast<StringAttr>(entry.getValue()).str()});
  for (auto parameter : module.getOps<ir::ParameterOp>())
    writeParameter(parameter, numbers, program);
  for (auto state : module.getOps<ir::StateOp>())
    writeState(state, numbers, program);
  for (auto kernel : module.getOps<rt::KernelOp>()) {
    numbers.kernels[kernel.getSymName()] = program.kernels.size();
    program.kernels.push_back(kernelOf(kernel));
  }
  for (auto entry : module.getOps<rt::EntryOp>())
    if (failed(writeEntry(entry, numbers, program)))
      return failure();
  return program;
}
