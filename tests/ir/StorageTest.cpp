//===- StorageTest.cpp - Reference values as bytes ------------------------===//

#include "ir/reference/Storage.h"
#include "ir/reference/Evaluate.h"
#include "ir/tn/Tn.h"

#include "mlir/IR/MLIRContext.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
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

// A head of a block is its quants, then its scales.
TEST_F(Storage, CachesOfBlocksHaveAScaleForEach32) {
  constexpr int64_t kWidth = 64, kHead = kWidth * 64 / 32 * 34;
  auto element = BlockType::get(&context, base::ElementType::Q8_0);
  for (CacheLayout layout : {CacheLayout::Keys, CacheLayout::Values}) {
    bool isKeys = layout == CacheLayout::Keys;
    auto type = CacheType::get(&context, layout, 2, kWidth, element);
    EXPECT_EQ(type.headBytes(), kHead);
    std::string bytes(2 * 2 * kHead, '\0');
    int64_t slot = 64 + 5, head = 1, number = 1; // position 5 of block 1
    char *start = bytes.data() + (1 * 2 + head) * kHead;
    for (int64_t i = 0; i < 32; ++i)
      start[isKeys ? (32 + i) * 64 + 5 : 5 * kWidth + 32 + i] = char(127 - i);
    int64_t scale = isKeys ? number * 64 + 5 : 5 * 2 + number;
    start[kWidth * 64 + 2 * scale + 1] = 0x38; // 0.5
    auto cache = cacheFromBytes<Contract>(type, bytes);
    ASSERT_TRUE(bool(cache));
    EXPECT_EQ(std::count(cache->rows.begin(), cache->rows.end(), 0.0f),
              int64_t(cache->rows.size()) - 32);
    for (int64_t i = 0; i < 32; ++i)
      EXPECT_EQ(cache->rows[(slot * 2 + head) * kWidth + 32 + i],
                0.5f * float(127 - i));
    auto back = cacheToBytes(type, *cache);
    ASSERT_TRUE(bool(back));
    EXPECT_EQ(*back, bytes);
  }
}

// Whatever rows become, there are blocks that mean it; of other rows not.
TEST_F(Storage, CachesOfBlocksHoldWhatQuantizingMakes) {
  auto element = BlockType::get(&context, base::ElementType::Q8_0);
  auto type = CacheType::get(&context, CacheLayout::Keys, 1, 32, element);
  Cache<Contract> cache{element, 1, 32, std::vector<float>(64 * 32)};
  for (int64_t slot = 0; slot < 64; ++slot) {
    std::vector<float> row(32);
    for (int64_t i = 0; i < 32; ++i) // from scales of 0 to those of 65504
      row[i] = std::ldexp(float(i * 37 % 64 - 31), int(slot) - 30);
    std::string block = quantizedBytes(base::ElementType::Q8_0, row);
    auto values = tensorFromBytes<Contract>(element, {32}, block);
    ASSERT_TRUE(bool(values));
    llvm::copy(values->floats, cache.rows.begin() + slot * 32);
  }
  auto bytes = cacheToBytes(type, cache);
  ASSERT_TRUE(bool(bytes));
  auto back = cacheFromBytes<Contract>(type, *bytes);
  ASSERT_TRUE(bool(back));
  EXPECT_EQ(back->rows, cache.rows);
  cache.rows[3] = 1.0f / 3;
  auto refused = cacheToBytes(type, cache);
  EXPECT_FALSE(bool(refused));
  llvm::consumeError(refused.takeError());
}

} // namespace
} // namespace tenon::ir::ref
