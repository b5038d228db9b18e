//===- Jit.h - Object code in this process ----------------------*- C++ -*-===//
//
//   ASSIGN_OR_RETURN(std::unique_ptr<Jit> jit, Jit::create());
//   RETURN_IF_ERROR(jit->add(object));
//   ASSIGN_OR_RETURN(tenon_kernel_fn kernel, jit->lookup("kernel_0"));
//
//===----------------------------------------------------------------------===//

#ifndef TENON_CODEGEN_CPU_JIT_H
#define TENON_CODEGEN_CPU_JIT_H

#include "tenon/abi.h"

#include "absl/status/statusor.h"
#include "llvm/ADT/StringRef.h"

#include <memory>

namespace llvm::orc {
class LLJIT;
} // namespace llvm::orc

namespace tenon::codegen::cpu {

/// Objects linked into this process. The kernels live as long as it does.
class Jit {
public:
  /// Errors: INTERNAL (the process cannot map code).
  static absl::StatusOr<std::unique_ptr<Jit>> create();
  ~Jit();

  /// Adds an object of `emitObject`, copied.
  /// Threads: any.
  /// Errors: INTERNAL (malformed; a symbol is defined twice).
  absl::Status add(llvm::StringRef object);

  /// The kernel of that name, linking the object that holds it when needed.
  /// Threads: any.
  /// Errors: NOT_FOUND.
  absl::StatusOr<tenon_kernel_fn> lookup(llvm::StringRef symbol);

private:
  explicit Jit(std::unique_ptr<llvm::orc::LLJIT> lljit);
  std::unique_ptr<llvm::orc::LLJIT> lljit;
};

} // namespace tenon::codegen::cpu
#endif // TENON_CODEGEN_CPU_JIT_H
