//===- MatmulTile.h - The register tile of a product ------------*- C++ -*-===//
//
// The innermost part of a matmul nest: some rows by some panels of 32 columns,
// accumulated in registers by the matmul rule of the numerics contract. n lies
// in the lanes, so that one row and many walk the same chain.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_CODEGEN_CPU_MATMULTILE_H
#define TENON_CODEGEN_CPU_MATMULTILE_H

#include "codegen/cpu/Emitter.h"
#include "ir/tn/Panels.h"

namespace tenon::codegen::cpu {

/// Products of one segment share an accumulator.
inline constexpr int64_t kSegment = 512;

/// The elements [from, to) of k, `count` of them: indices. One segment shares
/// an accumulator.
struct Segment {
  mlir::Value from, to, count;
};

/// How many rows and panels are accumulated at once.
struct RegisterTile {
  int64_t rows = 1;
  int64_t panels = 1;

  int64_t columns() const { return panels * ir::kPanelLanes; }
};

/// Elements of a that share a scale where a is q8_0.
inline constexpr int64_t kQuantBlock = 32;

/// The same where a is q8_k, and elements that share one of their sums.
inline constexpr int64_t kSuperBlock = 256, kSummedQuants = 16;

/// What rows of q8_0 or q8_k are taken apart to, beside their quants.
struct QuantScales {
  // f32 [rows][k / 32], of q8_k [k / 256]; null where a is f32
  mlir::Value scales = {};
  // f32 [rows][k / 32], of q8_0 alone: scale * f32(sum of the quants)
  mlir::Value shifts = {};
  // i32 [rows][k / subBlock]: -offset * sum of the quants; of rows of i8 one
  // each
  mlir::Value starts = {};
  // i16 [rows][k / 32], of q8_k alone: sums of 32 quants
  mlir::Value pairs = {};
  bool isSuper = false; // a is q8_k
};

/// Where the rows lie from which the panels that come next are staged: lines of
/// each panel are asked for meanwhile.
struct NextPanels {
  llvm::SmallVector<mlir::Value> panels; // the first row of each; empty: none
  mlir::Value rowBytes;                  // index: from row to row
  mlir::Value linesOfRow;                // index
  int64_t bytesOfStep = 0;               // of a panel, for each k
};

/// A segment of one product: out[rows][columns] (+)= a[rows][k] *
/// b[k][columns]; the first segment is stored, later ones are added. Pointers
/// are of k = 0.
struct TileOperands {
  /// f32, or quants in groups of four k: i8 where the machine multiplies bytes,
  /// else i16, of each group k = 0, 2, 1, 3. Rows `aStride` elements apart.
  mlir::Value a;
  mlir::Value aStride;   // index
  int64_t aStep = 1;     // from k to k, in elements; of words from word to word
  bool isPaired = false; // a is words of two bf16, laid out as in bf16 panels
  QuantScales quants;
  Segment segment;
  ir::PanelFormat format;
  llvm::SmallVector<mlir::Value> panels; // of b
  // index: from k to k, of f32 that are read where they lie; null: 32
  mlir::Value panelStride;
  // Each of `rowGroups` groups of rows prefetches its part of the panels that
  // come next, so that reading them goes on while the last ones are used.
  int64_t bytesToNext = 0; // 0: nothing comes next
  NextPanels next;         // of panels that are staged
  int64_t rowGroups = 1;
  mlir::Value rowGroup; // index
  // index: how many row groups there are, where that is known when it runs;
  // null: rowGroups
  mlir::Value rowGroupsHere;
  mlir::Value out; // f32, i32 of i8; rows tile.columns() apart
};

/// f32: sum + a * b; of words of two bf16 both products, the high one first.
mlir::Value addProducts(KernelEmitter &e, mlir::Value sum, mlir::Value a,
                        mlir::Value b);

void emitRegisterTile(KernelEmitter &e, const RegisterTile &tile,
                      const TileOperands &operands);

} // namespace tenon::codegen::cpu
#endif // TENON_CODEGEN_CPU_MATMULTILE_H
