//===- Module.cpp - A tree of parts that own parameters -------------------===//

#include "frontend/dsl/Module.h"

#include "frontend/dsl/ModuleTree.h"
#include "frontend/dsl/Tracer.h"
#include "runtime/base/Blocks.h"

#include <algorithm>

namespace tenon {
namespace {

std::string join(const std::string &path, std::string_view name) {
  return path.empty() ? std::string(name) : path + "." + std::string(name);
}

/// Whether nothing of the tree has the name; notes the error if something has.
bool claim(detail::ModuleTree &tree, const std::string &name, Site site) {
  if (tree.names.insert(name).second)
    return true;
  tree.error(site, "expects a name of its own for each parameter and cache, "
                   "got '" +
                       name + "' twice");
  return false;
}

detail::Handle poisoned() {
  detail::Handle handle;
  handle.poisoned = true;
  return handle;
}
} // namespace

void detail::ModuleTree::error(Site site, const std::string &message) {
  std::string text = std::string(site.file_name()) + ":" +
                     std::to_string(site.line()) + ": " + message;
  if (std::ranges::find(errors, text) == errors.end())
    errors.push_back(std::move(text));
}

Module::Module(Module *parent, std::string_view name)
    : modulePath(parent ? join(parent->modulePath, name) : std::string()),
      owner(parent ? parent->owner : std::make_shared<detail::ModuleTree>()) {}

Tensor Module::param(std::string_view name, const Shape &shape, DType type,
                     Site site) {
  return declare(name, {.shape = shape, .dtype = type, .site = site});
}

Tensor Module::param(std::string_view name, const Shape &shape, Initial initial,
                     Site site) {
  return declare(name, {.shape = shape, .initial = initial, .site = site});
}

Tensor Module::variable(std::string_view name, const Shape &shape, DType type,
                        Site site) {
  return declare(
      name, {.shape = shape, .dtype = type, .isVariable = true, .site = site});
}

Tensor Module::declare(std::string_view name, detail::Parameter parameter) {
  std::string full = join(modulePath, name);
  for (const Dim &dim : parameter.shape) {
    if (!dim.isSymbol() && dim.extent() > 0)
      continue;
    std::string what = parameter.isVariable ? "variable" : "param";
    owner->error(parameter.site,
                 what + " expects a shape of positive numbers for '" + full +
                     "', got " + parameter.shape.str());
    return Tensor(poisoned());
  }
  if (!claim(*owner, full, parameter.site))
    return Tensor(poisoned());
  parameter.tree = owner.get();
  parameter.name = full;
  parameter.module = modulePath;
  owner->parameters.push_back(std::move(parameter));
  detail::Handle handle;
  handle.parameter = &owner->parameters.back();
  return Tensor(handle);
}

Cache Module::cache(std::string_view name, CacheLayout layout, int64_t heads,
                    int64_t width, CacheElement element, Site site) {
  std::string full = join(modulePath, name);
  if (heads < 1 || width < 1) {
    owner->error(site, "cache expects heads and width of at least 1 for '" +
                           full + "', got " + std::to_string(heads) + " x " +
                           std::to_string(width));
    return Cache(poisoned());
  }
  int64_t block = base::info(base::ElementType::Q8_0).blockElements;
  if (element == CacheElement::q8_0 && width % block != 0) {
    owner->error(site, "cache expects a width of whole blocks of " +
                           std::to_string(block) + " elements of q8_0 for '" +
                           full + "', got " + std::to_string(width));
    return Cache(poisoned());
  }
  if (!claim(*owner, full, site))
    return Cache(poisoned());
  owner->states.push_back(
      {owner.get(), full, layout, heads, width, element, {}});
  detail::Handle handle;
  handle.state = &owner->states.back();
  return Cache(handle);
}

std::vector<NamedTensor> Module::parameters() const {
  std::vector<NamedTensor> found;
  std::string prefix = modulePath.empty() ? "" : modulePath + ".";
  for (detail::Parameter &parameter : owner->parameters) {
    if (parameter.isVariable || !parameter.name.starts_with(prefix))
      continue;
    detail::Handle handle;
    handle.parameter = &parameter;
    found.push_back({parameter.name, Tensor(handle)});
  }
  return found;
}

Tensor detail::outlined(const Module &module,
                        const std::function<Tensor()> &body, Site site) {
  if (Tracer *tracer = module.tree().tracer)
    return tracer->outlined(module.path(), body, site);
  module.tree().error(site, "outline expects to be called while tracing");
  return Tensor(poisoned());
}

} // namespace tenon
