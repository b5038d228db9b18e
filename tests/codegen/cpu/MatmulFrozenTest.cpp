//===- MatmulFrozenTest.cpp - Gradients through blocked weights -----------===//
//
// dX = dY W with W [N, K] blocked along K, packed as the forward product reads
// it or not: sums over W's rows. Each format equals the contract's interpreter
// bit for bit with every feature set.
//
//===----------------------------------------------------------------------===//

#include "ir/tn/Panels.h"
#include "tests/codegen/cpu/MatmulShapes.h"

#include "gtest/gtest.h"

namespace tenon::testing {
namespace {

using base::ElementType;

class FrozenWeight : public ::testing::TestWithParam<ElementType> {
protected:
  void check(const std::string &gradient, int64_t n, int64_t k, bool isPacked,
             std::initializer_list<int64_t> tokens);

  MatmulShapes product;
  Random random{31};
};

void FrozenWeight::check(const std::string &gradient, int64_t n, int64_t k,
                         bool isPacked, std::initializer_list<int64_t> tokens) {
  std::string N = std::to_string(n), K = std::to_string(k);
  std::string w = "tensor<" + N + "x" + K + "x!tn.block<" +
                  std::string(base::info(GetParam()).name) + ">" +
                  (isPacked ? ", #tn.panels<32>>" : ">");
  std::string text = "!dy = tensor<?x" + N + "x" + gradient + ", #tn.dims<T, " +
                     N + ">>\n!dx = tensor<?x" + K + "xf32, #tn.dims<T, " + K +
                     ">>\n!w = " + w + R"(
func.func @f(%dy: !dy, %w: !w) -> !dx
    attributes {tn.symbols = [#tn.symbol<"T", 1 to 600>]} {
  %r = tn.kernel(%dy, %w) : (!dy, !w) -> !dx {
  ^bb0(%a: !dy, %b: !w):
    %y = tn.matmul %a, %b : !dy, !w -> !dx
    tn.yield %y : !dx
  } {label = "frozen"}
  return %r : !dx
})";
  absl::Status status = product.compile(text);
  ASSERT_TRUE(status.ok()) << status;
  mlir::MLIRContext *context = &kernelContext();
  mlir::Type element = gradient == "bf16"
                           ? mlir::Type(mlir::BFloat16Type::get(context))
                           : mlir::Type(mlir::Float32Type::get(context));
  Tensor b =
      randomTensor(random, ir::BlockType::get(context, GetParam()), {n, k});
  std::string stored = b.blocks;
  if (isPacked)
    stored = ir::packReference(GetParam(), stored.data(), n, k);
  SCOPED_TRACE(::testing::Message()
               << "n " << n << ", k " << k << ", packed " << isPacked);
  for (int64_t t : tokens)
    product.check(t, randomTensor(random, element, {t, n}), b, stored);
}

TEST_P(FrozenWeight, EqualsTheContract) {
  for (bool isPacked : {true, false}) {
    check("f32", 1, 256, isPacked, {1, 9});
    check("f32", 33, 512, isPacked, {1, 8, 31});
    check("f32", 545, 256, isPacked, {1, 7, 40, 300, 600});
    check("bf16", 96, 768, isPacked, {5, 64});
  }
}

INSTANTIATE_TEST_SUITE_P(
    Formats, FrozenWeight,
    ::testing::Values(ElementType::Q8_0, ElementType::Q4_0, ElementType::Q4_1,
                      ElementType::Q5_0, ElementType::Q5_1, ElementType::Q4_K,
                      ElementType::Q5_K, ElementType::Q6_K,
                      ElementType::Int4_G64, ElementType::Int4_G128),
    [](const auto &info) { return std::string(base::info(info.param).name); });

} // namespace
} // namespace tenon::testing
