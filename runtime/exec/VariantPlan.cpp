//===- VariantPlan.cpp - One variant, placed in memory and run ------------===//

#include "runtime/exec/VariantPlan.h"
#include "runtime/exec/FiniteCheck.h"
#include "runtime/exec/Trace.h"

#include <algorithm>
#include <cstring>

namespace tenon::exec {
namespace {

using base::Buffer;
using base::BufferKind;
using base::Instruction;
using base::Opcode;

/// "tn.moe_route in layers.1". Equal layers share a kernel, whose locations are
/// of the first one: the launch says which layer it is.
std::string placeOf(const base::KernelLocation &location,
                    const std::string &layer) {
  const std::string &source = location.source;
  if (layer.empty() || source == layer || source.starts_with(layer + "."))
    return concat(location.op, " at ", source);
  bool isFile = source.find(':') != std::string::npos;
  return concat(location.op, " in ", layer, isFile ? " at " + source : "");
}

/// Turns a kernel's failure word into words.
Status describe(const base::Kernel &kernel, const std::string &layer,
                const tenon_failure &failure) {
  std::string where = kernel.label.empty() ? kernel.symbol : kernel.label;
  std::string_view op;
  auto location = static_cast<size_t>(failure.location);
  if (location < kernel.locations.size()) {
    where = placeOf(kernel.locations[location], layer);
    op = kernel.locations[location].op;
  }
  switch (failure.kind) {
  case TENON_FAILURE_INDEX:
    if (op == "tn.moe_weigh" || op == "tn.moe_dispatch")
      return outOfRange(where, ": token ", failure.row, " has expert ",
                        failure.value,
                        ", tokens counted within the call; expects a number "
                        "below the layer's experts");
    return outOfRange(where, ": row ", failure.row, " has index ",
                      failure.value, ", which is outside its axis");
  case TENON_FAILURE_NAN:
    if (op == "tn.moe_route" || op == "tn.moe_weigh")
      return outOfRange(where, ": the router's logits of token ", failure.row,
                        " hold a NaN, tokens counted within the call; look for "
                        "NaN among the weights and what they multiply");
    return outOfRange(where, ": row ", failure.row, " holds a NaN");
  case TENON_FAILURE_NO_PAGE:
    return resourceExhausted(where, ": row ", failure.row, " at position ",
                             failure.value, " has no cache page");
  case TENON_FAILURE_ORDER:
    return outOfRange(where, ": row ", failure.row, " at position ",
                      failure.value,
                      " begins no sequence and does not follow the row before");
  default:
    return internalError(where, ": row ", failure.row,
                         " failed in an unknown way, ", failure.kind);
  }
}

Status overflow(const char *what) {
  return outOfRange(what, " overflows or divides by a number below 1");
}

/// The memory a buffer with a fixed address lies in.
Region regionOf(const Buffer &buffer, int64_t offset, const MemoryMap &map) {
  switch (buffer.kind) {
  case BufferKind::Parameter:
    return map.parameters[buffer.index];
  case BufferKind::Prepared:
    return map.prepared[buffer.index];
  case BufferKind::State:
    return map.states[buffer.index];
  case BufferKind::Constant:
    return {map.constants.data + buffer.index,
            map.constants.sizeBytes - static_cast<int64_t>(buffer.index)};
  default:
    return {map.arena.data + offset, 0};
  }
}

} // namespace

StatusOr<VariantPlan> VariantPlan::create(const base::Variant &variant,
                                          const std::vector<int64_t> &limits) {
  VariantPlan result;
  result.variant = &variant;
  result.largest = limits;
  std::vector<int64_t> &most = result.largest;
  for (const base::Guard &guard : variant.guards) {
    most[guard.symbol] = std::min(most[guard.symbol], guard.max);
    result.isReachable &= guard.min <= most[guard.symbol];
  }
  if (!result.isReachable)
    return result;
  StatusOr<base::MemoryPlan> plan = planMemory(variant, most);
  if (!plan.ok())
    return plan.status().withContext(concat("variant '", variant.name, "'"));
  result.plan = *std::move(plan);
  result.registers.resize(variant.registerCount);
  result.sizedFor.reserve(limits.size()); // assigned within calls
  result.sizes.resize(variant.buffers.size());
  result.bounds.resize(variant.buffers.size());
  for (size_t i = 0; i < variant.buffers.size(); ++i) {
    const Buffer &buffer = variant.buffers[i];
    if (buffer.kind == BufferKind::Argument ||
        buffer.kind == BufferKind::Result)
      result.callBuffers.push_back(i);
    if (buffer.kind == BufferKind::Temporary) {
      TENON_ASSIGN_OR_RETURN(result.bounds[i].sizeBytes,
                             buffer.sizeBytes.evaluate(most, {}));
    }
  }
  size_t operands = 0, dims = 0;
  for (const Instruction &instruction : variant.body) {
    result.launchCount += instruction.op == Opcode::Launch;
    operands = std::max(operands, instruction.buffers.size());
    dims = std::max(dims, instruction.exprs.size());
  }
  result.operands.resize(operands);
  result.dims.resize(dims);
  return result;
}

bool VariantPlan::accepts(const std::vector<int64_t> &symbols) const {
  return std::all_of(variant->guards.begin(), variant->guards.end(),
                     [&](const base::Guard &guard) {
                       int64_t value = symbols[guard.symbol];
                       return guard.min <= value && value <= guard.max;
                     });
}

void VariantPlan::place(const MemoryMap &map) {
  if (!isReachable)
    return;
  for (size_t i = 0; i < variant->buffers.size(); ++i) {
    const Buffer &buffer = variant->buffers[i];
    if (buffer.kind == BufferKind::Argument ||
        buffer.kind == BufferKind::Result)
      continue;
    Region region = regionOf(buffer, plan.offsets[i], map);
    // A temporary keeps the size it was planned with.
    if (buffer.kind != BufferKind::Temporary)
      bounds[i].sizeBytes = region.sizeBytes;
    bounds[i].data = region.data;
  }
  sizedFor.clear();
}

Status VariantPlan::resize(const std::vector<int64_t> &symbols) {
  if (sizedFor == symbols && !sizedFor.empty())
    return Status();
  for (size_t i = 0; i < sizes.size(); ++i) {
    const Buffer &buffer = variant->buffers[i];
    if (!buffer.sizeBytes.tryEvaluate(symbols.data(), nullptr, sizes[i]))
      return overflow("a buffer's size");
    bool ofCall = buffer.kind == BufferKind::Argument ||
                  buffer.kind == BufferKind::Result;
    if (sizes[i] >= 0 && (ofCall || sizes[i] <= bounds[i].sizeBytes))
      continue;
    sizedFor.clear();
    return outOfRange("buffer ", i, " '", buffer.name, "' expects at most ",
                      bounds[i].sizeBytes, " bytes, got ", sizes[i]);
  }
  sizedFor = symbols;
  return Status();
}

Status VariantPlan::bind(std::span<const Region> arguments,
                         std::span<const Region> results) {
  for (uint32_t i : callBuffers) {
    const Buffer &buffer = variant->buffers[i];
    const Region &region = buffer.kind == BufferKind::Argument
                               ? arguments[buffer.index]
                               : results[buffer.index];
    if (sizes[i] > region.sizeBytes)
      return outOfRange("buffer ", i, " '", buffer.name, "' expects ", sizes[i],
                        " bytes, the caller's has ", region.sizeBytes);
    bounds[i] = region;
  }
  return Status();
}

Status VariantPlan::run(RunContext &context,
                        const std::vector<int64_t> &symbols,
                        std::span<const Region> arguments,
                        std::span<const Region> results) {
  TENON_RETURN_IF_ERROR(resize(symbols));
  TENON_RETURN_IF_ERROR(bind(arguments, results));
  std::fill(registers.begin(), registers.end(), 0);
  context.failure = {};
  context.launches = 0;
  return execute(context, symbols);
}

Status VariantPlan::execute(RunContext &context,
                            const std::vector<int64_t> &symbolValues) {
  const int64_t *symbols = symbolValues.data();
  FiniteCheck check(context.program->program(), *variant);
  size_t at = 0;
  while (true) {
    const Instruction &instruction = variant->body[at++];
    if (context.cancel->load(std::memory_order_relaxed))
      return cancelled("the call was cancelled at instruction ", at - 1);
    Status status;
    int64_t number;
    switch (instruction.op) {
    case Opcode::Launch:
      status = launch(context, instruction, symbols);
      if (status.ok() && context.checksFinite)
        status = check.after(instruction, bounds, sizes);
      break;
    case Opcode::Copy:
      status = copy(context, instruction, symbols);
      break;
    case Opcode::Load:
      status = load(instruction, symbols);
      break;
    case Opcode::Store:
      status = store(instruction, symbols);
      break;
    case Opcode::Emit:
      status = emit(context, instruction, symbols);
      break;
    case Opcode::Set:
      if (!value(instruction.exprs[0], symbols, registers[instruction.reg]))
        status = overflow("a register's value");
      break;
    case Opcode::BranchIf:
      if (!value(instruction.exprs[0], symbols, number))
        status = overflow("a branch's condition");
      else if (number != 0)
        at = instruction.target;
      break;
    case Opcode::Branch:
      at = instruction.target;
      break;
    case Opcode::Return:
      return Status();
    }
    if (!status.ok())
      return status.withContext(concat("variant '", variant->name,
                                       "' instruction ",
                                       &instruction - variant->body.data()));
  }
}

Status VariantPlan::launch(RunContext &context, const Instruction &instruction,
                           const int64_t *symbols) {
  for (size_t i = 0; i < instruction.exprs.size(); ++i)
    if (!value(instruction.exprs[i], symbols, dims[i]))
      return overflow("a kernel's dimension");
  int64_t tiles;
  if (!value(instruction.tiles, symbols, tiles))
    return overflow("a tile count");
  if (tiles < 0 || tiles > UINT32_MAX)
    return outOfRange("expects a tile count in [0, 2^32), got ", tiles);
  if (tiles == 0)
    return Status();
  for (size_t i = 0; i < instruction.buffers.size(); ++i)
    operands[i] = bounds[instruction.buffers[i]].data;
  hal::Launch launch = {context.program->kernel(instruction.kernel),
                        operands.data(), dims.data(),
                        static_cast<uint32_t>(tiles), &context.failure};
  ++context.launches;
  const base::Kernel &kernel =
      context.program->program().kernels[instruction.kernel];
  if (context.trace || !context.kernelTimes.empty())
    timeLaunch(context, instruction, launch, spans);
  else
    context.device->launch(launch);
  if (context.progress)
    (*context.progress)(context.launches, launchCount);
  // A later launch would overwrite which kernel it was.
  if (context.failure.kind != TENON_FAILURE_NONE)
    return describe(kernel, instruction.label, context.failure);
  return Status();
}

Status VariantPlan::copy(RunContext &context, const Instruction &instruction,
                         const int64_t *symbols) {
  uint32_t from = instruction.buffers[0], to = instruction.buffers[1];
  int64_t bytes;
  if (!value(instruction.exprs[0], symbols, bytes))
    return overflow("a copy's size");
  int64_t most = std::min(sizes[from], sizes[to]);
  if (bytes < 0 || bytes > most)
    return outOfRange("expects to copy at most ", most, " bytes, got ", bytes);
  context.device->copy(bounds[to].data, bounds[from].data, bytes);
  return Status();
}

StatusOr<char *> VariantPlan::hostElement(const Instruction &instruction,
                                          const int64_t *symbols) {
  uint32_t buffer = instruction.buffers[0];
  int64_t bytes = base::info(variant->buffers[buffer].element).blockBytes;
  int64_t index, count = sizes[buffer] / bytes;
  if (!value(instruction.exprs[0], symbols, index))
    return overflow("an element's index");
  if (index < 0 || index >= count)
    return outOfRange("expects an element below ", count, ", got ", index);
  return bounds[buffer].data + index * bytes;
}

Status VariantPlan::load(const Instruction &instruction,
                         const int64_t *symbols) {
  TENON_ASSIGN_OR_RETURN(char *element, hostElement(instruction, symbols));
  int64_t &reg = registers[instruction.reg];
  int32_t narrow;
  switch (variant->buffers[instruction.buffers[0]].element) {
  case base::ElementType::Bool:
    reg = *element != 0;
    break;
  case base::ElementType::I64:
    std::memcpy(&reg, element, 8);
    break;
  default:
    std::memcpy(&narrow, element, 4);
    reg = narrow;
  }
  return Status();
}

Status VariantPlan::store(const Instruction &instruction,
                          const int64_t *symbols) {
  TENON_ASSIGN_OR_RETURN(char *element, hostElement(instruction, symbols));
  int64_t number;
  if (!value(instruction.exprs[1], symbols, number))
    return overflow("a stored value");
  // Little-endian: the low bytes are the narrower value.
  std::memcpy(
      element, &number,
      base::info(variant->buffers[instruction.buffers[0]].element).blockBytes);
  return Status();
}

Status VariantPlan::emit(RunContext &context, const Instruction &instruction,
                         const int64_t *symbols) {
  uint32_t from = instruction.buffers[0];
  int64_t count, most = sizes[from] / 4;
  if (!value(instruction.exprs[0], symbols, count))
    return overflow("an emit's count");
  if (count < 0 || count > most)
    return outOfRange("expects to emit at most ", most, " elements, got ",
                      count);
  registers[instruction.reg] = 0;
  if (!context.sink || !*context.sink)
    return Status();
  auto *values = reinterpret_cast<const int32_t *>(bounds[from].data);
  registers[instruction.reg] =
      (*context.sink)({values, static_cast<size_t>(count)});
  return Status();
}

} // namespace tenon::exec
