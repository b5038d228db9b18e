//===- Explain.h - Which kernels a program runs, and why --------*- C++ -*-===//
//
// For each entry, variant and layer: its kernels in order, the ops each holds,
// what did not join it and why, and the bytes it moves. All of it is stored in
// the program, so any .tenon file can be explained.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_TOOLS_EXPLAIN_H
#define TENON_TOOLS_EXPLAIN_H

#include "tools/tenon/Symbols.h"

namespace tenon::tools {

std::string explainFusion(const base::Program &program,
                          const SymbolValues &given);

/// The same of the kernels that compute with experts alone: how many rows of an
/// expert each variant multiplies together.
std::string explainMoe(const base::Program &program);

/// A few lines: launches and ops of each variant, the ops that one kernel of
/// the first variant computes together, and how experts' rows are multiplied.
std::string reportOf(const base::Program &program);

} // namespace tenon::tools
#endif // TENON_TOOLS_EXPLAIN_H
