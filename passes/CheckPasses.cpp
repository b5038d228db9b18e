//===- CheckPasses.cpp - Judges every pass by the interpreter -------------===//
//
// Inputs depend on an argument's number, shape and name alone, so that a pass
// that changes layouts or bounds is run on the same ones. A symbol is 5, or
// what is nearest to that in its bounds and in those the variant will narrow it
// to.
//
//===----------------------------------------------------------------------===//

#include "passes/CheckPasses.h"

#include "ir/reference/Interpreter.h"
#include "ir/reference/Storage.h"
#include "ir/tn/Tn.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"
#include "llvm/ADT/StringMap.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <random>

using namespace mlir;
using namespace tenon;
using namespace tenon::ir;

namespace {
using Arithmetic = ref::Contract;
using Result = llvm::SmallVector<ref::Value<Arithmetic>>;

constexpr int64_t kExtent = 5; // Of a symbol, where its bounds allow.

/// Everything a function needs to be run, made from its types.
class Inputs {
public:
  Inputs(ModuleOp module, const llvm::StringMap<int64_t> &extents)
      : module(module), extents(extents) {}

  llvm::Expected<ref::Tensor<Arithmetic>> tensor(RankedTensorType type,
                                                 unsigned seed) const {
    ref::Tensor<Arithmetic> made;
    made.element = type.getElementType();
    for (int64_t axis = 0; axis < type.getRank(); ++axis)
      made.shape.push_back(type.isDynamicDim(axis)
                               ? symbols.lookup(symbolOf(type, axis))
                               : type.getDimSize(axis));
    std::mt19937 random(seed);
    // Small multiples of 1/64: exact in every plain format that tests use.
    for (int64_t i = 0; i < made.size(); ++i)
      if (isa<IntegerType>(made.element))
        made.ints.push_back(0);
      else
        made.floats.push_back(float(int(random() % 129) - 64) / 64);
    if (isa<BlockType>(made.element))
      return ref::packedTensor<Arithmetic>(made.element, made.shape,
                                           made.floats);
    return made;
  }

  /// One sequence whose tokens are at positions 0, 1, …, one page for it.
  ref::Batch batch() const {
    ref::Batch made;
    int64_t tokens = symbols.contains("T") ? symbols.lookup("T") : 1;
    for (int64_t t = 0; t < tokens; ++t) {
      made.sequence.push_back(0);
      made.position.push_back(t);
    }
    made.pages = {0};
    made.pagesPerSequence = 1;
    return made;
  }

  static ref::Cache<Arithmetic> cache(CacheType type) {
    ref::Cache<Arithmetic> made;
    made.element = type.getElementType();
    made.heads = type.getHeads();
    made.width = type.getWidth();
    made.rows.resize(64 * made.heads * made.width);
    return made;
  }

  void bindSymbols(func::FuncOp function) {
    symbols.clear();
    if (auto declared = function->getAttrOfType<ArrayAttr>(kSymbolsAttr))
      for (auto symbol : declared.getAsRange<SymbolAttr>())
        symbols[symbol.getName()] = extentOf(symbol);
  }

  llvm::Expected<Result> arguments(func::FuncOp function) {
    Result made;
    for (BlockArgument argument : function.getArguments()) {
      unsigned seed = argument.getArgNumber() + 1;
      if (auto type = dyn_cast<RankedTensorType>(argument.getType())) {
        auto drawn = tensor(type, seed);
        if (!drawn)
          return drawn.takeError();
        made.push_back(std::move(*drawn));
      } else if (auto cacheType = dyn_cast<CacheType>(argument.getType())) {
        made.push_back(cache(cacheType));
      } else {
        made.push_back(batch());
      }
    }
    return made;
  }

  /// Weights by their names, and what @prepare makes of them; a variant's
  /// module may be without it, and what it would make is a weight then.
  llvm::Expected<ref::Parameters<Arithmetic>> parameters() {
    ref::Parameters<Arithmetic> made;
    auto prepare = module.lookupSymbol<func::FuncOp>("prepare");
    for (auto parameter : module.getOps<ParameterOp>()) {
      if (prepare && parameter->hasAttr(kPreparedAttr))
        continue;
      auto drawn = tensor(cast<RankedTensorType>(parameter.getType()),
                          llvm::hash_value(parameter.getSymName()));
      if (!drawn)
        return drawn.takeError();
      made[parameter.getSymName()] = std::move(*drawn);
    }
    if (!prepare)
      return made;
    ref::Context context;
    auto values = ref::interpret<Arithmetic>(prepare, {}, made, context);
    if (!values)
      return values.takeError();
    for (auto parameter : module.getOps<ParameterOp>())
      if (auto index = parameter->getAttrOfType<IntegerAttr>(kPreparedAttr))
        made[parameter.getSymName()] =
            std::get<ref::Tensor<Arithmetic>>((*values)[index.getInt()]);
    return made;
  }

