//===- InspectProgramJson.cpp - Reports on .tenon files, as JSON ----------===//

#include "tools/tenon/Inspect.h"

namespace tenon::tools {
namespace {

using io::Json;

Json sectionsToJson(const ProgramFile &file) {
  Json sections = Json::array();
  for (const base::Section &section : file.sections)
    sections.push_back(
        {{"name", sectionName(section)},
         {"offset", static_cast<const char *>(section.data) - file.begin},
         {"bytes", section.size}});
  return sections;
}

Json valuesToJson(const std::vector<base::Value> &values,
                  const std::vector<std::string> &symbols) {
  Json list = Json::array();
  for (const base::Value &value : values)
    list.push_back(
        {{"name", value.name}, {"type", describeType(value.type, symbols)}});
  return list;
}

Json variantToJson(const base::Entry &entry, const base::Variant &variant) {
  Json guards = Json::array();
  for (const base::Guard &guard : variant.guards)
    guards.push_back({{"symbol", entry.symbols[guard.symbol].name},
                      {"min", guard.min},
                      {"max", guard.max}});
  return {{"name", variant.name},
          {"guards", guards},
          {"instructions", variant.body.size()},
          {"buffers", variant.buffers.size()}};
}

Json entryToJson(const base::Entry &entry) {
  std::vector<std::string> names = symbolNames(entry);
  Json symbols = Json::array();
  for (const base::Symbol &symbol : entry.symbols)
    symbols.push_back({{"name", symbol.name},
                       {"min", symbol.min},
                       {"max", symbol.max},
                       {"divisor", symbol.divisor}});
  Json variants = Json::array();
  for (const base::Variant &variant : entry.variants)
    variants.push_back(variantToJson(entry, variant));
  return {{"name", entry.name},
          {"symbols", symbols},
          {"arguments", valuesToJson(entry.arguments, names)},
          {"results", valuesToJson(entry.results, names)},
          {"variants", variants}};
}

Json kernelToJson(const base::Kernel &kernel) {
  return {{"symbol", kernel.symbol},
          {"label", kernel.label},
          {"scratch", kernel.scratchBytes},
          {"buffers", kernel.bufferCount},
          {"ops", kernel.ops},
          {"not_fused", kernel.notFused}};
}

Json planToJson(const base::Entry &entry, const base::Variant &variant,
                const SymbolValues &given) {
  std::vector<int64_t> values = valuesFor(entry, variant, given);
  Json json = {{"entry", entry.name},
               {"variant", variant.name},
               {"runs", accepts(variant, values)},
               {"symbols", Json::object()}};
  for (size_t i = 0; i < values.size(); ++i)
    json["symbols"][entry.symbols[i].name] = values[i];
  StatusOr<base::MemoryPlan> plan = base::planMemory(variant, values);
  if (!plan.ok()) {
    json["error"] = plan.status().message();
    return json;
  }
  json["arena_bytes"] = plan->arenaBytes;
  json["temporaries"] = Json::array();
  for (size_t i = 0; i < variant.buffers.size(); ++i) {
    const base::Buffer &buffer = variant.buffers[i];
    if (buffer.kind != base::BufferKind::Temporary)
      continue;
    StatusOr<int64_t> bytes = buffer.sizeBytes.evaluate(values, {});
    json["temporaries"].push_back({{"buffer", i},
                                   {"name", buffer.name},
                                   {"offset", plan->offsets[i]},
                                   {"bytes", bytes.ok() ? *bytes : -1},
                                   {"first_use", buffer.firstUse},
                                   {"last_use", buffer.lastUse}});
  }
  return json;
}

Json memoryToJson(const base::Program &program) {
  Json parameters = Json::array(), prepared = Json::array(),
       states = Json::array();
  for (const base::Parameter &parameter : program.parameters)
    parameters.push_back(
        {{"name", parameter.name},
         {"source", parameter.source},
         {"type", std::string(base::info(parameter.element).name)},
         {"shape", parameter.shape}});
  for (const base::Prepared &value : program.prepared)
    prepared.push_back({{"name", value.name}, {"bytes", value.sizeBytes}});
  for (const base::State &state : program.states)
    states.push_back({{"name", state.name},
                      {"type", std::string(base::info(state.element).name)},
                      {"bytes_per_block", state.bytesPerBlock},
                      {"source", state.source},
                      {"shape", state.shape}});
  return {
      {"parameters", parameters}, {"prepared", prepared}, {"states", states}};
}

} // namespace

Json programToJson(const ProgramFile &file, const InspectOptions &options,
                   const SymbolValues &given) {
  const base::Program &program = file.program;
  Json json = {{"format", "tenon"},
               {"bytes", file.sizeBytes},
               {"sections", sectionsToJson(file)},
               {"provenance", Json::object()},
               {"entries", Json::array()}};
  for (const base::Metadata &item : program.metadata)
    json["provenance"][item.key] = item.value;
  for (const base::Entry &entry : program.entries)
    json["entries"].push_back(entryToJson(entry));
  if (options.showEntries)
    json.update(memoryToJson(program));
  if (options.showKernels)
    for (const base::Kernel &kernel : program.kernels)
      json["kernels"].push_back(kernelToJson(kernel));
  if (options.showPlan)
    for (const base::Entry &entry : program.entries)
      for (const base::Variant &variant : entry.variants)
        json["plan"].push_back(planToJson(entry, variant, given));
  return json;
}

} // namespace tenon::tools
