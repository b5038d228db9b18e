//===- KernelNumericsTest.cpp - Each op as a kernel of its own ------------===//
//
// For every op over elements, rows and views, in every float type, over widths
// around the vector lengths and the segment of the row rule: the kernel of each
// feature set equals the contract oracle bit for bit, which is close to the one
// in double.
//
//===----------------------------------------------------------------------===//

#include "ir/reference/Interpreter.h"
#include "tests/support/CompiledFunction.h"
#include "tests/support/Tolerance.h"

#include "codegen/cpu/Lower.h"
#include "mlir/Parser/Parser.h"

#include <gtest/gtest.h>

namespace tenon::testing {
namespace {

using namespace mlir;
using ir::ref::Contract;
using ir::ref::Real;

/// `$x` stands for the type [lead.., C], `$w` for [C], `$r` for [lead..], `$b`
/// for i1 and `$i` for i8 [lead.., C], `$t` for [C, 24], `$y` for [lead.., 24].
struct OpCase {
  const char *name;
  const char *arguments;
  const char *body;
  const char *result;
  bool needsMatrix = false; // at least one leading axis
};

void PrintTo(const OpCase &op, std::ostream *out) { *out << op.name; }

const OpCase kOps[] = {
    {"exp", "%x: $x", "%y = tn.exp %x : $x", "$x"},
    {"round_even", "%x: $x", "%y = tn.round_even %x : $x", "$x"},
    {"to_bytes", "%x: $x", "%y = tn.cast %x : $x -> $i", "$i"},
    {"from_bytes", "%x: $i", "%y = tn.cast %x : $i -> $x", "$x"},
    {"log", "%x: $x", "%y = tn.log %x : $x", "$x"},
    {"sin", "%x: $x", "%y = tn.sin %x : $x", "$x"},
    {"tanh", "%x: $x", "%y = tn.tanh %x : $x", "$x"},
    {"gelu_tanh", "%x: $x", "%y = tn.gelu_tanh %x : $x", "$x"},
    {"silu", "%x: $x", "%y = tn.silu %x : $x", "$x"},
    {"add", "%x: $x, %z: $x", "%y = tn.add %x, %z : $x", "$x"},
    {"max", "%x: $x, %z: $x", "%y = tn.max %x, %z : $x", "$x"},
    {"select", "%x: $x, %z: $x, %c: $b", "%y = tn.select %c, %x, %z : $b, $x",
     "$x"},
    {"compare", "%x: $x, %z: $x", "%y = tn.compare lt %x, %z : $x -> $b", "$b"},
    {"chain", "%x: $x, %z: $x",
     "%p = tn.mul %x, %z : $x %q = tn.exp %p : $x %y = tn.sub %q, %z : $x",
     "$x"},
    {"rms_norm", "%x: $x, %w: $w",
     "%y = tn.rms_norm %x, %w eps 1.0e-6 : $x, $w", "$x"},
    {"layer_norm", "%x: $x, %w: $w, %v: $w",
     "%y = tn.layer_norm %x, %w, %v eps 1.0e-5 : $x, $w, $w", "$x"},
    {"softmax", "%x: $x", "%y = tn.softmax %x : $x", "$x"},
    {"log_softmax", "%x: $x", "%y = tn.log_softmax %x : $x", "$x"},
    {"reduce_sum", "%x: $x", "%y = tn.reduce sum %x : $x -> $r", "$r"},
    {"reduce_max", "%x: $x", "%y = tn.reduce max %x : $x -> $r", "$r"},
    {"reduce_min", "%x: $x", "%y = tn.reduce min %x : $x -> $r", "$r"},
    {"norm_of_norm", "%x: $x, %w: $w",
     "%p = tn.rms_norm %x, %w eps 1.0e-6 : $x, $w %q = tn.add %p, %x : $x "
     "%y = tn.rms_norm %q, %w eps 1.0e-6 : $x, $w",
     "$x"},
    {"matmul", "%x: $x, %t: $t", "%y = tn.matmul %x, %t : $x, $t -> $y", "$y",
     true},
};

std::string replaced(std::string text, StringRef from, StringRef to) {
  for (size_t at = 0; (at = text.find(from.str(), at)) != std::string::npos;
       at += to.size())
    text.replace(at, from.size(), to.str());
  return text;
}

/// A tensor type; the first leading axis is the symbol T.
std::string typeText(ArrayRef<int64_t> lead, ArrayRef<int64_t> rest,
                     StringRef element) {
  std::string shape, dims;
  for (auto [axis, extent] : llvm::enumerate(lead)) {
    shape += axis == 0 ? "?x" : std::to_string(extent) + "x";
    dims += (axis ? ", " : "") + (axis == 0 ? "T" : std::to_string(extent));
  }
  for (int64_t extent : rest) {
    shape += std::to_string(extent) + "x";
    dims += (dims.empty() ? "" : ", ") + std::to_string(extent);
  }
  std::string text = "tensor<" + shape + element.str();
  return text + (lead.empty() ? ">" : ", #tn.dims<" + dims + ">>");
}

struct Shape {
  std::vector<int64_t> lead;
  int64_t columns;
};

/// Every width with one leading axis, some with none, two and three.
std::vector<Shape> shapes() {
  std::vector<Shape> all;
  for (int64_t c : {1, 7, 15, 16, 17, 31, 33, 127, 128, 129, 4097})
    all.push_back({{c > 1000 ? 2 : 5}, c});
  for (int64_t c : {17, 128})
    all.push_back({{}, c});
  all.push_back({{3, 2}, 33});
  all.push_back({{2, 1, 3}, 17});
  return all;
}

std::string sourceOf(const OpCase &op, const Shape &shape, StringRef element) {
  std::string text = std::string("func.func @f(") + op.arguments + ") -> " +
                     op.result +
                     " attributes {tn.symbols = [#tn.symbol<\"T\", 1 to "
                     "64>]} { " +
                     op.body + " return %y : " + op.result + " }";
  std::pair<const char *, std::string> types[] = {
      {"$x", typeText(shape.lead, shape.columns, element)},
      {"$w", typeText({}, shape.columns, element)},
      {"$r", typeText(shape.lead, {}, element)},
      {"$b", typeText(shape.lead, shape.columns, "i1")},
      {"$i", typeText(shape.lead, shape.columns, "i8")},
      {"$t", typeText({}, {shape.columns, 24}, element)},
      {"$y", typeText(shape.lead, 24, element)}};
  for (const auto &[from, to] : types)
    text = replaced(text, from, to);
  return text;
}

class KernelNumerics : public ::testing::TestWithParam<OpCase> {
protected:
  KernelNumerics() { loadKernelDialects(context); }

