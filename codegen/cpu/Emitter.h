//===- Emitter.h - Emits one kernel: frame, sizes, memory -------*- C++ -*-===//
//
// A `tn.kernel` becomes `func.func @symbol(%frame: !llvm.ptr, %tile: i32)` of
// arith, scf and vector ops; memory is read and written by llvm ops on plain
// pointers, because the frame's buffers are pointers of unknown alignment and
// row-major extents are known here anyway. A nest of a kernel is emitted by the
// functions named after its kind below; elements of fused producers come from
// `Elements` (Element.h).
//
//   KernelEmitter emitter(kernel, "k0", symbols, CpuFeatures::V4, info);
//   Value n = emitter.extent(type, 0);              // index
//   Value x = emitter.pointer(nest.argument(0));    // !llvm.ptr
//   Value v = emitter.load(x, f32, offset, Lanes{16});
//
//===----------------------------------------------------------------------===//

#ifndef TENON_CODEGEN_CPU_EMITTER_H
#define TENON_CODEGEN_CPU_EMITTER_H

#include "ir/tn/Tn.h"
#include "runtime/base/Container.h"
#include "runtime/base/Program.h"

#include "mlir/IR/ImplicitLocOpBuilder.h"

#include <optional>
#include <string>
#include <vector>

namespace tenon::codegen::cpu {

/// What the host program and the runtime need to know of an emitted kernel.
struct KernelInfo {
  std::string symbol;
  int64_t scratchBytes = 0;
  std::vector<std::string> dims; ///< Symbols whose values the frame carries.
  base::Expr tiles;              ///< Over the indices of `dims`.
  std::vector<base::KernelLocation> locations;
  std::vector<std::string> ops;
  uint32_t bufferCount = 0;
};

/// Emits `kernel` into `into` under the name `symbol`. `symbols` are those of
/// the function it stands in. Failures are diagnosed at the op.
mlir::LogicalResult emitKernel(ir::KernelOp kernel, llvm::StringRef symbol,
                               llvm::ArrayRef<ir::SymbolAttr> symbols,
                               base::CpuFeatures features, mlir::ModuleOp into,
                               KernelInfo &info);

/// The elements of one access: `width` consecutive ones along the last axis,
/// from `offset` columns after the index (null: 0). Where `mask` (i1 x width)
/// is present and false, nothing is read or written and the element is zero.
/// Width 1 is a scalar, not a vector, and has no mask.
struct Lanes {
  int64_t width = 1;
  mlir::Value mask = {};
  mlir::Value offset = {};
};

/// A size that the host computes before a launch and the kernel inside it, by
/// one formula.
struct Size {
  base::Expr host;
  mlir::Value device; // index
};

/// One region of a kernel.
struct Nest {
  mlir::Block *body = nullptr;
  ir::ScheduleAttr schedule;
  unsigned firstResult = 0; ///< Of the kernel's results.

  mlir::Operation *yield() const { return body->getTerminator(); }
};

/// The batch operand's three buffers; see the kernel ABI.
struct BatchPointers {
  mlir::Value sequence, position, pages;
};

class KernelEmitter {
public:
  KernelEmitter(ir::KernelOp kernel, llvm::ArrayRef<ir::SymbolAttr> symbols,
                base::CpuFeatures features, mlir::func::FuncOp function,
                KernelInfo &info);

  mlir::ImplicitLocOpBuilder builder;

  ir::KernelOp kernel() const { return kernelOp; }
  base::CpuFeatures features() const { return cpu; }
  /// f32 lanes of a register: 8 or 16.
  int64_t vectorWidth() const { return cpu == base::CpuFeatures::V3 ? 8 : 16; }
  bool hasBf16Dot() const { return cpu == base::CpuFeatures::V4Vnni; }
  bool hasIntegerDot() const { return cpu == base::CpuFeatures::V4Vnni; }

