//===- Session.cpp - Calls to a program's entries -------------------------===//
//
// SessionMemory.cpp opens; this file runs what was opened.
//
//===----------------------------------------------------------------------===//

#include "runtime/exec/Session.h"

#include <algorithm>

namespace tenon::exec {
namespace {

/// Bytes of a tensor whose shape has been checked against its type.
template <typename View> StatusOr<Region> regionOf(const View &view) {
  int64_t count = 1;
  for (int64_t dim : view.shape)
    if (dim < 0 || __builtin_mul_overflow(count, dim, &count))
      return outOfRange("expects axes >= 0 of fewer than 2^63 elements");
  TENON_ASSIGN_OR_RETURN(int64_t bytes, base::sizeBytes(view.element, count));
  // Arguments are only read: the verifier lets no copy write to one.
  auto *data = static_cast<char *>(
      const_cast<void *>(static_cast<const void *>(view.data)));
  return Region{data, bytes};
}

/// "'forward' takes no T = 600: decode (T in [1, 1]), prompt (T in [2, 512])".
Status noVariant(const base::Entry &entry,
                 const std::vector<int64_t> &symbols) {
  std::string values, known;
  for (size_t s = 0; s < symbols.size(); ++s)
    values += concat(s ? ", " : "", entry.symbols[s].name, " = ", symbols[s]);
  for (const base::Variant &variant : entry.variants) {
    std::string guards;
    for (const base::Guard &guard : variant.guards)
      guards +=
          concat(guards.empty() ? "" : ", ", entry.symbols[guard.symbol].name,
                 " in [", guard.min, ", ", guard.max, "]");
    known += concat(known.empty() ? "" : "; ", variant.name, " (", guards, ")");
  }
  return invalidArgument("expects symbols that a variant takes: ", known,
                         "; got ", values);
}

} // namespace

StatusOr<uint32_t> Session::findEntry(std::string_view name) const {
  std::string known;
  for (size_t i = 0; i < entries.size(); ++i) {
    if (entries[i].entry->name == name)
      return static_cast<uint32_t>(i);
    known += concat(i ? ", " : "", entries[i].entry->name);
  }
  return notFound("expects one of the entries ", known, ", got '", name, "'");
}

Status Session::call(std::string_view entry,
                     std::span<const TensorView> arguments,
                     std::span<const MutableTensorView> results) {
  TENON_ASSIGN_OR_RETURN(uint32_t index, findEntry(entry));
  return call(index, arguments, results);
}

Status Session::call(uint32_t entry, std::span<const TensorView> arguments,
                     std::span<const MutableTensorView> results) {
  if (entry >= entries.size())
    return invalidArgument("expects an entry below ", entries.size(), ", got ",
                           entry);
  EntryPlan &plan = entries[entry];
  Status status = plan.entry->name == "prepare"
                      ? invalidArgument("runs only when a session opens")
                      : run(plan, arguments, results);
  if (!status.ok())
    return status.withContext(concat("entry '", plan.entry->name, "'"));
  return status;
}

Status Session::run(EntryPlan &plan, std::span<const TensorView> arguments,
                    std::span<const MutableTensorView> results) {
  TENON_RETURN_IF_ERROR(plan.unusable);
  TENON_RETURN_IF_ERROR(plan.binder.bind(arguments, results, plan.symbols));
  for (size_t i = 0; i < arguments.size(); ++i) {
    TENON_ASSIGN_OR_RETURN(plan.arguments[i], regionOf(arguments[i]));
  }
  for (size_t i = 0; i < results.size(); ++i) {
    TENON_ASSIGN_OR_RETURN(plan.results[i], regionOf(results[i]));
  }
  context.sink = &emitSink;
  for (VariantPlan &variant : plan.variants)
    if (variant.reachable() && variant.accepts(plan.symbols))
      return variant.run(context, plan.symbols, plan.arguments, plan.results);
  return noVariant(*plan.entry, plan.symbols);
}

void Session::timeKernels(bool on) {
  times.assign(on ? loaded->program().kernels.size() : 0, KernelTime());
  context.kernelTimes = times;
}

SessionStats Session::stats() const {
  SessionStats stats;
  stats.arenaBytes = arenaBytes;
  stats.preparedBytes = preparedSize;
  stats.stateBytes = stateBytes;
  stats.scratchBytes = scratchBytes * device->workers();
  stats.launchesOfLastCall = context.launches;
  return stats;
}

Session::AxisRange Session::axisRange(uint32_t entry, size_t argument,
                                      size_t axis) const {
  const EntryPlan &plan = entries[entry];
  const base::Expr &expr = plan.entry->arguments[argument].type.shape[axis];
  if (expr.isConstant())
    return {expr.terms[0].value, expr.terms[0].value};
  if (!plan.unusable.ok() || expr.terms.size() != 1)
    return {};
  size_t symbol = expr.terms[0].value;
  AxisRange range = {plan.entry->symbols[symbol].min, 0};
  for (const VariantPlan &variant : plan.variants)
    if (variant.reachable())
      range.most = std::max(range.most, variant.limits()[symbol]);
  return range;
}

std::span<const std::byte> Session::preparedBytes() const {
  if (map.prepared.empty())
    return {};
  return {reinterpret_cast<const std::byte *>(map.prepared.front().data),
          static_cast<size_t>(preparedSize)};
}

} // namespace tenon::exec
