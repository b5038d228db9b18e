//===- Adapters.cpp - Small weights beside frozen ones --------------------===//

#include "frontend/dsl/Adapters.h"

#include "frontend/dsl/ModuleTree.h"
#include "frontend/dsl/Sugar.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include <algorithm>
#include <cmath>

#include <fnmatch.h>

namespace tenon {
namespace {

bool matches(const std::string &pattern, const std::string &path) {
  return fnmatch(pattern.c_str(), path.c_str(), 0) == 0;
}

bool isTarget(const AdapterOptions &options, const std::string &path) {
  return std::ranges::any_of(options.targets, [&](const std::string &pattern) {
    return matches(pattern, path);
  });
}

/// "layers.*.attention.query" for layer 3's.
std::string withoutNumbers(std::string_view path) {
  std::string text;
  for (char c : path) {
    bool isDigit = c >= '0' && c <= '9';
    if (!isDigit)
      text += c;
    else if (text.empty() || text.back() == '.')
      text += '*';
  }
  return text;
}

/// Adds the path, without numbers, unless it is there.
void addKind(std::vector<std::string> &kinds, std::string_view path) {
  std::string kind = withoutNumbers(path);
  if (std::ranges::find(kinds, kind) == kinds.end())
    kinds.push_back(std::move(kind));
}

std::string listParts(const std::vector<LinearPart> &parts) {
  std::vector<std::string> kinds;
  for (const LinearPart &part : parts)
    addKind(kinds, part.path);
  return absl::StrJoin(kinds, ", ");
}

/// x [T, D] w^T of w [N, D], or of each expert's rows by its own.
Tensor multiply(const Tensor &x, const Tensor &w, const Tensor &offsets,
                Site site) {
  if (offsets.isAbsent())
    return linear(x, w, Tensor(), site);
  return groupedMatmul(x, w, offsets, /*transposeB=*/true, site);
}

/// The usual first values: those of a uniform distribution within one over the
/// square root of the columns have this deviation.
Initial spreadOver(int64_t columns) {
  return {0, 1 / std::sqrt(3.0 * static_cast<double>(columns))};
}

} // namespace

std::string_view nameOf(AdapterKind kind) {
  switch (kind) {
  case AdapterKind::LoRa:
    return "lora";
  case AdapterKind::RsLoRa:
    return "rslora";
  case AdapterKind::Bottleneck:
    return "bottleneck";
  }
  return {};
}

double adapterScale(const AdapterOptions &options) {
  auto rank = static_cast<double>(options.rank);
  switch (options.kind) {
  case AdapterKind::LoRa:
    return options.alpha / rank;
  case AdapterKind::RsLoRa:
    return options.alpha / std::sqrt(rank);
  case AdapterKind::Bottleneck:
    return 1;
  }
  return 1;
}

const std::vector<LinearPart> &linearParts(const Module &model) {
  return model.tree().linears;
}

absl::Status Adapters::check(const Module &model,
                             const AdapterOptions &options) {
  auto invalid = [](const auto &...parts) {
    return absl::InvalidArgumentError(
        absl::StrCat("adapters expect ", parts...));
  };
  if (options.rank < 1)
    return invalid("a rank of at least 1, got ", options.rank);
  bool isScale = std::isfinite(options.alpha) && options.alpha > 0;
  if (!isScale && options.kind != AdapterKind::Bottleneck)
    return invalid("an alpha above 0, got ", options.alpha);
  if (!model.tree().adapters.empty())
    return invalid("a model without adapters, got one that has some");
  const std::vector<LinearPart> &parts = linearParts(model);
  if (options.targets.empty())
    return invalid("targets among ", listParts(parts), "; got none");
  for (const std::string &pattern : options.targets)
    if (std::ranges::none_of(parts, [&](const LinearPart &part) {
          return matches(pattern, part.path);
        }))
      return invalid("targets among ", listParts(parts), "; got '", pattern,
                     "'");
  return absl::OkStatus();
}

std::vector<std::string> unadapted(const Module &model,
                                   const AdapterOptions &options) {
  constexpr std::string_view kWeight = ".weight";
  std::vector<std::string> kinds;
  for (const detail::Parameter &each : model.tree().parameters) {
    std::string_view name = each.name;
    if (name.ends_with(kWeight))
      name.remove_suffix(kWeight.size());
    bool isMatrix =
        each.shape.rank() > 1 && !each.isVariable && !each.isAdapter;
    bool isPart =
        std::ranges::find(linearParts(model), name, &LinearPart::path) !=
        linearParts(model).end();
    if (isMatrix && !isPart && isTarget(options, std::string(name)))
      addKind(kinds, name);
  }
  return kinds;
}

Adapters::Adapters(Module &model, const AdapterOptions &options, Site site)
    : Module(&model, "adapters") {
  absl::Status status = check(model, options);
  if (!status.ok()) {
    tree().error(site, std::string(status.message()));
    return;
  }
  for (const LinearPart &part : linearParts(model))
    if (isTarget(options, part.path))
      attach(part, options, site);
}

void Adapters::attach(const LinearPart &part, const AdapterOptions &options,
                      Site site) {
  auto weight = [&](const char *name, int64_t rows, int64_t columns,
                    Initial initial) {
    Shape shape = part.experts ? Shape{part.experts, rows, columns}
                               : Shape{rows, columns};
    return declare(
        part.path + "." + name,
        {.shape = shape, .initial = initial, .isAdapter = true, .site = site});
  };
  int64_t rank = options.rank;
  detail::Adapter &adapter = tree().adapters[part.path];
  if (options.kind == AdapterKind::Bottleneck) {
    Tensor down = weight("down", rank, part.out, spreadOver(part.out));
    Tensor up = weight("up", part.out, rank, kZeros);
    adapter = [=](const detail::LinearCall &call, Site at) {
      Tensor hidden = multiply(call.y, down, call.offsets, at);
      return call.y + multiply(geluTanh(hidden, at), up, call.offsets, at);
    };
    return;
  }
  Tensor a = weight("lora_a", rank, part.width, spreadOver(part.width));
  Tensor b = weight("lora_b", part.out, rank, kZeros);
  adapter = [=, scale = adapterScale(options)](const detail::LinearCall &call,
                                               Site at) {
    // Scaled where it is narrow.
    Tensor hidden = multiply(call.x, a, call.offsets, at) * scale;
    return call.y + multiply(hidden, b, call.offsets, at);
  };
}

void detail::declareLinear(const Module &module, const LinearPart &part) {
  module.tree().linears.push_back(part);
}

Tensor detail::adapted(const Module &module, std::string_view path,
                       const LinearCall &call, Site site) {
  auto found = module.tree().adapters.find(path);
  return found == module.tree().adapters.end() ? call.y
                                               : found->second(call, site);
}

} // namespace tenon
