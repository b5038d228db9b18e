//===- JitProgram.cpp - Compiled code, linked into this process -----------===//

#include "frontend/session/JitProgram.h"

#include "codegen/cpu/Jit.h"
#include "frontend/session/ModelFiles.h"

namespace tenon {

absl::StatusOr<std::shared_ptr<const exec::LoadedProgram>>
loadJit(const codegen::Compiled &compiled, const codegen::FeatureCode &code) {
  absl::StatusOr<std::unique_ptr<codegen::cpu::Jit>> made =
      codegen::cpu::Jit::create();
  if (!made.ok())
    return made.status();
  std::shared_ptr<codegen::cpu::Jit> jit = *std::move(made);
  for (const std::string &object : code.objects)
    if (absl::Status status = jit->add(object); !status.ok())
      return status;
  std::vector<tenon_kernel_fn> functions;
  for (const base::Kernel &kernel : compiled.program.kernels) {
    absl::StatusOr<tenon_kernel_fn> function = jit->lookup(kernel.symbol);
    if (!function.ok())
      return function.status();
    functions.push_back(*function);
  }
  StatusOr<exec::Code> table =
      exec::Code::fromTable(compiled.program, std::move(functions), jit);
  if (!table.ok())
    return toAbsl(table.status());
  auto loaded =
      exec::LoadedProgram::create(compiled.program, *std::move(table));
  if (!loaded.ok())
    return toAbsl(loaded.status());
  return *std::move(loaded);
}

} // namespace tenon
