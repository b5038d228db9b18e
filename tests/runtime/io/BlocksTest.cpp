//===- BlocksTest.cpp - Element types, conversions, blocked layouts -------===//
//
// golden/make_blocks.py says how the golden bytes were made.
//
//===----------------------------------------------------------------------===//

#include "runtime/base/Blocks.h"
#include "runtime/io/Json.h"
#include "runtime/io/MappedFile.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <random>

namespace tenon::base {
namespace {

using testing::HasSubstr;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

template <typename T> std::vector<T> fromHex(const std::string &hex) {
  std::vector<uint8_t> bytes;
  for (size_t i = 0; i < hex.size(); i += 2)
    bytes.push_back(
        static_cast<uint8_t>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  std::vector<T> values(bytes.size() / sizeof(T));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

std::vector<std::string> blockedTypes() {
  std::vector<std::string> names;
  for (ElementType type : allElementTypes())
    if (info(type).isBlocked())
      names.emplace_back(info(type).name);
  return names;
}

class Blocked : public testing::TestWithParam<std::string> {
protected:
  ElementType type = *parseElementType(GetParam());
};

TEST_P(Blocked, UnpacksGoldenBytesExactly) {
  std::string path =
      std::string(TENON_SOURCE_DIR) + "/tests/runtime/io/golden/blocks.json";
  StatusOr<std::string> text = io::readFile(path, 1 << 20);
  ASSERT_TRUE(text.ok()) << text.status();
  StatusOr<io::Json> golden = io::parseJson(*text, path);
  ASSERT_TRUE(golden.ok()) << golden.status();
  const io::Json &test = (*golden)[GetParam()];
  auto blocks = fromHex<uint8_t>(test["blocks"].get<std::string>());
  auto expected = fromHex<uint32_t>(test["floats"].get<std::string>());
  std::vector<float> floats(expected.size());
  auto count = static_cast<int64_t>(floats.size());
  ASSERT_EQ(*sizeBytes(type, count), static_cast<int64_t>(blocks.size()));
  Status status = unpack(type, blocks.data(), count, floats.data());
  ASSERT_TRUE(status.ok()) << status;
  for (size_t i = 0; i < floats.size(); ++i)
    ASSERT_EQ(std::bit_cast<uint32_t>(floats[i]), expected[i])
        << "element " << i << " is " << floats[i];
}

// What is packed comes back within the worst step of the format.
TEST_P(Blocked, PacksWithinItsPrecision) {
  std::mt19937 rng(7);
  std::normal_distribution<float> normal;
  std::vector<float> values(512), back(512);
  for (float &value : values)
    value = normal(rng);
  std::vector<uint8_t> blocks(
      static_cast<size_t>(*sizeBytes(type, std::ssize(values))));
  ASSERT_TRUE(pack(type, values.data(), 512, blocks.data()).ok());
  ASSERT_TRUE(unpack(type, blocks.data(), 512, back.data()).ok());
  // Levels of the format over values that reach about 4 either way.
  int bits = GetParam()[GetParam().find_first_of("123456789")] - '0';
  float step = 9.0f / static_cast<float>(1 << bits);
  for (size_t i = 0; i < values.size(); ++i)
    ASSERT_NEAR(values[i], back[i], step) << "element " << i;
}

TEST_P(Blocked, PackingTwiceChangesNothing) {
  std::vector<float> values(256, 0.0f), once(256), twice(256);
  for (int i = 0; i < 256; ++i)
    values[static_cast<size_t>(i)] = i % 2 ? 0.0f : -3.0f;
  std::vector<uint8_t> blocks(static_cast<size_t>(*sizeBytes(type, 256)));
  ASSERT_TRUE(pack(type, values.data(), 256, blocks.data()).ok());
  ASSERT_TRUE(unpack(type, blocks.data(), 256, once.data()).ok());
  ASSERT_TRUE(pack(type, once.data(), 256, blocks.data()).ok());
  ASSERT_TRUE(unpack(type, blocks.data(), 256, twice.data()).ok());
  for (size_t i = 0; i < 256; ++i)
    EXPECT_NEAR(once[i], twice[i], 0.01f);
}

TEST_P(Blocked, ZerosHugeAndTinyValuesStayFinite) {
  for (float value : {0.0f, 1e-40f, -1e-30f, 3e38f, -3e38f}) {
    std::vector<float> values(256, value), back(256);
    values[7] = -value;
    std::vector<uint8_t> blocks(static_cast<size_t>(*sizeBytes(type, 256)));
    Status status = pack(type, values.data(), 256, blocks.data());
    ASSERT_TRUE(status.ok()) << status;
    ASSERT_TRUE(unpack(type, blocks.data(), 256, back.data()).ok());
    for (float x : back)
      ASSERT_TRUE(std::isfinite(x)) << value << " became " << x;
  }
}

TEST_P(Blocked, RefusesPartBlocksAndNonFiniteValues) {
  std::vector<float> values(256, 1.0f);
  std::vector<uint8_t> blocks(static_cast<size_t>(*sizeBytes(type, 256)));
  EXPECT_THAT(unpack(type, blocks.data(), 31, values.data()).message(),
              HasSubstr("expects a count of " + GetParam() +
                        " elements that is a multiple of"));
  EXPECT_THAT(pack(type, values.data(), -256, blocks.data()).message(),
              HasSubstr("got -256"));
  values[3] = kNan;
  EXPECT_THAT(pack(type, values.data(), 256, blocks.data()).message(),
              HasSubstr("expects finite values for " + GetParam() +
                        ", got nan at index 3"));
}

INSTANTIATE_TEST_SUITE_P(Types, Blocked, testing::ValuesIn(blockedTypes()),
                         [](const auto &test) { return test.param; });

TEST(ElementTypes, AreFoundByName) {
  for (ElementType type : allElementTypes())
    EXPECT_EQ(parseElementType(info(type).name), type);
  EXPECT_EQ(parseElementType("q3_k"), std::nullopt);
  EXPECT_EQ(info(ElementType::Q4_K).blockElements, 256);
  EXPECT_EQ(info(ElementType::Q4_K).blockBytes, 144);
  EXPECT_EQ(parseElementType("int4_g32"), ElementType::Q4_0);
  EXPECT_EQ(parseElementType("int4_g256"), std::nullopt);
}

TEST(ElementTypes, SizesDoNotOverflow) {
  StatusOr<int64_t> size = sizeBytes(ElementType::F64, int64_t{1} << 61);
  EXPECT_EQ(size.status().code(), TENON_OUT_OF_RANGE);
  EXPECT_THAT(size.status().message(), HasSubstr("2^63 bytes"));
}

TEST(F16, RoundTripsEveryValue) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    auto half = static_cast<uint16_t>(bits);
    float value = f16ToF32(half);
    if (std::isnan(value)) // Signalling ones become quiet.
      EXPECT_EQ(f32ToF16(value), half | 0x200);
    else
      ASSERT_EQ(f32ToF16(value), half);
  }
}

TEST(F16, RoundsToNearestEven) {
  EXPECT_EQ(f32ToF16(1.0f + 0x1p-11f), 0x3c00);     // tie, to even
  EXPECT_EQ(f32ToF16(1.0f + 0x3p-11f), 0x3c02);     // tie, to even
  EXPECT_EQ(f32ToF16(1.0f + 0x1.002p-11f), 0x3c01); // above the tie
  EXPECT_EQ(f32ToF16(65519.9f), 0x7bff);            // largest
  EXPECT_EQ(f32ToF16(65520.0f), 0x7c00);            // infinity
  EXPECT_EQ(f32ToF16(0x1p-25f), 0x0000);            // tie with zero
  EXPECT_EQ(f32ToF16(0x1.000002p-25f), 0x0001);     // subnormal
  EXPECT_EQ(f32ToF16(-0x1.ff8p-15f), 0x83ff);       // subnormal
  EXPECT_EQ(f32ToF16(-kInfinity), 0xfc00);
}

TEST(Bf16, RoundsToNearestEven) {
  EXPECT_EQ(f32ToBf16(1.0f + 0x1p-8f), 0x3f80);
  EXPECT_EQ(f32ToBf16(1.0f + 0x3p-8f), 0x3f82);
  EXPECT_EQ(f32ToBf16(3.4e38f), 0x7f80);
  EXPECT_EQ(bf16ToF32(0xbf80), -1.0f);
  EXPECT_TRUE(std::isnan(bf16ToF32(f32ToBf16(kNan))));
}

TEST(Pack, IntegersSaturate) {
  std::vector<float> values = {1e30f, -1e30f, 2.5f, -0.4f};
  std::vector<int64_t> wide(4);
  ASSERT_TRUE(pack(ElementType::I64, values.data(), 4, wide.data()).ok());
  EXPECT_THAT(wide, testing::ElementsAre(INT64_MAX, INT64_MIN, 2, 0));
  std::vector<uint8_t> narrow(4);
  ASSERT_TRUE(pack(ElementType::U8, values.data(), 4, narrow.data()).ok());
  EXPECT_THAT(narrow, testing::ElementsAre(255, 0, 2, 0));
  std::vector<float> back(4);
  ASSERT_TRUE(unpack(ElementType::U8, narrow.data(), 4, back.data()).ok());
  EXPECT_THAT(back, testing::ElementsAre(255.0f, 0.0f, 2.0f, 0.0f));
}

TEST(Status, CrossesTheCApi) {
  tenon_status_t status = toC(dataLoss("file ", 3));
  EXPECT_EQ(tenon_status_code(status), TENON_DATA_LOSS);
  EXPECT_STREQ(tenon_status_message(status), "file 3");
  Status back = fromC(status).withContext("load");
  EXPECT_EQ(back.toString(), "DATA_LOSS: load: file 3");
  EXPECT_EQ(toC(Status()), nullptr);
  EXPECT_EQ(tenon_status_code(nullptr), TENON_OK);
  EXPECT_STREQ(tenon_status_message(nullptr), "");
  tenon_status_free(nullptr);
}

} // namespace
} // namespace tenon::base
