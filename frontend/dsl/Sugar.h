//===- Sugar.h - How models are written -------------------------*- C++ -*-===//
//
// Operators broadcast like NumPy's: shapes align at the right, an axis of
// extent 1 repeats, a number stands for a tensor of it. Element types must be
// equal; a number takes the tensor's. Axes may be negative: they count from the
// end.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_FRONTEND_DSL_SUGAR_H
#define TENON_FRONTEND_DSL_SUGAR_H

#include "frontend/dsl/Ops.h"
#include "ir/tn/Attention.h"

namespace tenon {

/// A tensor or a number beside an operator, and where it was written.
class Operand {
public:
  Operand(const Tensor &value, Site where = Site::current())
      : tensor(value), site(where) {}
  Operand(double value, Site where = Site::current())
      : number(value), isNumber(true), site(where) {}

  Tensor tensor;
  double number = 0;
  bool isNumber = false;
  Site site;
};

Tensor operator+(const Operand &a, const Operand &b);
Tensor operator-(const Operand &a, const Operand &b);
Tensor operator*(const Operand &a, const Operand &b);
Tensor operator/(const Operand &a, const Operand &b);
Tensor operator-(const Operand &x);
Tensor operator<(const Operand &a, const Operand &b);
Tensor operator<=(const Operand &a, const Operand &b);
Tensor operator>(const Operand &a, const Operand &b);
Tensor operator>=(const Operand &a, const Operand &b);

/// Multiplies by a weight as files store them.
/// Shapes: x [..., K], w [N, K], bias [N]; result [..., N].
Tensor linear(const Tensor &x, const Tensor &w, const Tensor &bias = Tensor(),
              Site site = Site::current());

/// x in 8 bits: values * scales is x but for rounding.
struct QuantizedRows {
  Tensor values; // i8, of x's shape
  Tensor scales; // f32 [..., 1]: the row's largest magnitude / 127
};

/// Quantises each row (of the last axis) by a scale of its own. A row with a
/// NaN or an infinity has zeros for values and NaN or infinity for its scale.
QuantizedRows quantizeRows(const Tensor &x, Site site = Site::current());

/// Multiplies rows quantised by `quantizeRows` by an i8 weight with an f32
/// scale for each channel: sums of integers, which are exact.
/// Shapes: x [..., K], w [N, K], scales [N]; result [..., N].
Tensor linearInt8(const Tensor &x, const Tensor &w, const Tensor &scales,
                  Site site = Site::current());

/// Reduces an axis. It stays, with extent 1, so that x / sum(x, -1) is right.
Tensor sum(const Tensor &x, int64_t axis = -1, Site site = Site::current());
Tensor mean(const Tensor &x, int64_t axis = -1, Site site = Site::current());
Tensor max(const Tensor &x, int64_t axis = -1, Site site = Site::current());
Tensor min(const Tensor &x, int64_t axis = -1, Site site = Site::current());

/// The elements from `begin` up to `end` of one axis.
Tensor range(const Tensor &x, int64_t axis, int64_t begin, int64_t end,
             Site site = Site::current());

/// Cuts the last axis into `heads` equal parts: [T, H*W] to [T, H, W].
Tensor splitHeads(const Tensor &x, int64_t heads, Site site = Site::current());
/// Joins the last two axes: [T, H, W] to [T, H*W].
Tensor mergeHeads(const Tensor &x, Site site = Site::current());
/// Removes an axis of extent 1.
Tensor squeeze(const Tensor &x, int64_t axis, Site site = Site::current());
/// Swaps the last two axes.
Tensor transpose(const Tensor &x, Site site = Site::current());

/// A tensor of x's shape and trace: of one number, or of the index along an
/// axis.
Tensor fullLike(const Tensor &x, double value, DType type,
                Site site = Site::current());
Tensor iotaLike(const Tensor &x, int64_t axis, DType type = DType::i32,
                Site site = Site::current());

/// A tensor of known f32 elements, in the trace of `in`.
Tensor constantLike(const Tensor &in, const Shape &shape,
                    const std::vector<float> &elements,
                    Site site = Site::current());

/// How positions turn. `ir::yarnMagnitude` gives YaRN's amplitude.
struct RopeOptions {
  double theta = 1e4;
  ir::RopeScaling scaling;
  double amplitude = 1;
  RopeLayout layout = RopeLayout::Half;
};

/// Rotates pairs of elements by position.
/// Shapes: x [T, H, W]; result the same.
Tensor rope(const Tensor &x, const Batch &batch, const RopeOptions &options,
            Site site = Site::current());

/// The position of each token in its sequence: i32 [T].
Tensor positions(const Batch &batch, Site site = Site::current());

/// Which of the keys at positions j <= i a token at position i sees: those with
/// i - j < tokens and those with j < globals; all of them where tokens is 0.
struct Window {
  int64_t tokens = 0;
  int64_t globals = 0;
};

/// Causal attention of each token over its sequence's cache (`tn.attention`).
/// Where a loss is differentiated, over the rows that this call appended
/// (`tn.self_attention`), which gives the same bits.
/// Shapes: q [T, H, W], keys of width W, values of width V; result [T, H, V].
Tensor attention(const Tensor &q, const Cache &keys, const Cache &values,
                 const Batch &batch, double scale, Window window = {},
                 Site site = Site::current());

/// The same, without a cache of values: they are the first `valueWidth`
/// elements of the keys.
/// Shapes: q [T, H, W], keys of width W; result [T, H, valueWidth].
Tensor attention(const Tensor &q, const Cache &keys, int64_t valueWidth,
                 const Batch &batch, double scale, Window window = {},
                 Site site = Site::current());

/// -log softmax(logits)[target] of each row.
/// Shapes: logits [..., V], targets i32 [...]; result [...].
Tensor crossEntropy(const Tensor &logits, const Tensor &targets,
                    Site site = Site::current());

} // namespace tenon
#endif // TENON_FRONTEND_DSL_SUGAR_H
