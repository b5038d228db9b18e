//===- GroupedTest.cpp - Products of experts equal the contract -----------===//
//
// Groups of every size, weights of every format, packed or as they lie, on
// every feature set this machine runs: the bits are the contract's, and those
// of tn.matmul. Numbers that are none are noted, and reach no memory.
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/Lower.h"
#include "ir/reference/Interpreter.h"
#include "ir/reference/Storage.h"
#include "tests/support/CompiledFunction.h"

#include "mlir/Parser/Parser.h"
#include "llvm/Support/FormatVariadic.h"

#include <gtest/gtest.h>

#include <set>

namespace tenon::testing {
namespace {

using namespace mlir;
using base::ElementType;
using ir::ref::Contract;
using llvm::formatv;

constexpr int64_t kExperts = 5, kPerToken = 2;

class Grouped : public ::testing::Test {
protected:
  Grouped() { loadKernelDialects(context); }

  func::FuncOp parse(const std::string &text) {
    module = parseSourceString<ModuleOp>(text, &context);
    return *module->getOps<func::FuncOp>().begin();
  }
  std::vector<Value> interpret(func::FuncOp func, ArrayRef<Value> in,
                               ir::ref::Context &state) {
    auto results = ir::ref::interpret<Contract>(func, in, {}, state);
    EXPECT_TRUE(bool(results)) << llvm::toString(results.takeError());
    return {results->begin(), results->end()};
  }
  /// Compiles it for each feature set.
  void compile(func::FuncOp func) {
    codes.clear();
    for (base::CpuFeatures features : runnableFeatures()) {
      auto code = CompiledFunction::compile(func, features);
      EXPECT_TRUE(code.ok()) << code.status().ToString();
      codes.push_back(*std::move(code));
    }
  }
  CompiledFunction::Outcome run(const CompiledFunction &code,
                                ArrayRef<Value> in) {
    auto outcome = code.run(in, /*seed=*/7);
    EXPECT_TRUE(outcome.ok()) << outcome.status().ToString();
    return *std::move(outcome);
  }
  /// Runs what was compiled; failures are the contract's, too.
  void check(func::FuncOp func, ArrayRef<Value> in);

  Tensor floats(ArrayRef<int64_t> shape) {
    return randomTensor(random, Float32Type::get(&context), shape);
  }
  Tensor numbers(ArrayRef<int64_t> values, ArrayRef<int64_t> shape) {
    Tensor made =
        ir::ref::makeTensor<Contract>(IntegerType::get(&context, 32), shape);
    made.ints.assign(values.begin(), values.end());
    return made;
  }
  Tensor weight(ElementType type, ArrayRef<int64_t> shape);

