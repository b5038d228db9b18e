//===- BodyLowering.cpp - One entry's body for one variant ----------------===//

#include "codegen/host/BodyLowering.h"

#include "ir/tn/Linear.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace tenon;
using namespace tenon::codegen;
using namespace tenon::codegen::host;
using rt::BufferKind;

/// The dotted module path a location names, if any.
static std::string labelOf(Location loc) {
  if (auto named = dyn_cast<NameLoc>(loc))
    return named.getName().str();
  if (auto fused = dyn_cast<FusedLoc>(loc))
    for (Location part : fused.getLocations())
      if (std::string label = labelOf(part); !label.empty())
        return label;
  return {};
}

/// The kernel operand whose memory a result may take: a cache's, or what is
/// overwritten by it.
static std::optional<unsigned> aliasedOperand(ir::KernelOp kernel,
                                              unsigned result) {
  for (Region &nest : kernel.getNests()) {
    Operation *yield = nest.front().getTerminator();
    if (result >= yield->getNumOperands()) {
      result -= yield->getNumOperands();
      continue;
    }
    Value value = yield->getOperand(result);
    if (auto overwrite = value.getDefiningOp<ir::OverwriteOp>())
      value = overwrite.getOld();
    while (auto append = value.getDefiningOp<ir::CacheAppendOp>())
      value = append.getCache();
    auto argument = dyn_cast<BlockArgument>(value);
    if (!argument || (isa<RankedTensorType>(value.getType()) &&
                      value == yield->getOperand(result)))
      return std::nullopt;
    return argument.getArgNumber();
  }
  llvm_unreachable("the verifier joins the yields to the results");
}

BodyLowering::BodyLowering(rt::VariantOp variant, KernelTable &kernels,
                           ModuleOp source)
    : entry(cast<rt::EntryOp>(variant->getParentOp())), kernels(kernels),
      globals(source), body(&variant.getBody().emplaceBlock()),
      builder(OpBuilder::atBlockEnd(body)) {
  event = body->addArgument(builder.getType<rt::EventType>(), variant.getLoc());
  for (auto state : source.getOps<ir::StateOp>())
    if (isa<ir::CacheType>(state.getType()))
      cacheStates.push_back(state);
  for (auto parameter : source.getOps<ir::ParameterOp>())
    if (auto number = parameter->getAttrOfType<IntegerAttr>(ir::kPreparedAttr))
      prepared[number.getInt()] =
          FlatSymbolRefAttr::get(parameter.getSymNameAttr());
}

LogicalResult BodyLowering::lower(func::FuncOp function) {
  Scope scope;
  if (auto symbols = function->getAttrOfType<ArrayAttr>(ir::kSymbolsAttr))
    llvm::append_range(scope.symbols, symbols.getAsRange<ir::SymbolAttr>());
  if (failed(bindArguments(function, scope)) ||
      failed(lowerBlock(function.getBody().front(), scope)) ||
      failed(bindResults(function, scope)))
    return failure();
  rt::ReturnOp::create(builder, function.getLoc(), event);
  return success();
}

//===----------------------------------------------------------------------===//
// Buffers
//===----------------------------------------------------------------------===//

/// `which` is an index, a symbol or a constant's value, as the kind has it.
static rt::BufferOp makeBuffer(OpBuilder &builder, Location loc,
                               BufferKind kind, Type content, Attribute which,
                               StringAttr label = {}) {
  return rt::BufferOp::create(
      builder, loc, rt::BufferType::get(builder.getContext(), content), kind,
      dyn_cast_or_null<IntegerAttr>(which),
      dyn_cast_or_null<FlatSymbolRefAttr>(which),
      kind == BufferKind::Constant ? cast<ElementsAttr>(which) : ElementsAttr(),
      label);
}

Value BodyLowering::addTemporary(Location loc, Type content, StringRef label) {
  return makeBuffer(builder, loc, BufferKind::Temporary, content, {},
                    builder.getStringAttr(label));
}

Value BodyLowering::declare(Location loc, BufferKind kind, Type content,
                            Attribute which) {
  OpBuilder::InsertionGuard guard(builder);
  if (lastDeclared)
    builder.setInsertionPointAfter(lastDeclared);
  else
    builder.setInsertionPointToStart(body);
  auto buffer = makeBuffer(builder, loc, kind, content, which);
  lastDeclared = buffer;
  return buffer;
}

void BodyLowering::copy(Location loc, Value from, Value to) {
  event = rt::CopyOp::create(builder, loc, event.getType(), from, to, event);
}

Value BodyLowering::stateBuffer(FlatSymbolRefAttr name, Location loc) {
  Value &buffer = stateBuffers[name];
  if (!buffer) {
    auto state = globals.lookup<ir::StateOp>(name.getAttr());
    buffer = declare(loc, BufferKind::State, state.getType(), name);
  }
  return buffer;
}

