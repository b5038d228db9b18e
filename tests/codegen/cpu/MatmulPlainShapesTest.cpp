//===- MatmulPlainShapesTest.cpp - Seeded shapes of plain products --------===//
//
// Products of f32, f16 and bf16, packed or not, of seeded m, n and k: tails,
// extents of 1, k around a segment, rows that start anywhere in memory or in a
// wider tensor. Each equals the contract's interpreter bit for bit with every
// feature set, whatever m is.
//
//===----------------------------------------------------------------------===//

#include "ir/tn/Panels.h"
#include "tests/codegen/cpu/MatmulShapes.h"

#include "gtest/gtest.h"

namespace tenon::testing {
namespace {

constexpr int64_t kMostRows = 130;

/// How a product reads its operands; types are MLIR's names.
struct Form {
  const char *name;
  const char *left, *right;
  bool isPacked = true;
  bool transposesA = false, transposesB = true;
  int64_t skipped = 0; ///< Columns of a wider tensor before the rows of a.
  bool rounds = false; ///< The right operand is rounded to bf16.
};

void PrintTo(const Form &form, std::ostream *out) { *out << form.name; }

const Form kForms[] = {
    {"f32", "f32", "f32"},
    {"f32_by_f16", "f32", "f16"},
    {"f32_by_bf16", "f32", "bf16"},
    {"bf16", "bf16", "bf16"},
    {"f16_by_bf16", "f16", "bf16"},
    {"bf16_of_wider", "bf16", "bf16", true, false, true, 3},
    {"f32_of_wider", "f32", "f32", true, false, true, 5},
    {"f32_unpacked", "f32", "f32", false},
    {"bf16_unpacked", "bf16", "bf16", false},
    {"f32_k_by_n", "f32", "f32", false, false, false},
    {"bf16_k_by_n", "bf16", "bf16", false, false, false},
    {"f16_by_f32_k_by_n", "f16", "f32", false, false, false},
    {"f32_by_bf16_k_by_n", "f32", "bf16", false, false, false},
    {"f16_unpacked", "f16", "f16", false},
    {"bf16_by_f32_unpacked", "bf16", "f32", false},
    {"f32_of_transposed", "f32", "f32", false, true, false},
    {"f32_both_transposed", "f32", "f32", false, true, true},
    {"f16_of_transposed", "f16", "f16", false, true, false},
    {"bf16_of_transposed_k_by_n", "bf16", "bf16", false, true, false},
    {"bf16_both_transposed", "bf16", "bf16", false, true, true},
    {"bf16_of_transposed", "bf16", "bf16", true, true},
    {"bf16_rounded", "bf16", "f32", false, false, true, 0, true},
    {"bf16_rounded_k_by_n", "bf16", "f32", false, false, false, 0, true},
    {"bf16_rounded_both_transposed", "bf16", "f32", false, true, true, 0, true},
    {"f32_by_rounded", "f32", "f32", false, false, true, 0, true},
};

std::string tensorText(const std::string &rows, int64_t columns,
                       const std::string &element) {
  std::string extent = rows == "T" ? "?" : rows;
  std::string text =
      "tensor<" + extent + "x" + std::to_string(columns) + "x" + element;
  if (rows == "T")
    text += ", #tn.dims<T, " + std::to_string(columns) + ">";
  return text + ">";
}

/// A type whose rows are columns: [k, T].
std::string columnsText(int64_t rows, const std::string &element) {
  std::string extent = std::to_string(rows);
  return "tensor<" + extent + "x?x" + element + ", #tn.dims<" + extent +
         ", T>>";
}

std::string kernelText(const Form &form, int64_t n, int64_t k,
                       int64_t most = kMostRows) {
  std::string a = form.transposesA ? columnsText(k, form.left)
                                   : tensorText("T", k, form.left);
  std::string wide = form.skipped ? tensorText("T", k + 9, form.left) : a;
  std::string b = form.transposesB
                      ? tensorText(std::to_string(n), k, form.right)
                      : tensorText(std::to_string(k), n, form.right);
  if (form.isPacked)
    b.insert(b.size() - 1, ", #tn.panels<32>");
  std::string y = tensorText("T", n, "f32"), slice, flags, factor = b;
  if (form.skipped)
    slice = "    %r = tn.slice %x axis 1 from " + std::to_string(form.skipped) +
            " size " + std::to_string(k) + " : " + wide + " -> " + a + "\n";
  if (form.rounds) {
    factor.replace(factor.rfind("f32"), 3, "bf16");
    slice += "    %c = tn.cast %b : " + b + " -> " + factor + "\n";
  }
  if (form.transposesA)
    flags = "transpose_a";
  if (form.transposesB)
    flags += flags.empty() ? "transpose_b" : ", transpose_b";
  if (!flags.empty())
    flags = "{" + flags + "} ";
  return "func.func @f(%a: " + wide + ", %w: " + b + ") -> " + y +
         " attributes {tn.symbols = [#tn.symbol<\"T\", 1 to " +
         std::to_string(most) + ">]} {\n  %y = tn.kernel(%a, %w) : (" + wide +
         ", " + b + ") -> " + y + " {\n  ^bb0(%x: " + wide + ", %b: " + b +
         "):\n" + slice + "    %p = tn.matmul " + (form.skipped ? "%r" : "%x") +
         (form.rounds ? ", %c " : ", %b ") + flags + ": " + a + ", " + factor +
         " -> " + y + "\n    tn.yield %p : " + y +
         "\n  } {label = \"matmul\"}\n  return %y : " + y + "\n}";
}

class PlainShapes : public ::testing::TestWithParam<Form> {
protected:
  mlir::Type elementOf(const std::string &name) {
    mlir::MLIRContext *context = &kernelContext();
    if (name == "f16")
      return mlir::Float16Type::get(context);
    if (name == "bf16")
      return mlir::BFloat16Type::get(context);
    return mlir::Float32Type::get(context);
  }

