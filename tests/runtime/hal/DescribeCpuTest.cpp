//===- DescribeCpuTest.cpp - The machine that this is ---------------------===//

#include "runtime/hal/cpu/DescribeCpu.h"

#include "runtime/hal/Device.h"

#include <gtest/gtest.h>
#include <unistd.h>

namespace tenon::hal {
namespace {

TEST(DescribeCpu, AgreesWithTheSystem) {
  base::TargetDescription machine = describeCpu();
  auto device = openDevice("cpu");
  ASSERT_TRUE(device.ok()) << device.status();
  EXPECT_EQ(machine.threads, (*device)->workers());
  base::TargetDescription generic;
  auto size = [](int name, int64_t otherwise) { // 0: it does not say
    int64_t said = sysconf(name);
    return said > 0 ? said : otherwise;
  };
  EXPECT_EQ(machine.l1Bytes, size(_SC_LEVEL1_DCACHE_SIZE, generic.l1Bytes));
  EXPECT_EQ(machine.l2Bytes, size(_SC_LEVEL2_CACHE_SIZE, generic.l2Bytes));
  EXPECT_TRUE(base::parseTargetDescription(base::print(machine)).ok());
}

} // namespace
} // namespace tenon::hal
