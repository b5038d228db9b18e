//===- ElementMathTest.cpp - Each pointwise op in the three arithmetics ---===//
//
// The code of an op's element, compiled for every feature set as scalars and as
// vectors, equals the contract oracle bit for bit on hostile elements; that
// oracle is close to the one in double on ordinary ones.
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/Lower.h"
#include "ir/reference/Storage.h"
#include "ir/tn/Emit.h"
#include "ir/tn/Tn.h"
#include "tests/support/CompiledModule.h"
#include "tests/support/Tensors.h"
#include "tests/support/Tolerance.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

#include <gtest/gtest.h>

namespace tenon::testing {
namespace {

using namespace mlir;
using Value = mlir::Value; // not the oracle's
using ir::ref::Contract;
using ir::ref::Real;

constexpr int64_t kCount = 4096;

/// An op by name, with the element types of its operands and result.
struct Case {
  std::string op;
  std::vector<Type> operands;
  Type result;
  std::optional<ir::Predicate> predicate = {};

  std::string name() const {
    std::string text = op.substr(3);
    llvm::raw_string_ostream stream(text);
    if (predicate)
      stream << "_" << ir::stringifyPredicate(*predicate);
    for (Type type : operands)
      stream << "_" << type;
    stream << "_" << result;
    return text;
  }
};

class ElementMath : public ::testing::Test {
protected:
  ElementMath() { loadKernelDialects(context); }

  std::vector<Case> cases();
  /// The op on tensors of `shape`, in a function of its own.
  Operation *makeOp(OpBuilder &builder, const Case &c, int64_t count);
  /// A kernel named `symbol` that applies the op to buffers of kCount elements.
  void emitLoop(ModuleOp module, const Case &c, StringRef symbol,
                int64_t width);

