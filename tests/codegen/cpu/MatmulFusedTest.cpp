//===- MatmulFusedTest.cpp - Products with what is fused around them ------===//

#include "tests/codegen/cpu/KernelRunner.h"
#include "tests/support/CompiledModule.h"
#include "tests/support/Tensors.h"

#include "ir/tn/Panels.h"

#include "gtest/gtest.h"

#include <cstring>

namespace tenon::testing {
namespace {

using base::CpuFeatures;
using base::ElementType;

struct Input {
  Value value;
  std::string bytes;
};

Input plain(Random &random, mlir::Type element,
            std::initializer_list<int64_t> shape) {
  Tensor tensor = randomTensor(random, element, shape);
  return {tensor, toBytes(tensor)};
}

// A blocked tensor as a file has it.
Input blocked(Random &random, ElementType type, int64_t n, int64_t k) {
  auto element = ir::BlockType::get(&kernelContext(), type);
  Tensor tensor = randomTensor(random, element, {n, k});
  return {tensor, tensor.blocks};
}

// A weight in panels.
Input packed(Random &random, int64_t n, int64_t k,
             ElementType type = ElementType::Q8_0) {
  Input input = blocked(random, type, n, k);
  input.bytes = ir::packReference(type, input.bytes.data(), n, k);
  return input;
}

class FusedMatmul : public ::testing::TestWithParam<CpuFeatures> {
protected:
  mlir::Type f32 = mlir::Float32Type::get(&kernelContext());
  mlir::Type f16 = mlir::Float16Type::get(&kernelContext());
  mlir::Type bf16 = mlir::BFloat16Type::get(&kernelContext());
  Random random{11};