  llvm::StringMap<int64_t> symbols;

private:
  int64_t extentOf(SymbolAttr symbol) const {
    auto narrowed = extents.find(symbol.getName());
    int64_t extent = narrowed == extents.end() ? kExtent : narrowed->second;
    return std::clamp(extent / symbol.getDivisor() * symbol.getDivisor(),
                      symbol.getMin(), symbol.getMax());
  }

  ModuleOp module;
  const llvm::StringMap<int64_t> &extents; // of symbols the variant narrows
};

/// The extents that "T=1..16" and its kin leave of kExtent.
llvm::StringMap<int64_t> extentsWithin(ArrayRef<std::string> bounds) {
  llvm::StringMap<int64_t> extents;
  for (StringRef text : bounds) {
    auto [name, range] = text.split('=');
    auto [low, high] = range.split("..");
    int64_t min, max;
    if (!low.getAsInteger(10, min) && !high.getAsInteger(10, max))
      extents[name] = std::clamp(kExtent, min, std::max(min, max));
  }
  return extents;
}

bool sameBits(ArrayRef<float> a, ArrayRef<float> b) {
  return a.size() == b.size() &&
         std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

bool sameValue(const ref::Value<Arithmetic> &a,
               const ref::Value<Arithmetic> &b) {
  if (auto *tensor = std::get_if<ref::Tensor<Arithmetic>>(&a)) {
    auto &other = std::get<ref::Tensor<Arithmetic>>(b);
    return sameBits(tensor->floats, other.floats) &&
           tensor->ints == other.ints && tensor->blocks == other.blocks;
  }
  if (auto *cache = std::get_if<ref::Cache<Arithmetic>>(&a))
    return sameBits(cache->rows, std::get<ref::Cache<Arithmetic>>(b).rows);
  return true;
}

class CheckPassesInstrumentation : public PassInstrumentation {
public:
  CheckPassesInstrumentation(std::string &broken, ArrayRef<std::string> bounds)
      : broken(broken), extents(extentsWithin(bounds)) {}

  void runBeforePass(Pass *pass, Operation *op) override {
    if (!isGroup(pass) && broken.empty())
      before = run(moduleOf(op));
  }

  void runAfterPass(Pass *pass, Operation *op) override {
    if (isGroup(pass) || !broken.empty())
      return;
    std::map<std::string, Result> after = run(moduleOf(op));
    for (auto &[name, results] : before) {
      auto found = after.find(name);
      if (found != after.end() && broken.empty())
        compare(pass, name, results, found->second);
    }
  }

private:
  /// Whether the pass only runs others, which are checked themselves.
  static bool isGroup(Pass *pass) { return pass->getArgument().empty(); }

  /// A pass over a function is judged by what the entries make of it.
  static ModuleOp moduleOf(Operation *op) {
    auto module = dyn_cast<ModuleOp>(op);
    return module ? module : op->getParentOfType<ModuleOp>();
  }

  std::map<std::string, Result> run(ModuleOp module) {
    std::map<std::string, Result> results;
    for (auto function : module.getOps<func::FuncOp>()) {
      if (!function.isPublic() || function.getName() == "prepare")
        continue;
      Inputs inputs(module, extents);
      inputs.bindSymbols(function);
      ref::Context context;
      context.symbols = inputs.symbols;
      auto parameters = inputs.parameters();
      if (!parameters) {
        note("the interpreter failed on 'prepare': " +
             llvm::toString(parameters.takeError()));
        break;
      }
      auto values = interpret(function, inputs, *parameters, context);
      if (values)
        results[function.getName().str()] = std::move(*values);
      else
        note("the interpreter failed on '" + function.getName().str() +
             "': " + llvm::toString(values.takeError()));
    }
    return results;
  }

  static llvm::Expected<Result>
  interpret(func::FuncOp function, Inputs &inputs,
            const ref::Parameters<Arithmetic> &parameters,
            ref::Context &context) {
    auto arguments = inputs.arguments(function);
    if (!arguments)
      return arguments.takeError();
    return ref::interpret<Arithmetic>(function, *arguments, parameters,
                                      context);
  }

  void compare(Pass *pass, const std::string &name, const Result &expected,
               const Result &got) {
    for (size_t i = 0; i < expected.size(); ++i)
      if (!sameValue(expected[i], got[i]))
        return note(("pass '" + pass->getArgument() +
                     "' changed a result: entry '" + name + "', result " +
                     Twine(i))
                        .str());
  }

  void note(const std::string &text) {
    if (broken.empty())
      broken = text;
  }

  std::string &broken;
  llvm::StringMap<int64_t> extents;
  std::map<std::string, Result> before;
};
} // namespace

std::unique_ptr<PassInstrumentation>
passes::createCheckPasses(std::string &broken,
                          llvm::ArrayRef<std::string> bounds) {
  return std::make_unique<CheckPassesInstrumentation>(broken, bounds);
}
