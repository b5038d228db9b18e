//===- InitialValues.h - First values of what is trained --------*- C++ -*-===//

#ifndef TENON_RUNTIME_EXEC_INITIALVALUES_H
#define TENON_RUNTIME_EXEC_INITIALVALUES_H

#include "runtime/base/Program.h"

#include <span>

namespace tenon::exec {

/// Draws a state's first values: normal numbers of the mean and deviation that
/// the model's code gives, from a stream that the seed and the name choose.
void drawInitial(const base::State &state, std::span<float> values,
                 uint64_t seed);

} // namespace tenon::exec
#endif // TENON_RUNTIME_EXEC_INITIALVALUES_H
