//===- MatmulShapes.h - One product for every feature set -------*- C++ -*-===//
//
//   MatmulShapes product;
//   ASSERT_TRUE(product.compile(text).ok());
//   product.check(m, a, b, toBytes(b));
//
//===----------------------------------------------------------------------===//

#ifndef TENON_TESTS_CODEGEN_CPU_MATMULSHAPES_H
#define TENON_TESTS_CODEGEN_CPU_MATMULSHAPES_H

#include "tests/codegen/cpu/KernelRunner.h"
#include "tests/support/Tensors.h"

namespace tenon::testing {

/// A kernel of `%a: [T, k]` and `%w`, compiled for every feature set that runs
/// on this machine.
class MatmulShapes {
public:
  absl::Status compile(const std::string &text);

  /// Runs it with T = m and buffers that end at a page without access, on one
  /// thread and on two. Expects the contract's result of `a` and `b`, whose
  /// bytes are `stored`, bit for bit.
  void check(int64_t m, const ir::ref::Tensor<ir::ref::Contract> &a,
             const ir::ref::Tensor<ir::ref::Contract> &b,
             const std::string &stored);

private:
  std::vector<std::unique_ptr<KernelRunner>> runners;
};

} // namespace tenon::testing
#endif // TENON_TESTS_CODEGEN_CPU_MATMULSHAPES_H
