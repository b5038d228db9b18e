//===- NarrowProducts.cpp - Mixed precision; contract in Passes.td --------===//

#include "passes/Passes.h"

#include "mlir/IR/Remarks.h"
#include "llvm/ADT/MapVector.h"

namespace tenon::passes {
#define GEN_PASS_DEF_NARROWPRODUCTS
#include "passes/Passes.h.inc"

namespace {
using namespace mlir;

RankedTensorType narrowed(Type type) {
  return ir::withElement(cast<RankedTensorType>(type),
                         BFloat16Type::get(type.getContext()));
}

bool isF32(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  return type && type.getElementType().isF32();
}

bool isNarrow(Value value) {
  return cast<RankedTensorType>(value.getType()).getElementType().isBF16();
}

/// Whether an op rounds an f32 to bf16.
bool rounds(Operation *op) {
  return isa<ir::CastOp>(op) && isF32(op->getOperand(0)) &&
         isNarrow(op->getResult(0));
}

/// `value` rounded to bf16; before the views that it is seen through, so that
/// who reads it through others can share that.
Value rounded(OpBuilder &builder, Location loc, Value value) {
  Operation *view = value.getDefiningOp();
  if (!isa_and_nonnull<ir::ReshapeOp, ir::TransposeOp>(view))
    return ir::CastOp::create(builder, loc, narrowed(value.getType()), value);
  Value source = rounded(builder, loc, view->getOperand(0));
  Operation *made = builder.clone(*view);
  made->setOperand(0, source);
  made->getResult(0).setType(narrowed(value.getType()));
  return made->getResult(0);
}

/// Drops a value's op and those of its operands that nothing reads any more.
void dropUnused(Value value) {
  Operation *op = value.getDefiningOp();
  if (!op || !op->use_empty() || !isa<ir::ViewOp, ir::CastOp>(op))
    return;
  Value operand = op->getOperand(0);
  op->erase();
  dropUnused(operand);
}

/// Whether experts are chosen by what a product computes: what is rounded there
/// would choose others.
bool routes(ir::ProductOp product) {
  return llvm::any_of(product.getY().getUsers(),
                      llvm::IsaPred<ir::MoeRouteOp, ir::MoeWeighOp>);
}

/// Multiplies in bf16, if both factors are floats that are f32 or bf16.
void narrowProduct(ir::ProductOp product) {
  auto isNarrowable = [](Value x) { return isF32(x) || isNarrow(x); };
  if (!isNarrowable(product.getA()) || !isNarrowable(product.getB()) ||
      (isNarrow(product.getA()) && isNarrow(product.getB())))
    return;
  OpBuilder builder(product);
  for (OpOperand *factor : {&product.getAMutable(), &product.getBMutable()}) {
    Value before = factor->get();
    if (!isF32(before))
      continue;
    factor->set(rounded(builder, product.getLoc(), before));
    dropUnused(before);
  }
  remark::passed(
      product.getLoc(),
      remark::RemarkOpts::name("NarrowProducts").category("precision"))
      << "factors in bf16";
}

/// Where a function that others call is called.
using Calls = llvm::MapVector<func::FuncOp, SmallVector<func::CallOp>>;

/// Whether a value is an f32 that is rounded by all who read it.
bool isRoundedOnly(Value value) {
  return isF32(value) && !value.use_empty() &&
         llvm::all_of(value.getUsers(), rounds);
}

/// Whether an argument has the shape of a weight: products round it while they
/// stage it, which reads less memory than a copy of it would.
bool isWeight(Value argument) {
  return cast<RankedTensorType>(argument.getType()).hasStaticShape();
}

/// Replaces the rounded forms of a value, all its uses, by the value.
void becomeNarrow(Value value) {
  for (Operation *user : llvm::make_early_inc_range(value.getUsers())) {
    user->getResult(0).replaceAllUsesWith(value);
    user->erase();
  }
  value.setType(narrowed(value.getType()));
}

/// Moves casts across calls: what a function or its callers round, and nothing
/// else reads, is passed in bf16.
class Passing {
public:
  explicit Passing(ModuleOp module) {
    module.walk([&](func::CallOp call) {
      auto callee = module.lookupSymbol<func::FuncOp>(call.getCallee());
      if (callee.isPrivate() && !callee.isDeclaration())
        calls[callee].push_back(call);
    });
  }

  void run() {
    for (bool isChanged = true; isChanged;) {
      isChanged = false;
      for (auto &[function, users] : calls) {
        isChanged |= narrowArguments(function, users);
        isChanged |= narrowResults(function, users);
      }
    }
  }

private:
  static bool narrowArguments(func::FuncOp function,
                              ArrayRef<func::CallOp> users) {
    bool isChanged = false;
    for (BlockArgument argument : function.getArguments()) {
      if (!isRoundedOnly(argument) || isWeight(argument))
        continue;
      becomeNarrow(argument);
      for (func::CallOp call : users) {
        OpBuilder builder(call);
        OpOperand &operand = call->getOpOperand(argument.getArgNumber());
        Value before = operand.get();
        operand.set(rounded(builder, call.getLoc(), before));
        dropUnused(before);
      }
      isChanged = true;
    }
    if (isChanged)
      updateType(function);
    return isChanged;
  }

  static bool narrowResults(func::FuncOp function,
                            ArrayRef<func::CallOp> users) {
    bool isChanged = false;
    Operation *end = function.front().getTerminator();
    for (OpOperand &result : end->getOpOperands()) {
      unsigned number = result.getOperandNumber();
      auto of = [&](func::CallOp call) -> Value {
        return call.getResult(number);
      };
      bool isRead = llvm::any_of(
          users, [&](func::CallOp call) { return !of(call).use_empty(); });
      bool isNarrowed = llvm::all_of(users, [&](func::CallOp call) {
        return of(call).use_empty() || isRoundedOnly(of(call));
      });
      if (!isRead || !isNarrowed || !isF32(result.get()))
        continue;
      OpBuilder builder(end);
      result.set(rounded(builder, end->getLoc(), result.get()));
      for (func::CallOp call : users)
        becomeNarrow(of(call));
      isChanged = true;
    }
    if (isChanged)
      updateType(function);
    return isChanged;
  }

  static void updateType(func::FuncOp function) {
    Block &body = function.front();
    function.setFunctionType(
        FunctionType::get(function.getContext(), body.getArgumentTypes(),
                          body.getTerminator()->getOperandTypes()));
  }

  Calls calls;
};

struct NarrowProductsPass : impl::NarrowProductsBase<NarrowProductsPass> {
  using NarrowProductsBase::NarrowProductsBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    auto chosen = module->getAttrOfType<StringAttr>(ir::kComputeAttr);
    if (!chosen || chosen == "f32")
      return markAllAnalysesPreserved();
    if (chosen != "bf16") {
      module.emitError("expects tn.compute of f32 or bf16, got ") << chosen;
      return signalPassFailure();
    }
    SmallVector<ir::ProductOp> products;
    module.walk([&](ir::ProductOp product) {
      if (!routes(product))
        products.push_back(product);
    });
    llvm::for_each(products, narrowProduct);
    Passing(module).run();
  }
};
} // namespace
} // namespace tenon::passes
