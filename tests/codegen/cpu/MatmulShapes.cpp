//===- MatmulShapes.cpp - One product for every feature set ---------------===//

#include "tests/codegen/cpu/MatmulShapes.h"

#include "tests/support/CompiledModule.h"

#include "gtest/gtest.h"

#include <cstring>

namespace tenon::testing {

static GuardedBytes guarded(const std::string &bytes) {
  GuardedBytes result(bytes.size());
  std::memcpy(result.data(), bytes.data(), bytes.size());
  return result;
}

absl::Status MatmulShapes::compile(const std::string &text) {
  runners.clear();
  for (base::CpuFeatures features : runnableFeatures()) {
    auto runner = KernelRunner::create(kernelContext(), text, features);
    if (!runner.ok())
      return runner.status();
    runners.push_back(*std::move(runner));
  }
  if (runners.empty())
    return absl::InternalError("expects a feature set that runs here");
  return absl::OkStatus();
}

void MatmulShapes::check(int64_t m, const Tensor &a, const Tensor &b,
                         const std::string &stored) {
  GuardedBytes left = guarded(toBytes(a)), right = guarded(stored);
  llvm::StringMap<int64_t> symbols{{"T", m}};
  Tensor want =
      std::get<Tensor>(runners.front()->expected(symbols, {a, b}).front());
  std::string garbage(toBytes(want).size(), '\x5a');
  for (const auto &runner : runners)
    for (uint32_t threads : {1, 2}) {
      GuardedBytes out = guarded(garbage);
      runner->run(symbols, {left.data(), right.data(), out.data()}, threads);
      Tensor got = fromBytes(want.element, want.shape, out.data());
      EXPECT_EQ(firstDifference(want, got), "")
          << "m " << m << ", threads " << threads;
    }
}

} // namespace tenon::testing