/// The state that a cache argument is: by its name, else by its order.
ir::StateOp BodyLowering::stateOf(func::FuncOp function, BlockArgument value,
                                  unsigned order) {
  auto name =
      function.getArgAttrOfType<StringAttr>(value.getArgNumber(), "tn.name");
  for (auto [number, state] : llvm::enumerate(cacheStates))
    if (name ? name == state.getSymNameAttr() : number == order)
      return state;
  return {};
}

LogicalResult BodyLowering::bindArguments(func::FuncOp function, Scope &scope) {
  unsigned argument = 0, state = 0;
  auto next = [&] {
    auto value = cast<rt::ValueAttr>(entry.getArguments()[argument]);
    return declare(function.getLoc(), BufferKind::Argument, value.getType(),
                   builder.getI64IntegerAttr(argument++));
  };
  for (BlockArgument value : function.getArguments()) {
    Binding &binding = scope.bindings[value];
    if (auto name = function.getArgAttrOfType<FlatSymbolRefAttr>(
            value.getArgNumber(), ir::kStateAttr)) {
      binding = {stateBuffer(name, function.getLoc())};
      continue;
    }
    if (isa<ir::BatchType>(value.getType())) {
      binding = {next(), next(), next()};
      continue;
    }
    if (isa<RankedTensorType>(value.getType())) {
      binding = {next()};
      continue;
    }
    ir::StateOp of = stateOf(function, value, state++);
    if (!of)
      return function.emitOpError("expects each cache argument to be a state "
                                  "of the module, got argument ")
             << value.getArgNumber();
    binding = {declare(function.getLoc(), BufferKind::State, value.getType(),
                       FlatSymbolRefAttr::get(of.getSymNameAttr()))};
  }
  return success();
}

// A state may take another's value: all that is not a temporary is copied to
// one before any state changes.
void BodyLowering::storeStates(func::FuncOp function, Scope &scope) {
  Operation *end = function.getBody().front().getTerminator();
  SmallVector<std::pair<Value, Value>> moves;
  for (auto [number, value] : llvm::enumerate(end->getOperands())) {
    auto name =
        function.getResultAttrOfType<FlatSymbolRefAttr>(number, ir::kStateAttr);
    if (!name)
      continue;
    Value from = scope.bindings.lookup(value).front();
    Value to = stateBuffer(name, end->getLoc());
    if (from == to)
      continue;
    auto made = from.getDefiningOp<rt::BufferOp>();
    if (made.getKind() == BufferKind::State) {
      from = addTemporary(end->getLoc(), made.getType().getContent(), "staged");
      copy(end->getLoc(), made, from);
    }
    moves.push_back({from, to});
  }
  for (auto [from, to] : moves)
    copy(end->getLoc(), from, to);
}

