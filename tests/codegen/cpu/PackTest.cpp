//===- PackTest.cpp - Generated packing equals the reference --------------===//

#include "tests/codegen/cpu/KernelRunner.h"
#include "tests/support/CompiledModule.h"
#include "tests/support/Tensors.h"

#include "codegen/cpu/Link.h"
#include "ir/tn/Panels.h"

#include "gtest/gtest.h"

#include <cstring>

namespace tenon::testing {
namespace {

using base::ElementType;

std::unique_ptr<KernelRunner> packKernel(ElementType type, int64_t n, int64_t k,
                                         base::CpuFeatures features) {
  std::string name(base::info(type).name);
  std::string element =
      base::info(type).isBlocked() ? "!tn.block<" + name + ">" : name;
  std::string shape = std::to_string(n) + "x" + std::to_string(k) + "x";
  std::string x = "tensor<" + shape + element + ">";
  std::string y = "tensor<" + shape + element + ", #tn.panels<32>>";
  std::string text = "func.func @f(%x: " + x + ") -> " + y +
                     " {\n  %r = tn.kernel(%x) : (" + x + ") -> " + y +
                     " {\n  ^bb0(%a: " + x + "):\n    %p = tn.pack %a : " + x +
                     " -> " + y + "\n    tn.yield %p : " + y +
                     "\n  } {label = \"pack\"}\n  return %r : " + y + "\n}";
  auto runner = KernelRunner::create(kernelContext(), text, features);
  EXPECT_TRUE(runner.ok()) << runner.status();
  return runner.ok() ? std::move(*runner) : nullptr;
}

class Pack : public ::testing::TestWithParam<base::CpuFeatures> {};

// Any bytes are a weight: random ones try every bit, tails every lane.
TEST_P(Pack, EqualsReference) {
  Random random(3);
  for (ElementType type :
       {ElementType::F32, ElementType::F16, ElementType::BF16,
        ElementType::Q8_0, ElementType::Q4_0, ElementType::Q4_1,
        ElementType::Q5_0, ElementType::Q5_1, ElementType::Q4_K,
        ElementType::Q5_K, ElementType::Q6_K, ElementType::Int4_G64,
        ElementType::Int4_G128, ElementType::I8}) {
    int64_t n = 75, k = type == ElementType::I8 ? 509 : 512;
    auto runner = packKernel(type, n, k, GetParam());
    ASSERT_TRUE(runner);
    GuardedBytes source(*base::sizeBytes(type, n * k));
    std::string bytes(*base::sizeBytes(type, n * k), '\0');
    for (char &byte : bytes)
      byte = static_cast<char>(random() % 120); // no f16 infinity or NaN
    std::memcpy(source.data(), bytes.data(), bytes.size());
    std::string want = ir::packReference(type, bytes.data(), n, k);
    GuardedBytes packed(want.size());
    runner->run({}, {source.data(), packed.data()});
    EXPECT_EQ(std::memcmp(packed.data(), want.data(), want.size()), 0)
        << base::info(type).name;
  }
}

INSTANTIATE_TEST_SUITE_P(Features, Pack,
                         ::testing::ValuesIn(runnableFeatures()));

TEST(Panels, KeepsEveryValue) {
  Random random(5);
  for (ElementType type :
       {ElementType::Q8_0, ElementType::Q4_0, ElementType::Q4_1,
        ElementType::Q5_0, ElementType::Q5_1, ElementType::Q4_K,
        ElementType::Q5_K, ElementType::Q6_K, ElementType::Int4_G64,
        ElementType::Int4_G128}) {
    int64_t n = 33, k = 256;
    std::string bytes(*base::sizeBytes(type, n * k), '\0');
    for (char &byte : bytes)
      byte = static_cast<char>(random() % 120);
    std::vector<float> values(n * k);
    ASSERT_TRUE(base::unpack(type, bytes.data(), n * k, values.data()).ok());
    std::string packed = ir::packReference(type, bytes.data(), n, k);
    for (int64_t i = 0; i < n * k; ++i) {
      float got = ir::unpackedElement(type, packed.data(), k, i / k, i % k);
      ASSERT_EQ(std::memcmp(&values[i], &got, sizeof(float)), 0)
          << base::info(type).name << " element " << i;
    }
  }
}

// lld keeps global state: linking twice must work, and give the same bytes.
TEST(Link, GivesTheSameSharedObjectTwice) {
  auto runner = packKernel(ElementType::Q8_0, 32, 32, base::CpuFeatures::V3);
  ASSERT_TRUE(runner);
  auto first = codegen::cpu::linkShared({runner->object()});
  auto second = codegen::cpu::linkShared({runner->object()});
  ASSERT_TRUE(first.ok()) << first.status();
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(*first, *second);
  EXPECT_EQ(first->substr(0, 4), "\x7f"
                                 "ELF");
}

} // namespace
} // namespace tenon::testing