  MLIRContext context;
};

std::vector<Case> ElementMath::cases() {
  Builder b(&context);
  std::vector<Type> floats = {b.getF32Type(), b.getBF16Type(), b.getF16Type()};
  std::vector<Type> integers = {b.getI32Type(), b.getI64Type()};
  Type i1 = b.getI1Type();
  std::vector<Type> numbers = floats, values;
  numbers.insert(numbers.end(), integers.begin(), integers.end());
  values = numbers;
  values.push_back(i1);
  std::vector<Case> all;
  for (const char *op :
       {"neg", "abs", "round_even", "exp", "log", "sin", "cos", "tanh", "sqrt",
        "rsqrt", "sigmoid", "silu", "relu", "gelu_tanh", "stop_gradient"})
    for (Type type : floats)
      all.push_back({std::string("tn.") + op, {type}, type});
  for (const char *op : {"add", "sub", "mul", "div", "max", "min"})
    for (Type type : numbers)
      all.push_back({std::string("tn.") + op, {type, type}, type});
  for (int i = 0; i <= 5; ++i)
    for (Type type : numbers)
      all.push_back(
          {"tn.compare", {type, type}, i1, static_cast<ir::Predicate>(i)});
  for (Type type : values)
    all.push_back({"tn.select", {i1, type, type}, type});
  for (const char *op : {"and", "or"})
    all.push_back({std::string("tn.") + op, {i1, i1}, i1});
  values.push_back(b.getI8Type());
  for (Type from : values)
    for (Type to : values)
      all.push_back({"tn.cast", {from}, to});
  return all;
}

Operation *ElementMath::makeOp(OpBuilder &builder, const Case &c,
                               int64_t count) {
  Location loc = builder.getUnknownLoc();
  OperationState state(loc, c.op);
  for (Type element : c.operands) {
    auto type = RankedTensorType::get(count, element);
    state.operands.push_back(
        UnrealizedConversionCastOp::create(builder, loc, type, ValueRange())
            .getResult(0));
  }
  state.addTypes(RankedTensorType::get(count, c.result));
  if (c.predicate)
    state.addAttribute("predicate",
                       ir::PredicateAttr::get(&context, *c.predicate));
  return builder.create(state);
}

Type memoryType(Type element) {
  return element.isInteger(1) ? IntegerType::get(element.getContext(), 8)
                              : element;
}

Type lanesOf(Type element, int64_t width) {
  return width == 1 ? element : Type(VectorType::get(width, element));
}

void ElementMath::emitLoop(ModuleOp module, const Case &c, StringRef symbol,
                           int64_t width) {
  ImplicitLocOpBuilder b(module.getLoc(), module.getBodyRegion());
  auto pointer = LLVM::LLVMPointerType::get(&context);
  auto function = func::FuncOp::create(
      b, symbol, b.getFunctionType({pointer, b.getI32Type()}, {}));
  b.setInsertionPointToStart(function.addEntryBlock());
  auto at = [&](Type type, Value base, Value index) {
    return LLVM::GEPOp::create(b, pointer, type, base, index).getResult();
  };
  auto i64 = [&](int64_t value) {
    return arith::ConstantIntOp::create(b, b.getI64Type(), value).getResult();
  };
  Value buffers = LLVM::LoadOp::create(b, pointer, function.getArgument(0));
  auto buffer = [&](int64_t number) -> Value {
    return LLVM::LoadOp::create(b, pointer, at(pointer, buffers, i64(number)));
  };
  auto loop = scf::ForOp::create(b, i64(0), i64(kCount), i64(width));
  func::ReturnOp::create(b);
  b.setInsertionPointToStart(loop.getBody());
  SmallVector<Value> elements;
  for (auto [number, element] : llvm::enumerate(c.operands)) {
    Type memory = memoryType(element);
    Value from = at(memory, buffer(number), loop.getInductionVar());
    Value x = LLVM::LoadOp::create(b, lanesOf(memory, width), from, 1);
    ir::Emit a(b, b.getLoc(), x.getType());
    elements.push_back(element.isInteger(1)
                           ? a.negate(a.equal(x, a.constantLike(x, 0)))
                           : a.extend(x));
  }
  OpBuilder builder(b);
  Operation *op = makeOp(builder, c, kCount);
  Value y = cast<ir::PointwiseOp>(op).emitElement(builder, elements);
  y = ir::Emit(b, b.getLoc(), y.getType()).roundTo(y, c.result);
  if (c.result.isInteger(1))
    y = arith::ExtUIOp::create(b, lanesOf(b.getI8Type(), width), y);
  Value to = at(memoryType(c.result), buffer(c.operands.size()),
                loop.getInductionVar());
  LLVM::StoreOp::create(b, y, to, 1);
  SmallVector<Operation *> operands;
  for (Value operand : op->getOperands())
    operands.push_back(operand.getDefiningOp());
  op->erase();
  for (Operation *operand : operands)
    operand->erase();
}

Tensor runLoop(tenon_kernel_fn kernel, const std::vector<Tensor> &in,
               Type result) {
  std::vector<std::string> bytes;
  for (const Tensor &x : in)
    bytes.push_back(ir::ref::tensorToBytes(x));
  bytes.emplace_back(kCount * base::info(ir::storageOf(result)).blockBytes,
                     '\0');
  std::vector<void *> buffers;
  for (std::string &b : bytes)
    buffers.push_back(b.data());
  tenon_frame frame = {buffers.data(), nullptr, nullptr, nullptr};
  {
    ir::ref::FlushSubnormals flush;
    kernel(&frame, 0);
  }
  return llvm::cantFail(
      ir::ref::tensorFromBytes<Contract>(result, {kCount}, bytes.back()));
}

template <typename A>
ir::ref::Tensor<A> evaluate(Operation *op, std::vector<ir::ref::Tensor<A>> in) {
  ir::ref::FlushSubnormals flush;
  ir::ref::Context context;
  SmallVector<ir::ref::Value<A>> values(in.begin(), in.end()), out;
  auto reference = cast<ir::ReferenceOp>(op);
  if constexpr (std::is_same_v<A, Real>)
    cantFail(reference.evaluateReal(context, values, out));
  else
    cantFail(reference.evaluateContract(context, values, out));
  return std::get<ir::ref::Tensor<A>>(out[0]);
}

std::vector<Tensor> inputsOf(const Case &c, Choice choice) {
  Random random(7);
  std::vector<Tensor> in;
  for (Type element : c.operands)
    in.push_back(randomTensor(random, element, {kCount}, choice));
  return in;
}

TEST_F(ElementMath, CompiledEqualsContract) {
  std::vector<Case> all = cases();
  for (base::CpuFeatures features : runnableFeatures()) {
    OwningOpRef<ModuleOp> module = ModuleOp::create(UnknownLoc::get(&context));
    for (auto [number, c] : llvm::enumerate(all)) {
      emitLoop(*module, c, "s" + std::to_string(number), 1);
      emitLoop(*module, c, "v" + std::to_string(number), 16);
    }
    auto code = CompiledModule::compile(*module, features);
    ASSERT_TRUE(code.ok()) << code.status().ToString();
    for (auto [number, c] : llvm::enumerate(all)) {
      std::vector<Tensor> in = inputsOf(c, Choice::Hostile);
      OwningOpRef<ModuleOp> holder =
          ModuleOp::create(UnknownLoc::get(&context));
      OpBuilder builder(holder->getBodyRegion());
      Tensor expected = evaluate<Contract>(makeOp(builder, c, kCount), in);
      for (const char *shape : {"s", "v"}) {
        tenon_kernel_fn kernel =
            (*code)->kernel(shape + std::to_string(number));
        ASSERT_NE(kernel, nullptr);
        EXPECT_EQ(firstDifference(expected, runLoop(kernel, in, c.result)), "")
            << c.name() << " " << shape << " " << nameOf(features);
      }
    }
  }
}

TEST_F(ElementMath, ContractIsCloseToReal) {
  for (const Case &c : cases()) {
    if (!isa<FloatType>(c.result))
      continue;
    std::vector<Tensor> in = inputsOf(c, Choice::Ordinary);
    std::vector<RealTensor> exact;
    for (const Tensor &x : in)
      exact.push_back(toReal(x));
    OwningOpRef<ModuleOp> holder = ModuleOp::create(UnknownLoc::get(&context));
    OpBuilder builder(holder->getBodyRegion());
    Operation *op = makeOp(builder, c, kCount);
    Tensor contract = evaluate<Contract>(op, in);
    RealTensor real = evaluate<Real>(op, exact);
    Tolerance tolerance = toleranceFor(ir::storageOf(c.result));
    for (int64_t i = 0; i < kCount; ++i)
      ASSERT_TRUE(tolerance.accepts(contract.floats[i], real.floats[i]))
          << c.name() << ": contract " << contract.floats[i] << ", real "
          << real.floats[i] << " of " << in[0].floats[i];
  }
}

} // namespace
} // namespace tenon::testing
