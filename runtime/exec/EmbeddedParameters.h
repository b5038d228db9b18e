//===- EmbeddedParameters.h - Weights that a .tenon file holds --*- C++ -*-===//
//
// Most weights are read by `prepare` alone; what it makes is the Weights
// section. The few that other entries read as their file has them (norms) make
// the Parameters section: each 64-byte aligned, in the program's order.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_RUNTIME_EXEC_EMBEDDEDPARAMETERS_H
#define TENON_RUNTIME_EXEC_EMBEDDEDPARAMETERS_H

#include "runtime/exec/LoadedProgram.h"
#include "runtime/exec/Tensor.h"

namespace tenon::exec {

/// Writes a Parameters section; empty where no parameter belongs there.
/// Errors: those of `lookup`; OUT_OF_RANGE (sizes).
StatusOr<std::string> storeParameters(const base::Program &program,
                                      const ParameterLookup &lookup);

/// Finds parameters in the program's Parameters section, and shares the
/// program; empty where it has none.
/// Errors: DATA_LOSS (a section of another size), OUT_OF_RANGE (sizes).
StatusOr<ParameterLookup>
embeddedParameters(std::shared_ptr<const LoadedProgram> program);

} // namespace tenon::exec
#endif // TENON_RUNTIME_EXEC_EMBEDDEDPARAMETERS_H
