//===- CacheAppendTest.cpp - Rows that are quantised where they go --------===//
//
// tn.cache_append to caches of q8_0, alone and after what fuses with it, on
// hostile elements: every feature set leaves the contract oracle's values.
//
//===----------------------------------------------------------------------===//

#include "ir/reference/Interpreter.h"
#include "ir/tn/Tn.h"
#include "tests/support/CompiledFunction.h"

#include "codegen/cpu/Lower.h"
#include "mlir/Parser/Parser.h"

#include <gtest/gtest.h>

namespace tenon::testing {
namespace {

using namespace mlir;
using ir::ref::Batch;
using ir::ref::Contract;
using Cache = ir::ref::Cache<Contract>;

class CacheAppend : public ::testing::Test {
protected:
  CacheAppend() { loadKernelDialects(context); }

  Value argument(Type type, int64_t tokens, Choice choice);
  void check(const std::string &text, int64_t tokens, Choice choice);

  MLIRContext context;
  Random random{11};
};

/// Two sequences of two pages of 128 positions each.
Batch batchOf(int64_t tokens) {
  Batch batch;
  batch.pagesPerSequence = 2;
  batch.pageBlocks = 2;
  batch.pages = {3, 0, 2, 1};
  for (int64_t t = 0; t < tokens; ++t) {
    batch.sequence.push_back(static_cast<int32_t>(t % 2));
    batch.position.push_back(static_cast<int32_t>(t * 37 % 256));
  }
  return batch;
}

Value CacheAppend::argument(Type type, int64_t tokens, Choice choice) {
  if (isa<ir::BatchType>(type))
    return batchOf(tokens);
  if (auto cache = dyn_cast<ir::CacheType>(type)) {
    constexpr int64_t kSlots = 4 * 2 * 64;
    Tensor rows = randomTensor(random, cache.getElementType(),
                               {kSlots, cache.getHeads(), cache.getWidth()});
    return Cache{cache.getElementType(), cache.getHeads(), cache.getWidth(),
                 rows.floats};
  }
  auto tensor = cast<RankedTensorType>(type);
  SmallVector<int64_t> shape(tensor.getShape());
  for (int64_t &extent : shape)
    if (ShapedType::isDynamic(extent))
      extent = tokens;
  return randomTensor(random, tensor.getElementType(), shape, choice);
}

Tensor rowsOf(const Value &value) {
  const Cache &cache = std::get<Cache>(value);
  Tensor rows = ir::ref::makeTensor<Contract>(
      cache.element, {static_cast<int64_t>(cache.rows.size())});
  rows.floats = cache.rows;
  return rows;
}

void CacheAppend::check(const std::string &text, int64_t tokens,
                        Choice choice) {
  SCOPED_TRACE(text);
  auto module = parseSourceString<ModuleOp>(text, &context);
  ASSERT_TRUE(module);
  func::FuncOp func = *module->getOps<func::FuncOp>().begin();
  std::vector<Value> in;
  for (Type type : func.getArgumentTypes())
    in.push_back(argument(type, tokens, choice));
  ir::ref::Context state;
  auto expected = [&] {
    ir::ref::FlushSubnormals flush;
    return ir::ref::interpret<Contract>(func, in, {}, state);
  }();
  ASSERT_TRUE(bool(expected)) << llvm::toString(expected.takeError());
  EXPECT_FALSE(state.failure);
  for (base::CpuFeatures features : runnableFeatures()) {
    auto code = CompiledFunction::compile(func, features);
    ASSERT_TRUE(code.ok()) << code.status().ToString();
    EXPECT_EQ((*code)->kernelCount(), 1u);
    auto outcome = (*code)->run(in, /*seed=*/5);
    ASSERT_TRUE(outcome.ok()) << outcome.status().ToString();
    EXPECT_EQ(outcome->failure.kind, 0);
    for (auto [want, got] : llvm::zip_equal(*expected, outcome->results))
      EXPECT_EQ(firstDifference(rowsOf(want), rowsOf(got)), "")
          << nameOf(features);
  }
}

constexpr char kTypes[] = "!x = tensor<?x2x96xf32, #tn.dims<T, 2, 96>>\n"
                          "!k = !tn.cache<keys, 2 x 96 x !tn.block<q8_0>>\n"
                          "!v = !tn.cache<values, 2 x 96 x !tn.block<q8_0>>\n";

constexpr char kSymbols[] =
    " attributes {tn.symbols = [#tn.symbol<\"T\", 1 to 64>]} {\n";

TEST_F(CacheAppend, RowsOfMemory) {
  std::string text = std::string(kTypes) +
                     "func.func @f(%x: !x, %b: !tn.batch, %k: !k, %v: !v) -> "
                     "(!k, !v)" +
                     kSymbols +
                     "%k1 = tn.cache_append %k, %x, %b : !k, !x\n"
                     "%v1 = tn.cache_append %v, %x, %b : !v, !x\n"
                     "return %k1, %v1 : !k, !v }";
  check(text, 23, Choice::Hostile);
  check(text, 1, Choice::Ordinary);
}

// Of two projections, as models have them: one normed and turned.
TEST_F(CacheAppend, RowsOfNormsAndRotations) {
  for (const char *layout : {"half", "interleaved"}) {
    std::string text =
        std::string(kTypes) +
        "!h = tensor<?x2x96xf16, #tn.dims<T, 2, 96>>\n"
        "!p = tensor<?x384xf32, #tn.dims<T, 384>>\n"
        "!s = tensor<?x192xf32, #tn.dims<T, 192>>\n"
        "func.func @f(%p: !p, %w: tensor<96xf32>, %q: tensor<48xf32>, "
        "%b: !tn.batch, %k: !k, %v: !v) -> (!k, !v)" +
        kSymbols +
        "%a = tn.slice %p axis 1 from 0 size 192 : !p -> !s\n"
        "%c = tn.slice %p axis 1 from 192 size 192 : !p -> !s\n"
        "%x = tn.reshape %a : !s -> !x\n"
        "%y = tn.reshape %c : !s -> !x\n"
        "%n = tn.rms_norm %x, %w eps 1.0e-6 : !x, tensor<96xf32>\n"
        "%r = tn.rope " +
        layout +
        " %n, %b, %q : !x, tensor<48xf32>\n"
        "%g = tn.cast %y : !x -> !h\n"
        "%e = tn.cast %g : !h -> !x\n"
        "%k1 = tn.cache_append %k, %r, %b : !k, !x\n"
        "%v1 = tn.cache_append %v, %e, %b : !v, !x\n"
        "return %k1, %v1 : !k, !v }";
    check(text, 19, Choice::Ordinary);
    check(text, 1, Choice::Ordinary);
  }
}

} // namespace
} // namespace tenon::testing
