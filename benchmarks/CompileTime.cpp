//===- CompileTime.cpp - From a model's files to machine code -------------===//
//
// Layers of one kind are outlined, so 64 of them should take little longer than
// one: compare the two rows.
//
//===----------------------------------------------------------------------===//

#include "benchmarks/SyntheticQwen.h"
#include "codegen/Compile.h"
#include "models/Registry.h"
#include "runtime/hal/cpu/CpuFeatures.h"

#include "benchmark/benchmark.h"

#include <map>

namespace {
using namespace tenon;

/// What `tenon run` does of an unknown model, but linking and writing.
absl::Status compileOnce(const std::string &path, base::CpuFeatures features,
                         std::map<std::string, int64_t> &sizes) {
  absl::StatusOr<ModelFiles> files = ModelFiles::open(path);
  if (!files.ok())
    return files.status();
  absl::StatusOr<TracedProgram> traced = models::traceModel(*files);
  if (!traced.ok())
    return traced.status();
  codegen::CompileOptions options;
  options.features = {features};
  options.threads = 2;
  absl::StatusOr<codegen::Compiled> compiled =
      codegen::compile(traced->module(), options);
  if (!compiled.ok())
    return compiled.status();
  sizes["kernels"] = static_cast<int64_t>(compiled->program.kernels.size());
  sizes["object_bytes"] = 0;
  for (const std::string &object : compiled->code[0].objects)
    sizes["object_bytes"] += static_cast<int64_t>(object.size());
  return absl::OkStatus();
}

void compileQwen(benchmark::State &state) {
  benchmarks::SyntheticQwen model(state.range(0));
  StatusOr<base::CpuFeatures> features = hal::detectCpuFeatures();
  if (!features.ok())
    return state.SkipWithError(features.status().toString().c_str());
  std::map<std::string, int64_t> sizes;
  for (auto _ : state) {
    absl::Status status = compileOnce(model.path(), *features, sizes);
    if (!status.ok())
      return state.SkipWithError(std::string(status.message()).c_str());
  }
  for (const auto &[name, size] : sizes)
    state.counters[name] = static_cast<double>(size);
}
BENCHMARK(compileQwen)
    ->ArgName("layers")
    ->Arg(1)
    ->Arg(64)
    ->Iterations(3)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

} // namespace
