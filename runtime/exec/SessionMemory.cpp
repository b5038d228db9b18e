//===- SessionMemory.cpp - Opens a session: places all of its memory ------===//

#include "runtime/exec/AdapterSet.h"
#include "runtime/exec/InitialValues.h"
#include "runtime/exec/PageTable.h"
#include "runtime/exec/Session.h"

#include <algorithm>
#include <cstring>
#include <limits>

namespace tenon::exec {
namespace {

using base::Buffer;
using base::BufferKind;

constexpr int64_t kAlignment = 64; // a cache line, and the widest vector

/// Whether some buffer of the entry is the program's `parameter`th.
bool reads(const base::Entry &entry, size_t parameter) {
  for (const base::Variant &variant : entry.variants)
    for (const Buffer &buffer : variant.buffers)
      if (buffer.kind == BufferKind::Parameter && buffer.index == parameter)
        return true;
  return false;
}

std::string printShape(std::span<const int64_t> shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i)
    text += concat(i ? ", " : "", shape[i]);
  return text + "]";
}

/// Bytes of a tensor whose shape has been verified.
StatusOr<int64_t> bytesOf(base::ElementType element,
                          const std::vector<int64_t> &shape) {
  int64_t count = 1;
  for (int64_t dim : shape)
    count *= dim;
  return base::sizeBytes(element, count);
}

/// Finds a parameter's bytes, of any type but of its shape.
StatusOr<TensorView> findParameter(const base::Parameter &parameter,
                                   const ParameterLookup &lookup) {
  std::string name =
      concat("parameter '", parameter.name, "' ('", parameter.source, "')");
  if (!lookup)
    return notFound(name, ": expects weights, got none");
  StatusOr<TensorView> view = lookup(parameter);
  if (!view.ok())
    return view.status().withContext(name);
  if (!std::ranges::equal(view->shape, parameter.shape))
    return invalidArgument(name, ": expects shape ",
                           printShape(parameter.shape), ", got ",
                           printShape(view->shape));
  TENON_ASSIGN_OR_RETURN(int64_t bytes,
                         bytesOf(view->element, parameter.shape));
  if (!view->data && bytes > 0)
    return invalidArgument(name, ": expects data, got null");
  return view;
}

StatusOr<Region> bindParameter(const base::Parameter &parameter,
                               const ParameterLookup &lookup) {
  TENON_ASSIGN_OR_RETURN(TensorView view, findParameter(parameter, lookup));
  if (view.element != parameter.element)
    return invalidArgument("parameter '", parameter.name, "' ('",
                           parameter.source, "'): expects elements of type ",
                           base::info(parameter.element).name, ", got ",
                           base::info(view.element).name);
  TENON_ASSIGN_OR_RETURN(int64_t bytes,
                         bytesOf(parameter.element, parameter.shape));
  // Kernels only read parameters; a Region serves both kinds of memory.
  return Region{static_cast<char *>(const_cast<void *>(view.data)), bytes};
}

/// Copies a weight into a tensor that lives across calls; one of another type
/// than f32 is widened.
Status fillState(const base::State &state, Region to,
                 const ParameterLookup &lookup) {
  TENON_ASSIGN_OR_RETURN(
      TensorView view,
      findParameter({state.name, state.source, state.element, state.shape},
                    lookup));
  if (view.element == state.element) {
    std::memcpy(to.data, view.data, to.sizeBytes);
    return Status();
  }
  if (state.element != base::ElementType::F32)
    return invalidArgument("state '", state.name,
                           "': expects elements of type ",
                           base::info(state.element).name, ", got ",
                           base::info(view.element).name);
  int64_t count = to.sizeBytes / static_cast<int64_t>(sizeof(float));
  return base::unpack(view.element, view.data, count,
                      reinterpret_cast<float *>(to.data));
}

/// An adapter's weights are drawn where the model's file has none.
Status fillAdapter(const base::State &state, Region to,
                   const ParameterLookup &lookup) {
  if (lookup) {
    Status status = fillState(state, to, lookup);
    if (status.code() != TENON_NOT_FOUND)
      return status;
  }
  if (state.element != base::ElementType::F32)
    return unimplemented("adapter's weight '", state.name,
                         "': expects f32, got ",
                         base::info(state.element).name);
  drawInitial(
      state, {reinterpret_cast<float *>(to.data), to.sizeBytes / sizeof(float)},
      /*seed=*/0);
  return Status();
}

Status checkOptions(const SessionOptions &options) {
  if (options.pageBlocks < 1 || options.pages < 0)
    return invalidArgument("expects pageBlocks >= 1 and pages >= 0, got ",
                           options.pageBlocks, " and ", options.pages);
  for (const SessionOptions::Limit &limit : options.limits)
    if (limit.most < 0)
      return invalidArgument("expects a limit >= 0 of ", limit.symbol, ", got ",
                             limit.most);
  return Status();
}

} // namespace

