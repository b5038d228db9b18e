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
  int64_t valueWidth;
  bool isLatent = false; // Values are the keys' first elements.
  int64_t globals = 0;
};

std::string replaced(std::string text, const std::string &from,
                     const std::string &to) {
  for (size_t at = 0; (at = text.find(from, at)) != std::string::npos;)
    text.replace(at, from.size(), to);
  return text;
}

// @forward gives y and lse; @backward dq, dk and dv of sum(dy * y).
constexpr const char *kText = R"(
!q = tensor<$Tx$Hx$Wxf32>
!k = tensor<$Tx$Gx$Wxf32>
!v = tensor<$Tx$Gx$Vxf32>
!y = tensor<$Tx$Hx$Vxf32>
!n = tensor<$Tx$Hxf32>
func.func @forward(%q: !q, %k: !k$ARG, %b: !tn.batch) -> (!y, !n) {
  %y, %l = tn.self_attention %q, %k $OPERAND, %b scale 0.4 window $N globals $Z
      : !q, !k $TYPE -> !y, !n
  return %y, %l : !y, !n
}
func.func @backward(%q: !q, %k: !k$ARG, %b: !tn.batch, %dy: !y)
    -> (!q, !k $TYPE) {
  %y, %l = tn.self_attention %q, %k $OPERAND, %b scale 0.4 window $N globals $Z
      : !q, !k $TYPE -> !y, !n
  %m = tn.mul %dy, %y : !y
  %d = tn.reduce sum %m : !y -> !n
  %dq = tn.self_attention_grad_query %q, %k $OPERAND, %dy, %l, %d, %b scale 0.4
      window $N globals $Z : !q, !k, !y, !n $TYPE
  %dk $RESULT = tn.self_attention_grad_keys %q, %k $OPERAND, %dy, %l, %d, %b
      scale 0.4 window $N globals $Z : !q, !k, !y, !n $TYPE -> !k $TYPE
  return %dq, %dk $RESULT : !q, !k $TYPE
}
)";

class SelfAttentionGradient : public ::testing::TestWithParam<Shape> {
protected:
  SelfAttentionGradient();

  Tensor noise(int64_t heads, int64_t width);
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
  auto set = [&](const char *name, int64_t value) {
    text = replaced(text, name, std::to_string(value));
  };
  bool isLatent = shape.isLatent;
  text = replaced(text, "$ARG", isLatent ? "" : ", %v: !v");
  text = replaced(text, "$OPERAND", isLatent ? "latent $V" : ", %v");
  text = replaced(text, "$TYPE", isLatent ? "" : ", !v");
  text = replaced(text, "$RESULT", isLatent ? "" : ", %dv");
  set("$T", static_cast<int64_t>(batch.position.size()));
  set("$H", shape.heads);
  set("$G", shape.keyHeads);
  set("$W", shape.width);
  set("$V", shape.valueWidth);
  set("$N", shape.window);
  set("$Z", shape.globals);
  context.loadDialect<TnDialect, mlir::func::FuncDialect>();
  module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
}

Tensor SelfAttentionGradient::noise(int64_t heads, int64_t width) {
  Tensor x;
  x.element = mlir::Float32Type::get(&context);
  x.shape = {static_cast<int64_t>(batch.position.size()), heads, width};
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
  Tensor dy = noise(shape.heads, shape.valueWidth);
  std::vector<Value> in{noise(shape.heads, shape.width),
                        noise(shape.keyHeads, shape.width)};
  if (!shape.isLatent)
    in.push_back(noise(shape.keyHeads, shape.valueWidth));
  in.push_back(batch);
  std::vector<Value> with = in;
  with.push_back(dy);
  std::vector<Value> gradients = run("backward", with);
  for (size_t operand = 0; operand < gradients.size(); ++operand) {
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

INSTANTIATE_TEST_SUITE_P(
    Shapes, SelfAttentionGradient,
    ::testing::Values(
        Shape{{2}, 1, 1, 2, 0, 2}, Shape{{9}, 2, 2, 5, 0, 5},
        Shape{{5, 1, 7}, 6, 2, 4, 0, 4}, Shape{{11, 3, 6}, 4, 1, 3, 4, 3},
        Shape{{70}, 2, 1, 4, 65, 4}, Shape{{130, 1, 20}, 3, 3, 8, 0, 8},
        Shape{{5, 1, 7}, 6, 2, 4, 0, 3}, Shape{{11, 3, 6}, 4, 1, 3, 4, 7},
        Shape{{9}, 2, 2, 5, 0, 3, true}, Shape{{11, 3, 6}, 4, 1, 3, 4, 3, true},
        Shape{{70, 5}, 3, 1, 6, 65, 4, true},
        Shape{{12, 1, 7}, 4, 2, 3, 3, 5, false, 2},
        Shape{{9, 2}, 3, 1, 4, 1, 3, true, 4}));

} // namespace
} // namespace tenon::ir