  void check(int64_t m, int64_t n, int64_t k);

  MatmulShapes product;
  Random random{5};
};

void PlainShapes::check(int64_t m, int64_t n, int64_t k) {
  const Form &form = GetParam();
  int64_t columns = k + (form.skipped ? 9 : 0);
  Tensor a =
      randomTensor(random, elementOf(form.left),
                   form.transposesA ? llvm::ArrayRef<int64_t>{k, m}
                                    : llvm::ArrayRef<int64_t>{m, columns});
  Tensor b = randomTensor(random, elementOf(form.right),
                          form.transposesB ? llvm::ArrayRef<int64_t>{n, k}
                                           : llvm::ArrayRef<int64_t>{k, n});
  std::string stored = toBytes(b);
  if (form.isPacked)
    stored = ir::packReference(ir::storageOf(b.element), stored.data(), n, k);
  SCOPED_TRACE(::testing::Message() << "n " << n << ", k " << k);
  product.check(m, a, b, stored);
}

/// Sizes around the widths of registers, panels and segments, or any.
int64_t seededExtent(Random &random, int64_t most) {
  constexpr int64_t kCorners[] = {1,  2,  3,  12, 13,  16,  31,
                                  32, 33, 64, 96, 511, 512, 513};
  int64_t corner = kCorners[random() % std::size(kCorners)];
  if (random() % 2 && corner <= most)
    return corner;
  return 1 + static_cast<int64_t>(random() % static_cast<uint64_t>(most));
}

TEST_P(PlainShapes, EqualTheContract) {
  constexpr int64_t kKernels = 6, kRowCounts = 28;
  constexpr int64_t kMostProducts = 1 << 19;
  for (int64_t kernel = 0; kernel < kKernels; ++kernel) {
    int64_t n = kernel == 0 ? 1 : seededExtent(random, 200);
    int64_t k = kernel == 1 ? 1 : seededExtent(random, 1100);
    absl::Status status = product.compile(kernelText(GetParam(), n, k));
    ASSERT_TRUE(status.ok()) << status;
    int64_t most = std::clamp<int64_t>(kMostProducts / (n * k), 4, kMostRows);
    for (int64_t i = 0; i < kRowCounts; ++i)
      check(i == 0 ? 1 : seededExtent(random, most), n, k);
  }
}

// Tiles of one group of rows, or of one row, read operands where they lie.
TEST_P(PlainShapes, FewRowsEqualTheContract) {
  constexpr int64_t kKernels = 5;
  for (int64_t most : {1, 3, 8})
    for (int64_t kernel = 0; kernel < kKernels; ++kernel) {
      int64_t n = kernel == 0 ? 160 : seededExtent(random, 300);
      int64_t k = kernel == 0 ? 528 : seededExtent(random, 1100);
      absl::Status status = product.compile(kernelText(GetParam(), n, k, most));
      ASSERT_TRUE(status.ok()) << status;
      for (int64_t m = 1; m <= most; ++m)
        check(m, n, k);
    }
}

TEST_P(PlainShapes, EveryRowCountEqualsTheContract) {
  absl::Status status = product.compile(kernelText(GetParam(), 40, 70));
  ASSERT_TRUE(status.ok()) << status;
  for (int64_t m = 1; m <= kMostRows; ++m)
    check(m, 40, 70);
}

INSTANTIATE_TEST_SUITE_P(Forms, PlainShapes, ::testing::ValuesIn(kForms),
                         [](const auto &info) {
                           return std::string(info.param.name);
                         });

} // namespace
} // namespace tenon::testing