StatusOr<std::unique_ptr<Session>>
Session::open(std::shared_ptr<const LoadedProgram> program,
              std::shared_ptr<hal::Device> device,
              const SessionOptions &options, ParameterLookup lookup) {
  TENON_RETURN_IF_ERROR(checkOptions(options));
  std::unique_ptr<Session> session(new Session());
  session->loaded = std::move(program);
  session->device = std::move(device);
  for (const SessionOptions::Limit &limit : options.limits)
    session->limits
        .most[limit.entry.empty() ? limit.symbol
                                  : limit.entry + "/" + limit.symbol] =
        limit.most;
  session->limits.pageBlocks = options.pageBlocks;
  session->limits.pages = options.pages;
  session->context.program = session->loaded.get();
  session->context.device = session->device.get();
  session->context.cancel = &session->cancelFlag;

  const base::Program &data = session->loaded->program();
  session->map.parameters.resize(data.parameters.size());
  session->map.constants = {const_cast<char *>(session->loaded->constants()),
                            static_cast<int64_t>(data.constants.size())};
  for (const base::Kernel &kernel : data.kernels)
    session->scratchBytes =
        std::max(session->scratchBytes, kernel.scratchBytes);
  TENON_RETURN_IF_ERROR(session->device->reserveScratch(session->scratchBytes));
  TENON_RETURN_IF_ERROR(session->planEntries());
  TENON_RETURN_IF_ERROR(session->placeStates());
  TENON_RETURN_IF_ERROR(session->fillStates(lookup, options.withoutWeights));
  TENON_RETURN_IF_ERROR(session->placePrepared(options, lookup));
  TENON_RETURN_IF_ERROR(session->bindParameters(lookup, false));
  TENON_RETURN_IF_ERROR(session->placeArena());
  if (session->readsParameters())
    session->parameters = std::move(lookup);
  return session;
}

Status Session::planEntries() {
  for (const base::Entry &entry : loaded->program().entries) {
    EntryPlan &plan = entries.emplace_back();
    plan.entry = &entry;
    plan.symbols.resize(entry.symbols.size());
    plan.arguments.resize(entry.arguments.size());
    plan.results.resize(entry.results.size());
    StatusOr<SymbolBinder> binder = SymbolBinder::create(entry, limits);
    plan.unusable = binder.status();
    if (!binder.ok())
      continue;
    plan.binder = *std::move(binder);
    for (const base::Variant &variant : entry.variants) {
      StatusOr<VariantPlan> planned =
          VariantPlan::create(variant, plan.binder.limits());
      if (!planned.ok())
        return planned.status().withContext(concat("entry '", entry.name, "'"));
      plan.variants.push_back(*std::move(planned));
    }
  }
  return Status();
}

Status Session::placeStates() {
  std::vector<int64_t> offsets, sizes;
  for (const base::State &state : loaded->program().states) {
    int64_t bytes, padded;
    if (state.isTensor()) {
      TENON_ASSIGN_OR_RETURN(bytes, bytesOf(state.element, state.shape));
    } else if (__builtin_mul_overflow(state.bytesPerBlock, limits.pageBlocks,
                                      &bytes) ||
               __builtin_mul_overflow(bytes, limits.pages, &bytes)) {
      bytes = std::numeric_limits<int64_t>::max();
    }
    if (__builtin_add_overflow(bytes, kAlignment - 1, &padded) ||
        __builtin_add_overflow(stateBytes, padded, &padded))
      return resourceExhausted("state '", state.name, "' of ", limits.pages,
                               " pages exceeds 2^63 bytes");
    offsets.push_back(stateBytes);
    sizes.push_back(bytes);
    stateBytes = padded / kAlignment * kAlignment;
  }
  TENON_ASSIGN_OR_RETURN(states, device->allocate(stateBytes));
  for (size_t i = 0; i < sizes.size(); ++i)
    map.states.push_back(
        {static_cast<char *>(states.data()) + offsets[i], sizes[i]});
  return Status();
}

Status Session::fillStates(const ParameterLookup &lookup, bool withoutWeights) {
  const std::vector<base::State> &all = loaded->program().states;
  for (size_t i = 0; i < all.size(); ++i) {
    if (!all[i].isTensor())
      continue;
    Region &to = map.states[i];
    if (isAdapterWeight(all[i]))
      TENON_RETURN_IF_ERROR(fillAdapter(all[i], to, lookup));
    else if (!withoutWeights && !all[i].source.empty())
      TENON_RETURN_IF_ERROR(fillState(all[i], to, lookup));
    else
      std::memset(to.data, 0, to.sizeBytes);
  }
  return Status();
}

