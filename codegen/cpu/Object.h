//===- Object.h - From LLVM IR to object code -------------------*- C++ -*-===//
//
// Optimises a module with a short, fixed pipeline and emits an ELF relocatable
// object: what the JIT and the linker both take.
//
//   ASSIGN_OR_RETURN(std::string object, emitObject(*module, features));
//
//===----------------------------------------------------------------------===//

#ifndef TENON_CODEGEN_CPU_OBJECT_H
#define TENON_CODEGEN_CPU_OBJECT_H

#include "runtime/base/Container.h"

#include "absl/status/statusor.h"
#include "llvm/IR/Module.h"

#include <string>

namespace tenon::codegen::cpu {

/// Compiles `module` for `features`; the module is used up.
/// Threads: any, with a module (and context) of its own.
/// Errors: INTERNAL (no such target; the result needs a symbol that kernels may
///         not call, such as libm's: the message names it).
absl::StatusOr<std::string> emitObject(llvm::Module &module,
                                       base::CpuFeatures features);

/// The assembly text of the same, for people.
absl::StatusOr<std::string> emitAssembly(llvm::Module &module,
                                         base::CpuFeatures features);

} // namespace tenon::codegen::cpu
#endif // TENON_CODEGEN_CPU_OBJECT_H
