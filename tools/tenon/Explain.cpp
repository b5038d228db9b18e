//===- Explain.cpp - Which kernels a program runs, and why ----------------===//

#include "tools/tenon/Explain.h"

#include "tools/tenon/Table.h"

#include <algorithm>

namespace tenon::tools {
namespace {

/// Launches in a row that carry one label.
struct Layer {
  std::string label;
  std::vector<const base::Instruction *> launches;
  size_t alike = 0; // later layers of the same kernels
  std::string lastAlike;
};

bool runSameKernels(const Layer &a, const Layer &b) {
  return std::ranges::equal(
      a.launches, b.launches, {},
      [](const base::Instruction *launch) { return launch->kernel; },
      [](const base::Instruction *launch) { return launch->kernel; });
}

std::vector<Layer> layersOf(const base::Variant &variant) {
  std::vector<Layer> layers;
  for (const base::Instruction &instruction : variant.body) {
    if (instruction.op != base::Opcode::Launch)
      continue;
    if (layers.empty() || layers.back().label != instruction.label)
      layers.push_back({instruction.label, {}, 0, ""});
    layers.back().launches.push_back(&instruction);
  }
  return layers;
}

/// Each distinct layer once, where it comes first.
std::vector<Layer> distinct(const std::vector<Layer> &layers) {
  std::vector<Layer> result;
  for (const Layer &layer : layers) {
    auto same = std::ranges::find_if(result, [&](const Layer &known) {
      return runSameKernels(known, layer);
    });
    if (same == result.end()) {
      result.push_back(layer);
      continue;
    }
    ++same->alike;
    same->lastAlike = layer.label;
  }
  return result;
}

/// What a launch reads and writes if it touches all of every buffer, or
/// nothing where a size cannot be computed.
StatusOr<int64_t> bytesMoved(const base::Variant &variant,
                             const base::Instruction &launch,
                             const std::vector<int64_t> &values) {
  int64_t sum = 0;
  for (uint32_t index : launch.buffers) {
    TENON_ASSIGN_OR_RETURN(
        int64_t bytes, variant.buffers[index].sizeBytes.evaluate(values, {}));
    if (__builtin_add_overflow(sum, bytes, &sum))
      return outOfRange("the bytes of a launch exceed 2^63");
  }
  return sum;
}

std::string joined(const std::vector<std::string> &parts, const char *between) {
  std::string text;
  for (const std::string &part : parts)
    text += (text.empty() ? "" : between) + part;
  return text;
}

std::string printLayer(const base::Program &program,
                       const base::Variant &variant, const Layer &layer,
                       const std::vector<int64_t> &values) {
  std::string label = layer.label.empty() ? "(no layer)" : layer.label;
  std::string out = concat("    ", label, ": ", layer.launches.size(),
                           layer.launches.size() == 1 ? " kernel" : " kernels");
  if (layer.alike > 0)
    out += concat("; ", layer.alike, " more layers alike, to ",
                  layer.lastAlike.empty() ? "(no layer)" : layer.lastAlike);
  out += "\n";
  for (const base::Instruction *launch : layer.launches) {
    const base::Kernel &kernel = program.kernels[launch->kernel];
    StatusOr<int64_t> bytes = bytesMoved(variant, *launch, values);
    out += concat("      ", kernel.label.empty() ? kernel.symbol : kernel.label,
                  "  [", kernel.symbol, "]  ",
                  bytes.ok() ? formatBytes(*bytes) : "unknown bytes", "\n");
    if (!kernel.ops.empty())
      out += "        holds " + joined(kernel.ops, ", ") + "\n";
    for (const std::string &reason : kernel.notFused)
      out += "        apart from " + reason + "\n";
  }
  return out;
}

std::string explainVariant(const base::Program &program,
                           const base::Entry &entry,
                           const base::Variant &variant,
                           const SymbolValues &given) {
  std::vector<int64_t> values = valuesFor(entry, variant, given);
  std::vector<Layer> layers = layersOf(variant);
  size_t launches = 0;
  for (const Layer &layer : layers)
    launches += layer.launches.size();
  std::string out =
      concat("  variant ", variant.name, " (", describeGuards(entry, variant),
             "): ", launches, " kernels");
  if (!entry.symbols.empty())
    out += "; bytes at " + describeValues(entry, values);
  out += "\n";
  for (const Layer &layer : distinct(layers))
    out += printLayer(program, variant, layer, values);
  return out;
}

} // namespace

std::string explainFusion(const base::Program &program,
                          const SymbolValues &given) {
  std::string out;
  for (const base::Entry &entry : program.entries) {
    out += "entry " + entry.name + "\n";
    for (const base::Variant &variant : entry.variants)
      out += explainVariant(program, entry, variant, given);
  }
  return out;
}

} // namespace tenon::tools