void Session::copyPages(std::span<const PageCopy> copies) {
  const std::vector<base::State> &all = loaded->program().states;
  for (const PageCopy &copy : copies)
    for (size_t i = 0; i < all.size(); ++i) {
      if (all[i].isTensor())
        continue;
      int64_t size = all[i].bytesPerBlock * limits.pageBlocks;
      char *pages = map.states[i].data;
      std::memcpy(pages + copy.to * size, pages + copy.from * size, size);
    }
}

std::span<const float> Session::cachePage(size_t number, int32_t page) const {
  int64_t size =
      loaded->program().states[number].bytesPerBlock * limits.pageBlocks;
  const char *rows = map.states[number].data + page * size;
  return {reinterpret_cast<const float *>(rows), size / sizeof(float)};
}

StatusOr<MutableTensorView> Session::state(std::string_view name) {
  const std::vector<base::State> &all = loaded->program().states;
  for (size_t i = 0; i < all.size(); ++i)
    if (all[i].name == name && all[i].isTensor())
      return MutableTensorView{map.states[i].data, all[i].element,
                               all[i].shape};
  return notFound("expects the name of a tensor that lives across calls, got '",
                  name, "'");
}

bool Session::readsParameters() const {
  return std::ranges::any_of(map.parameters, [](const Region &region) {
    return region.data != nullptr;
  });
}

Status Session::bindParameters(const ParameterLookup &lookup, bool forPrepare) {
  const base::Program &program = loaded->program();
  for (size_t p = 0; p < program.parameters.size(); ++p) {
    bool needed = std::ranges::any_of(program.entries, [&](auto &entry) {
      return (entry.name == "prepare") == forPrepare && reads(entry, p);
    });
    if (!needed)
      continue;
    TENON_ASSIGN_OR_RETURN(map.parameters[p],
                           bindParameter(program.parameters[p], lookup));
  }
  return Status();
}

Status Session::placePrepared(const SessionOptions &options,
                              const ParameterLookup &lookup) {
  const base::Program &program = loaded->program();
  TENON_ASSIGN_OR_RETURN(PreparedLayout layout, layoutPrepared(program));
  preparedSize = layout.sizeBytes;
  std::span<const std::byte> embedded =
      loaded->section(base::SectionKind::Weights);
  prepared = options.prepared;
  auto size = static_cast<size_t>(preparedSize);
  bool given = !embedded.empty() || prepared;
  if (!embedded.empty() && embedded.size() != size)
    return dataLoss("expects embedded weights of ", size, " bytes, got ",
                    embedded.size());
  if (embedded.empty() && prepared && prepared->sizeBytes() < size)
    return invalidArgument("expects prepared memory of ", size, " bytes, got ",
                           prepared->sizeBytes());
  if (!given) {
    TENON_ASSIGN_OR_RETURN(hal::Memory memory, device->allocate(size));
    prepared = std::make_shared<const hal::Memory>(std::move(memory));
  }
  auto *begin = static_cast<char *>(
      embedded.empty()
          ? prepared->data()
          : const_cast<void *>(static_cast<const void *>(embedded.data())));
  for (size_t i = 0; i < program.prepared.size(); ++i)
    map.prepared.push_back(
        {begin + layout.offsets[i], program.prepared[i].sizeBytes});
  if (given)
    return Status();
  TENON_RETURN_IF_ERROR(bindParameters(lookup, true));
  return runPrepare(options.preparing);
}

/// Its temporaries live in an arena of their own, gone before the first call.
Status Session::runPrepare(const LaunchProgress &progress) {
  auto plan = std::ranges::find_if(entries, [](const EntryPlan &candidate) {
    return candidate.entry->name == "prepare";
  });
  if (plan == entries.end())
    return Status();
  Status status = plan->unusable;
  int64_t bytes = 0;
  for (const VariantPlan &variant : plan->variants)
    bytes = std::max(bytes, variant.arenaBytes());
  TENON_ASSIGN_OR_RETURN(hal::Memory memory, device->allocate(bytes));
  map.arena = {static_cast<char *>(memory.data()), bytes};
  for (VariantPlan &variant : plan->variants)
    variant.place(map);
  context.progress = progress ? &progress : nullptr;
  if (status.ok())
    status = run(*plan, {}, {});
  context.progress = nullptr;
  map.arena = {};
  std::ranges::fill(map.parameters, Region());
  return status.ok() ? status : status.withContext("entry 'prepare'");
}

Status Session::placeArena() {
  for (const EntryPlan &plan : entries)
    for (const VariantPlan &variant : plan.variants)
      if (plan.entry->name != "prepare")
        arenaBytes = std::max(arenaBytes, variant.arenaBytes());
  TENON_ASSIGN_OR_RETURN(arena, device->allocate(arenaBytes));
  map.arena = {static_cast<char *>(arena.data()), arenaBytes};
  for (EntryPlan &plan : entries)
    for (VariantPlan &variant : plan.variants)
      variant.place(map);
  return Status();
}

} // namespace tenon::exec