  MLIRContext context;
  OwningOpRef<ModuleOp> module;
  std::vector<std::unique_ptr<CompiledFunction>> codes;
  Random random{11};
};

void Grouped::check(func::FuncOp func, ArrayRef<Value> in) {
  ir::ref::Context state;
  std::vector<Value> expected = interpret(func, in, state);
  for (const auto &code : codes) {
    CompiledFunction::Outcome outcome = run(*code, in);
    ASSERT_EQ(outcome.failure.kind, state.failure ? state.failure->kind : 0);
    if (state.failure) {
      EXPECT_EQ(outcome.failure.row, state.failure->row);
      EXPECT_EQ(outcome.failure.value, state.failure->value);
      continue;
    }
    for (auto [x, y] : llvm::zip_equal(expected, outcome.results))
      EXPECT_EQ(firstDifference(std::get<Tensor>(x), std::get<Tensor>(y)), "");
  }
}

Tensor Grouped::weight(ElementType type, ArrayRef<int64_t> shape) {
  Tensor values = floats(shape);
  if (base::info(type).isBlocked()) {
    auto packed = ir::ref::packedTensor<Contract>(
        ir::BlockType::get(&context, type), shape, values.floats);
    EXPECT_TRUE(bool(packed));
    return *packed;
  }
  Type f16 = Float16Type::get(&context), bf16 = BFloat16Type::get(&context);
  if (type == ElementType::F32)
    return values;
  return randomTensor(random, type == ElementType::F16 ? f16 : bf16, shape);
}

std::string elementName(ElementType type) {
  std::string name(base::info(type).name);
  return base::info(type).isBlocked() ? "!tn.block<" + name + ">" : name;
}

/// gate, up and their activation, then down again, of sorted rows.
std::string layerOf(ElementType type, bool isPacked) {
  constexpr int64_t k = 256, n = 40;
  std::string element = elementName(type);
  std::string plain =
      formatv("tensor<{0}x{1}x{2}x{3}>", kExperts, n, k, element);
  std::string panels = formatv("tensor<{0}x{1}x{2}x{3}, #tn.panels<32>>",
                               kExperts, n, k, element);
  std::string pack, read = plain;
  if (isPacked) {
    read = panels;
    pack = formatv("%g = tn.pack %gate : {0} -> {1}\n"
                   "%u = tn.pack %up : {0} -> {1}\n",
                   plain, panels);
  }
  std::string product =
      "%{0} = tn.grouped_matmul %x, %{1}, %o {{transpose_b} : "
      "tensor<?x2x256xf32, #tn.dims<T, 2, 256>>, {2}, "
      "tensor<6xi32> -> tensor<?x2x40xf32, #tn.dims<T, 2, "
      "40>>\n";
  std::string y = "tensor<?x2x40xf32, #tn.dims<T, 2, 40>>";
  return formatv("func.func @f(%x: tensor<?x2x256xf32, #tn.dims<T, 2, 256>>, "
                 "%gate: {0}, %up: {0}, %o: tensor<6xi32>) -> {1} attributes "
                 "{{tn.symbols = [#tn.symbol<\"T\", 1 to 600>]} {{\n",
                 plain, y)
             .str() +
         pack +
         formatv(product.c_str(), "a", isPacked ? "g" : "gate", read).str() +
         formatv(product.c_str(), "b", isPacked ? "u" : "up", read).str() +
         formatv("%s = tn.silu %a : {0}\n%y = tn.mul %s, %b : {0}\n"
                 "return %y : {0}\n}",
                 y)
             .str();
}

/// Offsets of `rows` for every way in which experts share them.
std::vector<std::vector<int64_t>> sharings(int64_t rows) {
  return {{0, rows, rows, rows, rows, rows},
          {0, 0, 0, rows, rows, rows},
          {0, rows / 5, 2 * rows / 5, 3 * rows / 5, 4 * rows / 5, rows},
          {0, rows / 2, 3 * rows / 4, 7 * rows / 8, rows, rows},
          {0, 1, 1, rows - 1, rows, rows}};
}

class GroupedFormats : public Grouped,
                       public ::testing::WithParamInterface<ElementType> {};

TEST_P(GroupedFormats, EqualTheContract) {
  for (bool isPacked : {false, true}) {
    func::FuncOp func = parse(layerOf(GetParam(), isPacked));
    ASSERT_TRUE(func);
    compile(func);
    Tensor gate = weight(GetParam(), {kExperts, 40, 256});
    Tensor up = weight(GetParam(), {kExperts, 40, 256});
    for (int64_t tokens : {1, 2, 9, 70})
      for (const auto &offsets : sharings(tokens * kPerToken)) {
        SCOPED_TRACE(formatv("packed {0}, tokens {1}", isPacked, tokens).str());
        check(func, {floats({tokens, kPerToken, 256}), gate, up,
                     numbers(offsets, {kExperts + 1})});
      }
  }
}

INSTANTIATE_TEST_SUITE_P(All, GroupedFormats,
                         ::testing::Values(ElementType::F32, ElementType::F16,
                                           ElementType::BF16, ElementType::Q8_0,
                                           ElementType::Q4_0, ElementType::Q5_1,
                                           ElementType::Q4_K, ElementType::Q6_K,
                                           ElementType::Int4_G128),
                         [](const auto &info) {
                           return std::string(base::info(info.param).name);
                         });

TEST_F(Grouped, RowsHaveTheBitsOfAMatmul) {
  constexpr int64_t rows = 37;
  std::vector<int64_t> offsets = {0, 1, 1, 20, 30, rows};
  Tensor x = floats({rows, 600}), w = floats({kExperts, 33, 600});
  func::FuncOp grouped = parse(R"(
    func.func @f(%x: tensor<37x600xf32>, %w: tensor<5x33x600xf32>,
        %o: tensor<6xi32>) -> tensor<37x33xf32> {
      %y = tn.grouped_matmul %x, %w, %o {transpose_b} : tensor<37x600xf32>,
          tensor<5x33x600xf32>, tensor<6xi32> -> tensor<37x33xf32>
      return %y : tensor<37x33xf32>
    })");
  compile(grouped);
  Tensor y = std::get<Tensor>(
      run(*codes.back(), {x, w, numbers(offsets, {6})}).results[0]);
  func::FuncOp plain = parse(R"(
    func.func @f(%x: tensor<37x600xf32>, %w: tensor<33x600xf32>)
        -> tensor<37x33xf32> {
      %y = tn.matmul %x, %w {transpose_b} : tensor<37x600xf32>,
          tensor<33x600xf32> -> tensor<37x33xf32>
      return %y : tensor<37x33xf32>
    })");
  compile(plain);
  for (int64_t e = 0; e < kExperts; ++e) {
    Tensor own = floats({33, 600});
    std::copy_n(w.floats.begin() + e * 33 * 600, 33 * 600, own.floats.begin());
    Tensor all = std::get<Tensor>(run(*codes.back(), {x, own}).results[0]);
    for (int64_t i = offsets[e] * 33; i < offsets[e + 1] * 33; ++i)
      ASSERT_EQ(y.floats[i], all.floats[i]) << "expert " << e;
  }
}

/// The multiply-adds that a function executes.
int64_t countOf(func::FuncOp func, base::CpuFeatures features,
                ArrayRef<Value> in) {
  auto counted = countedProducts(func, features, in);
  EXPECT_TRUE(counted.ok()) << counted.status().ToString();
  return *counted;
}

/// What rows of so many experts that have some may execute: of each, the last
/// tile may be filled up by a row.
int64_t mostProducts(int64_t rows, int64_t groups, int64_t perRow) {
  return (rows + groups) * perRow;
}

TEST_F(Grouped, MultiplyAddsAreThoseOfTheExpertsChosen) {
  // Whole panels and segments: rows alone may fill up a tile.
  constexpr int64_t k = 128, n = 256, experts = 16;
  auto textOf = [&](int64_t rows) {
    return formatv(R"(
      func.func @f(%x: tensor<{0}x128xf32>, %w: tensor<16x256x128xf32>,
          %o: tensor<17xi32>) -> tensor<{0}x256xf32> {{
        %y = tn.grouped_matmul %x, %w, %o {{transpose_b} : tensor<{0}x128xf32>,
            tensor<16x256x128xf32>, tensor<17xi32> -> tensor<{0}x256xf32>
        return %y : tensor<{0}x256xf32>
      })",
                   rows)
        .str();
  };
  Tensor w = floats({experts, n, k});
  for (int64_t rows : {1, 8, 48, 400}) {
    std::vector<int64_t> offsets = {0};
    int64_t groups = 0;
    for (int64_t e = 1; e <= experts; ++e) {
      int64_t end =
          e == experts ? rows : std::min(rows, offsets.back() * 2 + e % 3);
      groups += end > offsets.back();
      offsets.push_back(end);
    }
    func::FuncOp func = parse(textOf(rows));
    for (base::CpuFeatures features : runnableFeatures()) {
      int64_t counted =
          countOf(func, features,
                  {floats({rows, k}), w, numbers(offsets, {experts + 1})});
      EXPECT_GE(counted, rows * n * k) << rows << " rows";
      EXPECT_LE(counted, mostProducts(rows, groups, n * k))
          << rows << " rows of " << groups << " experts";
    }
  }
}

TEST_F(Grouped, MultiplyAddsOfEveryExpertAreSeen) {
  // A fallback: every row through every expert, of which masks keep some.
  constexpr int64_t rows = 48, experts = 8, perRow = 256 * 128;
  std::string arguments = "%x: tensor<48x128xf32>", body;
  std::vector<Value> in = {floats({rows, 128})};
  for (int e = 0; e < experts; ++e) {
    arguments +=
        formatv(", %w{0}: tensor<256x128xf32>, %m{0}: tensor<48x256xf32>", e);
    body += formatv("%y{0} = tn.matmul %x, %w{0} {{transpose_b} : "
                    "tensor<48x128xf32>, tensor<256x128xf32> -> "
                    "tensor<48x256xf32>\n"
                    "%k{0} = tn.mul %y{0}, %m{0} : tensor<48x256xf32>\n",
                    e);
    if (e > 0)
      body += formatv("%s{0} = tn.add %{1}, %k{0} : tensor<48x256xf32>\n", e,
                      e == 1 ? "k0" : formatv("s{0}", e - 1).str());
    in.push_back(floats({256, 128}));
    in.push_back(floats({rows, 256}));
  }
  func::FuncOp dense = parse(formatv("func.func @f({0}) -> tensor<48x256xf32> "
                                     "{{\n{1}return %s{2} : "
                                     "tensor<48x256xf32>\n}",
                                     arguments, body, experts - 1));
  ASSERT_TRUE(dense);
  for (base::CpuFeatures features : runnableFeatures()) {
    int64_t counted = countOf(dense, features, in);
    EXPECT_GE(counted, experts * rows * perRow);
    EXPECT_GT(counted, mostProducts(rows, experts, perRow));
  }
}

TEST_F(Grouped, OffsetsThatAreNoneAreNoted) {
  func::FuncOp func = parse(layerOf(ElementType::F32, false));
  Tensor w = weight(ElementType::F32, {kExperts, 40, 256});
  Tensor x = floats({4, kPerToken, 256});
  std::vector<std::vector<int64_t>> wrong = {
      {1, 2, 3, 4, 5, 8}, {0, 2, 1, 4, 5, 8},  {0, 1, 2, 3, 4, 5},
      {0, 1, 2, 3, 4, 9}, {0, -7, 2, 3, 4, 8}, {0, 1 << 30, 2, 3, 4, 8}};
  compile(func);
  for (const auto &offsets : wrong)
    check(func, {x, w, w, numbers(offsets, {kExperts + 1})});
  func::FuncOp sums = parse(R"(
    func.func @f(%x: tensor<4x2x70xf32>, %y: tensor<4x2x40xf32>,
        %o: tensor<6xi32>) -> tensor<5x40x70xf32> {
      %w = tn.grouped_outer %y, %x, %o : tensor<4x2x40xf32>,
          tensor<4x2x70xf32>, tensor<6xi32> -> tensor<5x40x70xf32>
      return %w : tensor<5x40x70xf32>
    })");
  compile(sums);
  for (const auto &offsets : wrong)
    check(sums, {floats({4, 2, 70}), floats({4, 2, 40}),
                 numbers(offsets, {kExperts + 1})});
}

TEST_F(Grouped, ExpertsAndPlacesThatAreNoneAreNoted) {
  func::FuncOp dispatch = parse(R"(
    func.func @f(%e: tensor<4x2xi32>)
        -> (tensor<4x2xi32>, tensor<4x2xi32>, tensor<6xi32>) {
      %o, %p, %f = tn.moe_dispatch %e of 5 : tensor<4x2xi32>
          -> tensor<4x2xi32>, tensor<4x2xi32>, tensor<6xi32>
      return %o, %p, %f : tensor<4x2xi32>, tensor<4x2xi32>, tensor<6xi32>
    })");
  compile(dispatch);
  check(dispatch, {numbers({0, 1, 4, 4, 2, 2, 0, 3}, {4, 2})});
  check(dispatch, {numbers({3, 3, 3, 3, 3, 3, 3, 3}, {4, 2})});
  check(dispatch, {numbers({0, 1, 4, 5, 2, 2, 0, 3}, {4, 2})});
  check(dispatch, {numbers({0, 1, 4, 4, -1, 2, 0, 3}, {4, 2})});
  func::FuncOp rows = parse(R"(
    func.func @f(%x: tensor<4x70xf32>, %i: tensor<4x2xi32>,
        %w: tensor<4x2xf32>) -> tensor<4x70xf32> {
      %y = tn.moe_gather %x, %i inverse %i : tensor<4x70xf32>, tensor<4x2xi32>
          -> tensor<4x2x70xf32>
      %z = tn.moe_combine %y, %i, %w inverse %i : tensor<4x2x70xf32>,
          tensor<4x2xi32>, tensor<4x2xf32> -> tensor<4x70xf32>
      return %z : tensor<4x70xf32>
    })");
  compile(rows);
  for (int64_t outside : {8, -1, 1 << 30})
    check(rows,
          {floats({4, 70}), numbers({0, 1, 4, 4, 2, 2, outside, 3}, {4, 2}),
           floats({4, 2})});
}

TEST_F(Grouped, LogitsThatAreNoneAreNotedWithTheirToken) {
  for (StringRef scoring : {"softmax", "sigmoid"}) {
    func::FuncOp func = parse(formatv(R"(
      func.func @f(%x: tensor<6x8xf32>) -> (tensor<6x3xf32>, tensor<6x3xi32>) {{
        %w, %e = tn.moe_route {0} %x {{k = 3 : i64, normalize}
            : tensor<6x8xf32> -> tensor<6x3xf32>, tensor<6x3xi32>
        return %w, %e : tensor<6x3xf32>, tensor<6x3xi32>
      })",
                                      scoring)
                                  .str());
    ASSERT_TRUE(func);
    compile(func);
    check(func, {floats({6, 8})});
    for (int64_t at : {0, 12, 47}) {
      Tensor x = floats({6, 8});
      x.floats[at] = std::numeric_limits<float>::quiet_NaN();
      check(func, {x});
    }
  }
}

TEST_F(Grouped, ExpertsThatAreGivenHaveTheirWeightsOrAreNoted) {
  for (StringRef form : {"softmax", "sigmoid"}) {
    func::FuncOp func = parse(formatv(R"(
      func.func @f(%x: tensor<6x8xf32>, %e: tensor<6x3xi32>)
          -> (tensor<6x3xf32>, tensor<6x3xf32>, tensor<6x3xi32>) {{
        %w = tn.moe_weigh {0} %x, %e {{normalize, scale = 2.5 : f64}
            : tensor<6x8xf32>, tensor<6x3xi32> -> tensor<6x3xf32>
        %v, %c = tn.moe_route {0} %x {{k = 3 : i64, normalize, scale = 2.5 : f64}
            : tensor<6x8xf32> -> tensor<6x3xf32>, tensor<6x3xi32>
        return %w, %v, %c : tensor<6x3xf32>, tensor<6x3xf32>, tensor<6x3xi32>
      })",
                                      form)
                                  .str());
    ASSERT_TRUE(func);
    compile(func);
    Tensor x = floats({6, 8}), nan = x;
    std::vector<int64_t> any(18, 1);
    check(func, {x, numbers(any, {6, 3})});
    // Of the experts that are chosen, the weights are the choice's.
    ir::ref::Context state;
    Tensor chosen =
        std::get<Tensor>(interpret(func, {x, numbers(any, {6, 3})}, state)[2]);
    std::vector<Value> same = interpret(func, {x, chosen}, state);
    EXPECT_EQ(
        firstDifference(std::get<Tensor>(same[0]), std::get<Tensor>(same[1])),
        "");
    check(func, {x, chosen});
    for (int64_t wrong : {-1, 8, INT32_MAX}) {
      any[10] = wrong;
      check(func, {x, numbers(any, {6, 3})});
    }
    nan.floats[20] = std::numeric_limits<float>::quiet_NaN();
    check(func, {nan, chosen});
  }
}

TEST_F(Grouped, ExpertsDifferWhateverTheLogitsAre) {
  func::FuncOp func = parse(R"(
    func.func @f(%x: tensor<6x8xf32>) -> (tensor<6x4xf32>, tensor<6x4xi32>) {
      %w, %e = tn.moe_route sigmoid %x {k = 4 : i64, groups = 4 : i64,
          kept_groups = 2 : i64, top2} : tensor<6x8xf32>
          -> tensor<6x4xf32>, tensor<6x4xi32>
      return %w, %e : tensor<6x4xf32>, tensor<6x4xi32>
    })");
  float nan = std::numeric_limits<float>::quiet_NaN();
  float infinity = std::numeric_limits<float>::infinity();
  Tensor x = floats({6, 8});
  std::fill_n(x.floats.begin() + 8, 8, nan);
  std::fill_n(x.floats.begin() + 16, 8, -infinity);
  std::fill_n(x.floats.begin() + 24, 8, infinity);
  x.floats[33] = nan;
  ir::ref::Context state;
  interpret(func, {x}, state);
  ASSERT_TRUE(state.failure);
  compile(func);
  for (const auto &code : codes) {
    CompiledFunction::Outcome outcome = run(*code, {x});
    EXPECT_EQ(outcome.failure.kind, state.failure->kind);
    Tensor experts = std::get<Tensor>(outcome.results[1]);
    for (int64_t t = 0; t < 6; ++t) {
      std::set<int64_t> chosen(experts.ints.begin() + t * 4,
                               experts.ints.begin() + t * 4 + 4);
      EXPECT_EQ(chosen.size(), 4u) << "token " << t;
      EXPECT_GE(*chosen.begin(), 0);
      EXPECT_LT(*chosen.rbegin(), 8);
    }
  }
}

} // namespace
} // namespace tenon::testing
