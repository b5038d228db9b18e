//===- LoadedProgram.h - A program, its code and its sections ---*- C++ -*-===//
//
//   TENON_ASSIGN_OR_RETURN(auto program, LoadedProgram::open("gemma.tenon"));
//
//===----------------------------------------------------------------------===//

#ifndef TENON_RUNTIME_EXEC_LOADEDPROGRAM_H
#define TENON_RUNTIME_EXEC_LOADEDPROGRAM_H

#include "runtime/base/Container.h"
#include "runtime/exec/Code.h"
#include "runtime/hal/Device.h"

#include <optional>
#include <span>
#include <string>

namespace tenon::exec {

/// Immutable once made; sessions share it.
/// Threads: any.
class LoadedProgram {
public:
  /// Verifies `program` and pairs it with `code` made for it.
  /// Errors: DATA_LOSS (does not verify), RESOURCE_EXHAUSTED.
  static StatusOr<std::shared_ptr<const LoadedProgram>>
  create(base::Program program, Code code);

  /// Maps a .tenon file and loads the largest feature set that it holds, this
  /// machine runs, and `most` allows. Running a .tenon file is running a
  /// program: open only files you trust.
  /// Errors: NOT_FOUND (no file), DATA_LOSS (damaged), UNIMPLEMENTED (another
  ///         major version), UNAVAILABLE (no code for this machine).
  static StatusOr<std::shared_ptr<const LoadedProgram>>
  open(const std::string &path,
       std::optional<base::CpuFeatures> most = std::nullopt);

  const base::Program &program() const { return data; }
  tenon_kernel_fn kernel(uint32_t index) const { return code.kernel(index); }
  /// The program's constants, 64-byte aligned.
  const char *constants() const {
    return static_cast<const char *>(constantMemory.data());
  }
  /// What the loaded code was compiled for; nothing for a JIT's.
  std::optional<base::CpuFeatures> features() const { return codeFeatures; }
  /// The bytes of a file's section; empty when there is none.
  std::span<const std::byte> section(base::SectionKind kind) const;

private:
  base::Program data;
  Code code;
  hal::Memory constantMemory;
  std::optional<base::CpuFeatures> codeFeatures;
  std::shared_ptr<const void> file; // the mapping `sections` lie in
  std::vector<base::Section> sections;
};

/// Offsets of a program's prepared values in one region, 64-byte aligned, and
/// its size: the layout of prepared memory and of a Weights section.
struct PreparedLayout {
  std::vector<int64_t> offsets;
  int64_t sizeBytes = 0;
};
StatusOr<PreparedLayout> layoutPrepared(const base::Program &program);

} // namespace tenon::exec
#endif // TENON_RUNTIME_EXEC_LOADEDPROGRAM_H
