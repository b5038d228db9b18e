//===- QuantizeTest.cpp - Rows that are stored in blocks ------------------===//
//
// tn.quantize, alone and after what fuses with it, on hostile elements: every
// feature set's blocks equal the contract oracle's byte for byte.
//
//===----------------------------------------------------------------------===//

#include "ir/reference/Interpreter.h"
#include "ir/tn/Tn.h"
#include "tests/support/CompiledFunction.h"

#include "codegen/cpu/Lower.h"
#include "mlir/Parser/Parser.h"

#include <gtest/gtest.h>

#include <cmath>

namespace tenon::testing {
namespace {

using namespace mlir;
using ir::ref::Contract;

class Quantize : public ::testing::Test {
protected:
  Quantize() { loadKernelDialects(context); }

  std::vector<Value> interpret(func::FuncOp func, ArrayRef<Value> in);
  void check(const std::string &text, int64_t tokens);

  MLIRContext context;
  Random random{3};
};

std::vector<Value> Quantize::interpret(func::FuncOp func, ArrayRef<Value> in) {
  ir::ref::Context state;
  auto results = ir::ref::interpret<Contract>(func, in, {}, state);
  EXPECT_TRUE(bool(results));
  return {results->begin(), results->end()};
}

void Quantize::check(const std::string &text, int64_t tokens) {
  SCOPED_TRACE(text);
  auto module = parseSourceString<ModuleOp>(text, &context);
  ASSERT_TRUE(module);
  func::FuncOp func = *module->getOps<func::FuncOp>().begin();
  std::vector<Value> in;
  for (Type type : func.getArgumentTypes()) {
    auto tensor = cast<RankedTensorType>(type);
    SmallVector<int64_t> shape(tensor.getShape());
    for (int64_t &extent : shape)
      if (ShapedType::isDynamic(extent))
        extent = tokens;
    in.push_back(
        randomTensor(random, tensor.getElementType(), shape, Choice::Hostile));
  }
  std::vector<Value> expected = interpret(func, in);
  for (base::CpuFeatures features : runnableFeatures()) {
    auto code = CompiledFunction::compile(func, features);
    ASSERT_TRUE(code.ok()) << code.status().ToString();
    EXPECT_EQ((*code)->kernelCount(), 1u);
    auto outcome = (*code)->run(in, /*seed=*/5);
    ASSERT_TRUE(outcome.ok()) << outcome.status().ToString();
    for (auto [want, got] : llvm::zip_equal(expected, outcome->results))
      EXPECT_EQ(firstDifference(std::get<Tensor>(want), std::get<Tensor>(got)),
                "")
          << nameOf(features);
  }
}

constexpr char kSymbols[] =
    " attributes {tn.symbols = [#tn.symbol<\"T\", 1 to 64>]} {\n";

TEST_F(Quantize, Alone) {
  for (const char *element : {"f32", "bf16", "f16"}) {
    std::string x =
        std::string("tensor<?x160x") + element + ", #tn.dims<T, 160>>";
    std::string y = "tensor<?x160x!tn.block<q8_0>, #tn.dims<T, 160>>";
    check("func.func @f(%x: " + x + ") -> " + y + kSymbols +
              "%y = tn.quantize %x : " + x + " -> " + y + " return %y : " + y +
              " }",
          37);
  }
}

// A norm, its product with a gate and both results.
TEST_F(Quantize, AfterNormsAndElements) {
  check(std::string(
            "!x = tensor<?x96xf32, #tn.dims<T, 96>>\n"
            "!y = tensor<?x96x!tn.block<q8_0>, #tn.dims<T, 96>>\n"
            "func.func @f(%x: !x, %z: !x, %w: tensor<96xf32>) -> (!y, !x)") +
            kSymbols +
            "%n = tn.rms_norm %x, %w eps 1.0e-6 : !x, tensor<96xf32>\n"
            "%g = tn.silu %z : !x\n"
            "%p = tn.mul %n, %g : !x\n"
            "%y = tn.quantize %p : !x -> !y\n"
            "return %y, %n : !y, !x }",
        19);
}

// Views cut the runs that columns are walked by, here at 16.
TEST_F(Quantize, OfViewsAndHeads) {
  check(std::string("!x = tensor<?x2x80xf32, #tn.dims<T, 2, 80>>\n"
                    "!z = tensor<?x2x64xf32, #tn.dims<T, 2, 64>>\n"
                    "!y = tensor<?x2x64x!tn.block<q8_0>, #tn.dims<T, 2, 64>>\n"
                    "func.func @f(%x: !x, %z: !z) -> !y") +
            kSymbols +
            "%s = tn.slice %x axis 2 from 16 size 64 : !x -> !z\n"
            "%p = tn.add %s, %z : !z\n"
            "%y = tn.quantize %p : !z -> !y\n"
            "return %y : !y }",
        7);
}

TEST_F(Quantize, MakesWhatPackMakesOfFiniteValues) {
  Type f32 = Float32Type::get(&context);
  auto module = parseSourceString<ModuleOp>(
      "func.func @f(%x: tensor<64x32xf32>) -> tensor<64x32x!tn.block<q8_0>> {\n"
      "%y = tn.quantize %x : tensor<64x32xf32> -> "
      "tensor<64x32x!tn.block<q8_0>>\n"
      "return %y : tensor<64x32x!tn.block<q8_0>> }",
      &context);
  ASSERT_TRUE(module);
  Tensor x = randomTensor(random, f32, {64, 32});
  for (int64_t i = 0; i < x.size(); ++i) // from below f16 to above
    x.floats[i] = std::ldexp(x.floats[i], static_cast<int>(i / 32) - 34);
  std::string blocks(64 * 34, '\0');
  ASSERT_TRUE(base::pack(base::ElementType::Q8_0, x.floats.data(), x.size(),
                         blocks.data())
                  .ok());
  std::vector<Value> y =
      interpret(*module->getOps<func::FuncOp>().begin(), {Value(x)});
  EXPECT_EQ(std::get<Tensor>(y[0]).blocks, blocks);
}

} // namespace
} // namespace tenon::testing
