//===- AttentionTest.cpp - Attention over pages equals the contract -------===//

#include "tests/codegen/cpu/KernelRunner.h"
#include "tests/support/CompiledFunction.h"
#include "tests/support/CompiledModule.h"
#include "tests/support/Tensors.h"

#include "ir/reference/Storage.h"
#include "tenon/abi.h"

#include "mlir/Parser/Parser.h"

#include "gtest/gtest.h"

#include <functional>
#include <limits>
#include <numeric>

namespace tenon::testing {
namespace {

using Cache = ir::ref::Cache<ir::ref::Contract>;
using ir::ref::Batch;

constexpr int64_t kBlock = TENON_CACHE_BLOCK;
constexpr const char *kQuants = "!tn.block<q8_0>";

struct Shape {
  int64_t heads, cacheHeads, width, window, pageBlocks;
  std::string element;
  int64_t mostTokens = 64; // What the schedule is made for.
  int64_t valueWidth = 0;  // 0: width
  bool isLatent = false;   // Values are the keys' first elements.
  int64_t globals = 0;

  int64_t values() const { return valueWidth ? valueWidth : width; }
};

/// Following tokens of one sequence.
struct Chunk {
  int32_t sequence, from, count;
};

// Ragged tokens: sequence 0 decodes far on, 1 is a chunk that crosses blocks
// and a segment, 2 starts.
const std::vector<Chunk> kRagged = {{0, 1100, 1}, {1, 509, 6}, {2, 0, 3}};

Batch batchOf(const std::vector<Chunk> &chunks, int64_t pageBlocks) {
  Batch batch;
  int64_t positions = 0, sequences = 0;
  for (const Chunk &chunk : chunks) {
    for (int32_t i = 0; i < chunk.count; ++i) {
      batch.sequence.push_back(chunk.sequence);
      batch.position.push_back(chunk.from + i);
    }
    positions = std::max<int64_t>(positions, chunk.from + chunk.count);
    sequences = std::max<int64_t>(sequences, chunk.sequence + 1);
  }
  int64_t perPage = pageBlocks * kBlock;
  batch.pageBlocks = pageBlocks;
  batch.pagesPerSequence = (positions + perPage - 1) / perPage;
  // Pages in an order of their own, none twice.
  batch.pages.resize(sequences * batch.pagesPerSequence);
  for (size_t i = 0; i < batch.pages.size(); ++i)
    batch.pages[i] = static_cast<int32_t>((i * 7 + 3) % batch.pages.size());
  if (batch.pages.size() % 7 == 0)
    std::iota(batch.pages.begin(), batch.pages.end(), 0);
  return batch;
}

// A cache of NaN but for the rows that the batch may read.
Cache filledCache(Random &random, mlir::Type element, const Shape &shape,
                  int64_t width, const Batch &batch) {
  Cache cache;
  cache.element = element;
  cache.heads = shape.cacheHeads;
  cache.width = width;
  int64_t stride = shape.cacheHeads * width;
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

std::string replaced(std::string text, const std::string &from,
                     const std::string &to) {
  for (size_t at = 0; (at = text.find(from, at)) != std::string::npos;
       at += to.size())
    text.replace(at, from.size(), to);
  return text;
}

std::string attentionText(const Shape &shape) {
  std::string text = R"(
!q = tensor<?x$Hx$Wxf32, #tn.dims<T, $H, $W>>
!y = tensor<?x$Hx$Vxf32, #tn.dims<T, $H, $V>>
!k = !tn.cache<keys, $G x $W x $E>
$Dfunc.func @f(%q: !q, %k: !k, $A%b: !tn.batch) -> !y
    attributes {tn.symbols = [#tn.symbol<"T", 1 to $M>]} {
  %r = tn.kernel(%q, %k, $U%b) : (!q, !k, $T!tn.batch) -> !y {
  ^bb0(%q1: !q, %k1: !k, $B%b1: !tn.batch):
    %y = tn.attention %q1, %k1$O, %b1 scale 0.125 window $N globals $Z : !q, !k$S -> !y
    tn.yield %y : !y
  } {label = "attention"}
  return %r : !y
})";
  std::string width = std::to_string(shape.values());
  auto values = [&](const char *what, const std::string &own) {
    text = replaced(text, what, shape.isLatent ? "" : own);
  };
  text = replaced(text, "$O", shape.isLatent ? " latent " + width : ", %v1");
  values("$D", "!v = !tn.cache<values, $G x $V x $E>\n");
  values("$A", "%v: !v, ");
  values("$B", "%v1: !v, ");
  values("$T", "!v, ");
  values("$U", "%v, ");
  values("$S", ", !v");
  text = replaced(text, "$V", width);
  text = replaced(text, "$H", std::to_string(shape.heads));
  text = replaced(text, "$G", std::to_string(shape.cacheHeads));
  text = replaced(text, "$W", std::to_string(shape.width));
  text = replaced(text, "$M", std::to_string(shape.mostTokens));
  text = replaced(text, "$N", std::to_string(shape.window));
  text = replaced(text, "$Z", std::to_string(shape.globals));
  return replaced(text, "$E", shape.element);
}

class Attention : public ::testing::TestWithParam<base::CpuFeatures> {
protected:
  /// Fills the caches of the rows that `chunks` read, changes all by `edit`
  /// and compares; expects the failure of the reference.
  using Edit =
      std::function<void(Tensor &q, Cache &keys, Cache &values, Batch &batch)>;
  void check(const Shape &shape, const std::vector<Chunk> &chunks = kRagged,
             const Edit &edit = nullptr);
  tenon_failure runOnPages(int32_t position, std::vector<int32_t> pages);
};

void Attention::check(const Shape &shape, const std::vector<Chunk> &chunks,
                      const Edit &edit) {
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
  if (shape.element == kQuants)
    element = ir::BlockType::get(&context, base::ElementType::Q8_0);
  Batch batch = batchOf(chunks, shape.pageBlocks);
  int64_t tokens = static_cast<int64_t>(batch.sequence.size());
  Tensor q = randomTensor(random, f32, {tokens, shape.heads, shape.width});
  Cache keys = filledCache(random, element, shape, shape.width, batch);
  Cache values = keys; // Latents are read of these.
  if (!shape.isLatent)
    values = filledCache(random, element, shape, shape.values(), batch);
  if (edit)
    edit(q, keys, values, batch);
  llvm::StringMap<int64_t> symbols{{"T", tokens},
                                   {"P", batch.pagesPerSequence},
                                   {"pageBlocks", shape.pageBlocks}};
  std::vector<Value> inputs{q, keys, values, batch};
  if (shape.isLatent)
    inputs.erase(inputs.begin() + 2);
  std::vector<Value> expected = (*runner)->expected(symbols, inputs);
  const Tensor &want = std::get<Tensor>(expected[0]);

  mlir::TypeRange types = (*runner)->kernel().getInputs().getTypes();
  std::string qBytes = toBytes(q);
  std::string kBytes = llvm::cantFail(ir::ref::cacheToBytes(types[1], keys));
  std::vector<void *> buffers{qBytes.data(), kBytes.data()};
  std::string vBytes;
  if (!shape.isLatent) {
    vBytes = llvm::cantFail(ir::ref::cacheToBytes(types[2], values));
    buffers.push_back(vBytes.data());
  }
  for (std::vector<int32_t> *each :
       {&batch.sequence, &batch.position, &batch.pages})
    buffers.push_back(each->data());
  GuardedBytes y(want.floats.size() * sizeof(float));
  buffers.push_back(y.data());
  tenon_failure failure = (*runner)->run(symbols, buffers);
  EXPECT_EQ(failure.kind, TENON_FAILURE_NONE);
  EXPECT_EQ(firstDifference(want, fromBytes(f32, want.shape, y.data())), "");
}

TEST_P(Attention, OneCacheHeadWithoutWindow) { check({4, 1, 64, 0, 1, "f32"}); }

TEST_P(Attention, GroupedHeadsWindowAndPages) {
  check({4, 2, 32, 100, 3, "f16"});
  check({2, 2, 24, 513, 32, "bf16"});
}

// Rows of a tile fill several groups of registers; a tile has the end of one
// chunk and the start of the next; ranges start and end inside of blocks.
TEST_P(Attention, LongChunks) {
  const std::vector<Chunk> chunks = {{0, 0, 130}, {1, 470, 100}, {2, 1023, 2}};
  check({2, 2, 40, 0, 2, "f32", 4096}, chunks);
  check({3, 1, 16, 70, 1, "bf16", 4096}, chunks);
  check({8, 1, 64, 200, 4, "f16", 512}, chunks);
}

// A batch may have tokens of a sequence in any order, and twice.
TEST_P(Attention, PositionsInAnyOrder) {
  check({2, 1, 20, 100, 1, "f32", 4096},
        {{0, 700, 1}, {0, 699, 3}, {0, 5, 20}, {0, 640, 1}, {0, 640, 2}});
}

TEST_P(Attention, WidthsOfEveryRegisterTile) {
  for (int64_t width : {1, 8, 56, 96, 520})
    check({6, 1, width, 0, 1, "f32", 2}, {{0, 69, 2}});
}

TEST_P(Attention, HeadsThatFillARegisterTileBadly) {
  for (int64_t heads : {1, 2, 3, 5, 7, 11})
    check({heads, 1, 8, 0, 1, "f32", 1}, {{0, 600, 1}});
}

TEST_P(Attention, QuantizedCaches) {
  check({4, 1, 64, 0, 1, kQuants});
  check({4, 2, 32, 100, 3, kQuants});
  check({2, 2, 96, 513, 32, kQuants});
  check({2, 1, 32, 100, 1, kQuants, 4096},
        {{0, 700, 1}, {0, 699, 3}, {0, 5, 20}, {0, 640, 1}, {0, 640, 2}});
  for (int64_t width : {32, 64, 96, 160, 256, 544})
    check({6, 1, width, 0, 1, kQuants, 2}, {{0, 69, 2}});
  for (int64_t heads : {1, 2, 3, 5, 7, 11})
    check({heads, 1, 32, 0, 1, kQuants, 1}, {{0, 600, 1}});
}

TEST_P(Attention, LongChunksOverQuantizedCaches) {
  const std::vector<Chunk> chunks = {{0, 0, 130}, {1, 470, 100}, {2, 1023, 2}};
  check({2, 2, 96, 0, 2, kQuants, 4096}, chunks);
  check({3, 1, 32, 70, 1, kQuants, 4096}, chunks);
  check({8, 1, 64, 200, 4, kQuants, 512}, chunks);
}

TEST_P(Attention, ValuesOfAnotherWidth) {
  check({4, 2, 32, 100, 3, "f16", 64, 24});
  for (auto [width, values] :
       {std::pair{24, 16}, {16, 24}, {7, 33}, {192, 128}, {9, 3}, {600, 520}})
    check({6, 1, width, 0, 1, "f32", 2, values}, {{0, 69, 2}});
  const std::vector<Chunk> chunks = {{0, 0, 130}, {1, 470, 100}, {2, 1023, 2}};
  check({2, 2, 64, 0, 2, kQuants, 4096, 32}, chunks);
  check({2, 2, 32, 0, 2, kQuants, 64, 96});
}

TEST_P(Attention, Latents) {
  const std::vector<Chunk> chunks = {{0, 0, 130}, {1, 470, 100}, {2, 1023, 2}};
  check({4, 1, 64, 0, 1, "f32", 64, 48, true});
  check({4, 2, 24, 100, 3, "f16", 64, 7, true});
  check({3, 1, 40, 70, 1, "bf16", 4096, 33, true}, chunks);
  check({2, 2, 64, 0, 2, kQuants, 4096, 40, true}, chunks);
  check({16, 1, 576, 0, 2, "bf16", 4, 512, true}, {{0, 69, 2}, {1, 600, 2}});
  check({5, 1, 576, 0, 1, kQuants, 1, 512, true}, {{0, 600, 1}});
  for (int64_t values : {1, 8, 17, 32})
    check({6, 1, 32, 0, 1, "f32", 2, values, true}, {{0, 69, 2}});
}

// Globals in the window's first block and before it, in its segment and before,
// beyond what a token sees; ranges that touch, and rows on both sides of that.
TEST_P(Attention, GlobalsBesideAWindow) {
  const std::vector<Chunk> chunks = {{0, 0, 130}, {1, 470, 100}, {2, 1023, 2}};
  for (int64_t globals : {1, 4, 63, 64, 65, 130, 600, 2000}) {
    Shape few{4, 2, 24, 100, 3, "f32"}, many{3, 1, 16, 70, 1, "bf16", 4096};
    few.globals = many.globals = globals;
    check(few);
    check(many, chunks);
  }
  Shape narrow{2, 1, 32, 1, 1, kQuants}, wide{2, 2, 40, 513, 2, "f16", 4096};
  Shape latent{4, 1, 24, 9, 2, "f32", 64, 7, true};
  narrow.globals = 5;
  wide.globals = 40;
  latent.globals = 70;
  check(narrow, {{0, 0, 1}, {0, 5, 1}, {0, 6, 3}, {0, 700, 1}});
  check(wide, chunks);
  check(latent);
}

// What lies between the globals and the window is not read: it has no pages.
TEST_P(Attention, NoPagesBetweenGlobalsAndWindow) {
  Shape shape{2, 1, 16, 100, 1, "f32"};
  shape.globals = 70;
  auto forget = [](Tensor &, Cache &, Cache &, Batch &batch) {
    for (int64_t page = 2; page < 15; ++page) // positions 128 .. 959
      batch.pages[page] = -1;
  };
  check(shape, {{0, 1060, 3}}, forget);
}

TEST_P(Attention, MultiplyAddsAreThoseOfGlobalsAndWindow) {
  constexpr int64_t kPosition = 4095, kWidth = 16, kMostRows = 16;
  Batch batch = batchOf({{0, kPosition, 1}}, 1);
  mlir::Type f32 = mlir::Float32Type::get(&kernelContext());
  Random random(17);
  Shape shape{2, 1, kWidth, 0, 1, "f32"};
  std::vector<Value> in{randomTensor(random, f32, {1, 2, kWidth}),
                        filledCache(random, f32, shape, kWidth, batch),
                        filledCache(random, f32, shape, kWidth, batch), batch};
  auto countOf = [&](const std::string &window) {
    auto module =
        mlir::parseSourceString<mlir::ModuleOp>(replaced(R"(
func.func @f(%q: tensor<1x2x16xf32>, %k: !tn.cache<keys, 1 x 16 x f32>,
    %v: !tn.cache<values, 1 x 16 x f32>, %b: !tn.batch) -> tensor<1x2x16xf32> {
  %y = tn.attention %q, %k, %v, %b scale 0.1 $N : tensor<1x2x16xf32>,
      !tn.cache<keys, 1 x 16 x f32>, !tn.cache<values, 1 x 16 x f32>
      -> tensor<1x2x16xf32>
  return %y : tensor<1x2x16xf32>
})",
                                                         "$N", window),
                                                &kernelContext());
    auto counted = countedProducts(
        *module->getOps<mlir::func::FuncOp>().begin(), GetParam(), in);
    EXPECT_TRUE(counted.ok()) << counted.status().ToString();
    return *counted;
  };
  // Of a key: its score, and the width of its value.
  int64_t perBlock = kBlock * 2 * kWidth, blocks = (kPosition + 1) / kBlock;
  EXPECT_GE(countOf(""), blocks * 2 * perBlock);
  EXPECT_LE(countOf("window 64 globals 5"), 2 * kMostRows * perBlock);
  EXPECT_LE(countOf("window 65 globals 65"), 4 * kMostRows * perBlock);
}

// Scales that are subnormal halves are numbers; one of NaN is in no range.
TEST_P(Attention, SubnormalScales) {
  auto edit = [](Tensor &, Cache &keys, Cache &values, const Batch &batch) {
    for (int64_t j = 0; j <= 600; j += 7)
      for (int64_t d = 0; d < keys.width; ++d)
        for (Cache *cache : {&keys, &values})
          cache->rows[*batch.slot(0, j) * keys.width + d] =
              float(127 - 8 * (d % 32)) * float(1 + j) * 0x1p-24f;
  };
  check({4, 1, 64, 0, 1, kQuants, 1}, {{0, 600, 1}}, edit);
  check({4, 1, 64, 0, 1, kQuants, 512}, {{0, 571, 30}}, edit);
}

// Scores of -inf are numbers: weights of 0 beside others, NaN alone.
TEST_P(Attention, InfiniteScores) {
  auto edit = [](Tensor &q, Cache &keys, Cache &, const Batch &batch) {
    for (float &each : q.floats)
      each = 1e30f;
    for (int64_t j = 0; j < 100; ++j)
      for (int64_t d = 0; d < keys.width; ++d)
        keys.rows[*batch.slot(0, j) * keys.width + d] =
            j == 70 ? 1e30f : -1e30f;
  };
  check({1, 1, 8, 0, 1, "f32", 256}, {{0, 90, 10}}, edit);
  check({1, 1, 8, 30, 1, "f32", 256}, {{0, 60, 40}}, edit);
}

TEST_P(Attention, NotesTheTokenOfANanScore) {
  Shape shape{1, 1, 16, 0, 1, "f32", 512};
  auto runner =
      KernelRunner::create(kernelContext(), attentionText(shape), GetParam());
  ASSERT_TRUE(runner.ok()) << runner.status();
  std::vector<float> q(20 * 16, 1), cache(kBlock * 16, 1), y(20 * 16);
  for (int64_t d = 0; d < 16; ++d)
    cache[d * kBlock + 19] = std::numeric_limits<float>::quiet_NaN();
  std::vector<int32_t> sequence(20), position(20), pages = {0};
  std::iota(position.begin(), position.end(), 0);
  tenon_failure failure =
      (*runner)->run({{"T", 20}, {"P", 1}, {"pageBlocks", 1}},
                     {q.data(), cache.data(), cache.data(), sequence.data(),
                      position.data(), pages.data(), y.data()});
  EXPECT_EQ(failure.kind, TENON_FAILURE_NAN);
  EXPECT_EQ(failure.row, 19);
}

tenon_failure Attention::runOnPages(int32_t position,
                                    std::vector<int32_t> pages) {
  Shape shape{1, 1, 16, 0, 1, "f32"};
  auto runner =
      KernelRunner::create(kernelContext(), attentionText(shape), GetParam());
  EXPECT_TRUE(runner.ok()) << runner.status();
  std::vector<float> q(16), cache(2 * kBlock * 16), y(16);
  int32_t sequence = 0;
  return (*runner)->run(
      {{"T", 1}, {"P", static_cast<int64_t>(pages.size())}, {"pageBlocks", 1}},
      {q.data(), cache.data(), cache.data(), &sequence, &position, pages.data(),
       y.data()});
}

TEST_P(Attention, NotesAMissingPage) {
  tenon_failure failure = runOnPages(70, {0, -1});
  EXPECT_EQ(failure.kind, TENON_FAILURE_NO_PAGE);
  EXPECT_EQ(failure.value, 70);
}

TEST_P(Attention, NotesAPositionOutsideOfTheTable) {
  for (int32_t position : {-1, 128, 1 << 30}) {
    tenon_failure failure = runOnPages(position, {0, 1});
    EXPECT_EQ(failure.kind, TENON_FAILURE_NO_PAGE);
    EXPECT_EQ(failure.value, position);
  }
}

INSTANTIATE_TEST_SUITE_P(Features, Attention,
                         ::testing::ValuesIn(runnableFeatures()));

} // namespace
} // namespace tenon::testing
