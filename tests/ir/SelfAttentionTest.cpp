//===- SelfAttentionTest.cpp - Gradients are those of finite differences --===//

#include "ir/reference/Interpreter.h"
#include "ir/tn/Tn.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"

#include "gtest/gtest.h"

#include <algorithm>
#include <cmath>
#include <random>

namespace tenon::ir {
namespace {

using ref::Real;
using Tensor = ref::Tensor<Real>;
using Value = ref::Value<Real>;

struct Shape {
  std::vector<int32_t> lengths; // of the sequences
  int64_t heads, keyHeads, width, window;
};

std::string replaced(std::string text, const std::string &from, int64_t to) {
  for (size_t at = 0; (at = text.find(from, at)) != std::string::npos;)
    text.replace(at, from.size(), std::to_string(to));
  return text;
}

// @forward gives y and lse; @backward dq, dk and dv of sum(dy * y).
constexpr const char *kText = R"(
!q = tensor<$Tx$Hx$Wxf32>
!k = tensor<$Tx$Gx$Wxf32>
!n = tensor<$Tx$Hxf32>
func.func @forward(%q: !q, %k: !k, %v: !k, %b: !tn.batch) -> (!q, !n) {
  %y, %l = tn.self_attention %q, %k, %v, %b scale 0.4 window $N
      : !q, !k, !k -> !n
  return %y, %l : !q, !n
}
func.func @backward(%q: !q, %k: !k, %v: !k, %b: !tn.batch, %dy: !q)
    -> (!q, !k, !k) {
  %y, %l = tn.self_attention %q, %k, %v, %b scale 0.4 window $N
      : !q, !k, !k -> !n
  %m = tn.mul %dy, %y : !q
  %d = tn.reduce sum %m : !q -> !n
  %dq = tn.self_attention_grad_query %q, %k, %v, %dy, %l, %d, %b scale 0.4
      window $N : !q, !k, !k, !n
  %dk, %dv = tn.self_attention_grad_keys %q, %k, %v, %dy, %l, %d, %b scale 0.4
      window $N : !q, !k, !k, !n
  return %dq, %dk, %dv : !q, !k, !k
}
)";

class SelfAttentionGradient : public ::testing::TestWithParam<Shape> {
protected:
  SelfAttentionGradient();

  Tensor noise(int64_t heads);
  std::vector<Value> run(const char *function, const std::vector<Value> &in);
  /// sum(dy * y)
  double loss(const std::vector<Value> &in, const Tensor &dy);

  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  ref::Batch batch;
  std::mt19937_64 random{11};
};

SelfAttentionGradient::SelfAttentionGradient() {
  const Shape &shape = GetParam();
  for (size_t s = 0; s < shape.lengths.size(); ++s)
    for (int32_t p = 0; p < shape.lengths[s]; ++p) {
      batch.sequence.push_back(static_cast<int32_t>(s));
      batch.position.push_back(p);
    }
  std::string text = kText;
  text = replaced(text, "$T", static_cast<int64_t>(batch.position.size()));
  text = replaced(text, "$H", shape.heads);
  text = replaced(text, "$G", shape.keyHeads);
  text = replaced(text, "$W", shape.width);
  text = replaced(text, "$N", shape.window);
  context.loadDialect<TnDialect, mlir::func::FuncDialect>();
  module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
}

Tensor SelfAttentionGradient::noise(int64_t heads) {
  Tensor x;
  x.element = mlir::Float32Type::get(&context);
  x.shape = {static_cast<int64_t>(batch.position.size()), heads,
             GetParam().width};
  std::uniform_real_distribution<double> draw(-1, 1);
  for (int64_t i = 0; i < x.size(); ++i)
    x.floats.push_back(draw(random));
  return x;
}

std::vector<Value> SelfAttentionGradient::run(const char *function,
                                              const std::vector<Value> &in) {
  ref::Context state;
  auto func = module->lookupSymbol<mlir::func::FuncOp>(function);
  auto out = ref::interpret<Real>(func, in, {}, state);
  EXPECT_TRUE(bool(out)) << llvm::toString(out.takeError());
  EXPECT_FALSE(state.failure);
  return {out->begin(), out->end()};
}

double SelfAttentionGradient::loss(const std::vector<Value> &in,
                                   const Tensor &dy) {
  std::vector<Value> out = run("forward", in);
  const Tensor &y = std::get<Tensor>(out[0]);
  double sum = 0;
  for (int64_t i = 0; i < y.size(); ++i)
    sum += dy.floats[i] * y.floats[i];
  return sum;
}

TEST_P(SelfAttentionGradient, IsThatOfCentralDifferences) {
  ASSERT_TRUE(module);
  constexpr double kStep = 1e-4, kRelative = 1e-6;
  constexpr int64_t kSamples = 40; // of each operand's elements
  const Shape &shape = GetParam();
  Tensor dy = noise(shape.heads);
  std::vector<Value> in{noise(shape.heads), noise(shape.keyHeads),
                        noise(shape.keyHeads), batch};
  std::vector<Value> with = in;
  with.push_back(dy);
  std::vector<Value> gradients = run("backward", with);
  for (size_t operand = 0; operand < 3; ++operand) {
    const Tensor &gradient = std::get<Tensor>(gradients[operand]);
    double largest = 0;
    for (double each : gradient.floats)
      largest = std::max(largest, std::fabs(each));
    EXPECT_GT(largest, 0.01);
    auto &x = std::get<Tensor>(in[operand]);
    int64_t step = std::max<int64_t>(x.size() / kSamples, 1);
    for (int64_t i = 0; i < x.size(); i += step) {
      double was = x.floats[i];
      x.floats[i] = was + kStep;
      double above = loss(in, dy);
      x.floats[i] = was - kStep;
      double below = loss(in, dy);
      x.floats[i] = was;
      EXPECT_NEAR((above - below) / (2 * kStep), gradient.floats[i],
                  kRelative *
                      std::max(std::fabs(gradient.floats[i]), largest * 1e-2))
          << "operand " << operand << ", element " << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, SelfAttentionGradient,
                         ::testing::Values(Shape{{2}, 1, 1, 2, 0},
                                           Shape{{9}, 2, 2, 5, 0},
                                           Shape{{5, 1, 7}, 6, 2, 4, 0},
                                           Shape{{11, 3, 6}, 4, 1, 3, 4},
                                           Shape{{70}, 2, 1, 4, 65},
                                           Shape{{130, 1, 20}, 3, 3, 8, 0}));

} // namespace
} // namespace tenon::ir
