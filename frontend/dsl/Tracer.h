//===- Tracer.h - The state of one trace ------------------------*- C++ -*-===//
//
// Internal to the DSL. A stack of functions being traced: the entry, and the
// outlined modules inside it. A value of an outer function, a parameter or a
// cache that an inner one uses becomes its argument at the first use, so that
// equal modules give equal functions whatever they are called with.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_FRONTEND_DSL_TRACER_H
#define TENON_FRONTEND_DSL_TRACER_H

#include "frontend/dsl/Control.h"
#include "frontend/dsl/Gradient.h"
#include "frontend/dsl/ModuleTree.h"
#include "frontend/dsl/Trace.h"
#include "ir/tn/Tn.h"

#include "mlir/IR/Diagnostics.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/StringMap.h"

#include <optional>

namespace tenon::detail {

class Tracer {
public:
  Tracer(ModuleTree &tree, const TraceOptions &options);
  ~Tracer();

  /// Traces one entry into the module; errors are noted in the tree.
  void traceEntry(const Entry &entry);
  /// Declares what the entries use, verifies, and hands the program over.
  absl::StatusOr<TracedProgram> finish();

  /// Traces `body` into a private function and calls it.
  Tensor outlined(const std::string &path, const std::function<Tensor()> &body,
                  Site site);
  /// Traces `loss` into a private function and asks for its gradients with
  /// respect to `of`: the loss, then the gradients.
  Tensors gradients(const std::string &path,
                    const std::function<Tensor()> &loss, const Tensors &of,
                    Site site);
  /// Calls a function whose adjoint is another one; both are traced.
  Tensor withAdjoint(const std::string &path, const Tensors &inputs,
                     const Forwards &forward, const KeepingForwards &keeping,
                     const KeptBackwards &adjoint, Site site);
  /// Makes `value` what later readers of a tensor that lives across calls see.
  void assign(Parameter &parameter, const Tensor &value, Site site);
  /// Assigns what `body` returns, traced into a private function.
  void update(const std::string &path, const Tensors &variables,
              const std::function<Tensors()> &body, Site site);
  /// Trace a loop and a branch; see `Control.h`.
  Tensors whileLoop(const Tensors &initial, int64_t limit,
                    const LoopCondition &condition, const LoopBody &body,
                    Site site);
  Tensors ifElse(const Tensor &condition, const Branch &then,
                 const Branch &otherwise, size_t results, Site site);

  Tensor argument(std::string_view name, const Shape &shape, DType type,
                  Site site);
  Batch batchArgument(std::string_view name, const Dim &tokens,
                      const Dim &sequences, const Dim &pages, Site site);

  /// The handle's value in the function being traced; null after an error,
  /// which is noted, and for poisoned handles.
  mlir::Value resolve(const Handle &handle, Site site);
  /// Whether a loss is being traced: keys and values are those of its tokens.
  bool isDifferentiating() const {
    return llvm::any_of(
        frames, [](const Frame &frame) { return frame.isDifferentiated; });
  }
  /// The rows that a differentiated function has appended to a cache; null for
  /// none.
  mlir::Value &rowsOf(State &state) { return frames.back().rows[&state]; }
  /// The positions of a batch's tokens.
  Tensor positions(const Batch &batch, Site site);
  /// Makes `value` what the next reader of the cache sees.
  void setState(State &state, mlir::Value value);

  Handle wrap(mlir::Value value);
  Handle poisoned();
  void error(Site site, const std::string &message) {
    tree.error(site, message);
  }

  mlir::OpBuilder &builder() { return opBuilder; }
  /// `path` is the module's; empty: that of the function being traced.
  mlir::Location location(Site site, llvm::StringRef path = {});
  /// Returns what the diagnostics since the last call said.
  std::string takeDiagnostics();

