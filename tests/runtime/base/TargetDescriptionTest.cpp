//===- TargetDescriptionTest.cpp - Machines as text -----------------------===//

#include "runtime/base/TargetDescription.h"

#include <gtest/gtest.h>

namespace tenon::base {
namespace {

TEST(TargetDescription, ReadsWhatItPrints) {
  TargetDescription machine;
  machine.threads = 96;
  machine.l1Bytes = 48 << 10;
  machine.l2Bytes = 2 << 20;
  machine.l3Bytes = int64_t{384} << 20;
  auto read = parseTargetDescription(print(machine));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*read, machine);
}

TEST(TargetDescription, FieldsThatAreNotNamedAreTheGenericOnes) {
  auto read =
      parseTargetDescription("# a laptop\n\n  threads 8 # of 4 cores\n");
  ASSERT_TRUE(read.ok()) << read.status();
  TargetDescription expected;
  expected.threads = 8;
  EXPECT_EQ(*read, expected);
}

TEST(TargetDescription, RefusesOtherLines) {
  for (const char *text :
       {"threads", "threads 0", "threads two", "threads 2 3", "threads 2.5",
        "threads 5000", "l2_bytes -1", "l2_bytes 99999999999999", "cores 2"}) {
    auto read = parseTargetDescription(std::string("l1_bytes 1\n") + text);
    ASSERT_FALSE(read.ok()) << text;
    EXPECT_EQ(read.status().code(), TENON_INVALID_ARGUMENT);
    EXPECT_NE(read.status().message().find("line 2"), std::string::npos);
  }
}

} // namespace
} // namespace tenon::base