  std::vector<Value> randomArguments(func::FuncOp func, const Shape &shape);
  void check(func::FuncOp func, const Shape &shape);
  void checkReal(func::FuncOp func, ArrayRef<Value> arguments,
                 const Tensor &contract, int64_t summed);

  MLIRContext context;
  int64_t compiled = 0;
};

std::vector<Value> KernelNumerics::randomArguments(func::FuncOp func,
                                                   const Shape &shape) {
  Random random(shape.columns * 31 + shape.lead.size());
  std::vector<Value> arguments;
  for (Type type : func.getArgumentTypes()) {
    auto tensor = cast<RankedTensorType>(type);
    SmallVector<int64_t> extents(tensor.getShape());
    for (int64_t &extent : extents)
      if (ShapedType::isDynamic(extent))
        extent = shape.lead[0];
    arguments.push_back(randomTensor(random, tensor.getElementType(), extents));
  }
  return arguments;
}

void KernelNumerics::checkReal(func::FuncOp func, ArrayRef<Value> arguments,
                               const Tensor &contract, int64_t summed) {
  if (contract.floats.empty())
    return;
  std::vector<ir::ref::Value<Real>> in;
  for (const Value &argument : arguments)
    in.push_back(toReal(std::get<Tensor>(argument)));
  ir::ref::Context state;
  auto real = ir::ref::interpret<Real>(func, in, {}, state);
  ASSERT_TRUE(bool(real)) << llvm::toString(real.takeError());
  const auto &expected = std::get<RealTensor>((*real)[0]);
  // Arguments are in [-4, 4]: so large are the terms of a sum; a chain of ops
  // grows what the first of them rounds away.
  int64_t ops = std::distance(func.front().begin(), func.front().end()) - 1;
  Tolerance tolerance = toleranceFor(ir::storageOf(contract.element), summed,
                                     ops > 1 ? 32 * ops : 1);
  for (size_t i = 0; i < contract.floats.size(); ++i)
    ASSERT_TRUE(tolerance.accepts(contract.floats[i], expected.floats[i], 16))
        << "contract " << contract.floats[i] << ", real " << expected.floats[i];
}

void KernelNumerics::check(func::FuncOp func, const Shape &shape) {
  std::vector<Value> arguments = randomArguments(func, shape);
  ir::ref::Context state;
  auto results = ir::ref::interpret<Contract>(func, arguments, {}, state);
  ASSERT_TRUE(bool(results)) << llvm::toString(results.takeError());
  const auto &expected = std::get<Tensor>((*results)[0]);
  checkReal(func, arguments, expected, shape.columns);
  for (base::CpuFeatures features : runnableFeatures()) {
    // Every other machine's caches hold nothing: results are stored past them.
    base::TargetDescription machine;
    if (compiled++ % 2)
      machine.l3Bytes = 1;
    auto code = CompiledFunction::compile(func, features, {}, machine);
    ASSERT_TRUE(code.ok()) << code.status().ToString();
    auto outcome = (*code)->run(arguments, /*seed=*/7);
    ASSERT_TRUE(outcome.ok()) << outcome.status().ToString();
    EXPECT_EQ(firstDifference(expected, std::get<Tensor>(outcome->results[0])),
              "")
        << nameOf(features) << " " << base::print(machine);
  }
}

TEST_P(KernelNumerics, CompiledEqualsContract) {
  const OpCase &op = GetParam();
  for (const char *element : {"f32", "bf16", "f16"})
    for (const Shape &shape : shapes()) {
      if (op.needsMatrix && shape.lead.empty())
        continue;
      std::string text = sourceOf(op, shape, element);
      SCOPED_TRACE(text);
      auto module = parseSourceString<ModuleOp>(text, &context);
      ASSERT_TRUE(module);
      check(*module->getOps<func::FuncOp>().begin(), shape);
      if (HasFatalFailure())
        return;
    }
}

INSTANTIATE_TEST_SUITE_P(Ops, KernelNumerics, ::testing::ValuesIn(kOps),
                         [](const auto &info) {
                           return std::string(info.param.name);
                         });

} // namespace
} // namespace tenon::testing
