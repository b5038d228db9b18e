//===- AllocationTest.cpp - A call allocates nothing ----------------------===//
//
// Not built under sanitizers, which replace these operators themselves.
//
//===----------------------------------------------------------------------===//

#include "tests/runtime/exec/Programs.h"

#include <atomic>
#include <cstdlib>

static std::atomic<int64_t> allocations = 0;
void *operator new(size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  return std::malloc(size ? size : 1);
}
void operator delete(void *memory) noexcept { std::free(memory); }
void operator delete(void *memory, size_t) noexcept { std::free(memory); }

namespace tenon::exec {
namespace {

TEST(Session, AllocatesNothingInACall) {
  for (uint32_t threads : {1, 2}) {
    auto session = openQuadruple({}, threads);
    Call one(1), many(16);
    int64_t before = allocations.load();
    for (int i = 0; i < 10; ++i) {
      EXPECT_TRUE(one.run(*session).ok());
      EXPECT_TRUE(many.run(*session).ok());
    }
    EXPECT_EQ(allocations.load(), before);
  }
}

} // namespace
} // namespace tenon::exec
