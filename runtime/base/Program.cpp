//===- Program.cpp - Checks a program before it is trusted ----------------===//
//
// The executor indexes without asking again, so everything it indexes with is
// checked here. Messages are built on failure only: a program has thousands of
// instructions and is verified at every open.
//
//===----------------------------------------------------------------------===//

#include "runtime/base/Program.h"

#include <algorithm>
#include <cmath>
#include <unordered_set>

namespace tenon::base {
namespace {

// Far above any real program; they bound the work a hostile one can ask for.
constexpr size_t kMaxBuffers = 1 << 15;
constexpr uint32_t kMaxRegisters = 1 << 12;
constexpr int64_t kMaxScratchBytes = int64_t{1} << 30;

struct Scope {
  const Program &program;
  const Entry &entry;
  const Variant &variant;
};

template <typename T>
Status checkNames(const std::vector<T> &items, const char *what) {
  std::unordered_set<std::string_view> seen;
  for (const T &item : items) {
    if (item.name.empty())
      return dataLoss("expects every ", what, " to have a name");
    if (!seen.insert(item.name).second)
      return dataLoss("expects one ", what, " named '", item.name,
                      "', got two");
  }
  return Status();
}

/// Bytes of a tensor of static shape.
StatusOr<int64_t> staticBytes(ElementType element,
                              const std::vector<int64_t> &shape) {
  int64_t count = 1;
  for (int64_t dim : shape)
    if (dim < 0 || __builtin_mul_overflow(count, dim, &count))
      return dataLoss("expects a shape of axes >= 0, got an axis of ", dim);
  return sizeBytes(element, count);
}

Status checkParameter(const Parameter &parameter) {
  StatusOr<int64_t> bytes = staticBytes(parameter.element, parameter.shape);
  if (!bytes.ok())
    return dataLoss("parameter '", parameter.name,
                    "': ", bytes.status().message());
  return Status();
}

Status checkState(const State &state) {
  if (state.bytesPerBlock < 0)
    return dataLoss("state '", state.name,
                    "' expects a block size >= 0 bytes, got ",
                    state.bytesPerBlock);
  if (!state.isTensor()) {
    if (!state.shape.empty() || !state.source.empty())
      return dataLoss("state '", state.name,
                      "' expects no shape and no source of a cache");
    return Status();
  }
  if (!std::isfinite(state.mean) || !(state.deviation >= 0))
    return dataLoss("state '", state.name,
                    "' expects a finite mean and a deviation >= 0, got ",
                    state.mean, " and ", state.deviation);
  StatusOr<int64_t> bytes = staticBytes(state.element, state.shape);
  if (!bytes.ok())
    return dataLoss("state '", state.name, "': ", bytes.status().message());
  return Status();
}

Status checkGlobals(const Program &program) {
  TENON_RETURN_IF_ERROR(checkNames(program.parameters, "parameter"));
  TENON_RETURN_IF_ERROR(checkNames(program.prepared, "prepared value"));
  TENON_RETURN_IF_ERROR(checkNames(program.states, "state"));
  TENON_RETURN_IF_ERROR(checkNames(program.entries, "entry"));
  for (const Parameter &parameter : program.parameters)
    TENON_RETURN_IF_ERROR(checkParameter(parameter));
  for (const Prepared &prepared : program.prepared)
    if (prepared.sizeBytes < 0)
      return dataLoss("prepared '", prepared.name,
                      "' expects a size >= 0 bytes, got ", prepared.sizeBytes);
  for (const State &state : program.states)
    TENON_RETURN_IF_ERROR(checkState(state));
  for (const Kernel &kernel : program.kernels) {
    if (kernel.symbol.empty())
      return dataLoss("expects every kernel to have a symbol");
    if (kernel.scratchBytes < 0 || kernel.scratchBytes > kMaxScratchBytes)
      return dataLoss("kernel '", kernel.symbol, "' expects scratch in [0, ",
                      kMaxScratchBytes, "] bytes, got ", kernel.scratchBytes);
    for (const RowRead &read : kernel.rowReads)
      if (read.table >= kernel.bufferCount ||
          read.index >= kernel.bufferCount || read.rowBytes < 0)
        return dataLoss("kernel '", kernel.symbol,
                        "' expects to read rows of >= 0 bytes from buffers "
                        "below ",
                        kernel.bufferCount, ", got ", read.rowBytes,
                        " bytes of buffer ", read.table, " by ", read.index);
  }
  return Status();
}

Status checkValues(const Entry &entry, const std::vector<Value> &values,
                   const char *what) {
  TENON_RETURN_IF_ERROR(checkNames(values, what));
  for (const Value &value : values)
    for (size_t axis = 0; axis < value.type.shape.size(); ++axis)
      if (!value.type.shape[axis].isValid(entry.symbols.size(), 0))
        return dataLoss(what, " '", value.name, "' axis ", axis,
                        " expects an expression over the entry's symbols");
  return Status();
}

Status checkSignature(const Entry &entry) {
  TENON_RETURN_IF_ERROR(checkNames(entry.symbols, "symbol"));
  for (const Symbol &symbol : entry.symbols)
    if (symbol.min < 0 || symbol.min > symbol.max || symbol.divisor < 1)
      return dataLoss("symbol '", symbol.name,
                      "' expects 0 <= min <= max and a divisor >= 1, got [",
                      symbol.min, ", ", symbol.max, "] divisor ",
                      symbol.divisor);
  TENON_RETURN_IF_ERROR(checkValues(entry, entry.arguments, "argument"));
  TENON_RETURN_IF_ERROR(checkValues(entry, entry.results, "result"));
  if (entry.name == "prepare" &&
      !(entry.arguments.empty() && entry.results.empty()))
    return dataLoss("expects no arguments and no results");
  if (entry.variants.empty())
    return dataLoss("expects at least one variant");
  return Status();
}

/// How many things `buffer.index` may name; for constants, how many bytes.
size_t indexBound(const Scope &scope, BufferKind kind) {
  switch (kind) {
  case BufferKind::Argument:
    return scope.entry.arguments.size();
  case BufferKind::Result:
    return scope.entry.results.size();
  case BufferKind::Parameter:
    return scope.program.parameters.size();
  case BufferKind::Prepared:
    return scope.program.prepared.size();
  case BufferKind::Constant:
    return scope.program.constants.size() + 1; // an empty one at the end
  case BufferKind::State:
    return scope.program.states.size();
  case BufferKind::Temporary:
    break;
  }
  return SIZE_MAX;
}

/// Bytes of the memory a fixed buffer lies in; -1 where only a call knows.
int64_t fixedBytes(const Scope &scope, const Buffer &buffer) {
  const Program &program = scope.program;
  if (buffer.kind == BufferKind::Parameter) {
    const Parameter &parameter = program.parameters[buffer.index];
    return *staticBytes(parameter.element, parameter.shape);
  }
  if (buffer.kind == BufferKind::Prepared)
    return program.prepared[buffer.index].sizeBytes;
  if (buffer.kind == BufferKind::State &&
      program.states[buffer.index].isTensor()) {
    const State &state = program.states[buffer.index];
    return *staticBytes(state.element, state.shape);
  }
  if (buffer.kind == BufferKind::Constant)
    return program.constants.size() - buffer.index;
  return -1;
}

Status checkBuffer(const Scope &scope, const Buffer &buffer) {
  if (buffer.kind > BufferKind::State)
    return dataLoss("expects a known kind, got ",
                    static_cast<int>(buffer.kind));
  if (buffer.index >= indexBound(scope, buffer.kind))
    return dataLoss("expects an index below ", indexBound(scope, buffer.kind),
                    ", got ", buffer.index);
  if (!buffer.sizeBytes.isValid(scope.entry.symbols.size(), 0))
    return dataLoss("expects a size over the entry's symbols");
  if (buffer.firstUse > buffer.lastUse ||
      buffer.lastUse >= scope.variant.body.size())
    return dataLoss("expects a lifetime inside [0, ", scope.variant.body.size(),
                    "), got [", buffer.firstUse, ", ", buffer.lastUse, "]");
  int64_t bytes = fixedBytes(scope, buffer);
  if (bytes < 0)
    return Status();
  if (!buffer.sizeBytes.isConstant() || buffer.sizeBytes.terms[0].value < 0 ||
      buffer.sizeBytes.terms[0].value > bytes)
    return dataLoss("expects a constant size of at most ", bytes,
                    " bytes, got ", buffer.sizeBytes.print({}));
  return Status();
}

/// A loop is [target, i] for a branch at i back to target. A temporary lives
/// inside one turn or through all of them; one that began before the loop and
/// ended in it would be overwritten before the second turn.
Status checkLoop(const Variant &variant, uint32_t first, uint32_t last) {
  for (size_t i = 0; i < variant.buffers.size(); ++i) {
    const Buffer &buffer = variant.buffers[i];
    bool apart = buffer.lastUse < first || buffer.firstUse > last;
    bool inside = buffer.firstUse >= first && buffer.lastUse <= last;
    bool around = buffer.firstUse <= first && buffer.lastUse >= last;
    if (buffer.kind == BufferKind::Temporary && !apart && !inside && !around)
      return dataLoss("expects buffer ", i, " '", buffer.name,
                      "' to live inside or through the loop [", first, ", ",
                      last, "], got [", buffer.firstUse, ", ", buffer.lastUse,
                      "]");
  }
  return Status();
}

Status checkCount(const char *what, size_t expected, size_t got) {
  if (expected == got)
    return Status();
  return dataLoss("expects ", expected, " ", what, ", got ", got);
}

Status checkLaunch(const Scope &scope, const Instruction &launch) {
  if (launch.kernel >= scope.program.kernels.size())
    return dataLoss("expects a kernel below ", scope.program.kernels.size(),
                    ", got ", launch.kernel);
  const Kernel &kernel = scope.program.kernels[launch.kernel];
  TENON_RETURN_IF_ERROR(
      checkCount("buffers", kernel.bufferCount, launch.buffers.size()));
  TENON_RETURN_IF_ERROR(
      checkCount("dims", kernel.dimCount, launch.exprs.size()));
  if (!launch.tiles.isValid(scope.entry.symbols.size(),
                            scope.variant.registerCount))
    return dataLoss("expects a tile count over symbols and registers");
  return Status();
}

Status checkCopy(const Scope &scope, const Instruction &copy) {
  BufferKind to = scope.variant.buffers[copy.buffers[1]].kind;
  bool readOnly = to == BufferKind::Argument || to == BufferKind::Parameter ||
                  to == BufferKind::Constant ||
                  (to == BufferKind::Prepared && scope.entry.name != "prepare");
  if (readOnly)
    return dataLoss("expects a copy into memory the entry may write");
  return Status();
}

/// Operand counts of everything but a launch.
struct Arity {
  size_t buffers, exprs;
  bool setsRegister, branches;
};
Arity arityOf(Opcode op) {
  switch (op) {
  case Opcode::Copy:
    return {2, 1, false, false};
  case Opcode::Set:
    return {0, 1, true, false};
  case Opcode::Load:
  case Opcode::Emit:
    return {1, 1, true, false};
  case Opcode::Store:
    return {1, 2, false, false};
  case Opcode::Branch:
    return {0, 0, false, true};
  case Opcode::BranchIf:
    return {0, 1, false, true};
  default:
    return {0, 0, false, false};
  }
}

Status checkOperands(const Scope &scope, const Instruction &instruction,
                     uint32_t at) {
  const std::vector<Buffer> &buffers = scope.variant.buffers;
  for (uint32_t buffer : instruction.buffers) {
    if (buffer >= buffers.size())
      return dataLoss("expects a buffer below ", buffers.size(), ", got ",
                      buffer);
    if (at < buffers[buffer].firstUse || at > buffers[buffer].lastUse)
      return dataLoss("uses buffer ", buffer, " '", buffers[buffer].name,
                      "' outside its lifetime [", buffers[buffer].firstUse,
                      ", ", buffers[buffer].lastUse, "]");
  }
  for (const Expr &expr : instruction.exprs)
    if (!expr.isValid(scope.entry.symbols.size(), scope.variant.registerCount))
      return dataLoss("expects expressions over symbols and registers");
  return Status();
}

Status checkLoad(const Scope &scope, const Instruction &instruction) {
  ElementType element = scope.variant.buffers[instruction.buffers[0]].element;
  bool other = element == ElementType::I64 || element == ElementType::Bool;
  if (element == ElementType::I32 || (other && instruction.op != Opcode::Emit))
    return Status();
  return dataLoss("expects integer elements, got ", info(element).name);
}

Status checkStore(const Scope &scope, const Instruction &store) {
  BufferKind to = scope.variant.buffers[store.buffers[0]].kind;
  if (to == BufferKind::Temporary || to == BufferKind::Result)
    return Status();
  return dataLoss("expects to store into a temporary or a result");
}

Status checkInstruction(const Scope &scope, uint32_t at) {
  const Instruction &instruction = scope.variant.body[at];
  if (instruction.op > Opcode::Return)
    return dataLoss("expects a known opcode, got ",
                    static_cast<int>(instruction.op));
  TENON_RETURN_IF_ERROR(checkOperands(scope, instruction, at));
  if (instruction.op == Opcode::Launch)
    return checkLaunch(scope, instruction);
  Arity arity = arityOf(instruction.op);
  TENON_RETURN_IF_ERROR(
      checkCount("buffers", arity.buffers, instruction.buffers.size()));
  TENON_RETURN_IF_ERROR(
      checkCount("expressions", arity.exprs, instruction.exprs.size()));
  if (arity.setsRegister && instruction.reg >= scope.variant.registerCount)
    return dataLoss("expects a register below ", scope.variant.registerCount,
                    ", got ", instruction.reg);
  if (arity.branches && instruction.target >= scope.variant.body.size())
    return dataLoss("expects a target below ", scope.variant.body.size(),
                    ", got ", instruction.target);
  if (arity.branches && instruction.target <= at)
    return checkLoop(scope.variant, instruction.target, at);
  if (instruction.op == Opcode::Copy)
    return checkCopy(scope, instruction);
  if (instruction.op == Opcode::Store)
    TENON_RETURN_IF_ERROR(checkStore(scope, instruction));
  if (instruction.op == Opcode::Load || instruction.op == Opcode::Store ||
      instruction.op == Opcode::Emit)
    return checkLoad(scope, instruction);
  return Status();
}

Status checkFrame(const Scope &scope) {
  const Variant &variant = scope.variant;
  for (const Guard &guard : variant.guards)
    if (guard.symbol >= scope.entry.symbols.size() || guard.min > guard.max)
      return dataLoss("expects guards min <= max on known symbols, got symbol ",
                      guard.symbol, " in [", guard.min, ", ", guard.max, "]");
  if (variant.registerCount > kMaxRegisters)
    return dataLoss("expects at most ", kMaxRegisters, " registers, got ",
                    variant.registerCount);
  if (variant.buffers.size() > kMaxBuffers)
    return dataLoss("expects at most ", kMaxBuffers, " buffers, got ",
                    variant.buffers.size());
  if (variant.body.empty() || (variant.body.back().op != Opcode::Return &&
                               variant.body.back().op != Opcode::Branch))
    return dataLoss("expects a body that ends in return or branch");
  return Status();
}

Status checkVariant(const Scope &scope) {
  TENON_RETURN_IF_ERROR(checkFrame(scope));
  for (size_t i = 0; i < scope.variant.buffers.size(); ++i)
    if (Status s = checkBuffer(scope, scope.variant.buffers[i]); !s.ok())
      return s.withContext(
          concat("buffer ", i, " '", scope.variant.buffers[i].name, "'"));
  for (size_t i = 0; i < scope.variant.body.size(); ++i)
    if (Status s = checkInstruction(scope, i); !s.ok())
      return s.withContext(concat("instruction ", i));
  return Status();
}

} // namespace

Status verify(const Program &program) {
  TENON_RETURN_IF_ERROR(checkGlobals(program));
  for (const Entry &entry : program.entries) {
    if (Status s = checkSignature(entry); !s.ok())
      return s.withContext(concat("entry '", entry.name, "'"));
    for (const Variant &variant : entry.variants)
      if (Status s = checkVariant({program, entry, variant}); !s.ok())
        return s.withContext(
            concat("entry '", entry.name, "' variant '", variant.name, "'"));
  }
  return Status();
}

} // namespace tenon::base
