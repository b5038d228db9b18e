//===- AttentionTest.cpp - Attention over pages equals the contract -------===//

#include "tests/codegen/cpu/KernelRunner.h"
#include "tests/support/CompiledModule.h"
#include "tests/support/Tensors.h"

#include "ir/reference/Storage.h"
#include "tenon/abi.h"

#include "gtest/gtest.h"

#include <cstring>
#include <limits>
#include <numeric>

namespace tenon::testing {
namespace {

using Cache = ir::ref::Cache<ir::ref::Contract>;
using ir::ref::Batch;

constexpr int64_t kBlock = TENON_CACHE_BLOCK;

struct Shape {
  int64_t heads, cacheHeads, width, window, pageBlocks;
  std::string element;
};

// Ragged tokens: sequence 0 decodes far on, 1 is a chunk that crosses blocks
// and a segment, 2 starts.
Batch raggedBatch(int64_t pageBlocks) {
  Batch batch;
  auto add = [&](int32_t sequence, int32_t from, int32_t count) {
    for (int32_t i = 0; i < count; ++i) {
      batch.sequence.push_back(sequence);
      batch.position.push_back(from + i);
    }
  };
  add(0, 1100, 1);
  add(1, 509, 6);
  add(2, 0, 3);
  batch.pageBlocks = pageBlocks;
  batch.pagesPerSequence = (1101 / kBlock + pageBlocks) / pageBlocks;
  // Pages in an order of their own, none twice.
  batch.pages.resize(3 * batch.pagesPerSequence);
  for (size_t i = 0; i < batch.pages.size(); ++i)
    batch.pages[i] = static_cast<int32_t>((i * 7 + 3) % batch.pages.size());
  if (batch.pages.size() % 7 == 0)
    std::iota(batch.pages.begin(), batch.pages.end(), 0);
  return batch;
}

// A cache of NaN but for the rows that the batch may read.
Cache filledCache(Random &random, mlir::Type element, const Shape &shape,
                  const Batch &batch) {
  Cache cache;
  cache.element = element;
  cache.heads = shape.cacheHeads;
  cache.width = shape.width;
  int64_t stride = shape.cacheHeads * shape.width;
  int64_t slots = batch.pages.size() * batch.pageBlocks * kBlock;
  cache.rows.assign(slots * stride, std::numeric_limits<float>::quiet_NaN());
  for (size_t t = 0; t < batch.sequence.size(); ++t) {
    int64_t count = (batch.position[t] + 1) * stride;
    Tensor rows = randomTensor(random, element, {count});
    for (int64_t i = 0; i < count; ++i)
      cache.rows[*batch.slot(batch.sequence[t], i / stride) * stride +
                 i % stride] = rows.floats[i];
  }
  return cache;
}

std::string attentionText(const Shape &shape) {
  std::string heads =
      std::to_string(shape.heads) + "x" + std::to_string(shape.width);
  std::string dims =
      std::to_string(shape.heads) + ", " + std::to_string(shape.width);
  std::string q = "tensor<?x" + heads + "xf32, #tn.dims<T, " + dims + ">>";
  auto cache = [&](const char *layout) {
    return "!tn.cache<" + std::string(layout) + ", " +
           std::to_string(shape.cacheHeads) + " x " +
           std::to_string(shape.width) + " x " + shape.element + ">";
  };
  std::string types = "(" + q + ", " + cache("keys") + ", " + cache("values") +
                      ", !tn.batch) -> " + q;
  return "func.func @f(%q: " + q + ", %k: " + cache("keys") +
         ", %v: " + cache("values") + ", %b: !tn.batch) -> " + q +
         " attributes {tn.symbols = [#tn.symbol<\"T\", 1 to 64>]} {\n"
         "  %r = tn.kernel(%q, %k, %v, %b) : " +
         types + " {\n  ^bb0(%a: " + q + ", %c: " + cache("keys") +
         ", %d: " + cache("values") +
         ", %e: !tn.batch):\n"
         "    %y = tn.attention %a, %c, %d, %e scale 0.125 window " +
         std::to_string(shape.window) + " : " + q + ", " + cache("keys") +
         ", " + cache("values") + "\n    tn.yield %y : " + q +
         "\n  } {label = \"attention\"}\n  return %r : " + q + "\n}";
}

class Attention : public ::testing::TestWithParam<base::CpuFeatures> {
protected:
  void check(const Shape &shape);
};

void Attention::check(const Shape &shape) {
  mlir::MLIRContext &context = kernelContext();
  auto runner = KernelRunner::create(context, attentionText(shape), GetParam());
  ASSERT_TRUE(runner.ok()) << runner.status();
  Random random(17);
  mlir::Type f32 = mlir::Float32Type::get(&context);
  mlir::Type element = f32;
  if (shape.element == "f16")
    element = mlir::Float16Type::get(&context);
  if (shape.element == "bf16")
    element = mlir::BFloat16Type::get(&context);
  Batch batch = raggedBatch(shape.pageBlocks);
  int64_t tokens = static_cast<int64_t>(batch.sequence.size());
  Tensor q = randomTensor(random, f32, {tokens, shape.heads, shape.width});
  Cache keys = filledCache(random, element, shape, batch);
  Cache values = filledCache(random, element, shape, batch);
  llvm::StringMap<int64_t> symbols{{"T", tokens},
                                   {"P", batch.pagesPerSequence},
                                   {"pageBlocks", shape.pageBlocks}};
  std::vector<Value> expected =
      (*runner)->expected(symbols, {q, keys, values, batch});
  const Tensor &want = std::get<Tensor>(expected[0]);

  mlir::TypeRange types = (*runner)->kernel().getInputs().getTypes();
  std::string qBytes = toBytes(q);
  std::string kBytes = llvm::cantFail(ir::ref::cacheToBytes(types[1], keys));
  std::string vBytes = llvm::cantFail(ir::ref::cacheToBytes(types[2], values));
  GuardedBytes y(qBytes.size());
  tenon_failure failure =
      (*runner)->run(symbols, {qBytes.data(), kBytes.data(), vBytes.data(),
                               batch.sequence.data(), batch.position.data(),
                               batch.pages.data(), y.data()});
  EXPECT_EQ(failure.kind, TENON_FAILURE_NONE);
  EXPECT_EQ(firstDifference(want, fromBytes(f32, want.shape, y.data())), "");
}

TEST_P(Attention, OneCacheHeadWithoutWindow) { check({4, 1, 64, 0, 1, "f32"}); }

TEST_P(Attention, GroupedHeadsWindowAndPages) {
  check({4, 2, 32, 100, 3, "f16"});
  check({2, 2, 24, 513, 32, "bf16"});
}

TEST_P(Attention, NotesAMissingPage) {
  Shape shape{1, 1, 16, 0, 1, "f32"};
  auto runner =
      KernelRunner::create(kernelContext(), attentionText(shape), GetParam());
  ASSERT_TRUE(runner.ok()) << runner.status();
  std::vector<float> q(16), cache(2 * kBlock * 16), y(16);
  int32_t sequence = 0, position = 70, pages[] = {0, -1};
  tenon_failure failure =
      (*runner)->run({{"T", 1}, {"P", 2}, {"pageBlocks", 1}},
                     {q.data(), cache.data(), cache.data(), &sequence,
                      &position, pages, y.data()});
  EXPECT_EQ(failure.kind, TENON_FAILURE_NO_PAGE);
  EXPECT_EQ(failure.value, 70);
}

INSTANTIATE_TEST_SUITE_P(Features, Attention,
                         ::testing::ValuesIn(runnableFeatures()));

} // namespace
} // namespace tenon::testing
