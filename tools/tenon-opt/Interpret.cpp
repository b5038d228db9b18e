//===- Interpret.cpp - Runs test functions by the interpreter -------------===//

#include "tools/tenon-opt/Interpret.h"

#include "ir/reference/Evaluate.h"
#include "ir/tn/Tn.h"
#include "tools/tenon-opt/TestInputs.h"

#include "tenon/abi.h"

#include "mlir/Pass/Pass.h"
#include "llvm/Support/Format.h"

using namespace mlir;
using namespace tenon;
using namespace tenon::ir;
using namespace tenon::tools;

namespace {

constexpr StringLiteral kInputs = "tn.test_inputs";
constexpr StringLiteral kParameters = "tn.test_parameters";
constexpr StringLiteral kEmitLimit = "tn.test_emit_limit";

//===----------------------------------------------------------------------===//
// Printing
//===----------------------------------------------------------------------===//

/// 9 digits tell every f32 from every other; doubles print as many.
template <typename A>
void printElement(const ref::Tensor<A> &tensor, int64_t i) {
  raw_ostream &out = llvm::outs();
  if (!ref::holdsFloats(tensor.element))
    out << tensor.ints[i];
  else if (std::isnan(tensor.floats[i]))
    out << "nan"; // Neither sign nor payload is part of the contract.
  else
    out << llvm::format("%.9g", static_cast<double>(tensor.floats[i]));
}

template <typename A> void print(const ref::Tensor<A> &tensor) {
  llvm::outs() << "tensor<";
  for (int64_t extent : tensor.shape)
    llvm::outs() << extent << "x";
  llvm::outs() << tensor.element << "> [";
  llvm::interleaveComma(llvm::seq<int64_t>(0, tensor.size()), llvm::outs(),
                        [&](int64_t i) { printElement(tensor, i); });
  llvm::outs() << "]";
}

/// Prints the rows that are not zero.
template <typename A> void print(const ref::Cache<A> &cache) {
  llvm::outs() << "cache {";
  int64_t stride = cache.heads * cache.width;
  bool isFirst = true;
  for (int64_t slot = 0; (slot + 1) * stride <= int64_t(cache.rows.size());
       ++slot) {
    auto row = ArrayRef(cache.rows).slice(slot * stride, stride);
    if (llvm::all_of(row, [](auto value) { return value == 0; }))
      continue;
    llvm::outs() << (isFirst ? "" : ", ") << slot << ": [";
    llvm::interleaveComma(row, llvm::outs(), [](auto value) {
      llvm::outs() << llvm::format("%.9g", static_cast<double>(value));
    });
    llvm::outs() << "]";
    isFirst = false;
  }
  llvm::outs() << "}";
}

template <typename A> void print(const ref::Value<A> &value) {
  if (const auto *tensor = std::get_if<ref::Tensor<A>>(&value))
    print(*tensor);
  else if (const auto *cache = std::get_if<ref::Cache<A>>(&value))
    print(*cache);
  else
    llvm::outs() << "batch";
}

StringRef kindName(int32_t kind) {
  switch (kind) {
  case TENON_FAILURE_INDEX:
    return "index";
  case TENON_FAILURE_NAN:
    return "nan";
  case TENON_FAILURE_ORDER:
    return "order";
  default:
    return "no page";
  }
}

void print(const std::string &prefix, const ref::Context &context) {
  if (!context.emitted.empty()) {
    llvm::outs() << prefix << " emits [";
    llvm::interleaveComma(context.emitted, llvm::outs());
    llvm::outs() << "]\n";
  }
  if (context.failure)
    llvm::outs() << prefix << " fails: " << kindName(context.failure->kind)
                 << " in " << context.failure->op << ", row "
                 << context.failure->row << ", value " << context.failure->value
                 << "\n";
}

//===----------------------------------------------------------------------===//
// Running
//===----------------------------------------------------------------------===//

template <typename A>
llvm::Expected<ref::Parameters<A>> readParameters(ModuleOp module) {
  ref::Parameters<A> parameters;
  auto values = module->getAttrOfType<DictionaryAttr>(kParameters);
  for (auto op : module.getOps<ParameterOp>()) {
    Attribute attr = values ? values.get(op.getSymName()) : Attribute();
    if (!attr)
      continue; // The interpreter says which one it misses.
    auto value = valueFromAttr<A>(op.getType(), attr);
    if (!value)
      return value.takeError();
    parameters.try_emplace(op.getSymName(), ref::tensor<A>(*value));
  }
  return std::move(parameters);
}

template <typename A>
llvm::Error run(func::FuncOp func, ArrayAttr inputs, StringRef arithmetic) {
  auto parameters = readParameters<A>(func->getParentOfType<ModuleOp>());
  if (!parameters)
    return parameters.takeError();
  if (inputs.size() != func.getNumArguments())
    return ref::evaluationError("expects an input for each argument");
  SmallVector<ref::Value<A>> args;
  for (auto [type, attr] : llvm::zip_equal(func.getArgumentTypes(), inputs)) {
    auto value = valueFromAttr<A>(type, attr);
    if (!value)
      return value.takeError();
    args.push_back(std::move(*value));
  }
  ref::Context context;
  if (auto limit = func->getAttrOfType<IntegerAttr>(kEmitLimit))
    context.emitLimit = limit.getInt();
  auto results = ref::interpret<A>(func, args, *parameters, context);
  if (!results)
    return results.takeError();
  std::string prefix = ("@" + func.getName() + " " + arithmetic).str();
  for (const ref::Value<A> &result : *results) {
    llvm::outs() << prefix << ": ";
    print(result);
    llvm::outs() << "\n";
  }
  print(prefix, context);
  return llvm::Error::success();
}

struct InterpretPass : PassWrapper<InterpretPass, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(InterpretPass)

  StringRef getArgument() const override { return "tn-interpret"; }
  StringRef getDescription() const override {
    return "Runs functions that have tn.test_inputs and prints their results";
  }

  void runOnOperation() override {
    bool hasGradients =
        getOperation()
            .walk([](GradientOp) { return WalkResult::interrupt(); })
            .wasInterrupted();
    for (auto func : getOperation().getOps<func::FuncOp>()) {
      auto inputs = func->getAttrOfType<ArrayAttr>(kInputs);
      if (!inputs)
        continue;
      // The bits of a gradient are those of what tn-differentiate makes of it.
      llvm::Error error = llvm::Error::success();
      if (!hasGradients)
        error = run<ref::Contract>(func, inputs, "contract");
      if (!error)
        error = run<ref::Real>(func, inputs, "real");
      if (error) {
        func.emitError(llvm::toString(std::move(error)));
        return signalPassFailure();
      }
    }
  }
};

} // namespace

void tools::registerInterpretPass() { PassRegistration<InterpretPass>(); }
