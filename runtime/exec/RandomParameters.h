//===- RandomParameters.h - Weights for measuring without a file *- C++ -*-===//

#ifndef TENON_RUNTIME_EXEC_RANDOMPARAMETERS_H
#define TENON_RUNTIME_EXEC_RANDOMPARAMETERS_H

#include "runtime/exec/LoadedProgram.h"
#include "runtime/exec/Tensor.h"

namespace tenon::exec {

/// Draws every parameter of the program: matrices and biases normal with a
/// standard deviation of 0.02, other vectors (norms) ones. Shares the program.
///
/// Speed is all they are for: parameters are views, from different beginnings,
/// into one noise of each element type, which repeats after a million elements.
/// So memory is that of the largest parameter, and a parameter read as it is,
/// rather than packed, shares cache lines with others.
/// Errors: RESOURCE_EXHAUSTED (memory), OUT_OF_RANGE (sizes), INVALID_ARGUMENT
///         (rows that are no whole blocks).
StatusOr<ParameterLookup>
randomParameters(std::shared_ptr<const LoadedProgram> program,
                 hal::Device &device, uint64_t seed);

} // namespace tenon::exec
#endif // TENON_RUNTIME_EXEC_RANDOMPARAMETERS_H
