//===- MatmulTest.cpp - Products equal the chain of the contract ----------===//

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

std::string elementName(ElementType type) {
  std::string name(base::info(type).name);
  return base::info(type).isBlocked() ? "!tn.block<" + name + ">" : name;
}

// A weight [n, k] as a file has it, its panels and its values.
struct Weight {
  std::string bytes, packed;
  std::vector<float> values;
};

Weight randomWeight(Random &random, ElementType type, int64_t n, int64_t k) {
  Weight weight;
  weight.values.resize(n * k);
  std::uniform_real_distribution<float> uniform(-1, 1);
  for (float &value : weight.values)
    value = uniform(random);
  weight.bytes.resize(*base::sizeBytes(type, n * k));
  EXPECT_TRUE(
      base::pack(type, weight.values.data(), n * k, weight.bytes.data()).ok());
  EXPECT_TRUE(
      base::unpack(type, weight.bytes.data(), n * k, weight.values.data())
          .ok());
  weight.packed = ir::packReference(type, weight.bytes.data(), n, k);
  return weight;
}

float chain(const float *a, const float *b, int64_t k) {
  float total = 0;
  for (int64_t from = 0; from < k; from += 512) {
    float sum = 0;
    for (int64_t i = from; i < std::min(k, from + 512); ++i)
      sum = std::fma(a[i], b[i], sum);
    total = from == 0 ? sum : total + sum;
  }
  return total;
}

GuardedBytes guarded(const void *data, size_t bytes) {
  GuardedBytes result(bytes);
  std::memcpy(result.data(), data, bytes);
  return result;
}

std::vector<float> randomFloats(Random &random, int64_t count) {
  std::uniform_real_distribution<float> uniform(-2, 2);
  std::vector<float> values(count);
  for (float &value : values)
    value = uniform(random);
  return values;
}

int64_t mismatches(const std::vector<float> &expected, const void *actual) {
  const float *values = static_cast<const float *>(actual);
  int64_t count = 0;
  for (size_t i = 0; i < expected.size(); ++i)
    count += std::memcmp(&expected[i], &values[i], sizeof(float)) != 0;
  return count;
}

std::unique_ptr<KernelRunner> compileOrFail(const std::string &text,
                                            CpuFeatures features) {
  auto runner = KernelRunner::create(kernelContext(), text, features);
  EXPECT_TRUE(runner.ok()) << runner.status();
  return runner.ok() ? std::move(*runner) : nullptr;
}

struct PackedCase {
  ElementType type;
  CpuFeatures features;
};

class PackedMatmul : public ::testing::TestWithParam<PackedCase> {
protected:
  void check(int64_t n, int64_t k, int64_t most,
             std::initializer_list<int64_t> tokens);
};

void PackedMatmul::check(int64_t n, int64_t k, int64_t most,
                         std::initializer_list<int64_t> tokens) {
  auto [type, features] = GetParam();
  std::string N = std::to_string(n), K = std::to_string(k);
  std::string x = "tensor<?x" + K + "xf32, #tn.dims<T, " + K + ">>";
  std::string y = "tensor<?x" + N + "xf32, #tn.dims<T, " + N + ">>";
  std::string w =
      "tensor<" + N + "x" + K + "x" + elementName(type) + ", #tn.panels<32>>";
  std::string text = "func.func @f(%x: " + x + ", %w: " + w + ") -> " + y +
                     " attributes {tn.symbols = [#tn.symbol<\"T\", 1 to " +
                     std::to_string(most) +
                     ">]} {\n  %r = tn.kernel(%x, %w) : (" + x + ", " + w +
                     ") -> " + y + " {\n  ^bb0(%a: " + x + ", %b: " + w +
                     "):\n    %p = tn.matmul %a, %b "
                     "{transpose_b} : " +
                     x + ", " + w + " -> " + y + "\n    tn.yield %p : " + y +
                     "\n  } {label = \"matmul\"}\n  return %r : " + y + "\n}";
  std::unique_ptr<KernelRunner> runner = compileOrFail(text, features);
  ASSERT_TRUE(runner);
  Random random(static_cast<uint64_t>(n * 31 + k));
  Weight weight = randomWeight(random, type, n, k);
  GuardedBytes panels = guarded(weight.packed.data(), weight.packed.size());
  for (int64_t m : tokens) {
    std::vector<float> a = randomFloats(random, m * k), expected(m * n);
    for (int64_t i = 0; i < m * n; ++i)
      expected[i] = chain(&a[i / n * k], &weight.values[i % n * k], k);
    GuardedBytes in = guarded(a.data(), a.size() * sizeof(float));
    GuardedBytes out(expected.size() * sizeof(float));
    runner->run({{"T", m}}, {in.data(), panels.data(), out.data()});
    EXPECT_EQ(mismatches(expected, out.data()), 0)
        << "m " << m << ", n " << n << ", k " << k;
  }
}

TEST_P(PackedMatmul, DecodeEqualsChain) {
  check(1, 256, 1, {1});
  check(100, 1536, 1, {1});
  check(200, 256, 1, {1});
}

TEST_P(PackedMatmul, RowsEqualChain) {
  check(31, 256, 100, {1, 7, 31, 32, 33, 100});
  check(33, 768, 16, {1, 5, 16});
  check(320, 256, 5, {1, 5});
}

std::vector<PackedCase> packedCases() {
  std::vector<PackedCase> cases;
  for (CpuFeatures features : runnableFeatures())
    for (ElementType type :
         {ElementType::F32, ElementType::F16, ElementType::BF16,
          ElementType::Q8_0, ElementType::Q4_0, ElementType::Q4_1,
          ElementType::Q5_0, ElementType::Q5_1, ElementType::Q4_K,
          ElementType::Q5_K, ElementType::Q6_K, ElementType::Int4_G64,
          ElementType::Int4_G128})
      cases.push_back({type, features});
  return cases;
}

INSTANTIATE_TEST_SUITE_P(Formats, PackedMatmul,
                         ::testing::ValuesIn(packedCases()),
                         [](const auto &info) {
                           std::string name =
                               std::string(base::info(info.param.type).name) +
                               "_" + nameOf(info.param.features);
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

} // namespace
} // namespace tenon::testing
