//===- NestGraph.h - Which ops share a loop nest ----------------*- C++ -*-===//
//
// Groups the ops of a block into nests by the rules of `Passes.td` (tn-fuse),
// keeping the graph of nests acyclic, and orders them. It changes no IR.
//
//   NestGraph graph(block);
//   for (const Group &group : graph.schedule()) ...
//
//===----------------------------------------------------------------------===//

#ifndef TENON_PASSES_FUSE_NESTGRAPH_H
#define TENON_PASSES_FUSE_NESTGRAPH_H

#include "ir/tn/Tn.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/SmallVector.h"

#include <string>
#include <vector>

namespace tenon::passes {

/// Ops that share one tile space; or one op that is no kernel (a call).
struct Nest {
  ir::NestKind kind = ir::NestKind::Rows;
  bool isKernel = true;
  std::vector<mlir::Operation *> ops; // in program order
  std::vector<std::string> notFused;  // "op: reason"
};

/// One kernel of independent nests, or one op that is no kernel.
using Group = llvm::SmallVector<const Nest *>;

/// Whether an op stays outside kernels and computes nothing: parameters,
/// large constants.
bool isSource(mlir::Operation *op);

class NestGraph {
public:
  explicit NestGraph(mlir::Block &block);

  /// The nests in an order of their dependences, up to `most` independent ones
  /// of one kind joined.
  std::vector<Group> schedule(size_t most) const;

  /// The nest an op lies in; null for copied ops and sources.
  const Nest *nestWith(mlir::Operation *op) const;

  /// Whether an op is copied into each user: views, iota, splat constants, and
  /// prologues.
  bool isCopied(mlir::Operation *op) const;

  /// Whether an op is a norm that each matmul computes as it loads its rows.
  bool isPrologue(mlir::Operation *op) const { return prologues.contains(op); }

private:
  using NestId = int;
  static constexpr NestId kNone = -1;

  void assign(mlir::Operation *op);
  /// Whether an op that is no kernel, or the block's end, reads a copied op.
  bool isReadOutside(mlir::Operation *op) const;
  NestId create(ir::NestKind kind, mlir::Operation *op, bool isKernel);
  /// The nest that makes a value, through copied ops; kNone for an input.
  bool readsElsewhere(mlir::Value value, NestId nest) const;
  NestId producer(mlir::Value value) const;
  /// Nests an op may join, with the reasons for those it may not.
  llvm::SmallVector<NestId> candidates(mlir::Operation *op,
                                       std::vector<std::string> &reasons) const;
  /// Joins `op` to the first candidate, and as many others as stay acyclic.
  bool join(mlir::Operation *op, llvm::ArrayRef<NestId> nests,
            std::vector<std::string> &reasons);
  /// Whether a path of at least one step over other nests leads from `from` to
  /// a nest in `to`.
  bool reachesThroughOthers(llvm::ArrayRef<NestId> from,
                            llvm::ArrayRef<NestId> to) const;
  llvm::SmallVector<NestId> dependences(NestId nest) const;
  void collectDependences(mlir::Value value, NestId self,
                          llvm::SmallVectorImpl<NestId> &found) const;
  void collectReaders(mlir::OpOperand &use, NestId self,
                      llvm::SmallVectorImpl<NestId> &found) const;
  void merge(NestId into, NestId from);

  std::vector<Nest> nests; // merged ones are empty
  llvm::DenseMap<mlir::Operation *, NestId> nestOf;
  llvm::DenseSet<mlir::Operation *> prologues;
};

} // namespace tenon::passes
#endif // TENON_PASSES_FUSE_NESTGRAPH_H
