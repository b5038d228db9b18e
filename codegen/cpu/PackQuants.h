//===- PackQuants.h - Reads a file's blocks as bytes and scales -*- C++ -*-===//
//
// The generated counterpart of base::unpack, before the multiplication: 32
// elements of a row as unsigned bytes, and their scales as panels store them.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_CODEGEN_CPU_PACKQUANTS_H
#define TENON_CODEGEN_CPU_PACKQUANTS_H

#include "codegen/cpu/Emitter.h"
#include "ir/tn/Panels.h"

namespace tenon::codegen::cpu {

/// Elements read at once: a block of the legacy formats, an eighth of a K one,
/// a run of int4_g64 and int4_g128.
inline constexpr int64_t kQuantGroup = 32;

/// Where 32 elements of one row lie.
struct QuantRow {
  mlir::Value block;     // the block's first byte
  mlir::Value group;     // index: which 32 elements of a block
  mlir::Value isPresent; // i1: everything reads as zero where it is not
};

class QuantReader {
public:
  /// `source` holds a tensor [N, K] of `type` as in a file.
  QuantReader(KernelEmitter &e, mlir::RankedTensorType type,
              mlir::Value source);

  /// The place of elements [32 * group, + 32) of a row.
  QuantRow row(mlir::Value number, mlir::Value group) const;
  /// vector<32xi8>
  mlir::Value quants(const QuantRow &row) const;
  // The block's f16s, as their bits.
  mlir::Value scale(const QuantRow &row) const;
  mlir::Value minimum(const QuantRow &row) const;
  // The i8 that sub-block `sub` of the group multiplies them by.
  mlir::Value factor(const QuantRow &row, int64_t sub) const;
  mlir::Value minFactor(const QuantRow &row) const;

private:
  mlir::Value bytes(const QuantRow &row, mlir::Value at, int64_t count) const;
  mlir::Value byte(const QuantRow &row, mlir::Value at) const;
  mlir::Value constant(mlir::Value like, int64_t value) const;
  mlir::Value bitAnd(mlir::Value a, int64_t b) const;
  mlir::Value shiftRight(mlir::Value a, mlir::Value by) const;
  mlir::Value shiftRight(mlir::Value a, int64_t by) const;
  mlir::Value shiftLeft(mlir::Value a, int64_t by) const;
  mlir::Value bitOr(mlir::Value a, mlir::Value b) const;
  mlir::Value nibbles(const QuantRow &row, mlir::Value at) const;
  mlir::Value nibbles(const QuantRow &row, int64_t at) const;
  mlir::Value nibbleRuns(const QuantRow &row, int64_t at) const;
  mlir::Value fiveBits(const QuantRow &row, int64_t high, int64_t low) const;
  mlir::Value nibblesK(const QuantRow &row, int64_t at) const;
  mlir::Value fiveBitsK(const QuantRow &row) const;
  mlir::Value sixBits(const QuantRow &row) const;
  mlir::Value half(const QuantRow &row, int64_t at) const;
  mlir::Value scaleOrMinK(const QuantRow &row, bool isMin) const;
  mlir::Value orZero(const QuantRow &row, mlir::Value value) const;

  KernelEmitter &e;
  base::ElementType type;
  mlir::Value source;
  int64_t groupsPerBlock, blocksPerRow, blockBytes;
};

/// A weight [rows, K] as in a file.
struct PanelSource {
  mlir::RankedTensorType type; // its element and last axis count
  mlir::Value pointer;
  mlir::Value rows; // index
};

/// Lays rows [32 * number, + 32) out as the panel at `to`; PackNest.cpp.
void emitPanel(KernelEmitter &e, const PanelSource &source, mlir::Value number,
               mlir::Value to);

} // namespace tenon::codegen::cpu
#endif // TENON_CODEGEN_CPU_PACKQUANTS_H
