//===- MatmulIntegerShapesTest.cpp - Seeded shapes of quantised products --===//
//
// Products with blocked weights, of f32 rows and of quantised ones, and of i8,
// packed or not, of seeded m, n and k. Each equals the contract's interpreter
// bit for bit with every feature set, on one thread and two, whatever m is.
//
//===----------------------------------------------------------------------===//

#include "ir/tn/Panels.h"
#include "tests/codegen/cpu/MatmulShapes.h"

#include "gtest/gtest.h"

namespace tenon::testing {
namespace {

using base::ElementType;

constexpr int64_t kMostRows = 130;

/// Element types of a product.
struct Form {
  ElementType left, right;
  bool isPacked = true;
};

std::string nameOf(const Form &form) {
  std::string name = std::string(base::info(form.left).name) + "_by_" +
                     std::string(base::info(form.right).name);
  return form.isPacked ? name : name + "_unpacked";
}

void PrintTo(const Form &form, std::ostream *out) { *out << nameOf(form); }

std::vector<Form> forms() {
  std::vector<Form> result;
  for (ElementType weight : base::allElementTypes())
    if (base::isBlockedWeight(weight))
      for (ElementType rows : {ElementType::Q8_0, ElementType::F32})
        result.push_back({rows, weight});
  for (ElementType weight :
       {ElementType::Q4_K, ElementType::Q5_K, ElementType::Q6_K})
    result.push_back({ElementType::Q8_K, weight});
  result.push_back({ElementType::Q8_0, ElementType::Q5_K, false});
  result.push_back({ElementType::Q8_K, ElementType::Q5_K, false});
  result.push_back({ElementType::F32, ElementType::Q6_K, false});
  result.push_back({ElementType::I8, ElementType::I8});
  result.push_back({ElementType::I8, ElementType::I8, false});
  return result;
}

mlir::Type elementOf(ElementType type) {
  mlir::MLIRContext *context = &kernelContext();
  if (base::info(type).isBlocked())
    return ir::BlockType::get(context, type);
  if (type == ElementType::I8)
    return mlir::IntegerType::get(context, 8);
  return mlir::Float32Type::get(context);
}

std::string tensorText(const std::string &rows, int64_t columns,
                       ElementType type, const std::string &encoding = "") {
  std::string name(base::info(type).name);
  if (base::info(type).isBlocked())
    name = "!tn.block<" + name + ">";
  return "tensor<" + rows + "x" + std::to_string(columns) + "x" + name +
         encoding + ">";
}

std::string dynamicText(int64_t columns, ElementType type) {
  return tensorText("?", columns, type,
                    ", #tn.dims<T, " + std::to_string(columns) + ">");
}

std::string kernelText(const Form &form, int64_t n, int64_t k) {
  bool isBytes = form.left == ElementType::I8;
  std::string a = dynamicText(k, form.left);
  std::string b = tensorText(std::to_string(n), k, form.right,
                             form.isPacked ? ", #tn.panels<32>" : "");
  std::string y = dynamicText(n, isBytes ? ElementType::I32 : ElementType::F32);
  return "func.func @f(%a: " + a + ", %w: " + b + ") -> " + y +
         " attributes {tn.symbols = [#tn.symbol<\"T\", 1 to " +
         std::to_string(kMostRows) + ">]} {\n  %y = tn.kernel(%a, %w) : (" + a +
         ", " + b + ") -> " + y + " {\n  ^bb0(%x: " + a + ", %b: " + b +
         "):\n    %p = tn.matmul %x, %b {transpose_b} : " + a + ", " + b +
         " -> " + y + "\n    tn.yield %p : " + y +
         "\n  } {label = \"matmul\"}\n  return %y : " + y + "\n}";
}

class IntegerShapes : public ::testing::TestWithParam<Form> {
protected:
  Tensor operand(ElementType type, int64_t rows, int64_t columns);
  void check(int64_t m, int64_t n, int64_t k);
  int64_t seededExtent(int64_t most);

  MatmulShapes product;
  Random random{7};
};

Tensor IntegerShapes::operand(ElementType type, int64_t rows, int64_t columns) {
  if (type != ElementType::I8)
    return randomTensor(random, elementOf(type), {rows, columns});
  std::string bytes(rows * columns, '\0');
  for (char &byte : bytes)
    byte = static_cast<char>(random());
  return fromBytes(elementOf(type), {rows, columns}, bytes.data());
}

void IntegerShapes::check(int64_t m, int64_t n, int64_t k) {
  const Form &form = GetParam();
  Tensor a = operand(form.left, m, k), b = operand(form.right, n, k);
  std::string stored = toBytes(b);
  if (form.isPacked)
    stored = ir::packReference(form.right, stored.data(), n, k);
  SCOPED_TRACE(::testing::Message() << "n " << n << ", k " << k);
  product.check(m, a, b, stored);
}

/// Sizes around the widths of registers and panels, or any.
int64_t IntegerShapes::seededExtent(int64_t most) {
  constexpr int64_t kCorners[] = {1, 2, 3, 5, 6, 7, 12, 13, 31, 32, 33, 96};
  int64_t corner = kCorners[random() % std::size(kCorners)];
  if (random() % 2 && corner <= most)
    return corner;
  return 1 + static_cast<int64_t>(random() % static_cast<uint64_t>(most));
}

TEST_P(IntegerShapes, EqualTheContract) {
  constexpr int64_t kKernels = 4, kRowCounts = 25, kMostK = 1100;
  constexpr int64_t kMostProducts = 1 << 18;
  int64_t block = base::info(GetParam().right).blockElements;
  for (int64_t kernel = 0; kernel < kKernels; ++kernel) {
    int64_t n = kernel == 0 ? 1 : seededExtent(150);
    int64_t k = kernel == 1 ? block : seededExtent(kMostK / block) * block;
    absl::Status status = product.compile(kernelText(GetParam(), n, k));
    ASSERT_TRUE(status.ok()) << status;
    int64_t most = std::clamp<int64_t>(kMostProducts / (n * k), 4, kMostRows);
    for (int64_t i = 0; i < kRowCounts; ++i)
      check(i == 0 ? 1 : seededExtent(most), n, k);
  }
}

TEST_P(IntegerShapes, EveryRowCountEqualsTheContract) {
  int64_t block = base::info(GetParam().right).blockElements;
  int64_t k = block == 1 ? 70 : block;
  absl::Status status = product.compile(kernelText(GetParam(), 40, k));
  ASSERT_TRUE(status.ok()) << status;
  for (int64_t m = 1; m <= kMostRows; ++m)
    check(m, 40, k);
}

INSTANTIATE_TEST_SUITE_P(Forms, IntegerShapes, ::testing::ValuesIn(forms()),
                         [](const auto &info) { return nameOf(info.param); });

} // namespace
} // namespace tenon::testing
