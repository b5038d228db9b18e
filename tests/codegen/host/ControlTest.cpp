//===- ControlTest.cpp - Programs with control flow against the oracle ----===//

#include "tests/codegen/host/ControlTest.h"

#include "codegen/Compile.h"
#include "ir/tn/Tn.h"
#include "tests/support/CompiledModule.h"

#include "mlir/Parser/Parser.h"

#include <gmock/gmock.h>

#include <numeric>

namespace tenon::testing {

using namespace mlir;
using Value = testing::Value; // not MLIR's

ControlTest::ControlTest() {
  DialectRegistry registry;
  codegen::registerDialects(registry);
  context.appendDialectRegistry(registry);
  context.loadAllAvailableDialects();
}

OwningOpRef<ModuleOp> ControlTest::parse(StringRef text) {
  auto module = parseSourceString<ModuleOp>(text, &context);
  if (!module)
    return module;
  for (auto parameter : module->getOps<ir::ParameterOp>()) {
    auto type = cast<RankedTensorType>(parameter.getType());
    weights[parameter.getSymName()] =
        randomTensor(random, type.getElementType(), type.getShape());
  }
  return module;
}

llvm::Expected<Outcome> ControlTest::interpret(ModuleOp module,
                                               const Call &call,
                                               std::vector<Value> &states) {
  std::vector<Value> arguments = call.arguments;
  llvm::append_range(arguments, states);
  ir::ref::Context run;
  run.emitLimit = call.emitLimit;
  auto results = ir::ref::interpret<ir::ref::Contract>(
      module.lookupSymbol<func::FuncOp>("f"), arguments, weights, run);
  if (!results)
    return results.takeError();
  Outcome outcome;
  states.clear();
  for (Value &result : *results) {
    if (std::holds_alternative<Tensor>(result))
      outcome.results.push_back(std::get<Tensor>(result));
    else
      states.push_back(std::move(result));
  }
  outcome.emitted = run.emitted;
  return outcome;
}

void ControlTest::expectSame(StringRef text, const std::vector<Call> &calls) {
  OwningOpRef<ModuleOp> module = parse(text);
  ASSERT_TRUE(module) << "expects a program that parses";
  std::vector<Value> states; // two pages of 64 rows, as the session has
  for (auto state : module->getOps<ir::StateOp>()) {
    auto type = cast<ir::CacheType>(state.getType());
    ir::ref::Cache<ir::ref::Contract> cache;
    cache.element = type.getElementType();
    cache.heads = type.getHeads();
    cache.width = type.getWidth();
    cache.rows.resize(128 * cache.heads * cache.width);
    states.push_back(std::move(cache));
  }
  auto program = CompiledProgram::compile(*module, runnableFeatures().back());
  ASSERT_TRUE(program.ok()) << program.status();
  exec::SessionOptions options;
  options.pageBlocks = 1;
  options.pages = 2;
  auto session = (*program)->open(options, weights);
  ASSERT_TRUE(session.ok()) << session.status();
  for (auto [number, call] : llvm::enumerate(calls)) {
    auto expected = interpret(*module, call, states);
    ASSERT_TRUE(bool(expected)) << llvm::toString(expected.takeError());
    auto actual = callEntry(**session, module->lookupSymbol<func::FuncOp>("f"),
                            call.arguments, call.emitLimit);
    ASSERT_TRUE(actual.ok()) << actual.status();
    ASSERT_TRUE(actual->call.ok()) << actual->call;
    EXPECT_EQ(expected->emitted, actual->emitted) << "call " << number;
    ASSERT_EQ(expected->results.size(), actual->results.size());
    for (size_t i = 0; i < expected->results.size(); ++i)
      EXPECT_EQ(firstDifference(expected->results[i], actual->results[i]), "")
          << "result " << i << " of call " << number;
  }
}

void ControlTest::expectError(StringRef text, const std::string &message) {
  OwningOpRef<ModuleOp> module = parse(text);
  ASSERT_TRUE(module) << "expects a program that parses";
  auto program = CompiledProgram::compile(*module, runnableFeatures().back());
  ASSERT_FALSE(program.ok());
  EXPECT_THAT(std::string(program.status().message()),
              ::testing::HasSubstr(message));
}

Value ControlTest::flag(bool value) {
  Tensor tensor =
      ir::ref::makeTensor<ir::ref::Contract>(IntegerType::get(&context, 1), {});
  tensor.ints[0] = value;
  return tensor;
}

Value ControlTest::number(int32_t value) {
  Tensor tensor = ir::ref::makeTensor<ir::ref::Contract>(
      IntegerType::get(&context, 32), {});
  tensor.ints[0] = value;
  return tensor;
}

Value ControlTest::numbers(const std::vector<int32_t> &values) {
  Tensor tensor = ir::ref::makeTensor<ir::ref::Contract>(
      IntegerType::get(&context, 32), {static_cast<int64_t>(values.size())});
  tensor.ints.assign(values.begin(), values.end());
  return tensor;
}

Value ControlTest::floats(ArrayRef<int64_t> shape) {
  return randomTensor(random, Float32Type::get(&context), shape);
}

Value ControlTest::batch(int32_t position, int32_t count) {
  ir::ref::Batch batch;
  batch.sequence.assign(count, 0);
  batch.position.resize(count);
  std::iota(batch.position.begin(), batch.position.end(), position);
  batch.pages = {1, 0};
  batch.pagesPerSequence = 2;
  return batch;
}

} // namespace tenon::testing
