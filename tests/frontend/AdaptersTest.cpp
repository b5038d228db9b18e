//===- AdaptersTest.cpp - Adapters beside frozen weights ------------------===//

#include "frontend/Tenon.h"
#include "ir/reference/Interpreter.h"
#include "ir/reference/Storage.h"
#include "ir/tn/Tn.h"
#include "passes/Passes.h"

#include "mlir/Pass/PassManager.h"

#include "gmock/gmock.h"

#include <cmath>
#include <cstring>

namespace tenon::tests {
namespace {

using base::ElementType;
using ir::ref::Contract;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr int64_t kRows = 7, kWidth = 256, kHidden = 512, kOut = 24;

struct Net : Module {
  Net()
      : Module(nullptr, "net"), first(this, "parts.0.first", kWidth, kHidden),
        second(this, "parts.1.second", kHidden, kOut, {.bias = true}) {}
  Tensor operator()(const Tensor &x) const { return second(silu(first(x))); }
  Linear first, second;
};

Entry gradientsOf(const Net &net, const std::vector<NamedTensor> &weights) {
  return {
      "gradients", [&](Arguments &in) -> Results {
        Tensor x = in.tensor("x", {Dim::symbol("T", 1, 64), kWidth});
        Tensor probe = in.tensor("probe", {Dim::symbol("T", 1, 64), kOut});
        LossAndGradients made = lossAndGradients(
            net,
            [&] { return squeeze(sum(squeeze(sum(net(x) * probe), -1)), 0); },
            tensorsOf(weights));
        Results results = {{"loss", made.loss}};
        for (size_t i = 0; i < weights.size(); ++i)
          results.push_back({weights[i].name, made.gradients[i]});
        return results;
      }};
}

Array drawn(int64_t rows, int64_t columns, float from) {
  std::vector<float> values;
  for (int64_t i = 0; i < rows * columns; ++i)
    values.push_back(std::sin(from + 1.7f * static_cast<float>(i)));
  return Array::of(values, {rows, columns});
}

/// The weight as the interpreter has it.
ir::ref::Tensor<Contract> tensorOf(const Weights &weights,
                                   llvm::StringRef source, mlir::Type type) {
  auto shaped = mlir::cast<mlir::RankedTensorType>(type);
  const Weights::View *view = weights.find(std::string_view(source));
  EXPECT_NE(view, nullptr) << source.str();
  llvm::ArrayRef<char> bytes(reinterpret_cast<const char *>(view->bytes.data()),
                             view->bytes.size());
  auto tensor = ir::ref::tensorFromBytes<Contract>(shaped.getElementType(),
                                                   shaped.getShape(), bytes);
  EXPECT_TRUE(bool(tensor));
  return *std::move(tensor);
}

ir::ref::Tensor<Contract> tensorOf(const Array &array, mlir::Type element) {
  ir::ref::Tensor<Contract> tensor;
  tensor.element = element;
  tensor.shape.assign(array.shape().begin(), array.shape().end());
  auto values = array.values<float>();
  tensor.floats.assign(values.begin(), values.end());
  return tensor;
}

/// What the entry gives by definition.
std::vector<ir::ref::Value<Contract>>
interpretGradients(const TracedProgram &program, const Weights &weights,
                   const Arrays &arguments) {
  mlir::OwningOpRef<mlir::ModuleOp> module(program.module().clone());
  mlir::PassManager passes(&program.context());
  passes.addPass(passes::createDifferentiate());
  EXPECT_TRUE(succeeded(passes.run(*module)));
  auto function = module->lookupSymbol<mlir::func::FuncOp>("gradients");
  mlir::Type f32 = mlir::Float32Type::get(&program.context());
  std::vector<ir::ref::Value<Contract>> values = {
      tensorOf(arguments.at("x"), f32), tensorOf(arguments.at("probe"), f32)};
  for (unsigned i = 2; i < function.getNumArguments(); ++i) {
    auto state =
        function.getArgAttrOfType<mlir::FlatSymbolRefAttr>(i, ir::kStateAttr);
    values.push_back(
        tensorOf(weights, state.getValue(), function.getArgumentTypes()[i]));
  }
  ir::ref::Parameters<Contract> parameters;
  for (auto op : module->getOps<ir::ParameterOp>())
    parameters[op.getSymName()] =
        tensorOf(weights, op.getSymName(), op.getType());
  ir::ref::Context context;
  auto results =
      ir::ref::interpret<Contract>(function, values, parameters, context);
  EXPECT_TRUE(bool(results)) << llvm::toString(results.takeError());
  return {results->begin(), results->end()};
}

class AdapterGradients
    : public ::testing::TestWithParam<std::tuple<ElementType, AdapterKind>> {};

// Only the adapters live across calls and have gradients; the weights that they
// pass through stay packed.
TEST_P(AdapterGradients, EqualTheContract) {
  auto [element, kind] = GetParam();
  Net net;
  Adapters adapters(net, {kind, 8, 16, {"parts.*"}});
  std::vector<NamedTensor> weights = adapters.parameters();
  ASSERT_EQ(weights.size(), 4u);
  TraceOptions options;
  options.matrices = element;
  auto program = trace(net, {gradientsOf(net, weights)}, options);
  ASSERT_TRUE(program.ok()) << program.status();
  std::vector<std::string> states;
  for (auto op : program->module().getOps<ir::StateOp>())
    states.push_back(op.getSymName().str());
  ASSERT_EQ(states.size(), 4u);
  for (size_t i = 0; i < states.size(); ++i)
    EXPECT_EQ(states[i], weights[i].name);

  auto drawnWeights = Weights::random(*program, /*seed=*/5);
  ASSERT_TRUE(drawnWeights.ok()) << drawnWeights.status();
  auto session = Session::open(*program, *drawnWeights);
  ASSERT_TRUE(session.ok()) << session.status();
  Arrays arguments = {{"x", drawn(kRows, kWidth, 0.3f)},
                      {"probe", drawn(kRows, kOut, 2)}};
  auto results = (*session)->call("gradients", arguments);
  ASSERT_TRUE(results.ok()) << results.status();
  auto expected = interpretGradients(*program, *drawnWeights, arguments);
  ASSERT_GE(expected.size(), 5u);
  std::vector<std::string> names = {"loss"};
  names.insert(names.end(), states.begin(), states.end());
  for (size_t i = 0; i < names.size(); ++i) {
    auto values = results->at(names[i]).values<float>();
    const auto &floats = std::get<0>(expected[i]).floats;
    ASSERT_EQ(values.size(), floats.size()) << names[i];
    EXPECT_EQ(std::memcmp(values.data(), floats.data(), values.size_bytes()), 0)
        << names[i];
    bool isZero = std::ranges::all_of(values, [](float x) { return x == 0; });
    EXPECT_FALSE(isZero) << names[i];
  }
}

INSTANTIATE_TEST_SUITE_P(
    Formats, AdapterGradients,
    ::testing::Combine(::testing::Values(ElementType::Q4_K, ElementType::Q8_0,
                                         ElementType::Q6_K,
                                         ElementType::Int4_G64,
                                         ElementType::BF16),
                       ::testing::Values(AdapterKind::LoRa, AdapterKind::RsLoRa,
                                         AdapterKind::Bottleneck)),
    [](const auto &info) {
      return std::string(base::info(std::get<0>(info.param)).name) + "_" +
             std::string(nameOf(std::get<1>(info.param)));
    });

TEST(Adapters, AddWhatTheySay) {
  Net net;
  Adapters adapters(net, {AdapterKind::RsLoRa, 4, 3, {"*.second"}});
  Entry entry{"f", [&](Arguments &in) -> Results {
                Tensor x = in.tensor("x", {1, kHidden});
                return {{"y", net.second(x)}};
              }};
  auto program = trace(net, {entry});
  ASSERT_TRUE(program.ok()) << program.status();
  auto session = Session::open(*program, *Weights::random(*program, 3));
  ASSERT_TRUE(session.ok()) << session.status();
  Array x = drawn(1, kHidden, 1);
  const std::string prefix = "adapters.parts.1.second.";
  Array a = *(*session)->read(prefix + "lora_a");
  Array b = *(*session)->read(prefix + "lora_b");
  Array with = (*session)->call("f", {{"x", x}})->at("y");
  Array zeros(ElementType::F32, {kOut, 4});
  ASSERT_TRUE((*session)->write(prefix + "lora_b", zeros).ok());
  Array without = (*session)->call("f", {{"x", x}})->at("y");
  for (int64_t n = 0; n < kOut; ++n) {
    double sum = without.values<float>()[n];
    for (int64_t r = 0; r < 4; ++r)
      for (int64_t k = 0; k < kHidden; ++k)
        sum += 3 / std::sqrt(4.0) * b.values<float>()[n * 4 + r] *
               a.values<float>()[r * kHidden + k] * x.values<float>()[k];
    EXPECT_NEAR(with.values<float>()[n], sum, 1e-3);
  }
}

TEST(Adapters, KnowWhatCanHaveNone) {
  struct Net : Module {
    Net()
        : Module(nullptr, "net"), table(this, "table", 8, kWidth),
          experts(this, "layers.0.experts",
                  {.width = kWidth, .hidden = 32, .experts = 4, .shared = 32}) {
    }
    Embedding table;
    Experts experts;
  } net;
  EXPECT_THAT(unadapted(net, {.targets = {"*"}}),
              ElementsAre("table", "layers.*.experts.router"));
  EXPECT_THAT(unadapted(net, {.targets = {"*.gate", "*.down"}}), ElementsAre());
  EXPECT_THAT(
      std::string(Adapters::check(net, {.targets = {"*.router"}}).message()),
      HasSubstr("expect targets among layers.*.experts.gate, "
                "layers.*.experts.up, layers.*.experts.down, "
                "layers.*.experts.shared.gate"));
}

TEST(Adapters, RefuseWhatNoPartMatches) {
  Net net;
  auto message = [&](const AdapterOptions &options) {
    return std::string(Adapters::check(net, options).message());
  };
  EXPECT_THAT(message({.targets = {"parts.*", "layers.*.query"}}),
              HasSubstr("expect targets among parts.*.first, parts.*.second; "
                        "got 'layers.*.query'"));
  EXPECT_THAT(message({.targets = {}}), HasSubstr("got none"));
  EXPECT_THAT(message({.rank = 0, .targets = {"*"}}),
              HasSubstr("a rank of at least 1, got 0"));
  EXPECT_THAT(message({.alpha = NAN, .targets = {"*"}}),
              HasSubstr("an alpha above 0, got nan"));
  Adapters adapters(net, {.targets = {"*"}});
  EXPECT_THAT(message({.targets = {"*"}}), HasSubstr("got one that has some"));
  Adapters again(net, {.targets = {"*"}});
  Entry entry{"f", [&](Arguments &in) -> Results {
                return {{"y", net(in.tensor("x", {1, kWidth}))}};
              }};
  EXPECT_THAT(std::string(trace(net, {entry}).status().message()),
              HasSubstr("AdaptersTest.cpp"));
}

} // namespace
} // namespace tenon::tests
