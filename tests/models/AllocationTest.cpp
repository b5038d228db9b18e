//===- AllocationTest.cpp - Generating a token allocates nothing ----------===//
//
// The C library's allocators are replaced in this program, which counts every
// use of the heap, by whatever library; operator new ends there too. Not built
// under sanitizers, which replace them themselves.
//
//===----------------------------------------------------------------------===//

#include "runtime/exec/Generator.h"
#include "tests/models/DecoderRun.h"
#include "tests/models/GoldenCases.h"

#include "gtest/gtest.h"

#include <atomic>
#include <cerrno>

static std::atomic<int64_t> allocations = 0;
static void countAllocation() {
  allocations.fetch_add(1, std::memory_order_relaxed);
}

// glibc's own, under the names that it keeps for those who replace them.
extern "C" {
void *__libc_malloc(size_t sizeBytes);
void *__libc_calloc(size_t count, size_t sizeBytes);
void *__libc_realloc(void *memory, size_t sizeBytes);
void *__libc_memalign(size_t alignment, size_t sizeBytes);

void *malloc(size_t sizeBytes) {
  countAllocation();
  return __libc_malloc(sizeBytes);
}
void *calloc(size_t count, size_t sizeBytes) {
  countAllocation();
  return __libc_calloc(count, sizeBytes);
}
void *realloc(void *memory, size_t sizeBytes) {
  countAllocation();
  return __libc_realloc(memory, sizeBytes);
}
void *aligned_alloc(size_t alignment, size_t sizeBytes) {
  countAllocation();
  return __libc_memalign(alignment, sizeBytes);
}
int posix_memalign(void **memory, size_t alignment, size_t sizeBytes) {
  countAllocation();
  *memory = __libc_memalign(alignment, sizeBytes);
  return *memory ? 0 : ENOMEM;
}
}

namespace tenon::tests {
namespace {

/// A session of a tiny model, for every test alike.
class Allocation : public ::testing::TestWithParam<uint32_t> {
protected:
  void SetUp() override { open("tiny_qwen2", 0); }

  void open(const char *model, int64_t drafts) {
    CompileDecoderOptions how;
    how.drafts = drafts > 0;
    auto compiled =
        CompiledDecoder::compile(goldenPath(model, "model.gguf"), how);
    ASSERT_TRUE(compiled.ok()) << compiled.status();
    session.reset(); // which views the weights
    decoder = *std::move(compiled);
    auto program = decoder->load(decoder->bestFeatures(), CodeKind::Jit);
    ASSERT_TRUE(program.ok()) << program.status();
    hal::DeviceOptions options;
    options.threads = GetParam();
    auto device = hal::openDevice("cpu", options);
    ASSERT_TRUE(device.ok());
    auto limits =
        exec::decoderOptions((*program)->program(), {.drafts = drafts});
    ASSERT_TRUE(limits.ok()) << limits.status().message();
    auto opened =
        exec::Session::open(*program, *device, *limits, decoder->lookup());
    ASSERT_TRUE(opened.ok()) << opened.status().message();
    session = *std::move(opened);
  }

  std::unique_ptr<CompiledDecoder> decoder;
  std::unique_ptr<exec::Session> session;
};

TEST_P(Allocation, CountsAllocations) {
  int64_t before = allocations.load();
  void *memory = ::operator new(64); // a new-expression may be optimised away
  int64_t after = allocations.load();
  ::operator delete(memory);
  EXPECT_EQ(after, before + 1);
}

/// Generates 100 tokens, which must take no memory after the first.
void expectNone(exec::Session &session, int64_t drafts) {
  auto generator = exec::Generator::create(session, {.drafts = drafts});
  ASSERT_TRUE(generator.ok()) << generator.status().message();
  const std::vector<int32_t> prompt = goldenCases("tiny_qwen2")[0].tokens;
  exec::GenerateRequest request;
  request.prompt = prompt;
  request.sampling = {.temperature = 0.8F, .topK = 40, .topP = 0.95F};
  request.maxTokens = 100; // beyond a block of keys
  int64_t tokens = 0, first = 0, last = 0;
  auto stats = (*generator)->generate({&request, 1}, [&](size_t, int32_t) {
    int64_t now = allocations.load();
    if (tokens++ == 1) // the first comes of the prompt's step
      first = now;
    last = now;
    return false;
  });
  ASSERT_TRUE(stats.ok()) << stats.status().message();
  EXPECT_EQ(tokens, 100);
  EXPECT_EQ(last - first, 0);
}

TEST_P(Allocation, StepsOfTheGeneratorHaveNone) { expectNone(*session, 0); }

TEST_P(Allocation, StepsWithDraftsHaveNone) {
  open("tiny_deepseek3", 2);
  expectNone(*session, 2);
}

TEST_P(Allocation, CallsHaveNone) {
  using base::ElementType;
  auto entry = session->findEntry("forward");
  ASSERT_TRUE(entry.ok()) << entry.status().message();
  int32_t token[] = {5}, sequence[] = {0}, position[] = {0}, row[] = {0};
  int32_t page[] = {0};
  int64_t one[] = {1}, table[] = {1, 1}, shape[] = {1, decoder->vocabulary()};
  std::vector<float> logits(decoder->vocabulary());
  exec::TensorView arguments[] = {{token, ElementType::I32, one},
                                  {sequence, ElementType::I32, one},
                                  {position, ElementType::I32, one},
                                  {page, ElementType::I32, table},
                                  {row, ElementType::I32, one}};
  exec::MutableTensorView results[] = {
      {logits.data(), ElementType::F32, shape}};
  auto call = [&] { return session->call(*entry, arguments, results).ok(); };
  ASSERT_TRUE(call());
  int64_t before = allocations.load();
  bool ok = true;
  for (position[0] = 1; position[0] < 100; ++position[0])
    ok &= call();
  EXPECT_EQ(allocations.load() - before, 0);
  EXPECT_TRUE(ok);
}

INSTANTIATE_TEST_SUITE_P(Threads, Allocation, ::testing::Values(1, 2));

} // namespace
} // namespace tenon::tests
