//===- Adapters.cpp - Small weights beside frozen ones --------------------===//

#include "frontend/dsl/Adapters.h"

#include "frontend/dsl/ModuleTree.h"
#include "frontend/dsl/Sugar.h"

#include "absl/strings/str_cat.h"

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

std::string listParts(const std::vector<LinearPart> &parts) {
  std::vector<std::string> kinds;
  for (const LinearPart &part : parts) {
    std::string kind = withoutNumbers(part.path);
    if (std::ranges::find(kinds, kind) == kinds.end())
      kinds.push_back(std::move(kind));
  }
  std::string text;
  for (const std::string &kind : kinds)
    absl::StrAppend(&text, text.empty() ? "" : ", ", kind);
  return text;
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
  auto weight = [&](const char *name, const Shape &shape, Initial initial) {
    return declare(
        part.path + "." + name,
        {.shape = shape, .initial = initial, .isAdapter = true, .site = site});
  };
  int64_t rank = options.rank;
  detail::Adapter &adapter = tree().adapters[part.path];
  if (options.kind == AdapterKind::Bottleneck) {
    Tensor down = weight("down", {rank, part.out}, spreadOver(part.out));
    Tensor up = weight("up", {part.out, rank}, kZeros);
    adapter = [=](const Tensor &, const Tensor &y, Site at) {
      Tensor hidden = linear(y, down, Tensor(), at);
      return y + linear(geluTanh(hidden, at), up, Tensor(), at);
    };
    return;
  }
  Tensor a = weight("lora_a", {rank, part.width}, spreadOver(part.width));
  Tensor b = weight("lora_b", {part.out, rank}, kZeros);
  adapter = [=, scale = adapterScale(options)](const Tensor &x, const Tensor &y,
                                               Site at) {
    // Scaled where it is narrow.
    Tensor hidden = linear(x, a, Tensor(), at) * scale;
    return y + linear(hidden, b, Tensor(), at);
  };
}

void detail::declareLinear(const Module &module, int64_t width, int64_t out,
                           bool inputsFirst) {
  module.tree().linears.push_back({module.path(), width, out, inputsFirst});
}

Tensor detail::adapted(const Module &module, const Tensor &x, const Tensor &y,
                       Site site) {
  auto found = module.tree().adapters.find(module.path());
  return found == module.tree().adapters.end() ? y : found->second(x, y, site);
}

} // namespace tenon
