//===- PanelReader.h - Sub-blocks of a packed weight ------------*- C++ -*-===//
//
// Emits reads of the layout that `ir/tn/Panels.h` defines: the scale, the
// minimum and the quants of some lanes of a sub-block.
//
//   PanelReader reader(e, format, e.vectorWidth());
//   PanelSubBlock block = reader.at(panel, number);
//   Value scale = reader.scale(block, lane);         // f32 x width
//   Value quad = reader.quad(block, e.index(3), lane); // k = 12 .. 15
//   Value weight = reader.number(quad, /*byte=*/1);  // k = 13
//
//===----------------------------------------------------------------------===//

#ifndef TENON_CODEGEN_CPU_PANELREADER_H
#define TENON_CODEGEN_CPU_PANELREADER_H

#include "codegen/cpu/Emitter.h"
#include "ir/tn/Emit.h"
#include "ir/tn/Panels.h"

namespace tenon::codegen::cpu {

/// One sub-block of one panel.
struct PanelSubBlock {
  mlir::Value superBlock; // its first byte
  mlir::Value factors;    // those of the sub-block
  mlir::Value quants;     // its first word
};

/// index: the number of element (k, lane) in a panel of a plain type, counted
/// in elements.
mlir::Value plainElement(KernelEmitter &e, const ir::PanelFormat &format,
                         mlir::Value k, mlir::Value lane);

class PanelReader {
public:
  /// Reads `width` lanes at once; one as a scalar.
  PanelReader(KernelEmitter &e, const ir::PanelFormat &format, int64_t width)
      : e(e), format(format), width(width) {}

  /// Sub-block `number`, counted from the start of the panel.
  PanelSubBlock at(mlir::Value panel, mlir::Value number) const;

  // Lanes [lane, lane + width) of a sub-block, f32.
  mlir::Value scale(const PanelSubBlock &block, mlir::Value lane) const;
  mlir::Value minimum(const PanelSubBlock &block, mlir::Value lane) const;

  // Of formats whose sub-blocks have factors: those, i32, and the super-block's
  // own f16s, f32.
  mlir::Value factor(const PanelSubBlock &block, mlir::Value lane) const;
  mlir::Value minFactor(const PanelSubBlock &block, mlir::Value lane) const;
  mlir::Value superScale(const PanelSubBlock &block, mlir::Value lane) const;
  mlir::Value superMinimum(const PanelSubBlock &block, mlir::Value lane) const;

  /// The stored quants of elements [4 * quad, + 4), the bytes of an i32.
  mlir::Value quad(const PanelSubBlock &block, mlir::Value quad,
                   mlir::Value lane) const;
  /// A quad's element `byte` without the offset, as f32.
  mlir::Value number(mlir::Value quad, int64_t byte) const;

private:
  mlir::Value half(const PanelSubBlock &block, int64_t byte,
                   mlir::Value lane) const;
  mlir::Value integer(const PanelSubBlock &block, int64_t byte,
                      mlir::Value lane) const;
  mlir::Value scaled(mlir::Value half, const PanelSubBlock &block, int64_t byte,
                     mlir::Value lane) const;
  mlir::Value word(const PanelSubBlock &block, mlir::Value number, int64_t byte,
                   mlir::Value lane) const;
  mlir::Value shiftRight(mlir::Value word, mlir::Value by) const;
  ir::Emit emit(mlir::Value like) const;

  KernelEmitter &e;
  const ir::PanelFormat &format;
  int64_t width;
};

} // namespace tenon::codegen::cpu
#endif // TENON_CODEGEN_CPU_PANELREADER_H
