//===- SerialiseTest.cpp - Bytes and back; hostile bytes are refused ------===//

#include "tests/runtime/base/SamplePrograms.h"

#include <cstring>
#include <gtest/gtest.h>
#include <random>

namespace tenon::base {
namespace {

TEST(Serialise, ComesBackTheSame) {
  std::string bytes = serialise(sampleProgram());
  StatusOr<Program> parsed = parse(bytes.data(), bytes.size());
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(serialise(*parsed), bytes);
  const Variant &variant = parsed->entries[0].variants[0];
  EXPECT_EQ(variant.body[1].label, "layers.0");
  EXPECT_EQ(variant.body[1].tiles.print({"T"}), "ceildiv(T, 4)");
  EXPECT_EQ(parsed->kernels[0].locations[0].source, "Model.cpp:41");
  EXPECT_EQ(parsed->kernels[0].rowReads[0].rowBytes, 64);
  EXPECT_EQ(parsed->parameters[0].element, ElementType::Q8_0);
  EXPECT_EQ(parsed->constants.size(), 64u);
}

TEST(Serialise, RefusesEveryTruncation) {
  std::string bytes = serialise(sampleProgram());
  for (size_t size = 0; size < bytes.size(); ++size)
    EXPECT_EQ(parse(bytes.data(), size).status().code(), TENON_DATA_LOSS);
}

TEST(Serialise, RefusesTrailingBytes) {
  std::string bytes = serialise(sampleProgram()) + '\0';
  Status status = parse(bytes.data(), bytes.size()).status();
  EXPECT_EQ(status.message(), "expects nothing after the program, got 1 bytes");
}

TEST(Serialise, RefusesAnotherFormatOrAbi) {
  for (size_t at : {0, 4}) {
    std::string bytes = serialise(sampleProgram());
    bytes[at] = 99;
    EXPECT_EQ(parse(bytes.data(), bytes.size()).status().code(),
              TENON_UNIMPLEMENTED);
  }
}

TEST(Serialise, ACountOfBillionsAllocatesNothing) {
  std::string bytes = serialise(sampleProgram());
  uint32_t count = 0xffffffff; // of parameters, the first list
  std::memcpy(bytes.data() + 8, &count, 4);
  EXPECT_EQ(parse(bytes.data(), bytes.size()).status().code(), TENON_DATA_LOSS);
}

TEST(Serialise, SurvivesRandomDamage) {
  const std::string whole = serialise(sampleProgram());
  std::mt19937 random(7);
  int accepted = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string bytes = whole;
    for (int edits = 1 + random() % 3; edits > 0; --edits)
      bytes[random() % bytes.size()] = static_cast<char>(random());
    accepted += parse(bytes.data(), bytes.size()).ok();
  }
  // Names and constants may change without harm; structure may not.
  EXPECT_GT(accepted, 0);
  EXPECT_LT(accepted, 15000);
}

} // namespace
} // namespace tenon::base
