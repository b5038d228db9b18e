//===- Tracer.cpp - Functions being traced, and the values in them --------===//

#include "frontend/dsl/Tracer.h"

#include "mlir/IR/Verifier.h"

using namespace mlir;

namespace tenon::detail {

//===----------------------------------------------------------------------===//
// Locations, diagnostics, types
//===----------------------------------------------------------------------===//

Location Tracer::location(Site site, StringRef path) {
  Location file = FileLineColLoc::get(context.get(), site.file_name(),
                                      site.line(), site.column());
  if (path.empty() && !frames.empty())
    path = frames.back().path;
  if (path.empty())
    return file;
  return NameLoc::get(StringAttr::get(context.get(), path), file);
}

/// "'tn.matmul' op expects ..." becomes "expects ...": whoever notes the error
/// names the function that the user called.
static StringRef withoutOpName(StringRef message) {
  size_t mark = message.find("' op ");
  if (message.starts_with("'tn.") && mark != StringRef::npos)
    return message.drop_front(mark + 5);
  return message;
}

std::string Tracer::takeDiagnostics() {
  return std::exchange(diagnosed, std::string());
}

Tracer *tracerOf(const Handle &handle) {
  if (handle.parameter)
    return handle.parameter->tree->tracer;
  if (handle.state)
    return handle.state->tree->tracer;
  return handle.tracer;
}

Handle Tracer::wrap(Value value) {
  Handle handle;
  handle.tracer = this;
  handle.value = value.getAsOpaquePointer();
  return handle;
}

Handle Tracer::poisoned() {
  Handle handle;
  handle.tracer = this;
  handle.poisoned = true;
  return handle;
}

Type Tracer::elementType(DType type) {
  switch (type) {
  case DType::f32:
    return opBuilder.getF32Type();
  case DType::f16:
    return opBuilder.getF16Type();
  case DType::bf16:
    return opBuilder.getBF16Type();
  case DType::i8:
    return opBuilder.getI8Type();
  case DType::i32:
    return opBuilder.getI32Type();
  case DType::i64:
    return opBuilder.getI64Type();
  case DType::i1:
    return opBuilder.getI1Type();
  }
  return {};
}

Type Tracer::elementType(CacheElement element) {
  switch (element) {
  case CacheElement::f32:
    return opBuilder.getF32Type();
  case CacheElement::f16:
    return opBuilder.getF16Type();
  case CacheElement::bf16:
    return opBuilder.getBF16Type();
  case CacheElement::q8_0:
    return ir::BlockType::get(context.get(), base::ElementType::Q8_0);
  }
  return {};
}

bool Tracer::declareSymbol(const Dim &dim, Site site) {
  StringAttr name = opBuilder.getStringAttr(dim.name());
  auto symbol = ir::SymbolAttr::get(context.get(), name, dim.min(), dim.max(),
                                    dim.divisor());
  auto [found, isNew] = symbols.insert({name.getValue(), symbol});
  if (isNew || found->second == symbol)
    return true;
  error(site, "expects one range of the symbol " + dim.name() +
                  " in an entry, got " + std::to_string(dim.min()) + " to " +
                  std::to_string(dim.max()) + " after " +
                  std::to_string(found->second.getMin()) + " to " +
                  std::to_string(found->second.getMax()));
  return false;
}

std::optional<RankedTensorType> Tracer::tensorType(const Shape &shape,
                                                   Type element, Site site) {
  SmallVector<int64_t> extents;
  SmallVector<StringRef> names;
  for (const Dim &dim : shape) {
    if (dim.isSymbol() && !declareSymbol(dim, site))
      return std::nullopt;
    if (!dim.isSymbol() && dim.extent() < 1) {
      error(site, "expects extents of at least 1, got " + shape.str());
      return std::nullopt;
    }
    extents.push_back(dim.isSymbol() ? ShapedType::kDynamic : dim.extent());
    names.push_back(dim.name());
  }
  return ir::tensorOf(extents, names, element);
}

Dim Tracer::dimOf(RankedTensorType type, int64_t axis) const {
  StringRef name = ir::symbolOf(type, axis);
  if (name.empty())
    return Dim(type.getDimSize(axis));
  auto found = symbols.find(name);
  if (found == symbols.end())
    return Dim::symbol(name.str(), 0, INT64_MAX);
  ir::SymbolAttr symbol = found->second;
  return Dim::symbol(name.str(), symbol.getMin(), symbol.getMax(),
                     symbol.getDivisor());
}

//===----------------------------------------------------------------------===//
// Values
//===----------------------------------------------------------------------===//

/// Hands an outer function's value to the function at `depth`.
Value Tracer::capture(size_t depth, Value outer) {
  Frame &frame = frames[depth];
  frame.operands.push_back(outer);
  return frame.block->addArgument(outer.getType(), outer.getLoc());
}

/// The value in the function at `depth`; null if it belongs to none of the
/// stack: it was kept from another entry, or from a module already traced.
Value Tracer::local(size_t depth, Value value) {
  Frame &frame = frames[depth];
  if (value.getParentBlock() == frame.block)
    return value;
  if (Value known = frame.captures.lookup(value))
    return known;
  if (depth == 0)
    return {};
  Value outer = local(depth - 1, value);
  if (!outer || !frame.function)
    return outer;
  Value argument = capture(depth, outer);
  return frames[depth].captures[value] = argument;
}

Value Tracer::parameterValue(size_t depth, Parameter &parameter) {
  if (!frames[depth].function)
    return parameterValue(depth - 1, parameter);
  if (Value known = frames[depth].parameters.lookup(&parameter))
    return known;
  Value value;
  if (depth > 0) {
    value = capture(depth, parameterValue(depth - 1, parameter));
  } else if (parameter.isState) {
    value = addState(parameter);
  } else {
    OpBuilder::InsertionGuard guard(opBuilder);
    opBuilder.setInsertionPointToEnd(frames[0].block);
    value = ir::GetParameterOp::create(
        opBuilder, location(parameter.site, parameter.module), parameter.type,
        parameter.name);
  }
  parameter.used = true;
  return frames[depth].parameters[&parameter] = value;
}

/// An entry's argument of a tensor that lives across calls, after its own.
Value Tracer::addState(Parameter &parameter) {
  Frame &entry = frames.front();
  entry.tensorStates.push_back(
      FlatSymbolRefAttr::get(context.get(), parameter.name));
  return entry.block->insertArgument(
      entry.declared + entry.tensorStates.size() - 1, parameter.type,
      location(parameter.site, parameter.module));
}

Value Tracer::stateValue(size_t depth, State &state) {
  Frame &frame = frames[depth];
  if (Value known = frame.states.lookup(&state))
    return known;
  if (frame.isLoop)
    return carry(frame, state);
  if (depth > 0) {
    Value value = stateValue(depth - 1, state);
    if (frame.function)
      value = capture(depth, value);
    frame.statesBefore[&state] = value;
    return frame.states[&state] = value;
  }
  // An entry that uses one cache has them all, in order, as its last arguments.
  for (State &each : tree.states)
    frame.states[&each] = frame.block->addArgument(
        each.type, NameLoc::get(opBuilder.getStringAttr(each.name)));
  return frame.states.lookup(&state);
}

void Tracer::setState(State &state, Value value) {
  frames.back().states[&state] = value;
}

Value Tracer::resolve(const Handle &handle, Site site) {
  if (handle.poisoned || handle.isAbsent())
    return {};
  if (frames.empty()) {
    error(site, "expects to be called inside an entry");
    return {};
  }
  if (handle.parameter)
    return bindParameter(*handle.parameter, site)
               ? parameterValue(frames.size() - 1, *handle.parameter)
               : Value();
  if (handle.state)
    return stateValue(frames.size() - 1, *handle.state);
  Value value =
      local(frames.size() - 1, Value::getFromOpaquePointer(handle.value));
  if (!value)
    error(site, "expects a tensor of the entry being traced, got one kept from "
                "another entry or from inside an outlined module, a loop or a "
                "branch");
  return value;
}

//===----------------------------------------------------------------------===//
// Functions
//===----------------------------------------------------------------------===//

std::string Tracer::uniqueName(const std::string &wanted) {
  // Symbols are looked up one by one, and a step has hundreds of one name.
  int &next = nextNumber[wanted];
  std::string name;
  do
    name = next ? wanted + "_" + std::to_string(next) : wanted;
  while (++next, module->lookupSymbol(name));
  return name;
}

void Tracer::push(StringRef name, const std::string &path, Site site) {
  OpBuilder::InsertionGuard guard(opBuilder);
  opBuilder.setInsertionPointToEnd(module->getBody());
  Frame frame;
  frame.path = path;
  frame.function = func::FuncOp::create(opBuilder, location(site, path), name,
                                        opBuilder.getFunctionType({}, {}));
  frame.block = frame.function.addEntryBlock();
  frames.push_back(std::move(frame));
}

void Tracer::pop() {
  frames.pop_back();
  if (!frames.empty())
    opBuilder.setInsertionPointToEnd(frames.back().block);
}

void Tracer::dropFunction() {
  frames.back().function.erase();
  pop();
}

/// Declares the symbols that the arguments' types name.
void Tracer::setSymbols(Frame &frame) {
  llvm::SetVector<StringRef> used;
  for (Type type : frame.block->getArgumentTypes()) {
    if (isa<ir::BatchType>(type))
      used.insert_range(batchSymbols);
    auto tensor = dyn_cast<RankedTensorType>(type);
    for (int64_t axis = 0; tensor && axis < tensor.getRank(); ++axis)
      if (StringRef name = ir::symbolOf(tensor, axis); !name.empty())
        used.insert(name);
  }
  SmallVector<Attribute> declared;
  for (auto &[name, symbol] : symbols)
    if (used.contains(name))
      declared.push_back(symbol);
  if (!declared.empty())
    frame.function->setAttr(ir::kSymbolsAttr, opBuilder.getArrayAttr(declared));
}

Tensor Tracer::outlined(const std::string &path,
                        const std::function<Tensor()> &body, Site site) {
  if (frames.empty()) {
    error(site, "outline expects to be called inside an entry");
    return Tensor(poisoned());
  }
  std::string entry = frames.front().function.getName().str();
  std::string part = path.empty() ? "model" : path;
  push(uniqueName(entry + "." + part), path, site);
  opBuilder.setInsertionPointToEnd(frames.back().block);
  Tensor y = body();
  Value result = resolve(y.handle(), site);
  if (!result) {
    dropFunction();
    return Tensor(poisoned());
  }
  return Tensor(wrap(closeOutlined(result, site)));
}

void Tracer::finishFunction(ArrayRef<Value> returned, Site site) {
  Frame &frame = frames.back();
  func::ReturnOp::create(opBuilder, location(site), returned);
  frame.function.setType(opBuilder.getFunctionType(
      frame.block->getArgumentTypes(), ValueRange(returned).getTypes()));
  frame.function.setPrivate();
  setSymbols(frame);
}

/// Returns the result and the caches that changed, and calls the function.
Value Tracer::closeOutlined(Value result, Site site) {
  Frame &frame = frames.back();
  SmallVector<Value> returned = {result};
  SmallVector<State *> changed;
  for (auto &[state, value] : frame.states) {
    if (value == frame.statesBefore.lookup(state))
      continue;
    returned.push_back(value);
    changed.push_back(state);
  }
  finishFunction(returned, site);
  func::FuncOp function = frame.function;
  SmallVector<Value> operands = frame.operands;
  Location loc = location(site);
  pop();
  auto call = func::CallOp::create(opBuilder, loc, function, operands);
  for (auto [i, state] : llvm::enumerate(changed))
    setState(*state, call.getResult(i + 1));
  return call.getResult(0);
}

//===----------------------------------------------------------------------===//
// Construction
//===----------------------------------------------------------------------===//

/// Threaded, although tracing is not: the compiler works on it with threads.
static std::unique_ptr<MLIRContext> makeContext() {
  auto made = std::make_unique<MLIRContext>();
  made->loadDialect<ir::TnDialect, func::FuncDialect, arith::ArithDialect>();
  return made;
}

Tracer::Tracer(ModuleTree &modules, const TraceOptions &traceOptions)
    : tree(modules), options(traceOptions), context(makeContext()),
      module(ModuleOp::create(UnknownLoc::get(context.get()))),
      diagnostics(std::make_unique<ScopedDiagnosticHandler>(
          context.get(),
          [this](Diagnostic &diagnostic) {
            if (!diagnosed.empty())
              diagnosed += "; ";
            std::string text = diagnostic.str();
            diagnosed += withoutOpName(text);
          })),
      opBuilder(context.get()) {
  for (State &state : tree.states)
    state.type = ir::CacheType::get(
        context.get(),
        state.layout == CacheLayout::Keys ? ir::CacheLayout::Keys
                                          : ir::CacheLayout::Values,
        state.heads, state.width, elementType(state.element));
  for (Parameter &parameter : tree.parameters) {
    parameter.type = {};
    parameter.used = false;
    parameter.isState = false;
    parameter.source.clear();
  }
  tree.tracer = this;
}

Tracer::~Tracer() { tree.tracer = nullptr; }

} // namespace tenon::detail
