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
  for (const char *element : {"f32", "bf16", "f16"})
    for (bool isSuper : {false, true}) {
      std::string columns = isSuper ? "768" : "160";
      std::string dims = ", #tn.dims<T, " + columns + ">>";
      std::string x = "tensor<?x" + columns + "x" + element + dims;
      std::string y = "tensor<?x" + columns + "x!tn.block<" +
                      (isSuper ? "q8_k>" : "q8_0>") + dims;
      check("func.func @f(%x: " + x + ") -> " + y + kSymbols +
                "%y = tn.quantize %x : " + x + " -> " + y +
                " return %y : " + y + " }",
            37);
    }
}

// A norm, its product with a gate and both results.
TEST_F(Quantize, AfterNormsAndElements) {
  for (auto [width, block] : {std::pair("96", "q8_0"), {"512", "q8_k"}}) {
    std::string w(width), dims = ", #tn.dims<T, " + w + ">>\n";
    check("!x = tensor<?x" + w + "xf32" + dims + "!y = tensor<?x" + w +
              "x!tn.block<" + block + ">" + dims + "!w = tensor<" + w +
              "xf32>\n"
              "func.func @f(%x: !x, %z: !x, %w: !w) -> (!y, !x)" +
              kSymbols +
              "%n = tn.rms_norm %x, %w eps 1.0e-6 : !x, !w\n"
              "%g = tn.silu %z : !x\n"
              "%p = tn.mul %n, %g : !x\n"
              "%y = tn.quantize %p : !x -> !y\n"
              "return %y, %n : !y, !x }",
          19);
  }
}

// Views cut the runs that columns are walked by, here at 16.
TEST_F(Quantize, OfViewsAndHeads) {
  check(std::string("!x = tensor<?x2x272xf32, #tn.dims<T, 2, 272>>\n"
                    "!z = tensor<?x2x256xf32, #tn.dims<T, 2, 256>>\n"
                    "!y = tensor<?x2x256x!tn.block<q8_k>, "
                    "#tn.dims<T, 2, 256>>\n"
                    "func.func @f(%x: !x, %z: !z) -> !y") +
            kSymbols +
            "%s = tn.slice %x axis 2 from 16 size 256 : !x -> !z\n"
            "%p = tn.add %s, %z : !z\n"
            "%y = tn.quantize %p : !z -> !y\n"
            "return %y : !y }",
        5);
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
  for (base::ElementType type :
       {base::ElementType::Q8_0, base::ElementType::Q8_K}) {
    int64_t columns = base::info(type).blockElements;
    std::string shape = "tensor<64x" + std::to_string(columns) + "x";
    std::string block =
        "!tn.block<" + std::string(base::info(type).name) + ">>";
    auto module = parseSourceString<ModuleOp>(
        "!x = " + shape + "f32>\n!y = " + shape + block +
            "\nfunc.func @f(%x: !x) -> !y {\n"
            "%y = tn.quantize %x : !x -> !y return %y : !y }",
        &context);
    ASSERT_TRUE(module);
    Tensor x = randomTensor(random, f32, {64, columns});
    for (int64_t i = 0; i < x.size(); ++i) { // from below f16 to above
      auto row = static_cast<int>(i / columns);
      x.floats[i] = std::ldexp(x.floats[i],
                               columns > 32 && row < 16 ? row - 110 : row - 34);
    }
    std::string blocks(64 * base::info(type).blockBytes, '\0');
    ASSERT_TRUE(
        base::pack(type, x.floats.data(), x.size(), blocks.data()).ok());
    std::vector<Value> y =
        interpret(*module->getOps<func::FuncOp>().begin(), {Value(x)});
    EXPECT_EQ(std::get<Tensor>(y[0]).blocks, blocks);
  }
}

} // namespace
} // namespace tenon::testing
