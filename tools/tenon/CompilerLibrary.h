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
#include <functional>
#include <string>

namespace tenon::tools {

struct CompileRequest {
  std::string cpu = "all";
  std::string cacheType; // empty: the model's
  std::string latents;   // form of latent attention; empty: the default
  std::string activations = "f32";
  std::string weightsType; // of a config.json; empty: the model has weights
  std::string tuning;      // a file of `tenon tune`; empty: none
  std::string machine;     // text of a base::TargetDescription; empty: generic
  std::string dumpFolder;
  std::string training; // JSON; empty: without entries that train
  std::string adapters; // JSON of AdapterOptions.h; empty: without
  std::string draft;    // "mtp": with the entries that draft; empty: without
  bool checkPasses = false;
  uint32_t threads = 0; // 0: all
};

/// A kernel that was tuned: what tenon_tuned_kernel_t says.
struct TunedKernel {
  std::string label, symbols, analytic, best;
  double analyticUs = 0, bestUs = 0;
  size_t tried = 0;
  bool isKept = false;
  size_t kernels = 0; // of the model
};

struct TuneRequest {
  CompileRequest compile; // of one feature set
  double budgetSeconds = 60;
  int64_t tokens = 512;
  int64_t context = 1024;
  std::function<void(const TunedKernel &)> tuned;
};

struct MergeRequest {
  std::string model, adapter, output;
  std::string type; // of merged weights; empty: as they are
  bool takesAway = false;
};

/// What tenon_merge_report_t says.
struct MergeResult {
  int64_t merged = 0, dequantised = 0;
  std::string type;
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

  /// Loads the library and searches for better schedules of the kernels of
  /// `model`, which a file at `output` holds in the end. Ctrl-C ends the
  /// search; the file has what it found. Errors: as of `compile`.
  Status tune(const std::string &model, const std::string &output,
              const TuneRequest &request, Progress &progress) const;

  /// Loads the library, which knows the models' names, and writes the weights
  /// with the adapter in them. Errors: those of tenon_merge_adapter.
  StatusOr<MergeResult> merge(const MergeRequest &request) const;

private:
  explicit CompilerLibrary(std::string path) : file(std::move(path)) {}

  std::string file;
};

} // namespace tenon::tools
#endif // TENON_TOOLS_COMPILERLIBRARY_H