  mlir::Type elementType(DType type);
  mlir::Type elementType(CacheElement element);
  /// The tensor type; nothing after an error, which is noted.
  std::optional<mlir::RankedTensorType>
  tensorType(const Shape &shape, mlir::Type element, Site site);
  /// The dimension of a type's axis, with its symbol's bounds.
  Dim dimOf(mlir::RankedTensorType type, int64_t axis) const;

private:
  /// A function being traced, or a region of a loop or a branch, which sees the
  /// values around it.
  struct Frame {
    mlir::Block *block = nullptr;
    mlir::func::FuncOp function; // null: a region
    bool isLoop = false;         // a region that carries the caches it uses
    std::string path;
    unsigned declared = 0; // an entry's own arguments; states follow them
    llvm::SmallVector<mlir::Attribute> names; // of the entry's own arguments
    llvm::SmallVector<mlir::Value> operands;  // of the call of an outlined one
    llvm::DenseMap<mlir::Value, mlir::Value> captures;
    llvm::DenseMap<Parameter *, mlir::Value> parameters;
    llvm::MapVector<State *, mlir::Value> states; // as they are now
    llvm::DenseMap<State *, mlir::Value> statesBefore;
    llvm::SmallVector<mlir::Attribute> tensorStates; // an entry's arguments
    llvm::MapVector<Parameter *, mlir::Value> assigned;
    bool isDifferentiated = false;
    llvm::DenseMap<State *, mlir::Value> rows; // appended, where it is
  };

  /// A traced region, not yet of an op.
  struct Traced {
    std::unique_ptr<mlir::Region> region;
    Frame frame;
    size_t arguments = 0; // caches follow them
    llvm::SmallVector<mlir::Value> results;
  };

  /// A function of a user's adjoint, and what it is called with.
  struct CustomFunction {
    mlir::func::FuncOp function;
    llvm::SmallVector<mlir::Value> operands;
  };

  void push(llvm::StringRef name, const std::string &path, Site site);
  void pop();
  void dropFunction();
  mlir::Value capture(size_t depth, mlir::Value outer);
  mlir::Value local(size_t depth, mlir::Value value);
  mlir::Value parameterValue(size_t depth, Parameter &parameter);
  mlir::Value stateValue(size_t depth, State &state);
  bool bindParameter(Parameter &parameter, Site site);
  bool declareSymbol(const Dim &dim, Site site);
  mlir::Value addArgument(std::string_view name, mlir::Type type, Site site);
  void setSymbols(Frame &frame);
  void finishEntry(const Entry &entry, const Results &results);
  mlir::Value closeOutlined(mlir::Value result, Site site);
  /// Ends the function being traced, which returns `returned`.
  void finishFunction(llvm::ArrayRef<mlir::Value> returned, Site site);
  std::optional<std::vector<Parameter *>> weightsBeside(size_t declared) const;
  std::optional<CustomFunction>
  traceCustom(const std::string &path, const Tensors &inputs,
              std::vector<Parameter *> &weights, bool isFirst,
              const std::function<Kept(const Tensors &)> &body, Site site);
  /// Traces the adjoint of `forward`, of `inputs` and then `weights`; null
  /// after an error.
  mlir::func::FuncOp traceAdjoint(mlir::func::FuncOp forward, size_t inputs,
                                  const std::vector<Parameter *> &weights,
                                  const std::string &path,
                                  const KeptBackwards &adjoint, Site site);
  mlir::Value zeros(mlir::Type type, Site site);
  mlir::Value addState(Parameter &parameter);
  bool checkAssigned(Parameter &parameter, mlir::Value now, Site site);
  Traced openRegion(mlir::TypeRange arguments, bool isLoop);
  bool traceRegion(Traced &traced, const LoopBody &body, Site site);
  void closeRegion(Traced &traced, mlir::Region &into, Site site);
  /// The cache in a loop's region, which becomes its argument.
  mlir::Value carry(Frame &loop, State &state);
  Tensors finishControl(mlir::Operation *op, llvm::ArrayRef<State *> changed,
                        const char *name, Site site);
  void declareUsed(TracedProgram::Impl &program);
  void setModuleAttributes();
  std::string uniqueName(const std::string &wanted);

  ModuleTree &tree;
  const TraceOptions &options;
  std::unique_ptr<mlir::MLIRContext> context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  std::unique_ptr<mlir::ScopedDiagnosticHandler> diagnostics;
  std::string diagnosed;
  mlir::OpBuilder opBuilder;
  std::vector<Frame> frames;
  llvm::MapVector<llvm::StringRef, ir::SymbolAttr> symbols; // of this entry
  llvm::SmallVector<llvm::StringRef> batchSymbols;
  llvm::StringMap<int> nextNumber; // of functions, by the name they want
};

/// The trace a handle belongs to; null if none runs.
Tracer *tracerOf(const Handle &handle);

} // namespace tenon::detail

namespace tenon {
struct TracedProgram::Impl {
  std::unique_ptr<mlir::MLIRContext> context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  std::vector<Weight> weights;
};
} // namespace tenon
#endif // TENON_FRONTEND_DSL_TRACER_H
