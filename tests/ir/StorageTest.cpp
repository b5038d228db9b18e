//===- StorageTest.cpp - Reference values as bytes ------------------------===//

#include "ir/reference/Storage.h"
#include "ir/reference/Evaluate.h"
#include "ir/tn/Tn.h"

#include "mlir/IR/MLIRContext.h"

#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <numeric>

namespace tenon::ir::ref {
namespace {

class Storage : public testing::Test {
protected:
  Storage() { context.loadDialect<TnDialect>(); }

  template <typename A> void expectRoundTrip(const Tensor<A> &tensor) {
    std::string bytes = tensorToBytes(tensor);
    auto back = tensorFromBytes<A>(tensor.element, tensor.shape, bytes);
    ASSERT_TRUE(bool(back));
    EXPECT_EQ(back->floats, tensor.floats);
    EXPECT_EQ(back->ints, tensor.ints);
  }

  mlir::MLIRContext context;
  mlir::Builder builder{&context};
};

TEST_F(Storage, FloatsOfEveryTypeRoundTrip) {
  for (mlir::Type type :
       {mlir::Type(builder.getF32Type()), mlir::Type(builder.getF16Type()),
        mlir::Type(builder.getBF16Type())}) {
    auto tensor = makeTensor<Contract>(type, {2, 2});
    tensor.floats = {1.5f, -2.0f, 0.0f, 1024.0f};
    expectRoundTrip(tensor);
  }
}

TEST_F(Storage, IntegersOfEveryWidthRoundTrip) {
  for (unsigned width : {8, 32, 64}) {
    auto tensor = makeTensor<Real>(builder.getIntegerType(width), {3});
    tensor.ints = {-1, 0, 127};
    expectRoundTrip(tensor);
  }
  auto truth = makeTensor<Real>(builder.getI1Type(), {2});
  truth.ints = {0, 1};
  expectRoundTrip(truth);
  EXPECT_EQ(tensorToBytes(truth),
            std::string("\0\1", 2)); // i1 is one byte an element
}

TEST_F(Storage, BlockedTensorsHaveBlocksAndTheirValues) {
  auto type = BlockType::get(&context, base::ElementType::Q8_0);
  std::string bytes(34, '\2');
  bytes[0] = 0, bytes[1] = 0x38; // d = 0.5
  auto tensor = tensorFromBytes<Contract>(type, {32}, bytes);
  ASSERT_TRUE(bool(tensor));
  EXPECT_EQ(tensor->floats, std::vector<float>(32, 1.0f));
  EXPECT_EQ(tensor->blocks, bytes);
  EXPECT_EQ(tensorToBytes(*tensor), bytes);
}

TEST_F(Storage, PackedTensorsHaveTheValuesOfTheirBlocks) {
  auto type = BlockType::get(&context, base::ElementType::Q8_0);
  std::vector<float> values(64);
  std::iota(values.begin(), values.end(), -20.3f);
  auto tensor = packedTensor<Real>(type, {2, 32}, values);
  ASSERT_TRUE(bool(tensor));
  auto again = tensorFromBytes<Real>(type, {2, 32}, tensorToBytes(*tensor));
  ASSERT_TRUE(bool(again));
  EXPECT_EQ(tensor->floats, again->floats);
  for (size_t i = 0; i < values.size(); ++i)
    EXPECT_NEAR(tensor->floats[i], values[i], 43.0 / 127);
  values[3] = std::numeric_limits<float>::infinity();
  auto refused = packedTensor<Real>(type, {2, 32}, values);
  EXPECT_FALSE(bool(refused));
  llvm::consumeError(refused.takeError());
}

TEST_F(Storage, RefusesBytesOfAnotherSize) {
  auto tensor = tensorFromBytes<Contract>(builder.getF32Type(), {2},
                                          llvm::ArrayRef<char>("1234567", 7));
  EXPECT_FALSE(bool(tensor));
  llvm::consumeError(tensor.takeError());
}

// Two blocks of two heads: keys lie [heads][width][64], values
// [heads][64][width].
TEST_F(Storage, CachesLieInBlocksOf64Positions) {
  std::vector<float> stored(2 * 2 * 3 * 64);
  std::iota(stored.begin(), stored.end(), 0.0f);
  llvm::ArrayRef<char> bytes(reinterpret_cast<const char *>(stored.data()),
                             stored.size() * sizeof(float));
  for (CacheLayout layout : {CacheLayout::Keys, CacheLayout::Values}) {
    auto type = CacheType::get(&context, layout, 2, 3, builder.getF32Type());
    auto cache = cacheFromBytes<Contract>(type, bytes);
    ASSERT_TRUE(bool(cache));
    int64_t slot = 64 + 5, head = 1, d = 2; // position 5 of block 1
    int64_t inBlock = layout == CacheLayout::Keys ? d * 64 + 5 : 5 * 3 + d;
    EXPECT_EQ(cache->rows[(slot * 2 + head) * 3 + d],
              float((1 * 2 + head) * 3 * 64 + inBlock));
    auto back = cacheToBytes(type, *cache);
    ASSERT_TRUE(bool(back));
    EXPECT_EQ(std::memcmp(back->data(), stored.data(), bytes.size()), 0);
  }
}

} // namespace
} // namespace tenon::ir::ref
