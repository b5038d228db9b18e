//===- Tensors.h - Tensors of the oracle in tests ---------------*- C++ -*-===//
//
// Random tensors, bitwise comparison, and memory that ends at a forbidden page.
// Bytes as kernels see them are in ir/reference/Storage.h.
//
//   Random random(/*seed=*/7);
//   Tensor x = randomTensor(random, f32, {4, 33});
//   EXPECT_EQ(firstDifference(expected, actual), "");
//
//===----------------------------------------------------------------------===//

#ifndef TENON_TESTS_SUPPORT_TENSORS_H
#define TENON_TESTS_SUPPORT_TENSORS_H

#include "ir/reference/Evaluate.h"

#include <cstdint>
#include <random>
#include <string>

namespace tenon::testing {

using Tensor = ir::ref::Tensor<ir::ref::Contract>;
using Value = ir::ref::Value<ir::ref::Contract>;
using RealTensor = ir::ref::Tensor<ir::ref::Real>;
using Random = std::mt19937_64;

/// How the floats of a random tensor are chosen.
enum class Choice {
  Ordinary, ///< Uniform in [-4, 4].
  Hostile,  ///< Of all sizes, with zeros, infinities and NaN among them.
};

/// Makes a tensor of `element`: floats by `choice`, rounded to their type,
/// integers in [-9, 9] (hostile: of all sizes), truth values. A blocked one is
/// packed of ordinary floats.
Tensor randomTensor(Random &random, mlir::Type element,
                    llvm::ArrayRef<int64_t> shape,
                    Choice choice = Choice::Ordinary);

/// The same tensor in double.
RealTensor toReal(const Tensor &x);

/// Describes the first element that is not bit for bit the same; empty if all
/// are. Any NaN equals any other: their bits are not part of the contract.
std::string firstDifference(const Tensor &expected, const Tensor &actual);

/// `bytes` that end at a page without access, so that a kernel that reads or
/// writes beyond them stops there; any element may be unaligned.
class GuardedBytes {
public:
  explicit GuardedBytes(size_t bytes);
  ~GuardedBytes();
  GuardedBytes(GuardedBytes &&other) noexcept;
  GuardedBytes(const GuardedBytes &) = delete;
  GuardedBytes &operator=(const GuardedBytes &) = delete;

  void *data() const { return first; }

private:
  void *mapping = nullptr;
  size_t mappedBytes = 0;
  void *first = nullptr;
};

} // namespace tenon::testing
#endif // TENON_TESTS_SUPPORT_TENSORS_H
