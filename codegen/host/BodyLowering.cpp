//===- BodyLowering.cpp - One entry's body for one variant ----------------===//

#include "codegen/host/BodyLowering.h"

#include "codegen/host/HostLowering.h"

#include "mlir/IR/BuiltinAttributes.h"
#include "llvm/ADT/TypeSwitch.h"

#include <algorithm>

using namespace mlir;
using namespace tenon;
using namespace tenon::codegen;
using namespace tenon::codegen::host;
using base::Buffer;
using base::BufferKind;
using base::Expr;
using base::Instruction;
using base::Opcode;

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

/// The kernel operand whose memory a result of cache type is.
static unsigned aliasedOperand(ir::KernelOp kernel, unsigned result) {
  for (Region &nest : kernel.getNests()) {
    Operation *yield = nest.front().getTerminator();
    if (result >= yield->getNumOperands()) {
      result -= yield->getNumOperands();
      continue;
    }
    Value value = yield->getOperand(result);
    while (auto append = value.getDefiningOp<ir::CacheAppendOp>())
      value = append.getCache();
    return cast<BlockArgument>(value).getArgNumber();
  }
  llvm_unreachable("the verifier joins the yields to the results");
}

uint32_t BodyLowering::addBuffer(Buffer buffer) {
  variant.buffers.push_back(std::move(buffer));
  return variant.buffers.size() - 1;
}

FailureOr<uint32_t> BodyLowering::addTemporary(Value value, StringRef name) {
  auto type = cast<RankedTensorType>(value.getType());
  FailureOr<Expr> size = sizeOf(type, entry);
  if (failed(size))
    return emitError(value.getLoc())
           << "expects the extents of " << type
           << " to be constants or symbols of the entry '" << entry.name << "'";
  Buffer buffer;
  buffer.kind = BufferKind::Temporary;
  buffer.name = name.str();
  buffer.element = ir::storageOf(type.getElementType());
  buffer.sizeBytes = *size;
  buffer.firstUse = buffer.lastUse = position();
  return addBuffer(std::move(buffer));
}

Instruction &BodyLowering::append(Instruction instruction) {
  for (uint32_t buffer : instruction.buffers)
    variant.buffers[buffer].lastUse = position();
  variant.body.push_back(std::move(instruction));
  return variant.body.back();
}

void BodyLowering::copy(uint32_t from, uint32_t to) {
  if (from == to)
    return;
  Instruction instruction;
  instruction.op = Opcode::Copy;
  instruction.buffers = {from, to};
  instruction.exprs = {variant.buffers[to].sizeBytes};
  append(std::move(instruction));
}

LogicalResult BodyLowering::lower(func::FuncOp function) {
  Scope scope;
  if (auto symbols = function->getAttrOfType<ArrayAttr>(ir::kSymbolsAttr))
    llvm::append_range(scope.symbols, symbols.getAsRange<ir::SymbolAttr>());
  if (failed(bindArguments(function, scope)) ||
      failed(lowerBlock(function.getBody().front(), scope)) ||
      failed(bindResults(function, scope)))
    return failure();
  append(Instruction{});
  // A result's memory is the caller's, but every use of a temporary has a
  // place.
  for (Buffer &buffer : variant.buffers)
    buffer.lastUse = std::max(buffer.firstUse, buffer.lastUse);
  return success();
}

/// The state that a cache argument is: by its name, else by its order.
int64_t BodyLowering::stateNumber(func::FuncOp function, BlockArgument value,
                                  uint32_t order) const {
  auto name =
      function.getArgAttrOfType<StringAttr>(value.getArgNumber(), "tn.name");
  for (auto [number, state] : llvm::enumerate(program.states))
    if (name ? name.getValue() == state.name : number == order)
      return number;
  return -1;
}

LogicalResult BodyLowering::bindArguments(func::FuncOp function, Scope &scope) {
  uint32_t argument = 0, state = 0;
  auto next = [&] {
    Buffer buffer;
    buffer.kind = BufferKind::Argument;
    buffer.index = argument;
    buffer.name = entry.arguments[argument].name;
    const base::TensorType &type = entry.arguments[argument].type;
    buffer.element = type.element;
    const base::ElementInfo &info = base::info(type.element);
    buffer.sizeBytes = Expr::constant(info.blockBytes);
    for (const Expr &extent : type.shape)
      buffer.sizeBytes = Expr::binary(Expr::Op::Mul, buffer.sizeBytes, extent);
    if (info.isBlocked())
      buffer.sizeBytes = Expr::binary(Expr::Op::FloorDiv, buffer.sizeBytes,
                                      Expr::constant(info.blockElements));
    ++argument;
    return addBuffer(std::move(buffer));
  };
  for (BlockArgument value : function.getArguments()) {
    Binding &binding = scope.bindings[value];
    if (isa<ir::BatchType>(value.getType())) {
      binding = {next(), next(), next()};
      continue;
    }
    if (isa<RankedTensorType>(value.getType())) {
      binding = {next()};
      continue;
    }
    int64_t number = stateNumber(function, value, state++);
    if (number < 0)
      return function.emitOpError(
                 "expects each cache argument to be a state of "
                 "the module, got argument ")
             << value.getArgNumber();
    Buffer buffer;
    buffer.kind = BufferKind::State;
    buffer.index = number;
    buffer.name = program.states[number].name;
    buffer.element = program.states[number].element;
    buffer.sizeBytes = Expr::constant(0);
    binding = {addBuffer(std::move(buffer))};
  }
  return success();
}

