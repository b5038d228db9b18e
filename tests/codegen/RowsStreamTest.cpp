//===- RowsStreamTest.cpp - Results that are stored past the caches -------===//
//
// Which nests are scheduled so, and that results larger than the caches equal
// the contract on one thread and on two. Small ones of every shape, on a
// machine whose caches hold nothing, are in tests/numerics.
//
//===----------------------------------------------------------------------===//

#include "codegen/Compile.h"
#include "codegen/cpu/Schedule.h"
#include "ir/reference/Interpreter.h"
#include "mlir/Parser/Parser.h"
#include "tests/support/CompiledFunction.h"
#include "tests/support/CompiledProgram.h"

#include <gtest/gtest.h>

namespace tenon::testing {
namespace {

using namespace mlir;
using ir::ref::Contract;

class RowsStream : public ::testing::Test {
protected:
  RowsStream() {
    DialectRegistry registry;
    codegen::registerDialects(registry);
    context.appendDialectRegistry(registry);
    context.loadAllAvailableDialects();
  }

  /// The schedule of a kernel that doubles a tensor.
  ir::ScheduleAttr scheduleOf(const std::string &type);
  void check(const char *text);

  MLIRContext context;
};

ir::ScheduleAttr RowsStream::scheduleOf(const std::string &type) {
  std::string text = "!x = " + type + R"(
    func.func @f(%x: !x) -> !x
        attributes {tn.symbols = [#tn.symbol<"T", 1 to 8192>]} {
      %y = tn.kernel(%x) : (!x) -> !x {
      ^bb0(%a: !x):
        %b = tn.add %a, %a : !x
        tn.yield %b : !x
      } {label = "add"}
      return %y : !x
    })";
  auto module = parseSourceString<ModuleOp>(text, &context);
  codegen::SymbolRanges ranges;
  ir::ScheduleAttr schedule;
  module->walk([&](func::FuncOp func) {
    for (auto symbol : func->getAttrOfType<ArrayAttr>(ir::kSymbolsAttr)
                           .getAsRange<ir::SymbolAttr>())
      ranges[symbol.getName().getValue()] = symbol;
  });
  module->walk([&](ir::KernelOp kernel) {
    schedule = codegen::cpu::scheduleNest(kernel, 0, ranges);
  });
  return schedule;
}

// From what the last cache holds on, of what extents may be at most.
TEST_F(RowsStream, IsScheduledForResultsLargerThanTheCaches) {
  const int64_t cache = base::TargetDescription().l3Bytes;
  EXPECT_EQ(scheduleOf("tensor<8192x1024xf32>").getStreamBytes(), cache);
  EXPECT_EQ(scheduleOf("tensor<8191x1024xf32>").getStreamBytes(), 0);
  EXPECT_EQ(scheduleOf("tensor<8192x1024xbf16>").getStreamBytes(), 0);
  EXPECT_EQ(
      scheduleOf("tensor<?x1024xf32, #tn.dims<T, 1024>>").getStreamBytes(),
      cache);
  EXPECT_EQ(scheduleOf("tensor<?x512xf32, #tn.dims<T, 512>>").getStreamBytes(),
            0);
}

void RowsStream::check(const char *text) {
  auto module = parseSourceString<ModuleOp>(text, &context);
  ASSERT_TRUE(module);
  func::FuncOp func = *module->getOps<func::FuncOp>().begin();
  Random random(3);
  std::vector<Value> arguments;
  for (Type type : func.getArgumentTypes()) {
    auto tensor = cast<RankedTensorType>(type);
    arguments.push_back(
        randomTensor(random, tensor.getElementType(), tensor.getShape()));
  }
  ir::ref::Context state;
  auto results = ir::ref::interpret<Contract>(func, arguments, {}, state);
  ASSERT_TRUE(bool(results)) << llvm::toString(results.takeError());
  const auto &expected = std::get<Tensor>((*results)[0]);
  for (base::CpuFeatures features : runnableFeatures()) {
    SCOPED_TRACE(nameOf(features));
    auto alone = CompiledFunction::compile(func, features);
    ASSERT_TRUE(alone.ok()) << alone.status().ToString();
    auto one = (*alone)->run(arguments, /*seed=*/5);
    ASSERT_TRUE(one.ok()) << one.status().ToString();
    EXPECT_EQ(firstDifference(expected, std::get<Tensor>(one->results[0])), "");

    auto program = CompiledProgram::compile(*module, features);
    ASSERT_TRUE(program.ok()) << program.status().ToString();
    auto session = (*program)->open(optionsFor(func, arguments), {});
    ASSERT_TRUE(session.ok()) << session.status().ToString();
    auto two = callEntry(**session, func, arguments, /*emitLimit=*/-1);
    ASSERT_TRUE(two.ok() && two->call.ok());
    EXPECT_EQ(firstDifference(expected, two->results[0]), "");
  }
}

// Rows of 4099 elements: each begins at another alignment.
TEST_F(RowsStream, LargeRowsEqualContract) {
  check(R"(
    func.func @f(%x: tensor<2100x4099xf32>) -> tensor<2100x4099xf32> {
      %y = tn.softmax %x : tensor<2100x4099xf32>
      return %y : tensor<2100x4099xf32>
    })");
}

// Terms down to the least normal, whose quotients are zero: in small rows, and
// past the caches.
TEST_F(RowsStream, TinyTermsEqualContract) {
  for (const char *rows : {"33", "2100"}) {
    std::string type = std::string("tensor<") + rows + "x4099xf32>";
    check(("func.func @f(%x: " + type + ") -> " + type +
           " {\n%c = tn.constant dense<90.0> : " + type +
           "\n%s = tn.mul %x, %c : " + type + "\n%y = tn.softmax %s : " + type +
           "\nreturn %y : " + type + "\n}")
              .c_str());
  }
}

// Where a view asks for a softmax's elements one by one.
TEST_F(RowsStream, SingleElementsEqualContract) {
  check(R"(
    func.func @f(%x: tensor<19x75xf32>) -> (tensor<75x19xf32>) {
      %out = tn.kernel(%x) : (tensor<19x75xf32>) -> tensor<75x19xf32> {
      ^bb0(%a: tensor<19x75xf32>):
        %s = tn.softmax %a : tensor<19x75xf32>
        %t = tn.transpose %s [1, 0] : tensor<19x75xf32> -> tensor<75x19xf32>
        tn.yield %t : tensor<75x19xf32>
      } {label = "transposed_softmax"}
      return %out : tensor<75x19xf32>
    })");
  check(R"(
    func.func @f(%x: tensor<6x75xf32>) -> tensor<18x25xf32> {
      %out = tn.kernel(%x) : (tensor<6x75xf32>) -> tensor<18x25xf32> {
      ^bb0(%a: tensor<6x75xf32>):
        %s = tn.softmax %a : tensor<6x75xf32>
        %t = tn.reshape %s : tensor<6x75xf32> -> tensor<18x25xf32>
        tn.yield %t : tensor<18x25xf32>
      } {label = "reshaped_softmax"}
      return %out : tensor<18x25xf32>
    })");
}

TEST_F(RowsStream, LargeElementsEqualContract) {
  check(R"(
    func.func @f(%x: tensor<4200x4096xbf16>, %u: tensor<4200x4096xbf16>)
        -> tensor<4200x4096xbf16> {
      %y = tn.mul %x, %u : tensor<4200x4096xbf16>
      return %y : tensor<4200x4096xbf16>
    })");
}

} // namespace
} // namespace tenon::testing
