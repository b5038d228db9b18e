//===- AttentionShape.h - What the ops of attention share -------*- C++ -*-===//
//
//   if (std::optional<AttentionShape> shape = attentionShape(op))
//     ... shape->heads / shape->keyHeads heads share each head of the keys
//
//===----------------------------------------------------------------------===//

#ifndef TENON_IR_TN_ATTENTIONSHAPE_H
#define TENON_IR_TN_ATTENTIONSHAPE_H

#include "ir/tn/Tn.h"

#include <optional>

namespace tenon::ir {

/// Operands and attributes that every op of attention has: over caches, over
/// the rows of a step, and the gradients of that.
struct AttentionShape {
  mlir::Operation *op;
  mlir::TypedValue<mlir::RankedTensorType> q; // [T, H, W]
  mlir::Value batch;
  int64_t heads, keyHeads;
  int64_t width, valueWidth; // of rows of queries and keys; of values
  bool isLatent;             // values are the first elements of keys
  int64_t window;            // 0: none
  int64_t globals;           // keys in range beside a window; 0: none
  double scale;

  /// Query heads that share a head of the keys.
  int64_t group() const { return heads / keyHeads; }
};

/// Tells the shape of an op of attention; nothing of any other.
std::optional<AttentionShape> attentionShape(mlir::Operation *op);

/// The type of what queries q, [T, H, W], get of values: [T, H, valueWidth].
mlir::RankedTensorType attended(mlir::RankedTensorType q, int64_t valueWidth);

/// Fails at `op` unless it has an operand of values, or takes as many elements
/// of the keys, of `width`, for them as `latent` says.
mlir::LogicalResult verifyLatent(mlir::Operation *op, bool hasValues,
                                 int64_t latent, int64_t width);

/// Fails at `op` unless a window has tokens, or is none and has no globals.
mlir::LogicalResult verifyWindow(mlir::Operation *op, int64_t window,
                                 int64_t globals);

} // namespace tenon::ir
#endif // TENON_IR_TN_ATTENTIONSHAPE_H