  // --- index arithmetic; constants fold ------------------------------------
  mlir::Value index(int64_t value);
  mlir::Value add(mlir::Value a, mlir::Value b);
  mlir::Value sub(mlir::Value a, mlir::Value b);
  mlir::Value mul(mlir::Value a, mlir::Value b);
  mlir::Value mul(mlir::Value a, int64_t b) { return mul(a, index(b)); }
  mlir::Value div(mlir::Value a, mlir::Value b); ///< Of non-negative values.
  mlir::Value div(mlir::Value a, int64_t b) { return div(a, index(b)); }
  mlir::Value rem(mlir::Value a, mlir::Value b); ///< Of non-negative values.
  mlir::Value rem(mlir::Value a, int64_t b) { return rem(a, index(b)); }
  mlir::Value min(mlir::Value a, mlir::Value b); ///< Signed.
  mlir::Value max(mlir::Value a, mlir::Value b); ///< Signed.
  /// i32 or i64 to index, sign extended; index to i32 or i64.
  mlir::Value toIndex(mlir::Value integer);
  mlir::Value fromIndex(mlir::Value value, mlir::Type integer);
  /// Splits a row number over `extents`, row-major.
  llvm::SmallVector<mlir::Value> delinearise(mlir::Value row,
                                             mlir::ValueRange extents);
  /// The row-major number of `index` in a tensor of `type`.
  mlir::Value linearise(mlir::RankedTensorType type, mlir::ValueRange index);

  // --- sizes ---------------------------------------------------------------
  /// The value of a symbol (or "P", "pageBlocks"): a load of the prologue.
  mlir::Value dim(llvm::StringRef symbol);
  mlir::Value extent(mlir::RankedTensorType type, int64_t axis);
  llvm::SmallVector<mlir::Value> extents(mlir::RankedTensorType type);
  /// The bound that the symbol declares; the extent of a static axis.
  int64_t maxExtent(mlir::RankedTensorType type, int64_t axis);

  Size size(int64_t value);
  Size size(mlir::RankedTensorType type, int64_t axis);
  Size add(const Size &a, const Size &b);
  Size mul(const Size &a, const Size &b);
  Size ceilDiv(const Size &a, int64_t b);

  // --- memory --------------------------------------------------------------
  /// The buffer of a nest's argument (not of a batch).
  mlir::Value pointer(mlir::Value argument);
  /// The buffer of the nest's result `number`; for a cache the operand's.
  mlir::Value resultPointer(const Nest &nest, unsigned number);
  BatchPointers batch(mlir::Value argument);

  /// `base` + `offset` elements; bytes for an i8 element.
  mlir::Value address(mlir::Value base, mlir::Type element, mlir::Value offset);
  /// Loads lanes.width elements (of float or integer type; i1 as bytes are not
  /// converted: ask for i8) from base + offset elements, unaligned.
  mlir::Value load(mlir::Value base, mlir::Type element, mlir::Value offset,
                   const Lanes &lanes = {});
  void store(mlir::Value value, mlir::Value base, mlir::Value offset,
             const Lanes &lanes = {});

  /// Stores a whole vector past the caches where `isPast` (i1) holds, which
  /// promises an address that is a multiple of its size; else as above.
  void storePast(mlir::Value value, mlir::Value base, mlir::Value offset,
                 mlir::Value isPast);
  /// Makes what was stored past the caches seen before what is stored later.
  void fence();
  /// The address modulo a power of two.
  mlir::Value misalignment(mlir::Value pointer, int64_t bytes);

  /// Asks for the line at `pointer` in a cache, 1 for that of the first level;
  /// it need not be mapped.
  void prefetch(mlir::Value pointer, uint32_t level = 2);

  /// Memory of this worker, 64-byte aligned, not initialised. Freed in reverse
  /// by restoring a mark: nests and phases reuse it.
  mlir::Value scratch(int64_t bytes);
  int64_t scratchMark() const { return scratchUsed; }
  void restoreScratch(int64_t mark) { scratchUsed = mark; }
  /// A private constant of the module.
  mlir::Value constantTable(mlir::DenseElementsAttr value);

  // --- vectors -------------------------------------------------------------
  mlir::Type vectorOf(mlir::Type element, const Lanes &lanes);
  mlir::Value splat(mlir::Value scalar, int64_t width);
  /// i1: whether a lane of i1 is set.
  mlir::Value any(mlir::Value lanes);
  mlir::Value f32(float value);
  /// The mask of the first `count` (index, may exceed the width) lanes.
  mlir::Value firstLanes(mlir::Value count, int64_t width);

