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

/// The bytes of a launch's buffer that it touches: all of them, but of a table
/// the rows that it reads, at most.
StatusOr<int64_t> bytesTouched(const base::Variant &variant,
                               const base::Kernel &kernel,
                               const base::Instruction &launch, size_t number,
                               const std::vector<int64_t> &values) {
  auto sizeOf = [&](size_t buffer) {
    return variant.buffers[launch.buffers[buffer]].sizeBytes.evaluate(values,
                                                                      {});
  };
  TENON_ASSIGN_OR_RETURN(int64_t whole, sizeOf(number));
  int64_t rows = 0;
  bool byRows = false;
  for (const base::RowRead &read : kernel.rowReads) {
    if (read.table != number)
      continue;
    TENON_ASSIGN_OR_RETURN(int64_t indexBytes, sizeOf(read.index));
    int64_t bytes;
    if (__builtin_mul_overflow(indexBytes / 4, read.rowBytes, &bytes) ||
        __builtin_add_overflow(rows, bytes, &rows))
      return whole;
    byRows = true;
  }
  return byRows ? std::min(whole, rows) : whole;
}

/// What a launch reads and writes, or an error where a size cannot be computed.
StatusOr<int64_t> bytesMoved(const base::Variant &variant,
                             const base::Kernel &kernel,
                             const base::Instruction &launch,
                             const std::vector<int64_t> &values) {
  int64_t sum = 0;
  for (size_t i = 0; i < launch.buffers.size(); ++i) {
    TENON_ASSIGN_OR_RETURN(int64_t bytes,
                           bytesTouched(variant, kernel, launch, i, values));
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
    StatusOr<int64_t> bytes = bytesMoved(variant, kernel, *launch, values);
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

bool isOfExperts(const base::Kernel &kernel) {
  return std::ranges::any_of(kernel.ops, [](const std::string &op) {
    return op.starts_with("tn.moe_") || op.starts_with("tn.grouped_");
  });
}

/// The kernels that a variant launches, in order.
std::vector<const base::Kernel *> kernelsOf(const base::Program &program,
                                            const base::Variant &variant) {
  std::vector<const base::Kernel *> kernels;
  for (const base::Instruction &each : variant.body)
    if (each.op == base::Opcode::Launch)
      kernels.push_back(&program.kernels[each.kernel]);
  return kernels;
}

/// How it multiplies the rows of experts: "each row alone"; empty: it has none.
std::string expertsPlan(const base::Kernel &kernel) {
  for (const std::string &op : kernel.ops) {
    size_t at = op.find('(');
    if (op.starts_with("tn.grouped_matmul") && at != op.npos)
      return op.substr(at + 1, op.size() - at - 2);
  }
  return "";
}

std::vector<std::string> variantCells(const base::Program &program,
                                      const base::Entry &entry,
                                      const base::Variant &variant) {
  size_t ops = 0;
  std::string plan;
  std::vector<const base::Kernel *> kernels = kernelsOf(program, variant);
  for (const base::Kernel *kernel : kernels) {
    ops += kernel->ops.size();
    plan = plan.empty() ? expertsPlan(*kernel) : plan;
  }
  return {entry.name,          variant.name, std::to_string(kernels.size()),
          std::to_string(ops), plan,         describeGuards(entry, variant)};
}

/// The kernels that compute more than one op, and how often a variant has each.
std::string printFused(const base::Program &program,
                       const base::Variant &variant) {
  std::vector<std::pair<std::string, size_t>> found;
  for (const base::Kernel *kernel : kernelsOf(program, variant)) {
    if (kernel->label.find_first_of("+|") == std::string::npos)
      continue;
    auto known = std::ranges::find(found, kernel->label,
                                   &std::pair<std::string, size_t>::first);
    if (known == found.end())
      found.push_back({kernel->label, 1});
    else
      ++known->second;
  }
  Table table({{"", Align::Right}, {""}});
  for (const auto &[label, count] : found)
    table.add({concat(count, " x"), label});
  return table.print("  ");
}

/// The kernels of experts in a variant, each distinct layer once.
std::string printExperts(const base::Program &program,
                         const base::Variant &variant) {
  std::string out;
  for (const Layer &layer : distinct(layersOf(variant)))
    for (const base::Instruction *launch : layer.launches) {
      const base::Kernel &kernel = program.kernels[launch->kernel];
      if (isOfExperts(kernel))
        out += concat("  ", layer.label, "  [", kernel.symbol, "]  ",
                      joined(kernel.ops, ", "), "\n");
    }
  return out;
}

} // namespace

std::string explainMoe(const base::Program &program) {
  std::string out;
  for (const base::Entry &entry : program.entries)
    for (const base::Variant &variant : entry.variants) {
      std::string kernels = printExperts(program, variant);
      if (kernels.empty())
        continue;
      out += concat("entry ", entry.name, ", variant ", variant.name, " (",
                    describeGuards(entry, variant), ")\n", kernels);
    }
  return out.empty() ? "no layer of experts\n" : out;
}

std::string reportOf(const base::Program &program) {
  Table variants({{"entry"},
                  {"variant"},
                  {"launches", Align::Right},
                  {"ops", Align::Right},
                  {"experts' rows"},
                  {"where"}});
  const base::Variant *first = nullptr;
  for (const base::Entry &entry : program.entries)
    for (const base::Variant &variant : entry.variants) {
      variants.add(variantCells(program, entry, variant));
      first = first ? first : &variant;
    }
  std::string out =
      concat(program.kernels.size(), " kernels\n", variants.print("  "));
  if (first)
    out +=
        concat("fused, in the first variant:\n", printFused(program, *first));
  return out;
}

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
