//===- Miscompiles.h - Mistakes that tests must notice ----------*- C++ -*-===//

#ifndef TENON_TESTS_NUMERICS_MISCOMPILES_H
#define TENON_TESTS_NUMERICS_MISCOMPILES_H

#include "tests/support/CompiledModule.h"

#include "llvm/ADT/ArrayRef.h"

namespace tenon::testing {

/// A mistake that a pass or an emitter could make.
struct Miscompile {
  const char *name;
  /// The edit that plants it wherever it can; counts the places in `changed`.
  CodeEdit (*plant)(int &changed);
};

llvm::ArrayRef<Miscompile> miscompiles();

} // namespace tenon::testing
#endif // TENON_TESTS_NUMERICS_MISCOMPILES_H
