//===- Session.cpp - Compile, load, call ----------------------------------===//

#include "frontend/session/Session.h"

#include "frontend/session/JitProgram.h"
#include "runtime/exec/Generator.h"
#include "runtime/exec/Trainer.h"
#include "runtime/hal/cpu/CpuFeatures.h"
#include "runtime/hal/cpu/DescribeCpu.h"

#include "mlir/IR/BuiltinOps.h"

#include <algorithm>
#include <thread>

namespace tenon {

struct Session::Impl {
  std::unique_ptr<exec::Session> session;
  // Made when first asked for.
  std::unique_ptr<exec::Generator> generator;
  std::unique_ptr<exec::Trainer> trainer;
};

namespace {

absl::StatusOr<std::shared_ptr<const exec::LoadedProgram>>
compileForHost(const TracedProgram &program, const SessionOptions &options) {
  StatusOr<base::CpuFeatures> features = hal::detectCpuFeatures();
  if (!features.ok())
    return toAbsl(features.status());
  codegen::CompileOptions settings;
  settings.features = {*features};
  settings.threads = options.threads
                         ? options.threads
                         : std::max(1u, std::thread::hardware_concurrency());
  settings.dumpFolder = options.dumpFolder;
  auto target = codegen::makeTarget("cpu", hal::describeCpu());
  settings.target = target.get();
  absl::StatusOr<codegen::Compiled> compiled =
      codegen::compile(program.module(), settings);
  if (!compiled.ok())
    return compiled.status();
  return loadJit(*compiled, compiled->code[0]);
}

bool isDecoder(const base::Program &program) {
  return std::ranges::any_of(program.entries, [](const base::Entry &entry) {
    return entry.name == "sample";
  });
}

StatusOr<exec::SessionOptions> limitsOf(const base::Program &program,
                                        const SessionOptions &options) {
  exec::SessionOptions limits;
  limits.pages = options.pages;
  if (isDecoder(program)) {
    exec::DecoderLimits decoder;
    decoder.contextTokens = options.contextTokens;
    decoder.sequences = options.sequences;
    TENON_ASSIGN_OR_RETURN(limits, exec::decoderOptions(program, decoder));
  }
  exec::addTrainingLimits(program, limits);
  for (const auto &[symbol, most] : options.limits) { // these win
    std::erase_if(limits.limits,
                  [&](const auto &limit) { return limit.symbol == symbol; });
    limits.limits.push_back({symbol, most});
  }
  return limits;
}

exec::ParameterLookup lookupIn(const Weights &weights) {
  // Shared, so that copies of the function give out the same bytes and shapes.
  auto shared = std::make_shared<const Weights>(weights);
  return [shared](
             const base::Parameter &parameter) -> StatusOr<exec::TensorView> {
    const Weights::View *view = shared->find(parameter.source);
    if (!view)
      return notFound("expects a weight '", parameter.source, "', got none");
    return exec::TensorView{view->bytes.data(), view->type.element,
                            view->type.shape};
  };
}

/// The extents of a result, from the symbols that the arguments bind. Any other
/// symbol takes its limit, as in `exec::Session`, which checks the shape.
StatusOr<std::vector<int64_t>>
shapeOf(const base::Entry &entry, const base::Value &result,
        std::span<const exec::TensorView> arguments) {
  std::vector<int64_t> symbols;
  for (const base::Symbol &symbol : entry.symbols)
    symbols.push_back(symbol.max);
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::vector<base::Expr> &shape = entry.arguments[i].type.shape;
    size_t rank = std::min(shape.size(), arguments[i].shape.size());
    for (size_t axis = 0; axis < rank; ++axis) {
      const std::vector<base::Expr::Term> &terms = shape[axis].terms;
      if (terms.size() == 1 && terms[0].op == base::Expr::Op::Symbol)
        symbols[terms[0].value] = arguments[i].shape[axis];
    }
  }
  std::vector<int64_t> extents;
  for (const base::Expr &extent : result.type.shape) {
    TENON_ASSIGN_OR_RETURN(int64_t value, extent.evaluate(symbols, {}));
    extents.push_back(value);
  }
  return extents;
}

StatusOr<Arrays> callEntry(exec::Session &session, std::string_view name,
                           const Arrays &arguments) {
  TENON_ASSIGN_OR_RETURN(uint32_t number, session.findEntry(name));
  const base::Entry &entry = session.program().program().entries[number];
  std::vector<exec::TensorView> views;
  for (const base::Value &argument : entry.arguments) {
    auto found = arguments.find(argument.name);
    if (found == arguments.end())
      return notFound("entry '", name, "' expects an argument '", argument.name,
                      "', got none");
    const Array &array = found->second;
    views.push_back({array.data(), array.element(), array.shape()});
  }
  Arrays results;
  std::vector<exec::MutableTensorView> outputs;
  for (const base::Value &result : entry.results) {
    TENON_ASSIGN_OR_RETURN(std::vector<int64_t> shape,
                           shapeOf(entry, result, views));
    Array &array = results[result.name] =
        Array(result.type.element, std::move(shape));
    outputs.push_back({array.data(), array.element(), array.shape()});
  }
  TENON_RETURN_IF_ERROR(session.call(number, views, outputs));
  return results;
}
} // namespace