LogicalResult BodyLowering::bindResults(func::FuncOp function, Scope &scope) {
  bool prepares = entry.getSymName() == "prepare";
  BufferKind kind = prepares ? BufferKind::Prepared : BufferKind::Result;
  auto caches = llvm::make_filter_range(function.getArguments(), [](Value v) {
    return isa<ir::CacheType>(v.getType());
  });
  auto cache = caches.begin();
  int64_t index = 0;
  storeStates(function, scope);
  Operation *end = function.getBody().front().getTerminator();
  for (auto [number, value] : llvm::enumerate(end->getOperands())) {
    if (function.getResultAttr(number, ir::kStateAttr))
      continue;
    const Binding &binding = scope.bindings[value];
    if (isa<ir::CacheType>(value.getType())) {
      if (cache == caches.end() || scope.bindings.lookup(*cache++) != binding)
        return function.emitOpError(
            "expects to return its caches in the order of its arguments");
      continue;
    }
    auto made = binding.front().getDefiningOp<rt::BufferOp>();
    Attribute which = prepares ? Attribute(prepared.lookup(index))
                               : builder.getI64IntegerAttr(index);
    ++index;
    if (made.getKind() != BufferKind::Temporary) {
      copy(end->getLoc(), made,
           makeBuffer(builder, end->getLoc(), kind, made.getType().getContent(),
                      which));
      continue;
    }
    made.setKind(kind); // written where the caller wants it
    made.setIndexAttr(dyn_cast_or_null<IntegerAttr>(which));
    made.setGlobalAttr(dyn_cast_or_null<FlatSymbolRefAttr>(which));
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Ops
//===----------------------------------------------------------------------===//

LogicalResult BodyLowering::lowerBlock(Block &block, Scope &scope) {
  for (Operation &op : block.without_terminator())
    if (failed(lowerOp(&op, scope)))
      return failure();
  return success();
}

LogicalResult BodyLowering::lowerOp(Operation *op, Scope &scope) {
  return llvm::TypeSwitch<Operation *, LogicalResult>(op)
      .Case([&](ir::GetParameterOp o) { return lowerParameter(o, scope); })
      .Case([&](ir::ConstantOp o) { return lowerConstant(o, scope); })
      .Case([&](func::CallOp o) { return lowerCall(o, scope); })
      .Case([&](ir::KernelOp o) { return lowerKernel(o, scope); })
      .Case([&](ir::IfOp o) { return lowerIf(o, scope); })
      .Case([&](ir::WhileOp o) { return lowerWhile(o, scope); })
      .Case([&](ir::EmitOp o) { return lowerEmit(o, scope); })
      .Case([&](ir::PositionsOp o) { return lowerPositions(o, scope); })
      .Case([&](ir::RepositionOp o) { return lowerReposition(o, scope); })
      .Case([&](ir::ReshapeOp o) {
        scope.bindings[o.getY()] = scope.bindings.lookup(o.getX());
        return success();
      })
      .Default([](Operation *o) {
        return o->emitOpError("expects to be in a kernel before the host "
                              "program is made");
      });
}

LogicalResult BodyLowering::lowerParameter(ir::GetParameterOp op,
                                           Scope &scope) {
  Value &buffer = parameterBuffers[op.getParameterAttr()];
  if (!buffer) {
    auto declared = globals.lookup<ir::ParameterOp>(op.getParameter());
    bool isPrepared = declared->hasAttr(ir::kPreparedAttr);
    buffer = declare(op.getLoc(),
                     isPrepared ? BufferKind::Prepared : BufferKind::Parameter,
                     op.getType(), op.getParameterAttr());
  }
  scope.bindings[op.getValue()] = {buffer};
  return success();
}

LogicalResult BodyLowering::lowerConstant(ir::ConstantOp op, Scope &scope) {
  if (!isa<DenseElementsAttr>(op.getValue()))
    return op.emitOpError("expects dense elements");
  Value &buffer = constantBuffers[op.getValue()];
  if (!buffer)
    buffer =
        declare(op.getLoc(), BufferKind::Constant, op.getType(), op.getValue());
  scope.bindings[op.getResult()] = {buffer};
  return success();
}

LogicalResult BodyLowering::lowerCall(func::CallOp op, Scope &scope) {
  auto callee = globals.lookup<func::FuncOp>(op.getCallee());
  if (!callee || callee.isDeclaration())
    return op.emitOpError("expects a function with a body");
  for (OpOperand &operand : op->getOpOperands())
    if (ir::isChanged(callee.getArgument(operand.getOperandNumber())) &&
        !ir::changesOperand(operand))
      return op.emitOpError("expects tn.overwrites to name operand ")
             << operand.getOperandNumber() << ", which @" << op.getCallee()
             << " overwrites";
  Scope inner;
  inner.label = labelOf(op.getLoc());
  if (inner.label.empty())
    inner.label = scope.label;
  inner.symbols = scope.symbols;
  for (auto [argument, operand] :
       llvm::zip_equal(callee.getArguments(), op.getOperands()))
    inner.bindings[argument] = scope.bindings.lookup(operand);
  if (failed(lowerBlock(callee.getBody().front(), inner)))
    return failure();
  Operation *end = callee.getBody().front().getTerminator();
  for (auto [result, value] :
       llvm::zip_equal(op.getResults(), end->getOperands()))
    scope.bindings[result] = inner.bindings.lookup(value);
  return success();
}

/// Whether what lies in a buffer may be overwritten: the caller's arguments and
/// the model's constants may not.
static bool mayTakeMemory(ArrayRef<Value> binding) {
  BufferKind kind = binding.front().getDefiningOp<rt::BufferOp>().getKind();
  return kind == BufferKind::State || kind == BufferKind::Temporary;
}

LogicalResult BodyLowering::lowerKernel(ir::KernelOp op, Scope &scope) {
  SmallVector<Value> buffers;
  for (Value operand : op.getInputs())
    llvm::append_range(buffers, scope.bindings.lookup(operand));
  for (OpResult result : op.getResults()) {
    std::optional<unsigned> aliased =
        aliasedOperand(op, result.getResultNumber());
    if (aliased &&
        mayTakeMemory(scope.bindings.lookup(op.getInputs()[*aliased])))
      scope.bindings[result] = scope.bindings.lookup(op.getInputs()[*aliased]);
    else
      scope.bindings[result] = {
          addTemporary(op.getLoc(), result.getType(), op.getLabel())};
    if (!isa<ir::CacheType>(result.getType())) // an operand already
      buffers.push_back(scope.bindings[result].front());
  }
  rt::KernelOp kernel = kernels.add(op, scope.symbols);
  event = rt::LaunchOp::create(
      builder, op.getLoc(), event.getType(),
      FlatSymbolRefAttr::get(kernel.getSymNameAttr()), buffers, event,
      scope.label.empty() ? StringAttr() : builder.getStringAttr(scope.label));
  return success();
}