  void check(const std::string &text, int64_t tokens,
             const std::vector<Input> &inputs) {
    auto runner = KernelRunner::create(kernelContext(), text, GetParam());
    ASSERT_TRUE(runner.ok()) << runner.status();
    std::vector<Value> values;
    std::vector<GuardedBytes> memory;
    std::vector<void *> buffers;
    auto add = [&](const std::string &bytes) {
      memory.emplace_back(bytes.size());
      std::memcpy(memory.back().data(), bytes.data(), bytes.size());
      buffers.push_back(memory.back().data());
    };
    for (const Input &input : inputs) {
      values.push_back(input.value);
      add(input.bytes);
    }
    llvm::StringMap<int64_t> symbols{{"T", tokens}};
    std::vector<Value> expected = (*runner)->expected(symbols, values);
    for (const Value &value : expected)
      add(toBytes(std::get<Tensor>(value)));
    for (size_t i = inputs.size(); i < buffers.size(); ++i)
      std::memset(
          buffers[i], 0x5a,
          toBytes(std::get<Tensor>(expected[i - inputs.size()])).size());
    (*runner)->run(symbols, buffers);
    for (size_t i = 0; i < expected.size(); ++i) {
      const Tensor &want = std::get<Tensor>(expected[i]);
      Tensor got =
          fromBytes(want.element, want.shape, buffers[inputs.size() + i]);
      EXPECT_EQ(firstDifference(want, got), "") << "result " << i;
    }
  }
};

// gelu(x * gate) * (x * up) over a norm, as a feed-forward layer has it.
TEST_P(FusedMatmul, NormGateAndUp) {
  std::string text = R"(
!x = tensor<?x96xf32, #tn.dims<T, 96>>
!y = tensor<?x72xf32, #tn.dims<T, 72>>
!w = tensor<72x96x!tn.block<q8_0>, #tn.panels<32>>
func.func @f(%x: !x, %n: tensor<96xf32>, %g: !w, %u: !w) -> !y
    attributes {tn.symbols = [#tn.symbol<"T", 1 to 64>]} {
  %r = tn.kernel(%x, %n, %g, %u) : (!x, tensor<96xf32>, !w, !w) -> !y {
  ^bb0(%a: !x, %b: tensor<96xf32>, %c: !w, %d: !w):
    %h = tn.rms_norm %a, %b eps 1.0e-6 : !x, tensor<96xf32>
    %gate = tn.matmul %h, %c {transpose_b} : !x, !w -> !y
    %up = tn.matmul %h, %d {transpose_b} : !x, !w -> !y
    %act = tn.gelu_tanh %gate : !y
    %y = tn.mul %act, %up : !y
    tn.yield %y : !y
  } {label = "gate"}
  return %r : !y
})";
  for (int64_t tokens : {1, 13, 64})
    check(text, tokens,
          {plain(random, f32, {tokens, 96}), plain(random, f32, {96}),
           packed(random, 72, 96), packed(random, 72, 96)});
}

// A plain right operand, a bias, a bf16 result and a residual.
TEST_P(FusedMatmul, PlainOperandsBiasAndResidual) {
  std::string text = R"(
!x = tensor<?x40xbf16, #tn.dims<T, 40>>
!y = tensor<?x50xbf16, #tn.dims<T, 50>>
func.func @f(%x: !x, %w: tensor<40x50xf16>, %b: tensor<50xf32>, %r: !y) -> !y
    attributes {tn.symbols = [#tn.symbol<"T", 1 to 64>]} {
  %s = tn.kernel(%x, %w, %b, %r) : (!x, tensor<40x50xf16>, tensor<50xf32>, !y) -> !y {
  ^bb0(%a: !x, %c: tensor<40x50xf16>, %d: tensor<50xf32>, %e: !y):
    %p = tn.matmul %a, %c bias %d : !x, tensor<40x50xf16>, tensor<50xf32> -> !y
    %y = tn.add %p, %e : !y
    tn.yield %y : !y
  } {label = "plain"}
  return %s : !y
})";
  for (int64_t tokens : {1, 7, 33})
    check(text, tokens,
          {plain(random, bf16, {tokens, 40}), plain(random, f16, {40, 50}),
           plain(random, f32, {50}), plain(random, bf16, {tokens, 50})});
}

// The weight's gradient sums over tokens: both operands are activations.
TEST_P(FusedMatmul, TransposedLeftOverTokens) {
  std::string text = R"(
!x = tensor<?x37xf32, #tn.dims<T, 37>>
!g = tensor<?x45xf32, #tn.dims<T, 45>>
func.func @f(%x: !x, %g: !g) -> tensor<37x45xf32>
    attributes {tn.symbols = [#tn.symbol<"T", 1 to 1100>]} {
  %s = tn.kernel(%x, %g) : (!x, !g) -> tensor<37x45xf32> {
  ^bb0(%a: !x, %b: !g):
    %p = tn.matmul %a, %b {transpose_a} : !x, !g -> tensor<37x45xf32>
    tn.yield %p : tensor<37x45xf32>
  } {label = "gradient"}
  return %s : tensor<37x45xf32>
})";
  for (int64_t tokens : {1, 511, 513, 1100})
    check(text, tokens,
          {plain(random, f32, {tokens, 37}), plain(random, f32, {tokens, 45})});
}

// Heads beside each other are the columns of a row: forward and its gradient.
TEST_P(FusedMatmul, ReshapedOperands) {
  std::string text = R"(
!h = tensor<?x4x16xf32, #tn.dims<T, 4, 16>>
!x = tensor<?x64xf32, #tn.dims<T, 64>>
!g = tensor<?x45xf32, #tn.dims<T, 45>>
func.func @f(%x: !h, %g: !g, %w: tensor<45x4x16xf32>) -> (!g, tensor<45x64xf32>)
    attributes {tn.symbols = [#tn.symbol<"T", 1 to 600>]} {
  %y, %dw = tn.kernel(%x, %g, %w) : (!h, !g, tensor<45x4x16xf32>)
      -> (!g, tensor<45x64xf32>) {
  ^bb0(%a: !h, %b: !g, %c: tensor<45x4x16xf32>):
    %r = tn.reshape %a : !h -> !x
    %s = tn.reshape %c : tensor<45x4x16xf32> -> tensor<45x64xf32>
    %p = tn.matmul %r, %s {transpose_b} : !x, tensor<45x64xf32> -> !g
    tn.yield %p : !g
  }, {
  ^bb0(%a: !h, %b: !g, %c: tensor<45x4x16xf32>):
    %r = tn.reshape %a : !h -> !x
    %p = tn.matmul %b, %r {transpose_a} : !g, !x -> tensor<45x64xf32>
    tn.yield %p : tensor<45x64xf32>
  } {label = "heads"}
  return %y, %dw : !g, tensor<45x64xf32>
})";
  for (int64_t tokens : {1, 9, 530})
    check(text, tokens,
          {plain(random, f32, {tokens, 4, 16}),
           plain(random, f32, {tokens, 45}), plain(random, f32, {45, 4, 16})});
}

TEST_P(FusedMatmul, Batched) {
  std::string text = R"(
func.func @f(%x: tensor<3x5x40xf32>, %w: tensor<3x34x40xf32>) -> tensor<3x5x34xf32> {
  %s = tn.kernel(%x, %w) : (tensor<3x5x40xf32>, tensor<3x34x40xf32>) -> tensor<3x5x34xf32> {
  ^bb0(%a: tensor<3x5x40xf32>, %b: tensor<3x34x40xf32>):
    %p = tn.matmul %a, %b {transpose_b} : tensor<3x5x40xf32>, tensor<3x34x40xf32> -> tensor<3x5x34xf32>
    tn.yield %p : tensor<3x5x34xf32>
  } {label = "batched"}
  return %s : tensor<3x5x34xf32>
})";
  check(text, 1,
        {plain(random, f32, {3, 5, 40}), plain(random, f32, {3, 34, 40})});
}

std::string integerProduct(ElementType left, ElementType type, bool isPacked) {
  std::string block = "!tn.block<" + std::string(base::info(left).name) + ">";
  std::string name(base::info(type).name);
  std::string w = "tensor<72x768x!tn.block<" + name + ">" +
                  (isPacked ? ", #tn.panels<32>>" : ">");
  return "!w = " + w + "\n!x = tensor<?x768x" + block + R"(, #tn.dims<T, 768>>
!y = tensor<?x72xf32, #tn.dims<T, 72>>
func.func @f(%x: !x, %w: !w, %b: tensor<72xf32>) -> !y
    attributes {tn.symbols = [#tn.symbol<"T", 1 to 64>]} {
  %r = tn.kernel(%x, %w, %b) : (!x, !w, tensor<72xf32>) -> !y {
  ^bb0(%a: !x, %c: !w, %d: tensor<72xf32>):
    %p = tn.matmul %a, %c bias %d {transpose_b} : !x, !w, tensor<72xf32> -> !y
    %y = tn.silu %p : !y
    tn.yield %y : !y
  } {label = "integers"}
  return %r : !y
})";
}

// Quantised activations, with weights of every format, packed or not.
TEST_P(FusedMatmul, ProductsOfIntegers) {
  auto checkAll = [&](ElementType left, ElementType type) {
    SCOPED_TRACE(base::info(type).name);
    for (bool isPacked : {true, false})
      for (int64_t tokens : {1, 13, 64}) {
        Input w = isPacked ? packed(random, 72, 768, type)
                           : blocked(random, type, 72, 768);
        check(
            integerProduct(left, type, isPacked), tokens,
            {blocked(random, left, tokens, 768), w, plain(random, f32, {72})});
      }
  };
  for (ElementType type :
       {ElementType::Q8_0, ElementType::Q4_0, ElementType::Q4_1,
        ElementType::Q5_0, ElementType::Q5_1, ElementType::Q4_K,
        ElementType::Q5_K, ElementType::Q6_K, ElementType::Int4_G64,
        ElementType::Int4_G128})
    checkAll(ElementType::Q8_0, type);
  for (ElementType type :
       {ElementType::Q4_K, ElementType::Q5_K, ElementType::Q6_K})
    checkAll(ElementType::Q8_K, type);
}

INSTANTIATE_TEST_SUITE_P(Features, FusedMatmul,
                         ::testing::ValuesIn(runnableFeatures()));

} // namespace
} // namespace tenon::testing