LogicalResult BodyLowering::bindResults(func::FuncOp function, Scope &scope) {
  bool prepares = entry.name == "prepare";
  uint64_t index = 0;
  auto caches = llvm::make_filter_range(function.getArguments(), [](Value v) {
    return isa<ir::CacheType>(v.getType());
  });
  auto cache = caches.begin();
  for (Value value :
       function.getBody().front().getTerminator()->getOperands()) {
    if (isa<ir::CacheType>(value.getType())) {
      if (cache == caches.end() ||
          scope.bindings.lookup(*cache++) != scope.bindings.lookup(value))
        return function.emitOpError(
            "expects to return its caches in the order of its arguments");
      continue;
    }
    uint32_t number = scope.bindings.lookup(value).front();
    BufferKind kind = prepares ? BufferKind::Prepared : BufferKind::Result;
    if (variant.buffers[number].kind == BufferKind::Temporary) {
      variant.buffers[number].kind = kind;
      variant.buffers[number].index = index++;
      continue;
    }
    Buffer result = variant.buffers[number];
    result.kind = kind;
    result.index = index++;
    copy(number, addBuffer(std::move(result)));
  }
  return success();
}

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
  auto [it, isNew] = parameterBuffers.try_emplace(op.getParameter(), 0);
  if (isNew) {
    auto declared = module.lookupSymbol<ir::ParameterOp>(op.getParameter());
    auto type = cast<RankedTensorType>(op.getType());
    Buffer buffer;
    buffer.name = op.getParameter().str();
    buffer.element = ir::storageOf(type.getElementType());
    if (auto prepared =
            declared->getAttrOfType<IntegerAttr>(ir::kPreparedAttr)) {
      buffer.kind = BufferKind::Prepared;
      buffer.index = prepared.getInt();
    } else {
      buffer.kind = BufferKind::Parameter;
      auto found = llvm::find_if(program.parameters, [&](const auto &p) {
        return p.name == op.getParameter();
      });
      buffer.index = found - program.parameters.begin();
    }
    FailureOr<Expr> size = sizeOf(type, entry);
    if (failed(size))
      return op.emitOpError("expects a parameter of static shape, got ")
             << type;
    buffer.sizeBytes = *size;
    it->second = addBuffer(std::move(buffer));
  }
  scope.bindings[op.getValue()] = {it->second};
  return success();
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

LogicalResult BodyLowering::lowerConstant(ir::ConstantOp op, Scope &scope) {
  auto [it, isNew] = constantBuffers.try_emplace(op.getValue(), 0);
  if (isNew) {
    auto value = dyn_cast<DenseElementsAttr>(op.getValue());
    if (!value)
      return op.emitOpError("expects dense elements");
    std::string bytes = bytesOf(value);
    program.constants.resize((program.constants.size() + 63) / 64 * 64);
    Buffer buffer;
    buffer.kind = BufferKind::Constant;
    buffer.index = program.constants.size();
    buffer.name = "constant";
    buffer.element = ir::storageOf(value.getElementType());
    buffer.sizeBytes = Expr::constant(bytes.size());
    program.constants += bytes;
    it->second = addBuffer(std::move(buffer));
  }
  scope.bindings[op.getResult()] = {it->second};
  return success();
}

LogicalResult BodyLowering::lowerCall(func::CallOp op, Scope &scope) {
  auto callee = module.lookupSymbol<func::FuncOp>(op.getCallee());
  if (!callee || callee.isDeclaration())
    return op.emitOpError("expects a function with a body");
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

LogicalResult BodyLowering::lowerKernel(ir::KernelOp op, Scope &scope) {
  Instruction launch;
  launch.op = Opcode::Launch;
  launch.kernel = kernels.add(op, scope.symbols);
  launch.label = scope.label;
  for (Value operand : op.getInputs())
    llvm::append_range(launch.buffers, scope.bindings.lookup(operand));
  for (OpResult result : op.getResults()) {
    if (isa<ir::CacheType>(result.getType())) {
      Value operand =
          op.getInputs()[aliasedOperand(op, result.getResultNumber())];
      scope.bindings[result] = scope.bindings.lookup(operand);
      continue;
    }
    FailureOr<uint32_t> made = addTemporary(result, op.getLabel());
    if (failed(made))
      return failure();
    scope.bindings[result] = {*made};
    launch.buffers.push_back(*made);
  }
  append(std::move(launch));
  return success();
}
