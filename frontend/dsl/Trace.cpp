//===- Trace.cpp - Entries, and the program they make ---------------------===//

#include "frontend/dsl/Trace.h"

#include "frontend/dsl/Tracer.h"

#include "mlir/IR/Verifier.h"

#include <algorithm>

using namespace mlir;

namespace tenon {

//===----------------------------------------------------------------------===//
// Arguments
//===----------------------------------------------------------------------===//

Tensor Arguments::tensor(std::string_view name, const Shape &shape, DType type,
                         Site site) {
  return tracer.argument(name, shape, type, site);
}

Batch Arguments::batch(std::string_view name, const Dim &tokens,
                       const Dim &sequences, const Dim &pages, Site site) {
  return tracer.batchArgument(name, tokens, sequences, pages, site);
}

namespace detail {

/// States, which the first use of a cache adds, stay behind an entry's own.
Value Tracer::addArgument(std::string_view name, Type type, Site site) {
  Frame &entry = frames.front();
  entry.names.push_back(opBuilder.getStringAttr(StringRef(name)));
  return entry.block->insertArgument(entry.declared++, type, location(site));
}

Tensor Tracer::argument(std::string_view name, const Shape &shape, DType type,
                        Site site) {
  std::optional<RankedTensorType> made =
      tensorType(shape, elementType(type), site);
  if (!made)
    return Tensor(poisoned());
  return Tensor(wrap(addArgument(name, *made, site)));
}

Batch Tracer::batchArgument(std::string_view name, const Dim &tokens,
                            const Dim &sequences, const Dim &pages, Site site) {
  batchSymbols.clear();
  for (const Dim &dim : {tokens, sequences, pages}) {
    if (!dim.isSymbol())
      error(site,
            "batch expects symbols for tokens, sequences and pages, got " +
                dim.str());
    if (!dim.isSymbol() || !declareSymbol(dim, site))
      return Batch(poisoned());
    batchSymbols.push_back(opBuilder.getStringAttr(dim.name()).getValue());
  }
  Type type = ir::BatchType::get(context.get());
  return Batch(wrap(addArgument(name, type, site)));
}

Tensor Tracer::positions(const Batch &batch, Site site) {
  Value value = resolve(batch.handle(), site);
  if (!value)
    return Tensor(poisoned());
  auto type = ir::tensorOf({ShapedType::kDynamic}, {batchSymbols.front()},
                           opBuilder.getI32Type());
  return Tensor(
      wrap(ir::PositionsOp::create(opBuilder, location(site), type, value)));
}

//===----------------------------------------------------------------------===//
// Parameters
//===----------------------------------------------------------------------===//

/// The element type that a weights file's has in a program; null if it has
/// none there.
static Type storedType(Builder &builder, base::ElementType element) {
  switch (element) {
  case base::ElementType::F32:
    return builder.getF32Type();
  case base::ElementType::F16:
    return builder.getF16Type();
  case base::ElementType::BF16:
    return builder.getBF16Type();
  case base::ElementType::I32:
    return builder.getI32Type();
  case base::ElementType::I64:
    return builder.getI64Type();
  default:
    if (!base::info(element).isBlocked())
      return {};
    return ir::BlockType::get(builder.getContext(), element);
  }
}

static std::string shapeText(ArrayRef<int64_t> shape) {
  std::vector<Dim> dims(shape.begin(), shape.end());
  return Shape(std::move(dims)).str();
}

/// The nearest to `wanted` that stores rows of that many elements.
static base::ElementType typeOfRows(base::ElementType wanted, int64_t columns) {
  for (base::ElementType type : {wanted, base::ElementType::Q8_0})
    if (columns % base::info(type).blockElements == 0)
      return type;
  return base::ElementType::F16;
}

/// Decides a parameter's source and type when it is first used.
bool Tracer::bindParameter(Parameter &parameter, Site site) {
  if (parameter.type)
    return true;
  parameter.isState = parameter.isVariable || parameter.isAdapter ||
                      (options.trained && options.trained(parameter.name));
  parameter.source =
      options.source ? options.source(parameter.name) : parameter.name;
  Type element = elementType(parameter.dtype);
  bool isInFile = !parameter.isVariable && !parameter.isAdapter;
  if (options.types && isInFile) { // a trained weight stays f32
    auto found = options.types->find(parameter.source);
    if (found == options.types->end()) {
      error(parameter.site, "expects the weights to have '" + parameter.source +
                                "', for the parameter '" + parameter.name +
                                "', got none");
      return false;
    }
    const ParameterType &type = found->second;
    std::vector<Dim> dims(type.shape.begin(), type.shape.end());
    if (Shape(dims) != parameter.shape) {
      error(parameter.site, "expects '" + parameter.source + "' of shape " +
                                parameter.shape.str() + " for the parameter '" +
                                parameter.name + "', got " +
                                shapeText(type.shape));
      return false;
    }
    Type stored = storedType(opBuilder, type.element);
    if (!parameter.isState)
      element = stored;
    if (!stored) {
      error(parameter.site, "expects '" + parameter.source +
                                "' of a float or blocked type, got " +
                                std::string(base::info(type.element).name));
      return false;
    }
  }
  const Shape &shape = parameter.shape;
  if (options.matrices && !parameter.isState && shape.rank() >= 2)
    element =
        storedType(opBuilder, typeOfRows(*options.matrices,
                                         shape[shape.rank() - 1].extent()));
  std::optional<RankedTensorType> type =
      tensorType(parameter.shape, element, site);
  if (type)
    parameter.type = *type;
  return type.has_value();
}

//===----------------------------------------------------------------------===//
// Entries
//===----------------------------------------------------------------------===//

void Tracer::traceEntry(const Entry &entry) {
  symbols.clear();
  batchSymbols.clear();
  Site here = Site::current();
  if (module->lookupSymbol(entry.name)) {
    error(here, "trace expects entries of different names, got '" + entry.name +
                    "' twice");
    return;
  }
  push(entry.name, "", here);
  opBuilder.setInsertionPointToEnd(frames.back().block);
  Arguments arguments(*this);
  Results results = entry.body(arguments);
  finishEntry(entry, results);
}

void Tracer::finishEntry(const Entry &entry, const Results &results) {
  Frame &frame = frames.back();
  Site here = Site::current();
  SmallVector<Value> returned;
  SmallVector<Attribute> resultNames;
  std::map<unsigned, Attribute> resultStates;
  for (const NamedTensor &result : results) {
    Value value = resolve(result.tensor.handle(), here);
    if (!value && tree.errors.empty())
      error(here, "expects a tensor for the result '" + result.name +
                      "' of entry '" + entry.name + "', got none");
    if (!value)
      return dropFunction();
    returned.push_back(value);
    resultNames.push_back(opBuilder.getStringAttr(result.name));
  }
  for (auto &[parameter, value] : frame.assigned) {
    resultStates[returned.size()] =
        FlatSymbolRefAttr::get(context.get(), parameter->name);
    returned.push_back(value);
    resultNames.push_back(opBuilder.getStringAttr(parameter->name));
  }
  for (auto &[state, value] : frame.states) {
    returned.push_back(value);
    Attribute name = opBuilder.getStringAttr(state->name);
    resultNames.push_back(name);
    frame.names.push_back(name);
  }
  func::ReturnOp::create(opBuilder, frame.function.getLoc(), returned);
  frame.function.setType(opBuilder.getFunctionType(
      frame.block->getArgumentTypes(), ValueRange(returned).getTypes()));
  unsigned own = frame.declared, tensors = frame.tensorStates.size();
  for (auto [i, state] : llvm::enumerate(frame.tensorStates))
    frame.function.setArgAttr(own + i, ir::kStateAttr, state);
  for (auto [i, name] : llvm::enumerate(frame.names))
    frame.function.setArgAttr(i < own ? i : i + tensors, "tn.name", name);
  for (auto &[i, state] : resultStates)
    frame.function.setResultAttr(i, ir::kStateAttr, state);
  for (auto [i, name] : llvm::enumerate(resultNames))
    frame.function.setResultAttr(i, "tn.name", name);
  if (entry.hasOneVariant)
    frame.function->setAttr("tn.one_variant", opBuilder.getUnitAttr());
  setSymbols(frame);
  pop();
}

/// Declares the parameters and states that the entries use, before them.
void Tracer::declareUsed(TracedProgram::Impl &program) {
  opBuilder.setInsertionPointToStart(module->getBody());
  for (Parameter &parameter : tree.parameters) {
    if (!parameter.used)
      continue;
    StringAttr source;
    if (options.source)
      source = opBuilder.getStringAttr(parameter.source);
    Location loc = location(parameter.site, parameter.module);
    const Initial &initial = parameter.initial;
    if (parameter.isVariable)
      ir::StateOp::create(opBuilder, loc, parameter.name, parameter.type,
                          StringAttr(), DenseF64ArrayAttr());
    else if (parameter.isState)
      ir::StateOp::create(
          opBuilder, loc, parameter.name, parameter.type,
          opBuilder.getStringAttr(parameter.source),
          opBuilder.getDenseF64ArrayAttr({initial.mean, initial.deviation}));
    else
      ir::ParameterOp::create(opBuilder, loc, parameter.name, parameter.type,
                              source);
    if (parameter.isVariable)
      continue;
    auto type = cast<RankedTensorType>(parameter.type);
    program.weights.push_back({parameter.name,
                               parameter.source,
                               {ir::storageOf(type.getElementType()),
                                std::vector<int64_t>(type.getShape())}});
  }
  for (State &state : tree.states)
    ir::StateOp::create(
        opBuilder, NameLoc::get(opBuilder.getStringAttr(state.name)),
        state.name, state.type, StringAttr(), DenseF64ArrayAttr());
}

/// Hands the options that are the compiler's on as the module's attributes.
void Tracer::setModuleAttributes() {
  if (!options.checkpoint.empty())
    (*module)->setAttr("tn.checkpoint",
                       opBuilder.getStringAttr(options.checkpoint));
  SmallVector<Attribute> variants;
  for (const Variant &variant : options.variants) {
    SmallVector<StringRef> bounds(variant.bounds.begin(), variant.bounds.end());
    variants.push_back(opBuilder.getDictionaryAttr(
        {opBuilder.getNamedAttr("name", opBuilder.getStringAttr(variant.name)),
         opBuilder.getNamedAttr("bounds", opBuilder.getStrArrayAttr(bounds))}));
  }
  if (!variants.empty())
    (*module)->setAttr("tn.variants", opBuilder.getArrayAttr(variants));
  if (options.compute == DType::bf16)
    (*module)->setAttr(ir::kComputeAttr, opBuilder.getStringAttr("bf16"));
  else if (options.compute != DType::f32)
    tree.errors.push_back("expects TraceOptions::compute of f32 or bf16");
  SmallVector<NamedAttribute> metadata;
  for (const auto &[key, value] : options.metadata)
    metadata.push_back(
        opBuilder.getNamedAttr(key, opBuilder.getStringAttr(value)));
  if (!metadata.empty())
    (*module)->setAttr("tn.metadata", opBuilder.getDictionaryAttr(metadata));
}

absl::StatusOr<TracedProgram> Tracer::finish() {
  auto program = std::make_unique<TracedProgram::Impl>();
  declareUsed(*program);
  setModuleAttributes();
  std::vector<std::string> errors = tree.errors;
  if (errors.empty() && failed(verify(*module)))
    errors.push_back(takeDiagnostics());
  diagnostics.reset();
  std::string text;
  for (const std::string &each : errors)
    text += (text.empty() ? "" : "\n") + each;
  if (!text.empty())
    return absl::InvalidArgumentError(text);
  program->module = std::move(module);
  program->context = std::move(context);
  return TracedProgram(std::move(program));
}
} // namespace detail

//===----------------------------------------------------------------------===//
// Programs
//===----------------------------------------------------------------------===//

TracedProgram::TracedProgram(std::unique_ptr<Impl> made)
    : impl(std::move(made)) {}
TracedProgram::TracedProgram(TracedProgram &&) noexcept = default;
TracedProgram &TracedProgram::operator=(TracedProgram &&) noexcept = default;
TracedProgram::~TracedProgram() = default;

MLIRContext &TracedProgram::context() const { return *impl->context; }
ModuleOp TracedProgram::module() const { return *impl->module; }

std::string TracedProgram::print(bool locations) const {
  std::string text;
  llvm::raw_string_ostream os(text);
  OpPrintingFlags flags;
  if (locations)
    flags.enableDebugInfo(/*enable=*/true, /*prettyForm=*/false);
  impl->module->print(os, flags);
  return text;
}

const std::vector<TracedProgram::Weight> &TracedProgram::weights() const {
  return impl->weights;
}

absl::StatusOr<TracedProgram> trace(const Module &model,
                                    const std::vector<Entry> &entries,
                                    const TraceOptions &options) {
  detail::ModuleTree &tree = model.tree();
  if (tree.tracer)
    return absl::FailedPreconditionError(
        "trace expects a model that is not being traced, got one that is");
  std::vector<std::string> declared = tree.errors;
  absl::StatusOr<TracedProgram> program = [&] {
    detail::Tracer tracer(tree, options);
    for (const Entry &entry : entries)
      tracer.traceEntry(entry);
    return tracer.finish();
  }();
  tree.errors = declared; // the model may be traced again with other options
  return program;
}

} // namespace tenon
