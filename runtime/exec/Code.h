//===- Code.h - The compiled functions of a program -------------*- C++ -*-===//
//
// Looks up every kernel of a program once, in a shared object held in memory or
// in a table given by a just-in-time compiler.
//
//   TENON_ASSIGN_OR_RETURN(Code code, Code::fromElf(program, bytes, size));
//
//===----------------------------------------------------------------------===//

#ifndef TENON_RUNTIME_EXEC_CODE_H
#define TENON_RUNTIME_EXEC_CODE_H

#include "runtime/base/Program.h"
#include "tenon/abi.h"

#include <memory>
#include <vector>

namespace tenon::exec {

/// Owns: what keeps the functions alive; copies share it.
class Code {
public:
  /// Maps an ELF shared object and finds every kernel in it. The bytes are
  /// copied. Loading runs the object's code: trust it as you trust the file.
  /// Errors: DATA_LOSS (not loadable, or a kernel is missing; names it),
  ///         RESOURCE_EXHAUSTED.
  static StatusOr<Code> fromElf(const base::Program &program, const void *bytes,
                                size_t sizeBytes);

  /// Takes functions in the order of the program's kernels; `owner` keeps them
  /// alive.
  /// Errors: INVALID_ARGUMENT (wrong count, or null; names the kernel).
  static StatusOr<Code> fromTable(const base::Program &program,
                                  std::vector<tenon_kernel_fn> functions,
                                  std::shared_ptr<const void> owner = nullptr);

  tenon_kernel_fn kernel(uint32_t index) const { return functions[index]; }

private:
  std::vector<tenon_kernel_fn> functions;
  std::shared_ptr<const void> owner;
};

} // namespace tenon::exec
#endif // TENON_RUNTIME_EXEC_CODE_H
