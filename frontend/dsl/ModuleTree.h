//===- ModuleTree.h - What the modules of one model share -------*- C++ -*-===//
//
// Internal to the DSL: the parameters and caches of a tree of modules, in the
// order of their declaration, and the errors of its code.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_FRONTEND_DSL_MODULETREE_H
#define TENON_FRONTEND_DSL_MODULETREE_H

#include "frontend/dsl/Adapters.h"
#include "frontend/dsl/Balance.h"

#include "mlir/IR/Types.h"

#include <deque>
#include <map>
#include <set>

namespace tenon::detail {

class ModuleTree;

struct Parameter {
  ModuleTree *tree = nullptr;
  std::string name = "";
  std::string module = ""; // the path of its module
  Shape shape;
  DType dtype = DType::f32;
  Initial initial = {};
  bool isVariable = false; // not a weight: zeros at first, changed by calls
  bool isAdapter = false;  // lives across calls; no file need have it
  Site site;
  // Of the running trace.
  bool isState = false; // lives across calls: a variable, or a trained weight
  std::string source = "";
  mlir::Type type = {}; // null where the weights file has another, or none
  bool used = false;
};

struct State {
  ModuleTree *tree;
  std::string name;
  CacheLayout layout;
  int64_t heads;
  int64_t width;
  CacheElement element;
  mlir::Type type; // of the running trace
};

/// What a linear part's result becomes.
using Adapter = std::function<Tensor(const LinearCall &call, Site site)>;

/// What the routing of layer number `layer` becomes.
using Rerouting = std::function<Routing(size_t layer, const Tensor &logits,
                                        const Routing &routing, Site site)>;

class ModuleTree {
public:
  /// Notes an error once, however often the code at `site` runs.
  void error(Site site, const std::string &message);

  std::deque<Parameter> parameters; // addresses are kept by handles
  std::deque<State> states;
  std::vector<LinearPart> linears;
  std::map<std::string, Adapter, std::less<>> adapters; // by a linear's path
  std::vector<ExpertsPart> experts;
  Rerouting replay;  // null: they choose themselves, and nobody notes whom
  Rerouting balance; // null: nothing balances them
  std::set<std::string, std::less<>> names;
  std::vector<std::string> errors;
  Tracer *tracer = nullptr; // the trace that runs, if one does
};

} // namespace tenon::detail
#endif // TENON_FRONTEND_DSL_MODULETREE_H
