//===- RowsNestTest.cpp - Rows nests equal the contract, bit for bit ------===//
//
// Functions that fuse into rows nests, on every feature set this machine runs:
// several phases, rotations and caches, gathers from blocked weights, views
// that cut columns into runs, selection and sampling, and the failures they
// note. Single ops over all widths are in tests/numerics.
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/Lower.h"
#include "ir/reference/Interpreter.h"
#include "ir/reference/Storage.h"
#include "tests/support/CompiledFunction.h"

#include "mlir/Parser/Parser.h"

#include <gtest/gtest.h>

namespace tenon::testing {
namespace {

using namespace mlir;
using ir::ref::Batch;
using ir::ref::Cache;
using ir::ref::Contract;

struct Case {
  const char *name;
  const char *text;       // arguments, results and body
  int64_t tokens = 5;     // the symbol T
  int64_t indexBound = 9; // i32 arguments are in [0, indexBound)
  bool mayFail = false;   // the failure must be the oracle's
};

const Case kCases[] = {
    {"qk_norm_rope_append", R"(
  func.func @f(%x: tensor<?x4x64xf32, #tn.dims<T, 4, 64>>,
      %v: tensor<?x4x64xf32, #tn.dims<T, 4, 64>>, %w: tensor<64xf32>,
      %q: tensor<32xf32>, %b: !tn.batch, %kc: !tn.cache<keys, 4 x 64 x f32>,
      %vc: !tn.cache<values, 4 x 64 x f32>)
      -> (!tn.cache<keys, 4 x 64 x f32>, !tn.cache<values, 4 x 64 x f32>)
      attributes {tn.symbols = [#tn.symbol<"T", 1 to 64>]} {
    %n = tn.rms_norm %x, %w eps 1.0e-6
        : tensor<?x4x64xf32, #tn.dims<T, 4, 64>>, tensor<64xf32>
    %r = tn.rope half %n, %b, %q
        : tensor<?x4x64xf32, #tn.dims<T, 4, 64>>, tensor<32xf32>
    %k1 = tn.cache_append %kc, %r, %b : !tn.cache<keys, 4 x 64 x f32>,
        tensor<?x4x64xf32, #tn.dims<T, 4, 64>>
    %v1 = tn.cache_append %vc, %v, %b : !tn.cache<values, 4 x 64 x f32>,
        tensor<?x4x64xf32, #tn.dims<T, 4, 64>>
    return %k1, %v1
        : !tn.cache<keys, 4 x 64 x f32>, !tn.cache<values, 4 x 64 x f32>
  })"},
    {"append_half_precision", R"(
  func.func @f(%x: tensor<?x2x24xf32, #tn.dims<T, 2, 24>>, %b: !tn.batch,
      %kc: !tn.cache<keys, 2 x 24 x f16>, %vc: !tn.cache<values, 2 x 24 x bf16>)
      -> (!tn.cache<keys, 2 x 24 x f16>, !tn.cache<values, 2 x 24 x bf16>)
      attributes {tn.symbols = [#tn.symbol<"T", 1 to 64>]} {
    %h = tn.cast %x : tensor<?x2x24xf32, #tn.dims<T, 2, 24>>
        -> tensor<?x2x24xf16, #tn.dims<T, 2, 24>>
    %g = tn.cast %x : tensor<?x2x24xf32, #tn.dims<T, 2, 24>>
        -> tensor<?x2x24xbf16, #tn.dims<T, 2, 24>>
    %k1 = tn.cache_append %kc, %h, %b : !tn.cache<keys, 2 x 24 x f16>,
        tensor<?x2x24xf16, #tn.dims<T, 2, 24>>
    %v1 = tn.cache_append %vc, %g, %b : !tn.cache<values, 2 x 24 x bf16>,
        tensor<?x2x24xbf16, #tn.dims<T, 2, 24>>
    return %k1, %v1
        : !tn.cache<keys, 2 x 24 x f16>, !tn.cache<values, 2 x 24 x bf16>
  })"},
    {"append_without_a_page", R"(
  func.func @f(%x: tensor<?x1x24xf32, #tn.dims<T, 1, 24>>, %b: !tn.batch,
      %kc: !tn.cache<keys, 1 x 24 x f32>) -> !tn.cache<keys, 1 x 24 x f32>
      attributes {tn.symbols = [#tn.symbol<"T", 1 to 64>]} {
    %k1 = tn.cache_append %kc, %x, %b : !tn.cache<keys, 1 x 24 x f32>,
        tensor<?x1x24xf32, #tn.dims<T, 1, 24>>
    return %k1 : !tn.cache<keys, 1 x 24 x f32>
  })",
     1, 9, true},
    {"rope_half_bf16_tail", R"(
  func.func @f(%x: tensor<?x3x22xbf16, #tn.dims<T, 3, 22>>, %q: tensor<11xf32>,
      %b: !tn.batch) -> tensor<?x3x22xbf16, #tn.dims<T, 3, 22>>
      attributes {tn.symbols = [#tn.symbol<"T", 1 to 64>]} {
    %y = tn.rope half %x, %b, %q amplitude 1.25
        : tensor<?x3x22xbf16, #tn.dims<T, 3, 22>>, tensor<11xf32>
    return %y : tensor<?x3x22xbf16, #tn.dims<T, 3, 22>>
  })"},
    {"rope_interleaved", R"(
  func.func @f(%x: tensor<?x3x44xf32, #tn.dims<T, 3, 44>>, %q: tensor<22xf32>,
      %b: !tn.batch) -> tensor<?x3x44xf32, #tn.dims<T, 3, 44>>
      attributes {tn.symbols = [#tn.symbol<"T", 1 to 64>]} {
    %y = tn.rope interleaved %x, %b, %q
        : tensor<?x3x44xf32, #tn.dims<T, 3, 44>>, tensor<22xf32>
    return %y : tensor<?x3x44xf32, #tn.dims<T, 3, 44>>
  })"},
    {"slice_cuts_pairs", R"(
  func.func @f(%x: tensor<?x3x44xf32, #tn.dims<T, 3, 44>>, %q: tensor<22xf32>,
      %b: !tn.batch) -> tensor<?x3x13xf32, #tn.dims<T, 3, 13>>
      attributes {tn.symbols = [#tn.symbol<"T", 1 to 64>]} {
    %r = tn.rope interleaved %x, %b, %q
        : tensor<?x3x44xf32, #tn.dims<T, 3, 44>>, tensor<22xf32>
    %s = tn.slice %r axis 2 from 21 size 13
        : tensor<?x3x44xf32, #tn.dims<T, 3, 44>>
        -> tensor<?x3x13xf32, #tn.dims<T, 3, 13>>
    %y = tn.abs %s : tensor<?x3x13xf32, #tn.dims<T, 3, 13>>
    return %y : tensor<?x3x13xf32, #tn.dims<T, 3, 13>>
  })"},
    {"runs_cut_pairs", R"(
  func.func @f(%x: tensor<?x1x34xf32, #tn.dims<T, 1, 34>>, %q: tensor<17xf32>,
      %w: tensor<?x1x17xf32, #tn.dims<T, 1, 17>>, %b: !tn.batch)
      -> tensor<?x1x51xf32, #tn.dims<T, 1, 51>>
      attributes {tn.symbols = [#tn.symbol<"T", 1 to 64>]} {
    %r = tn.rope interleaved %x, %b, %q
        : tensor<?x1x34xf32, #tn.dims<T, 1, 34>>, tensor<17xf32>
    %y = tn.concat %r, %w axis 2 : tensor<?x1x34xf32, #tn.dims<T, 1, 34>>,
        tensor<?x1x17xf32, #tn.dims<T, 1, 17>>
        -> tensor<?x1x51xf32, #tn.dims<T, 1, 51>>
    return %y : tensor<?x1x51xf32, #tn.dims<T, 1, 51>>
  })"},
    {"rope_of_slices_joined", R"(
  !x = tensor<?x3x40xf32, #tn.dims<T, 3, 40>>
  !n = tensor<?x3x24xf32, #tn.dims<T, 3, 24>>
  !p = tensor<?x3x16xf32, #tn.dims<T, 3, 16>>
  func.func @f(%x: !x, %q: tensor<8xf32>, %b: !tn.batch) -> !x
      attributes {tn.symbols = [#tn.symbol<"T", 1 to 64>]} {
    %n = tn.slice %x axis 2 from 0 size 24 : !x -> !n
    %p = tn.slice %x axis 2 from 24 size 16 : !x -> !p
    %r = tn.rope interleaved %p, %b, %q : !p, tensor<8xf32>
    %y = tn.concat %n, %r axis 2 : !n, !p -> !x
    return %y : !x
  })"},
    {"residual_phases", R"(
  !x = tensor<?x200xf32, #tn.dims<T, 200>>
  func.func @f(%x: !x, %r: !x, %w: tensor<200xf32>) -> (!x, !x)
      attributes {tn.symbols = [#tn.symbol<"T", 1 to 64>]} {
    %a = tn.rms_norm %x, %w eps 1.0e-6 : !x, tensor<200xf32>
    %h = tn.add %a, %r : !x
    %n = tn.rms_norm %h, %w eps 1.0e-6 : !x, tensor<200xf32>
    return %h, %n : !x, !x
  })"},
    {"normalised_heads_rejoined", R"(
  !x = tensor<?x120xf32, #tn.dims<T, 120>>
  !h = tensor<?x5x24xf32, #tn.dims<T, 5, 24>>
  func.func @f(%a0: !x, %a1: tensor<24xf32>) -> !x
      attributes {tn.symbols = [#tn.symbol<"T", 1 to 64>]} {
    %out = tn.kernel(%a0, %a1) : (!x, tensor<24xf32>) -> !x {
    ^bb0(%x: !x, %w: tensor<24xf32>):
      %h = tn.reshape %x : !x -> !h
      %n = tn.rms_norm %h, %w eps 1.0e-6 : !h, tensor<24xf32>
      %j = tn.reshape %n : !h -> !x
      %y = tn.softmax %j : !x
      tn.yield %y : !x
    } {label = "normalised_heads_rejoined"}
    return %out : !x
  })"},
    {"transpose_and_broadcast", R"(
  !x = tensor<?x17xf32, #tn.dims<T, 17>>
  !y = tensor<17x?xf32, #tn.dims<17, T>>
  func.func @f(%a0: !x) -> !y
      attributes {tn.symbols = [#tn.symbol<"T", 1 to 64>]} {
    %out = tn.kernel(%a0) : (!x) -> (!y) {
    ^bb0(%x: !x):
    %m = tn.reduce max %x : !x -> tensor<?xf32, #tn.dims<T>>
    %s = tn.reshape %m : tensor<?xf32, #tn.dims<T>> -> tensor<?x1xf32, #tn.dims<T, 1>>
    %b = tn.broadcast %s : tensor<?x1xf32, #tn.dims<T, 1>> -> !x
    %d = tn.sub %x, %b : !x
    %y = tn.transpose %d [1, 0] : !x -> !y
      tn.yield %y : !y
    } {label = "transpose_and_broadcast"}
    return %out : !y
  })"},
    {"mask_by_iota", R"(
  !x = tensor<?x33xf32, #tn.dims<T, 33>>
  !i = tensor<?x33xi32, #tn.dims<T, 33>>
  !c = tensor<?x33xi1, #tn.dims<T, 33>>
  func.func @f(%x: !x) -> !x
      attributes {tn.symbols = [#tn.symbol<"T", 1 to 64>]} {
    %i = tn.iota axis 0 : !i
    %j = tn.iota axis 1 : !i
    %c = tn.compare ge %i, %j : !i -> !c
    %z = tn.constant dense<0.0> : tensor<f32>
    %b = tn.broadcast %z : tensor<f32> -> !x
    %y = tn.select %c, %x, %b : !c, !x
    return %y : !x
  })"},
    {"experts", R"(
  !x = tensor<?x40xf32, #tn.dims<T, 40>>
  !v = tensor<?x6xf32, #tn.dims<T, 6>>
  !i = tensor<?x6xi32, #tn.dims<T, 6>>
  func.func @f(%x: !x) -> (!v, !i)
      attributes {tn.symbols = [#tn.symbol<"T", 1 to 64>]} {
    %s = tn.sigmoid %x : !x
    %v, %i = tn.top_k %s k 6 : !x -> !v, !i
    %g = tn.take_along %s, %i : !x, !i -> !v
    return %g, %i : !v, !i
  })"},
    {"top_k_many", R"(
  !x = tensor<?x300xbf16, #tn.dims<T, 300>>
  !v = tensor<?x70xbf16, #tn.dims<T, 70>>
  !i = tensor<?x70xi32, #tn.dims<T, 70>>
  func.func @f(%x: !x) -> (!v, !i)
      attributes {tn.symbols = [#tn.symbol<"T", 1 to 64>]} {
    %v, %i = tn.top_k %x k 70 : !x -> !v, !i
    return %v, %i : !v, !i
  })"},
    {"top_k_of_a_long_row", R"(
  !x = tensor<?x20011xf32, #tn.dims<T, 20011>>
  !v = tensor<?x70xf32, #tn.dims<T, 70>>
  !i = tensor<?x70xi32, #tn.dims<T, 70>>
  func.func @f(%x: !x) -> (!v, !i)
      attributes {tn.symbols = [#tn.symbol<"T", 1 to 64>]} {
    %v, %i = tn.top_k %x k 70 : !x -> !v, !i
    return %v, %i : !v, !i
  })"},
    {"top_k_of_equal_ones", R"(
  !x = tensor<?x9000xbf16, #tn.dims<T, 9000>>
  !v = tensor<?x40xbf16, #tn.dims<T, 40>>
  !i = tensor<?x40xi32, #tn.dims<T, 40>>
  func.func @f(%x: !x) -> (!v, !i)
      attributes {tn.symbols = [#tn.symbol<"T", 1 to 64>]} {
    %v, %i = tn.top_k %x k 40 : !x -> !v, !i
    return %v, %i : !v, !i
  })"},
    {"top_k_of_few_groups", R"(
  !x = tensor<?x8192xf32, #tn.dims<T, 8192>>
  !v = tensor<?x300xf32, #tn.dims<T, 300>>
  !i = tensor<?x300xi32, #tn.dims<T, 300>>
  func.func @f(%x: !x) -> (!v, !i)
      attributes {tn.symbols = [#tn.symbol<"T", 1 to 64>]} {
    %v, %i = tn.top_k %x k 300 : !x -> !v, !i
    return %v, %i : !v, !i
  })"},
    {"argmax", R"(
  func.func @f(%x: tensor<?x1003xbf16, #tn.dims<T, 1003>>)
      -> tensor<?xi32, #tn.dims<T>>
      attributes {tn.symbols = [#tn.symbol<"T", 1 to 64>]} {
    %y = tn.argmax %x : tensor<?x1003xbf16, #tn.dims<T, 1003>>
        -> tensor<?xi32, #tn.dims<T>>
    return %y : tensor<?xi32, #tn.dims<T>>
  })"},
    {"sample", R"(
  !x = tensor<?x2003xf32, #tn.dims<T, 2003>>
  !f = tensor<?xf32, #tn.dims<T>>
  !i = tensor<?xi32, #tn.dims<T>>
  !s = tensor<?xi64, #tn.dims<T>>
  func.func @f(%x: !x, %t: !f, %k: !i, %p: !f, %m: !f, %s: !s, %n: !i) -> !i
      attributes {tn.symbols = [#tn.symbol<"T", 1 to 64>]} {
    %a = tn.abs %p : !f
    %y = tn.sample %x, %t, %k, %a, %m, %s, %n : !x, !f, !i, !f, !f, !s, !i -> !i
    return %y : !i
  })",
     64},
    {"sample_of_many", R"(
  !x = tensor<?x20003xf32, #tn.dims<T, 20003>>
  !f = tensor<?xf32, #tn.dims<T>>
  !i = tensor<?xi32, #tn.dims<T>>
  !s = tensor<?xi64, #tn.dims<T>>
  func.func @f(%x: !x, %t: !f, %k: !i, %p: !f, %m: !f, %s: !s, %n: !i) -> !i
      attributes {tn.symbols = [#tn.symbol<"T", 1 to 64>]} {
    %a = tn.abs %p : !f
    %y = tn.sample %x, %t, %k, %a, %m, %s, %n : !x, !f, !i, !f, !f, !s, !i -> !i
    return %y : !i
  })",
     64},
    {"random", R"(
  func.func @f(%s: tensor<?xi64, #tn.dims<T>>, %n: tensor<?xi32, #tn.dims<T>>)
      -> tensor<?xf32, #tn.dims<T>>
      attributes {tn.symbols = [#tn.symbol<"T", 1 to 64>]} {
    %y = tn.random %s, %n : tensor<?xi64, #tn.dims<T>>,
        tensor<?xi32, #tn.dims<T>> -> tensor<?xf32, #tn.dims<T>>
    return %y : tensor<?xf32, #tn.dims<T>>
  })",
     21},
    {"scatter", R"(
  func.func @f(%x: tensor<9x21xf32>, %i: tensor<?xi32, #tn.dims<T>>,
      %r: tensor<?x21xf32, #tn.dims<T, 21>>) -> tensor<9x21xf32>
      attributes {tn.symbols = [#tn.symbol<"T", 1 to 64>]} {
    %y = tn.scatter %x, %i, %r : tensor<9x21xf32>, tensor<?xi32, #tn.dims<T>>,
        tensor<?x21xf32, #tn.dims<T, 21>> -> tensor<9x21xf32>
    return %y : tensor<9x21xf32>
  })",
     13},
    {"scatter_add", R"(
  func.func @f(%x: tensor<9x21xbf16>, %i: tensor<?xi32, #tn.dims<T>>,
      %r: tensor<?x21xbf16, #tn.dims<T, 21>>) -> tensor<9x21xbf16>
      attributes {tn.symbols = [#tn.symbol<"T", 1 to 64>]} {
    %y = tn.scatter %x, %i, %r {add} : tensor<9x21xbf16>,
        tensor<?xi32, #tn.dims<T>>, tensor<?x21xbf16, #tn.dims<T, 21>>
        -> tensor<9x21xbf16>
    return %y : tensor<9x21xbf16>
  })",
     40},
    {"scatter_outside", R"(
  func.func @f(%x: tensor<9x21xf32>, %i: tensor<?xi32, #tn.dims<T>>,
      %r: tensor<?x21xf32, #tn.dims<T, 21>>) -> tensor<9x21xf32>
      attributes {tn.symbols = [#tn.symbol<"T", 1 to 64>]} {
    %y = tn.scatter %x, %i, %r : tensor<9x21xf32>, tensor<?xi32, #tn.dims<T>>,
        tensor<?x21xf32, #tn.dims<T, 21>> -> tensor<9x21xf32>
    return %y : tensor<9x21xf32>
  })",
     13, 30, true},
    {"sum_rows", R"(
  func.func @f(%x: tensor<?x70xf32, #tn.dims<T, 70>>) -> tensor<70xf32>
      attributes {tn.symbols = [#tn.symbol<"T", 1 to 2000>]} {
    %y = tn.sum_rows %x : tensor<?x70xf32, #tn.dims<T, 70>> -> tensor<70xf32>
    return %y : tensor<70xf32>
  })",
     1100},
    {"gather", R"(
  func.func @f(%t: tensor<9x35xf16>, %i: tensor<?xi32, #tn.dims<T>>)
      -> tensor<?x35xf16, #tn.dims<T, 35>>
      attributes {tn.symbols = [#tn.symbol<"T", 1 to 64>]} {
    %y = tn.gather %t, %i : tensor<9x35xf16>, tensor<?xi32, #tn.dims<T>>
        -> tensor<?x35xf16, #tn.dims<T, 35>>
    return %y : tensor<?x35xf16, #tn.dims<T, 35>>
  })"},
    {"gather_from_vector", R"(
  func.func @f(%t: tensor<9xf32>, %i: tensor<?x1xi32, #tn.dims<T, 1>>)
      -> tensor<?x1xf32, #tn.dims<T, 1>>
      attributes {tn.symbols = [#tn.symbol<"T", 1 to 64>]} {
    %y = tn.gather %t, %i : tensor<9xf32>, tensor<?x1xi32, #tn.dims<T, 1>>
        -> tensor<?x1xf32, #tn.dims<T, 1>>
    return %y : tensor<?x1xf32, #tn.dims<T, 1>>
  })"},
    {"gather_outside", R"(
  func.func @f(%t: tensor<9x35xf32>, %i: tensor<?xi32, #tn.dims<T>>)
      -> tensor<?x35xf32, #tn.dims<T, 35>>
      attributes {tn.symbols = [#tn.symbol<"T", 1 to 64>]} {
    %y = tn.gather %t, %i : tensor<9x35xf32>, tensor<?xi32, #tn.dims<T>>
        -> tensor<?x35xf32, #tn.dims<T, 35>>
    return %y : tensor<?x35xf32, #tn.dims<T, 35>>
  })",
     1, -1, true},
};

/// `$f` is a blocked format.
const char *const kEmbedding = R"(
  func.func @f(%t: tensor<40x512x!tn.block<$f>>, %i: tensor<?xi32, #tn.dims<T>>)
      -> tensor<?x512xbf16, #tn.dims<T, 512>>
      attributes {tn.symbols = [#tn.symbol<"T", 1 to 64>]} {
    %g = tn.gather %t, %i : tensor<40x512x!tn.block<$f>>,
        tensor<?xi32, #tn.dims<T>> -> tensor<?x512xbf16, #tn.dims<T, 512>>
    %y = tn.add %g, %g : tensor<?x512xbf16, #tn.dims<T, 512>>
    return %y : tensor<?x512xbf16, #tn.dims<T, 512>>
  })";
const char *const kPackedEmbedding = R"(
  func.func @f(%t: tensor<40x512x!tn.block<$f>>, %i: tensor<?xi32, #tn.dims<T>>)
      -> tensor<?x512xf32, #tn.dims<T, 512>>
      attributes {tn.symbols = [#tn.symbol<"T", 1 to 64>]} {
    %p = tn.pack %t : tensor<40x512x!tn.block<$f>>
        -> tensor<40x512x!tn.block<$f>, #tn.panels<32>>
    %g = tn.gather %p, %i : tensor<40x512x!tn.block<$f>, #tn.panels<32>>,
        tensor<?xi32, #tn.dims<T>> -> tensor<?x512xf32, #tn.dims<T, 512>>
    return %g : tensor<?x512xf32, #tn.dims<T, 512>>
  })";

/// Names the case in failures.
void PrintTo(const Case &test, std::ostream *out) { *out << test.name; }

class RowsNest : public ::testing::Test {
protected:
  RowsNest() { loadKernelDialects(context); }

  Value randomArgument(Type type, const Case &test);
  Batch randomBatch(const Case &test);
  void check(const std::string &text, const Case &test);
  void compare(const Value &expected, const Value &actual);

  MLIRContext context;
  Random random{11};
};

/// Three sequences of up to two pages of 128 positions; the last, no pages.
Batch RowsNest::randomBatch(const Case &test) {
  Batch batch;
  batch.pagesPerSequence = 2;
  batch.pageBlocks = 2;
  batch.pages = {3, 0, 2, 1, -1, -1};
  for (int64_t t = 0; t < test.tokens; ++t) {
    batch.sequence.push_back(test.mayFail ? 2 : t % 2);
    batch.position.push_back(t * 37 % 256);
  }
  return batch;
}

Value RowsNest::randomArgument(Type type, const Case &test) {
  if (isa<ir::BatchType>(type))
    return randomBatch(test);
  if (auto cache = dyn_cast<ir::CacheType>(type)) {
    int64_t slots = 4 * 2 * 64;
    Tensor rows = randomTensor(random, cache.getElementType(),
                               {slots, cache.getHeads(), cache.getWidth()});
    return Cache<Contract>{cache.getElementType(), cache.getHeads(),
                           cache.getWidth(), rows.floats};
  }
  auto tensor = cast<RankedTensorType>(type);
  SmallVector<int64_t> shape(tensor.getShape());
  for (int64_t &extent : shape)
    if (ShapedType::isDynamic(extent))
      extent = test.tokens;
  Type element = tensor.getElementType();
  Tensor values = randomTensor(random, element, shape);
  if (element.isInteger(32))
    for (int64_t &number : values.ints)
      number = test.indexBound < 0
                   ? test.indexBound
                   : int64_t(random() % uint64_t(test.indexBound));
  return values;
}

void RowsNest::compare(const Value &expected, const Value &actual) {
  if (const auto *cache = std::get_if<Cache<Contract>>(&expected)) {
    Tensor a, b;
    a.element = b.element = cache->element;
    a.floats = cache->rows;
    b.floats = std::get<Cache<Contract>>(actual).rows;
    a.shape = b.shape = {int64_t(a.floats.size())};
    ASSERT_EQ(a.floats.size(), b.floats.size());
    EXPECT_EQ(firstDifference(a, b), "");
    return;
  }
  EXPECT_EQ(
      firstDifference(std::get<Tensor>(expected), std::get<Tensor>(actual)),
      "");
}

void RowsNest::check(const std::string &text, const Case &test) {
  auto module = parseSourceString<ModuleOp>(text, &context);
  ASSERT_TRUE(module);
  func::FuncOp func = *module->getOps<func::FuncOp>().begin();
  std::vector<Value> in;
  for (Type type : func.getArgumentTypes())
    in.push_back(randomArgument(type, test));
  ir::ref::Context state;
  auto expected = [&] {
    ir::ref::FlushSubnormals flush;
    return ir::ref::interpret<Contract>(func, in, {}, state);
  }();
  ASSERT_TRUE(bool(expected)) << llvm::toString(expected.takeError());
  EXPECT_EQ(state.failure.has_value(), test.mayFail);
  for (base::CpuFeatures features : runnableFeatures()) {
    SCOPED_TRACE(nameOf(features));
    auto code = CompiledFunction::compile(func, features);
    ASSERT_TRUE(code.ok()) << code.status().ToString();
    auto outcome = (*code)->run(in, /*seed=*/7);
    ASSERT_TRUE(outcome.ok()) << outcome.status().ToString();
    EXPECT_EQ(outcome->failure.kind, state.failure ? state.failure->kind : 0);
    if (state.failure && test.tokens == 1) {
      EXPECT_EQ(outcome->failure.row, state.failure->row);
      EXPECT_EQ(outcome->failure.value, state.failure->value);
    }
    for (auto [a, b] : llvm::zip_equal(*expected, outcome->results))
      compare(a, b);
  }
}

class RowsNestCase : public RowsNest,
                     public ::testing::WithParamInterface<Case> {};

TEST_P(RowsNestCase, EqualsContract) {
  check(GetParam().text, GetParam());
  Case one = GetParam(); // decode
  one.tokens = 1;
  if (!one.mayFail)
    check(one.text, one);
}

INSTANTIATE_TEST_SUITE_P(Kernels, RowsNestCase, ::testing::ValuesIn(kCases),
                         [](const auto &info) {
                           return std::string(info.param.name);
                         });

class RowsNestFormats : public RowsNest,
                        public ::testing::WithParamInterface<const char *> {
protected:
  std::string with(std::string text) {
    for (size_t at = 0; (at = text.find("$f", at)) != std::string::npos;)
      text.replace(at, 2, GetParam());
    return text;
  }
};

TEST_P(RowsNestFormats, GathersBlockedRows) {
  check(with(kEmbedding), {"", "", 7, 40});
}

TEST_P(RowsNestFormats, GathersPackedRows) {
  check(with(kPackedEmbedding), {"", "", 7, 40});
}

INSTANTIATE_TEST_SUITE_P(Formats, RowsNestFormats,
                         ::testing::Values("q8_0", "q4_0", "q4_1", "q5_0",
                                           "q5_1", "q4_k", "q5_k", "q6_k",
                                           "int4_g64", "int4_g128"),
                         [](const auto &info) {
                           return std::string(info.param);
                         });

} // namespace
} // namespace tenon::testing
