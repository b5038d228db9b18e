//===- DeviceTest.cpp - The CPU behind the device interface ---------------===//

#include "runtime/hal/Device.h"
#include "runtime/hal/cpu/CpuFeatures.h"

#include <cstring>
#include <gtest/gtest.h>

namespace tenon::hal {
namespace {

TEST(Device, IsOpenedByItsUri) {
  EXPECT_TRUE(openDevice("cpu").ok());
  EXPECT_TRUE(openDevice("cpu:0").ok());
  EXPECT_EQ(openDevice("cpu:1").status().code(), TENON_NOT_FOUND);
  EXPECT_EQ(openDevice("cpu:").status().code(), TENON_INVALID_ARGUMENT);
  EXPECT_EQ(openDevice("").status().code(), TENON_INVALID_ARGUMENT);
  Status status = openDevice("abacus").status();
  EXPECT_EQ(status.code(), TENON_NOT_FOUND);
  EXPECT_EQ(status.message(), "expects one of the devices cpu, got 'abacus'");
}

TEST(Device, AllocatesZeroedAlignedBytes) {
  auto device = openDevice("cpu");
  ASSERT_TRUE(device.ok());
  for (size_t size : {size_t{0}, size_t{100}, size_t{3} << 20}) {
    auto memory = (*device)->allocate(size);
    ASSERT_TRUE(memory.ok()) << memory.status();
    auto address = reinterpret_cast<uintptr_t>(memory->data());
    EXPECT_EQ(address % (size < (2 << 20) ? 64 : 2 << 20), 0u);
    auto *bytes = static_cast<char *>(memory->data());
    for (size_t i = 0; i < size; i += 1000)
      EXPECT_EQ(bytes[i], 0);
    std::memset(bytes, 1, size);
  }
}

TEST(Device, ReportsMemoryItCannotGive) {
  auto device = openDevice("cpu");
  ASSERT_TRUE(device.ok());
  for (size_t size : {SIZE_MAX, size_t{1} << 60})
    EXPECT_EQ((*device)->allocate(size).status().code(),
              TENON_RESOURCE_EXHAUSTED);
}

/// Notes its tile where no other tile writes, by way of scratch.
void stamp(const tenon_frame *frame, uint32_t tile) {
  auto *scratch = static_cast<int64_t *>(frame->scratch);
  scratch[0] = tile * frame->dims[0];
  static_cast<int64_t *>(frame->buffers[0])[tile] = scratch[0];
}

TEST(Device, GivesEachWorkerItsScratchAndNotesItsTime) {
  DeviceOptions options;
  options.threads = 2;
  auto device = openDevice("cpu", options);
  ASSERT_TRUE(device.ok());
  ASSERT_TRUE((*device)->reserveScratch(64).ok());
  std::vector<int64_t> out(500, -1);
  void *buffers[] = {out.data()};
  int64_t dims[] = {3};
  tenon_failure failure = {};
  std::vector<WorkerSpan> spans((*device)->workers());
  (*device)->launch({stamp, buffers, dims, 500, &failure, spans.data()});
  for (int64_t i = 0; i < 500; ++i)
    EXPECT_EQ(out[i], 3 * i);
  EXPECT_EQ(spans[0].tiles + spans[1].tiles, 500u);
  for (const WorkerSpan &span : spans)
    EXPECT_LE(span.beginNs, span.endNs);
}

TEST(CpuFeatures, AreFound) {
  auto features = detectCpuFeatures();
  // Where the build machine is older, the message says what is missing.
  if (!features.ok())
    EXPECT_NE(features.status().message().find("lacks"), std::string::npos);
}

} // namespace
} // namespace tenon::hal
