//===- AttentionNestKeys.h - Where a token's keys are -----------*- C++ -*-===//
//
// A tile's tokens are cut into runs of following positions of one sequence. The
// rows of a run walk the blocks of 64 keys together; a block's keys and values
// come from the pages of caches, or are rows of this step.
//
//   auto keys = makeRowKeys(emitter, elements, op, batch);
//   TokenRuns runs(emitter, batch, tileTokens);
//   runs.forEach(first, end, [&](Value t) { return keys->isMissing(t); },
//                [&](const TokenRun &run) { .. keys->block(..) .. });
//
//===----------------------------------------------------------------------===//

#ifndef TENON_CODEGEN_CPU_ATTENTIONNESTKEYS_H
#define TENON_CODEGEN_CPU_ATTENTIONNESTKEYS_H

#include "codegen/cpu/AttentionNestBlock.h"
#include "codegen/cpu/Element.h"

#include <memory>

namespace tenon::codegen::cpu {

/// Tokens of following positions of one sequence, whose keys are all there.
struct TokenRun {
  mlir::Value first, tokens;      // of the batch
  mlir::Value sequence, position; // of the first

  /// One after the position of the last.
  mlir::Value end(KernelEmitter &e) const { return e.add(position, tokens); }
};

/// Cuts tokens into runs.
class TokenRuns {
public:
  TokenRuns(KernelEmitter &emitter, const BatchPointers &batch,
            int64_t mostTokens);

  using IsMissing = llvm::function_ref<mlir::Value(mlir::Value token)>;
  /// Calls `body` for each run of the tokens [first, end), in a branch.
  /// `isMissing` (i1) tells the tokens that belong to none.
  void forEach(mlir::Value first, mlir::Value end, IsMissing isMissing,
               llvm::function_ref<void(const TokenRun &)> body);
  /// Where the run would end if the batch were its tile.
  mlir::Value endOf(const TokenRun &run, mlir::Value limit);

private:
  mlir::Value follows(mlir::Value token, mlir::Value next);
  void find(mlir::Value first, mlir::Value end, IsMissing isMissing);

  KernelEmitter &e;
  BatchPointers batch;
  mlir::Value lengths; // i32 [mostTokens]
};

/// A number of the batch, as an index.
mlir::Value readBatch(KernelEmitter &emitter, mlir::Value pointer,
                      mlir::Value at);

class KeySource {
public:
  virtual ~KeySource() = default;

  /// Whether (i1) the token attends to a key that is not there, which is noted.
  virtual mlir::Value isMissing(mlir::Value token) = 0;

  /// The block of keys at `position`, for a head of the keys. What is staged of
  /// it is valid until the next.
  virtual KeyBlock block(const TokenRun &run, mlir::Value keyHead,
                         mlir::Value position) = 0;
};

/// Caches, read in place where a tile is one group of rows, else as f32.
std::unique_ptr<KeySource> makeCacheKeys(KernelEmitter &emitter,
                                         ir::AttentionOp op,
                                         const BatchPointers &batch,
                                         bool isOneGroup);

/// Rows of the step, a block's keys transposed.
std::unique_ptr<KeySource> makeRowKeys(KernelEmitter &emitter,
                                       Elements &elements,
                                       ir::SelfAttentionOp op,
                                       const BatchPointers &batch);

/// Whether (i1) the row where the token's sequence starts is none of the step,
/// for ops over rows; a token out of order is noted.
mlir::Value isOutOfOrder(KernelEmitter &emitter, mlir::Operation *op,
                         const BatchPointers &batch, mlir::Value token);

} // namespace tenon::codegen::cpu
#endif // TENON_CODEGEN_CPU_ATTENTIONNESTKEYS_H
