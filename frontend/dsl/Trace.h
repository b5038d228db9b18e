//===- Trace.h - From a model's C++ to a program ----------------*- C++ -*-===//
//
//   Mlp model(nullptr, "mlp", 640, 2048);
//   Entry forward{"forward", [&](Arguments &in) -> Results {
//     Tensor x = in.tensor("x", {Dim::symbol("T", 1, 512), 640});
//     return {{"y", model(x)}};
//   }};
//   absl::StatusOr<TracedProgram> program = trace(model, {forward});
//
//===----------------------------------------------------------------------===//

#ifndef TENON_FRONTEND_DSL_TRACE_H
#define TENON_FRONTEND_DSL_TRACE_H

#include "frontend/dsl/Module.h"
#include "runtime/base/Blocks.h"

#include "absl/status/statusor.h"

#include <map>

namespace mlir {
class MLIRContext;
class ModuleOp;
} // namespace mlir

namespace tenon {

/// Declares an entry's arguments, in the order of the calls.
class Arguments {
public:
  Tensor tensor(std::string_view name, const Shape &shape,
                DType type = DType::f32, Site site = Site::current());

  /// A batch of `tokens` tokens of up to `sequences` sequences, with up to
  /// `pages` cache pages each: i32 [tokens] twice and i32 [sequences, pages].
  Batch batch(std::string_view name, const Dim &tokens, const Dim &sequences,
              const Dim &pages, Site site = Site::current());

private:
  friend class detail::Tracer;
  explicit Arguments(detail::Tracer &owner) : tracer(owner) {}
  detail::Tracer &tracer;
};

using Results = std::vector<NamedTensor>;

/// A function that callers can call. Caches that it uses are its last arguments
/// and results; the session keeps them.
struct Entry {
  std::string name;
  std::function<Results(Arguments &)> body;
  /// One variant, for all calls, whatever `TraceOptions::variants` lists.
  bool hasOneVariant = false;
};

/// What a weights file says of a tensor.
struct ParameterType {
  base::ElementType element = base::ElementType::F32;
  std::vector<int64_t> shape;
};
/// By the tensors' names in the file.
using ParameterTypes = std::map<std::string, ParameterType, std::less<>>;

/// A range of the symbols that gets code of its own: {"decode", {"T=1..1"}}.
struct Variant {
  std::string name;
  std::vector<std::string> bounds;
};

struct TraceOptions {
  /// The weights' names in the file; empty: their names in the model.
  std::function<std::string(std::string_view)> source;
  /// What the file has. Absent: the declared types. Otherwise every parameter
  /// that an entry uses must be there, with its shape.
  const ParameterTypes *types = nullptr;
  /// Of every parameter of two axes or more, where there is no file. Rows that
  /// are no whole blocks take q8_0 or, failing that, f16.
  std::optional<base::ElementType> matrices;
  /// Whether a weight is trained, by its name in the model: it then lives
  /// across calls, and `assign` changes it. Empty: none is.
  std::function<bool(std::string_view)> trained;
  /// What gradients compute again rather than keep: "selective", all but
  /// products and attention; "layer", all of an outlined function. Empty: none.
  std::string checkpoint;
  /// In which type products of f32 factors, and their gradients, are computed:
  /// f32 or bf16. Sums, and all else, stay f32; so do trained weights.
  DType compute = DType::f32;
  /// Narrowest first, the last one without bounds; none: one for everything.
  std::vector<Variant> variants;
  /// What the program should say of itself, by key.
  std::map<std::string, std::string> metadata;
};

/// A program of the `tn` dialect.
/// Owns: its MLIRContext and module.
class TracedProgram {
public:
  TracedProgram(TracedProgram &&) noexcept;
  TracedProgram &operator=(TracedProgram &&) noexcept;
  ~TracedProgram();

  mlir::MLIRContext &context() const;
  mlir::ModuleOp module() const;

  /// The program as text; with locations if asked.
  std::string print(bool locations = false) const;

  struct Weight {
    std::string name;
    std::string source;
    ParameterType type;
  };
  /// The weights that the entries use, in the order of their declaration.
  const std::vector<Weight> &weights() const;

private:
  friend class detail::Tracer;
  struct Impl;
  explicit TracedProgram(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl;
};

/// Traces the entries of a model.
/// Threads: one trace of a module tree at a time.
/// Errors: INVALID_ARGUMENT, with every error of the model's code: the user's
///         file and line, what was expected and what came.
absl::StatusOr<TracedProgram> trace(const Module &model,
                                    const std::vector<Entry> &entries,
                                    const TraceOptions &options = {});

} // namespace tenon
#endif // TENON_FRONTEND_DSL_TRACE_H
