//===- AttentionNestTile.h - Query rows of a tile ---------------*- C++ -*-===//
//
// A tile of queries is some tokens by some heads that share a head of the keys.
// A row of a run is one of its tokens and one of the tile's heads, heads first;
// rows come in groups of as many as registers hold, and the last group is
// filled up with copies of the last row, which nobody stores.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_CODEGEN_CPU_ATTENTIONNESTTILE_H
#define TENON_CODEGEN_CPU_ATTENTIONNESTTILE_H

#include "codegen/cpu/AttentionNestKeys.h"

#include "ir/tn/AttentionShape.h"

namespace tenon::codegen::cpu {

/// The op of attention that roots a nest.
ir::AttentionShape attentionOf(const Nest &nest);

/// The number, among what the nest yields, of a result of its root.
std::optional<unsigned> yieldNumber(const Nest &nest, mlir::Value result);

class QueryTile {
public:
  QueryTile(KernelEmitter &emitter, const Nest &nest);

  /// Finds the tile's tokens [first, end) and heads.
  void locate(mlir::Value tile);

  mlir::Value rowsOf(const TokenRun &run) {
    return e.mul(run.tokens, tileHeads);
  }
  mlir::Value groupsOf(const TokenRun &run) {
    return e.div(e.add(rowsOf(run), e.index(groupRows - 1)), groupRows);
  }
  mlir::Value tokenOf(const TokenRun &run, mlir::Value row);
  mlir::Value headOf(const TokenRun &run, mlir::Value row);
  /// The positions [from, to) in range of a row; so are, beside a window, those
  /// below `from` and the globals.
  mlir::Value toOf(const TokenRun &run, mlir::Value row);
  mlir::Value fromOf(const TokenRun &run, mlir::Value row);

  /// Calls `body` for each multiple of `step` in [begin, end), which `begin` is
  /// as well, from which on `step` positions have keys in range of the run.
  /// They ascend; nothing is done for those between the globals and the window.
  void forSteps(const TokenRun &run, mlir::Value begin, mlir::Value end,
                int64_t step, llvm::function_ref<void(mlir::Value)> body);

  /// Whether (i1) a row has keys of a segment in range, and the segment is the
  /// first it has any of.
  struct InSegment {
    mlir::Value isIn, isFirst;
  };
  InSegment inSegment(const TokenRun &run, mlir::Value row, mlir::Value segment,
                      int64_t keys);

  KernelEmitter &e;
  ir::AttentionShape shape;
  int64_t tileTokens, tileHeads;
  int64_t groupRows; // rows that registers hold
  int64_t groups;    // of a tile, at most
  mlir::Value first, end, firstHead, keyHead;

private:
  mlir::Value real(const TokenRun &run, mlir::Value row);
};

} // namespace tenon::codegen::cpu
#endif // TENON_CODEGEN_CPU_ATTENTIONNESTTILE_H
