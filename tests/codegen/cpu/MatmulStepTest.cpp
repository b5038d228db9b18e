//===- MatmulStepTest.cpp - The products of a training step ---------------===//
//
// y = x W^T + b, dX = dY W and G + dY^T X over any number of tokens, of which
// the last one sums: rows beyond one tile, k around segments, odd extents. Each
// equals the contract's interpreter bit for bit with every feature set.
//
//===----------------------------------------------------------------------===//

#include "tests/codegen/cpu/KernelRunner.h"
#include "tests/support/CompiledModule.h"
#include "tests/support/Tensors.h"

#include "gtest/gtest.h"

#include <cstring>

namespace tenon::testing {
namespace {

using base::CpuFeatures;

struct StepCase {
  const char *type; // of activations and weights
  CpuFeatures features;
};

/// A function of one kernel over tokens x [T, K], dy [T, N], W [N, K], of
/// which `body` makes %y of type `result`.
std::string stepText(const std::string &type, int64_t n, int64_t k,
                     const std::string &third, const std::string &result,
                     const std::string &body) {
  std::string N = std::to_string(n), K = std::to_string(k);
  return "!x = tensor<?x" + K + "x" + type + ", #tn.dims<T, " + K + ">>\n" +
         "!dy = tensor<?x" + N + "x" + type + ", #tn.dims<T, " + N + ">>\n" +
         "!sum = tensor<?x" + N + "xf32, #tn.dims<T, " + N + ">>\n" +
         "!dx = tensor<?x" + K + "xf32, #tn.dims<T, " + K + ">>\n" +
         "!w = tensor<" + N + "x" + K + "x" + type + ">\n" + "!g = tensor<" +
         N + "x" + K + "xf32>\n" + "!b = tensor<" + N +
         "xf32>\n!third = " + third + "\n!y = " + result + R"(
func.func @f(%x: !x, %dy: !dy, %w: !w, %t: !third) -> !y
    attributes {tn.symbols = [#tn.symbol<"T", 1 to 1100>]} {
  %r = tn.kernel(%x, %dy, %w, %t) : (!x, !dy, !w, !third) -> !y {
  ^bb0(%a: !x, %d: !dy, %v: !w, %c: !third):
)" + body +
         R"(
    tn.yield %y : !y
  } {label = "step"}
  return %r : !y
})";
}

class MatmulStep : public ::testing::TestWithParam<StepCase> {
protected:
  mlir::Type element() {
    mlir::MLIRContext *context = &kernelContext();
    if (GetParam().type == std::string("bf16"))
      return mlir::BFloat16Type::get(context);
    return mlir::Float32Type::get(context);
  }

  void check(const std::string &text, int64_t n, int64_t k,
             llvm::ArrayRef<int64_t> third,
             std::initializer_list<int64_t> tokens);

  Random random{23};
};

void MatmulStep::check(const std::string &text, int64_t n, int64_t k,
                       llvm::ArrayRef<int64_t> third,
                       std::initializer_list<int64_t> tokens) {
  auto runner =
      KernelRunner::create(kernelContext(), text, GetParam().features);
  ASSERT_TRUE(runner.ok()) << runner.status();
  mlir::Type f32 = mlir::Float32Type::get(&kernelContext());
  for (int64_t t : tokens) {
    std::vector<Value> values{randomTensor(random, element(), {t, k}),
                              randomTensor(random, element(), {t, n}),
                              randomTensor(random, element(), {n, k}),
                              randomTensor(random, f32, third)};
    llvm::StringMap<int64_t> symbols{{"T", t}};
    Tensor want =
        std::get<Tensor>((*runner)->expected(symbols, values).front());
    std::vector<GuardedBytes> memory;
    for (const Value &value : values) {
      std::string bytes = toBytes(std::get<Tensor>(value));
      memory.emplace_back(bytes.size());
      std::memcpy(memory.back().data(), bytes.data(), bytes.size());
    }
    size_t size = toBytes(want).size();
    for (uint32_t threads : {1, 2}) {
      GuardedBytes out(size);
      std::memset(out.data(), 0x5a, size);
      std::vector<void *> buffers;
      for (GuardedBytes &bytes : memory)
        buffers.push_back(bytes.data());
      buffers.push_back(out.data());
      (*runner)->run(symbols, buffers, threads);
      EXPECT_EQ(firstDifference(
                    want, fromBytes(want.element, want.shape, out.data())),
                "")
          << "t " << t << ", n " << n << ", k " << k << ", threads " << threads;
    }
  }
}

TEST_P(MatmulStep, ForwardWithBias) {
  std::string type = GetParam().type;
  std::string body = "    %p = tn.matmul %a, %v bias %c {transpose_b} : !x, "
                     "!w, !b -> !sum\n    %y = tn.gelu_tanh %p : !sum";
  for (auto [n, k] : {std::pair<int64_t, int64_t>{70, 530}, {64, 515}})
    check(stepText(type, n, k, "!b", "!sum", body), n, k, {n},
          {1, 5, 8, 9, 270, 530});
}

TEST_P(MatmulStep, InputGradient) {
  std::string type = GetParam().type;
  std::string body = "    %y = tn.matmul %d, %v : !dy, !w -> !dx";
  for (auto [n, k] : {std::pair<int64_t, int64_t>{1030, 37}, {515, 96}})
    check(stepText(type, n, k, "!b", "!dx", body), n, k, {n}, {1, 7, 40, 290});
}

// The gradient of the tokens before is added: m is n, k is the tokens.
TEST_P(MatmulStep, AccumulatedWeightGradient) {
  std::string type = GetParam().type;
  std::string body = "    %p = tn.matmul %d, %a {transpose_a} : !dy, !x -> "
                     "!g\n    %y = tn.add %c, %p : !g";
  for (auto [n, k] : {std::pair<int64_t, int64_t>{301, 45}, {616, 64}, {5, 33}})
    check(stepText(type, n, k, "!g", "!g", body), n, k, {n, k},
          {1, 2, 255, 511, 512, 513, 1100});
}

std::vector<StepCase> stepCases() {
  std::vector<StepCase> cases;
  for (CpuFeatures features : runnableFeatures())
    for (const char *type : {"f32", "bf16"})
      cases.push_back({type, features});
  return cases;
}

INSTANTIATE_TEST_SUITE_P(Steps, MatmulStep, ::testing::ValuesIn(stepCases()),
                         [](const auto &info) {
                           std::string name = std::string(info.param.type) +
                                              "_" + nameOf(info.param.features);
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

} // namespace
} // namespace tenon::testing
