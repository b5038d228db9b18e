//===- FiniteCheck.h - The first value that is no finite number -*- C++ -*-===//
//
// Costs a pass over all that a kernel touches: for finding out, after the fact,
// where a NaN came from.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_RUNTIME_EXEC_FINITECHECK_H
#define TENON_RUNTIME_EXEC_FINITECHECK_H

#include "runtime/base/Program.h"
#include "runtime/exec/VariantPlan.h"

namespace tenon::exec {

/// Looks through the buffers of one launch, in the order of a call, and keeps
/// the weights that were read last: they tell one layer from another that has
/// the same kernels.
class FiniteCheck {
public:
  FiniteCheck(const base::Program &program, const base::Variant &variant)
      : data(program), body(variant) {}

  /// Errors: OUT_OF_RANGE, naming the kernel's ops, their place in the model's
  ///         source, the weights, the value and its element.
  Status after(const base::Instruction &launch, std::span<const Region> memory,
               std::span<const int64_t> sizes);

private:
  const base::Program &data;
  const base::Variant &body;
  std::string weights; // read last
};

} // namespace tenon::exec
#endif // TENON_RUNTIME_EXEC_FINITECHECK_H