Session::Session(std::unique_ptr<Impl> made) : impl(std::move(made)) {}
Session::~Session() = default;

exec::Session &Session::runtime() { return *impl->session; }

absl::StatusOr<std::unique_ptr<Session>>
Session::open(const TracedProgram &program, const Weights &weights,
              const SessionOptions &options) {
  auto loaded = compileForHost(program, options);
  if (!loaded.ok())
    return loaded.status();
  hal::DeviceOptions deviceOptions;
  deviceOptions.threads = options.threads;
  auto device = hal::openDevice("cpu", deviceOptions);
  if (!device.ok())
    return toAbsl(device.status());
  StatusOr<exec::SessionOptions> limits =
      limitsOf((*loaded)->program(), options);
  if (!limits.ok())
    return toAbsl(limits.status());
  auto session =
      exec::Session::open(*loaded, *device, *limits, lookupIn(weights));
  if (!session.ok())
    return toAbsl(session.status());
  auto impl = std::make_unique<Impl>();
  impl->session = *std::move(session);
  return std::unique_ptr<Session>(new Session(std::move(impl)));
}

absl::StatusOr<Arrays> Session::call(std::string_view entry,
                                     const Arrays &arguments) {
  StatusOr<Arrays> results = callEntry(*impl->session, entry, arguments);
  if (!results.ok())
    return toAbsl(results.status());
  return *std::move(results);
}

absl::StatusOr<Array> Session::read(std::string_view name) const {
  StatusOr<exec::MutableTensorView> state = impl->session->state(name);
  if (!state.ok())
    return toAbsl(state.status());
  Array copy(state->element, {state->shape.begin(), state->shape.end()});
  std::memcpy(copy.data(), state->data, copy.sizeBytes());
  return copy;
}

absl::Status Session::write(std::string_view name, const Array &value) {
  StatusOr<exec::MutableTensorView> state = impl->session->state(name);
  if (!state.ok())
    return toAbsl(state.status());
  if (state->element != value.element() ||
      !std::ranges::equal(state->shape, value.shape()))
    return absl::InvalidArgumentError(concat(
        "'", name, "' expects ", base::info(state->element).name, " ",
        io::printShape(state->shape), ", got ",
        base::info(value.element()).name, " ", io::printShape(value.shape())));
  std::memcpy(state->data, value.data(), value.sizeBytes());
  return absl::OkStatus();
}

absl::StatusOr<TrainStepResult>
Session::trainStep(std::span<const std::vector<int32_t>> texts, float rate,
                   float balanceRate) {
  if (!impl->trainer) {
    auto made = exec::Trainer::create(*impl->session);
    if (!made.ok())
      return toAbsl(made.status());
    impl->trainer = *std::move(made);
  }
  if (impl->generator)
    impl->generator->forget(); // what caches hold is of the weights before
  std::vector<exec::TrainSequence> batch;
  for (const std::vector<int32_t> &text : texts)
    batch.push_back({text});
  const exec::NamedNumber balance = {"balance_rate", balanceRate};
  StatusOr<exec::StepResult> made =
      impl->trainer->step(batch, {.rate = rate, .numbers = {&balance, 1}});
  if (!made.ok())
    return toAbsl(made.status());
  return TrainStepResult{made->loss, made->norm, made->isFinite()};
}

absl::StatusOr<std::vector<int32_t>>
Session::generate(std::span<const int32_t> prompt,
                  const SamplingOptions &options,
                  const std::function<bool(int32_t)> &onToken) {
  if (!impl->generator) {
    auto made = exec::Generator::create(*impl->session, {});
    if (!made.ok())
      return toAbsl(made.status());
    impl->generator = *std::move(made);
  }
  exec::GenerateRequest request;
  request.prompt = prompt;
  request.sampling = {options.temperature, options.topK, options.topP,
                      options.minP, options.seed};
  request.maxTokens = options.maxTokens;
  request.stopTokens = options.stopTokens;
  std::vector<int32_t> tokens;
  auto stats =
      impl->generator->generate({&request, 1}, [&](size_t, int32_t token) {
        tokens.push_back(token);
        return onToken && onToken(token);
      });
  if (!stats.ok())
    return toAbsl(stats.status());
  return tokens;
}

} // namespace tenon
