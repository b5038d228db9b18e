//===- InspectProgram.cpp - Reports on .tenon files, as text --------------===//

#include "tools/tenon/Inspect.h"

#include "tools/tenon/Table.h"

namespace tenon::tools {
namespace {

std::string describeSections(const ProgramFile &file) {
  Table table({{"section"}, {"offset", Align::Right}, {"size", Align::Right}});
  for (const base::Section &section : file.sections) {
    auto *data = static_cast<const char *>(section.data);
    table.add({sectionName(section), concat(data - file.begin),
               formatBytes(static_cast<int64_t>(section.size))});
  }
  return table.print("  ");
}

std::string describeValue(const base::Value &value,
                          const std::vector<std::string> &symbols) {
  return printable(value.name) + " " + describeType(value.type, symbols);
}

std::string describeSignature(const base::Entry &entry) {
  std::vector<std::string> symbols = symbolNames(entry);
  std::string out = entry.name + "(";
  for (size_t i = 0; i < entry.arguments.size(); ++i)
    out += (i ? ", " : "") + describeValue(entry.arguments[i], symbols);
  out += ")";
  for (size_t i = 0; i < entry.results.size(); ++i)
    out += (i ? ", " : " -> ") + describeValue(entry.results[i], symbols);
  return out;
}

std::string describeEntry(const base::Entry &entry) {
  std::string out = "  " + describeSignature(entry) + "\n";
  for (const base::Symbol &symbol : entry.symbols) {
    out +=
        concat("    ", symbol.name, " in [", symbol.min, ", ", symbol.max, "]");
    if (symbol.divisor != 1)
      out += concat(", a multiple of ", symbol.divisor);
    out += "\n";
  }
  Table table({{""}, {""}, {""}});
  for (const base::Variant &variant : entry.variants)
    table.add({"variant " + variant.name, describeGuards(entry, variant),
               concat(variant.body.size(), " instructions, ",
                      variant.buffers.size(), " buffers")});
  return out + table.print("    ");
}

std::string describeMemory(const base::Program &program) {
  std::string out = "\nparameters\n";
  Table parameters({{""}, {""}, {""}});
  for (const base::Parameter &parameter : program.parameters)
    parameters.add({printable(parameter.name),
                    concat(base::info(parameter.element).name,
                           io::printShape(parameter.shape)),
                    "from " + printable(parameter.source)});
  out += parameters.print("  ");
  out += "\nprepared\n";
  Table prepared({{""}, {"", Align::Right}});
  for (const base::Prepared &value : program.prepared)
    prepared.add({printable(value.name), formatBytes(value.sizeBytes)});
  out += prepared.print("  ");
  out += "\nstates\n";
  Table states({{""}, {""}, {"", Align::Right}});
  for (const base::State &state : program.states)
    states.add(
        {printable(state.name),
         std::string(base::info(state.element).name) +
             (state.isTensor() ? io::printShape(state.shape) : ""),
         state.isTensor()
             ? "from " +
                   (state.source.empty() ? "zeros" : printable(state.source))
             : formatBytes(state.bytesPerBlock) + " a block of 64 tokens"});
  return out + states.print("  ");
}

std::string describeKernels(const base::Program &program) {
  Table table({{"kernel"},
               {"label"},
               {"scratch", Align::Right},
               {"buffers", Align::Right},
               {"ops"}});
  for (const base::Kernel &kernel : program.kernels) {
    std::string ops;
    for (const std::string &op : kernel.ops)
      ops += (ops.empty() ? "" : ", ") + op;
    table.add({kernel.symbol, kernel.label, formatBytes(kernel.scratchBytes),
               concat(kernel.bufferCount), ops});
  }
  return table.print("  ");
}

std::string describePlan(const base::Entry &entry, const base::Variant &variant,
                         const SymbolValues &given) {
  std::vector<int64_t> values = valuesFor(entry, variant, given);
  std::string title =
      concat("  ", entry.name, " / ", variant.name, " at ",
             entry.symbols.empty() ? "once" : describeValues(entry, values));
  if (!accepts(variant, values))
    return title + ": not run for these values\n";
  StatusOr<base::MemoryPlan> plan = base::planMemory(variant, values);
  if (!plan.ok())
    return title + ": " + plan.status().message() + "\n";
  Table table({{"temporary"},
               {"offset", Align::Right},
               {"bytes", Align::Right},
               {"alive", Align::Right}});
  for (size_t i = 0; i < variant.buffers.size(); ++i) {
    const base::Buffer &buffer = variant.buffers[i];
    if (buffer.kind != base::BufferKind::Temporary)
      continue;
    StatusOr<int64_t> bytes = buffer.sizeBytes.evaluate(values, {});
    table.add({concat("#", i, " ", printable(buffer.name)),
               concat(plan->offsets[i]), bytes.ok() ? concat(*bytes) : "?",
               concat(buffer.firstUse, "..", buffer.lastUse)});
  }
  return concat(title, ": arena of ", plan->arenaBytes, " bytes\n",
                table.print("    "));
}

} // namespace

std::string describeProgram(const ProgramFile &file,
                            const InspectOptions &options,
                            const SymbolValues &given) {
  const base::Program &program = file.program;
  std::string out = concat(".tenon program, ", formatBytes(file.sizeBytes),
                           ", ", program.kernels.size(), " kernels\n");
  out += "\nsections\n" + describeSections(file);
  out += "\nprovenance\n";
  Table provenance({{""}, {""}});
  for (const base::Metadata &item : program.metadata)
    provenance.add({printable(item.key), printable(item.value)});
  out += provenance.print("  ");
  out += "\nentries\n";
  for (const base::Entry &entry : program.entries)
    out += options.showEntries ? describeEntry(entry)
                               : "  " + describeSignature(entry) + "\n";
  if (options.showEntries)
    out += describeMemory(program);
  if (options.showKernels)
    out += "\nkernels\n" + describeKernels(program);
  if (!options.showPlan)
    return out;
  out += "\nplan\n";
  for (const base::Entry &entry : program.entries)
    for (const base::Variant &variant : entry.variants)
      out += describePlan(entry, variant, given);
  return out;
}

} // namespace tenon::tools
