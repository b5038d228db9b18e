//===- AttentionNestBlock.h - Rows over one block of keys -------*- C++ -*-===//
//
// What attention does to some rows (queries of one sequence and head of the
// caches) by a block of 64 keys: scores as a register tile with keys in the
// lanes, the online softmax, values as a register tile with the width in the
// lanes. Rows come in groups of as many as registers hold.
//
//   AttentionBlock block(emitter, shape, rowsOfGroup, state);
//   block.emit({position, keys, values}, group);
//
//===----------------------------------------------------------------------===//

#ifndef TENON_CODEGEN_CPU_ATTENTIONNESTBLOCK_H
#define TENON_CODEGEN_CPU_ATTENTIONNESTBLOCK_H

#include "codegen/cpu/Emitter.h"
#include "ir/tn/AttentionShape.h"

namespace tenon::codegen::cpu {

/// Scratch of a tile. Rows lie one after the other; what is one number a row
/// lies in the first lanes of a vector for each group.
struct AttentionState {
  mlir::Value q, values; // f32 [rows][width], of values: the segment's
  // i32 [groups][lanes]: positions, ascending by row; keys below `from` that
  // are globals are in range as well
  mlir::Value from, to;
  mlir::Value maximum, sum; // f32 [groups][lanes], of the segment
};

/// Elements that share a scale, where a block's elements are quants.
inline constexpr int64_t kQuants = 32;

/// Where a block's keys, [width][64], and values, [64][valuePitch], lie. An
/// element of i8 is a quant, to be multiplied with its scale.
struct KeyBlock {
  mlir::Value position; // index, of the first key
  mlir::Value keys, values;
  mlir::Type keyElement, valueElement;
  int64_t valuePitch;
  mlir::Value nextKeys = {}, nextValues = {}; // to fetch ahead; null: not
  mlir::Value keyScales = {};                 // f16 [width/32][64]
  mlir::Value nextKeyScales = {};             // to fetch ahead; null: not
  mlir::Value valueScales = {};               // f32 [64][width/32]
};

/// Elements as memory has them to f32; quants to the integers they are.
mlir::Value toFloats(KernelEmitter &emitter, mlir::Value stored);

class AttentionBlock {
public:
  /// Tells the token of a row, to blame a failure on.
  using TokenOf = std::function<mlir::Value(mlir::Value row)>;

  AttentionBlock(KernelEmitter &emitter, const ir::AttentionShape &shape,
                 int64_t groupRows, const AttentionState &state,
                 TokenOf tokenOf);

  /// Adds the block to the group's rows that have a key in range.
  void emit(const KeyBlock &block, mlir::Value group);

private:
  /// The group at hand.
  struct Group {
    mlir::Value lanes;     // index of its first number in [groups][lanes]
    mlir::Value row;       // its first row
    mlir::Value q, values; // pointers to its first row
    mlir::Value from, to;  // the block's keys that every row has in range,
    mlir::Value isFull;    // which are all of them
    KeyBlock block;
  };

  int64_t vectorsBeside(int64_t most) const;
  void prefetch(mlir::Value base, mlir::Type element, mlir::Value offset,
                int64_t count);
  mlir::Value rowNumber(mlir::Value array, int64_t row);
  void findCommon();
  void emitScores();
  llvm::SmallVector<mlir::Value> keyScales(mlir::Value d, mlir::Value key,
                                           int64_t vectors);
  llvm::SmallVector<mlir::Value>
  scoreProducts(mlir::Value d, mlir::Value key, mlir::ValueRange carried,
                llvm::ArrayRef<mlir::Value> scales, int64_t vectors);
  mlir::Value valueScale(mlir::Value key, mlir::Value number);
  llvm::SmallVector<mlir::Value> scoreChain(mlir::Value key, int64_t vectors,
                                            int64_t from, int64_t to);
  void emitMask();
  void emitMaxima();
  void emitStatistics();
  void emitWeights();
  void emitSums();
  void emitRowValues(bool isBefore);
  void emitValues();
  void emitValueTile(mlir::Value column, int64_t vectors);

  KernelEmitter &e;
  ir::AttentionShape shape;
  AttentionState state;
  TokenOf tokenOf;
  mlir::Type f32;
  int64_t rows, width, valueWidth, lanes, across;
  mlir::Value scores;                     // f32 [rows][64], then weights
  mlir::Value highest, shift, keep, sums; // f32 [lanes]
  Group group;
};

/// Combines lane j with lane j + half until one is left.
mlir::Value
foldLanes(KernelEmitter &emitter, mlir::Value vector,
          llvm::function_ref<mlir::Value(mlir::Value, mlir::Value)> combine);

} // namespace tenon::codegen::cpu
#endif // TENON_CODEGEN_CPU_ATTENTIONNESTBLOCK_H