  // --- control -------------------------------------------------------------
  using Body = llvm::function_ref<void(mlir::Value iv)>;
  void loop(mlir::Value from, mlir::Value to, int64_t step, Body body);
  using CarryBody = llvm::function_ref<llvm::SmallVector<mlir::Value>(
      mlir::Value iv, mlir::ValueRange carried)>;
  llvm::SmallVector<mlir::Value> loop(mlir::Value from, mlir::Value to,
                                      int64_t step, mlir::ValueRange init,
                                      CarryBody body);
  /// Columns [0, count) as full vectors of `width`, then a masked tail; scalars
  /// for width 1. The lanes' offset is the column.
  void columns(mlir::Value count, int64_t width,
               llvm::function_ref<void(const Lanes &)> body);
  /// The same with carried values; a tail may be of no columns.
  using CarryColumns = llvm::function_ref<llvm::SmallVector<mlir::Value>(
      mlir::ValueRange carried, const Lanes &)>;
  llvm::SmallVector<mlir::Value> columns(mlir::Value count, int64_t width,
                                         mlir::ValueRange init,
                                         CarryColumns body);
  /// Columns [0, count) as full vectors from column `first` (below the width)
  /// on, then, with masks, what lies before and after them.
  void columnsFrom(mlir::Value first, mlir::Value count, int64_t width,
                   llvm::function_ref<void(const Lanes &)> body);
  void ifThen(mlir::Value condition, llvm::function_ref<void()> then);

  /// Adds `count` times `k` to the multiply-adds executed, where a module asks
  /// for them (`ir::kCountProductsAttr`).
  void countProducts(int64_t count, mlir::Value k);

  /// Notes the step's first failure where `condition` (i1) holds: `kind` is a
  /// TENON_FAILURE_*, `at` the op it is blamed on; row and value are indices.
  void emitFailure(mlir::Value condition, int32_t kind, mlir::Operation *at,
                   mlir::Value row, mlir::Value value);

  /// The buffer of a value, for diagnostics and tests; -1 if it has none.
  int64_t bufferOf(mlir::Value argument) const;
  int64_t dimNumber(llvm::StringRef symbol);

private:
  mlir::Value prologueLoad(mlir::Type type, mlir::Value base, int64_t number);
  mlir::Value buffer(int64_t number);
  const ir::SymbolAttr *findSymbol(llvm::StringRef name) const;
  int32_t locationOf(mlir::Operation *at);

  ir::KernelOp kernelOp;
  llvm::SmallVector<ir::SymbolAttr> symbolTable;
  base::CpuFeatures cpu;
  std::optional<int64_t> counter; // the address of what products add to
  mlir::func::FuncOp function;
  KernelInfo &info;
  mlir::Value buffers, dims, scratchBase, failure; // of the frame
  mlir::Operation *prologueEnd = nullptr;
  llvm::SmallVector<int64_t> inputBuffers, resultBuffers;
  llvm::SmallVector<mlir::Value> bufferValues, dimValues;
  llvm::DenseMap<mlir::Attribute, mlir::Value> tables;
  llvm::DenseMap<mlir::Operation *, int32_t> locations;
  int64_t scratchUsed = 0;
};

//===----------------------------------------------------------------------===//
// The nests: how many tiles one has, and the code of one tile (index).
//===----------------------------------------------------------------------===//

Size rowsTiles(KernelEmitter &emitter, const Nest &nest);
mlir::LogicalResult emitRowsNest(KernelEmitter &emitter, const Nest &nest,
                                 mlir::Value tile);

Size matmulTiles(KernelEmitter &emitter, const Nest &nest);
mlir::LogicalResult emitMatmulNest(KernelEmitter &emitter, const Nest &nest,
                                   mlir::Value tile);

Size attentionTiles(KernelEmitter &emitter, const Nest &nest);
mlir::LogicalResult emitAttentionNest(KernelEmitter &emitter, const Nest &nest,
                                      mlir::Value tile);

Size packTiles(KernelEmitter &emitter, const Nest &nest);
mlir::LogicalResult emitPackNest(KernelEmitter &emitter, const Nest &nest,
                                 mlir::Value tile);

} // namespace tenon::codegen::cpu
#endif // TENON_CODEGEN_CPU_EMITTER_H
