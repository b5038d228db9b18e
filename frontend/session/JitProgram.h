//===- JitProgram.h - Compiled code, linked into this process ---*- C++ -*-===//
//
//   ASSIGN_OR_RETURN(codegen::Compiled compiled, compile(module, options));
//   ASSIGN_OR_RETURN(auto program, loadJit(compiled, compiled.code[0]));
//   auto session = exec::Session::open(program, device, limits, lookup);
//
//===----------------------------------------------------------------------===//

#ifndef TENON_FRONTEND_SESSION_JITPROGRAM_H
#define TENON_FRONTEND_SESSION_JITPROGRAM_H

#include "codegen/Compile.h"
#include "runtime/exec/LoadedProgram.h"

#include <memory>

namespace tenon {

/// Links the objects of one feature set, which this machine must run, and
/// pairs them with a copy of the program. The result keeps the code alive.
/// Errors: INTERNAL (the linker's), DATA_LOSS (the program does not verify).
absl::StatusOr<std::shared_ptr<const exec::LoadedProgram>>
loadJit(const codegen::Compiled &compiled, const codegen::FeatureCode &code);

} // namespace tenon
#endif // TENON_FRONTEND_SESSION_JITPROGRAM_H
