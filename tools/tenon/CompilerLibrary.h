//===- CompilerLibrary.h - libtenon_compiler.so, when needed ----*- C++ -*-===//
//
//   TENON_ASSIGN_OR_RETURN(CompilerLibrary compiler, CompilerLibrary::find());
//   key = ... compiler.digest() ...;                        // loads nothing
//   TENON_RETURN_IF_ERROR(compiler.compile(model, output, options)); // does
//
//===----------------------------------------------------------------------===//

#ifndef TENON_TOOLS_COMPILERLIBRARY_H
#define TENON_TOOLS_COMPILERLIBRARY_H

#include "runtime/base/Hash.h"
#include "runtime/base/Status.h"
#include "tools/tenon/Progress.h"

#include <cstdint>
#include <string>

namespace tenon::tools {

struct CompileRequest {
  std::string cpu = "all";
  std::string cacheType; // empty: the model's
  std::string activations = "f32";
  std::string weightsType; // of a config.json; empty: the model has weights
  std::string machine; // text of a base::TargetDescription; empty: generic
  std::string dumpFolder;
  bool checkPasses = false;
  uint32_t threads = 0; // 0: all
};

class CompilerLibrary {
public:
  /// Finds the library: in ../lib beside this program, beside it, in the
  /// folders of LD_LIBRARY_PATH, then in the system's. Loads nothing.
  /// Errors: NOT_FOUND, listing where it looked.
  static StatusOr<CompilerLibrary> find();

  const std::string &path() const { return file; }

  /// Identifies this build of the compiler: the hash of its file.
  /// Errors: UNAVAILABLE (cannot read).
  StatusOr<base::Hash128> digest() const;

  /// Loads the library, with LLVM, and compiles `model` to a .tenon file at
  /// `output`, which appears whole or not at all. Ctrl-C ends the process,
  /// leaving no file.
  /// Errors: UNAVAILABLE (cannot load), INTERNAL (a library of another build),
  ///         those of tenon_compile_model.
  Status compile(const std::string &model, const std::string &output,
                 const CompileRequest &request, Progress &progress) const;

private:
  explicit CompilerLibrary(std::string path) : file(std::move(path)) {}

  std::string file;
};

} // namespace tenon::tools
#endif // TENON_TOOLS_COMPILERLIBRARY_H
