//===- ProductAdjoint.cpp - Adjoints of products and quantisation ---------===//

#include "ir/tn/Adjoint.h"

using namespace mlir;
using namespace tenon::ir;

//===----------------------------------------------------------------------===//
// Matmul
//===----------------------------------------------------------------------===//

namespace {
struct Factor {
  Value value;
  bool isTransposed;
  Factor transposed() const { return {value, !isTransposed}; }
};

/// The product x y of two factors, of `type`.
Formula multiply(const Formula &like, Factor x, Factor y,
                 RankedTensorType type) {
  return like.make<MatmulOp>(type, x.value, y.value, Value(), x.isTransposed,
                             y.isTransposed);
}

/// (y b^T)^T, of `type`: b y^T, unless y alone has leading axes.
Formula multiplyTransposed(const Formula &like, Factor y, Factor b,
                           RankedTensorType type) {
  int64_t rank = type.getRank();
  if (tensorType(b.value).getRank() == rank)
    return multiply(like, b, y.transposed(), type);
  auto axes = llvm::to_vector(llvm::seq<int64_t>(0, rank));
  std::swap(axes[rank - 2], axes[rank - 1]);
  return multiply(like, y, b.transposed(), takeAxes(type, axes))
      .transposed(axes);
}

/// The gradient in the type of what it is multiplied with, if that is narrow.
Formula asFactor(const Formula &g, Value other) {
  Type element = tensorType(other).getElementType();
  return element.isBF16() ? g.cast(element) : g;
}
} // namespace

// y = A B: dA = g B^T, dB = A^T g, each laid out as the operand is. Of a matrix
// that all leading axes share, the gradient is a sum over them.
LogicalResult MatmulOp::buildAdjoint(Adjoint &adjoint) {
  Formula g = adjoint.gradient();
  Factor a{getA(), getTransposeA()}, b{getB(), getTransposeB()};
  if (adjoint.wants(0)) {
    Factor y{asFactor(g, getB()).value(), false};
    RankedTensorType type = gradientType(tensorType(getA()));
    adjoint.give(0, a.isTransposed ? multiplyTransposed(g, y, b, type)
                                   : multiply(g, y, b.transposed(), type));
  }
  if (adjoint.wants(1)) {
    Factor y{asFactor(g, getA()).value(), false};
    RankedTensorType type = gradientType(tensorType(getB()));
    RankedTensorType x = tensorType(getA());
    RankedTensorType each = type;
    int64_t added = x.getRank() - type.getRank();
    if (added) {
      SmallVector<int64_t> shape(x.getShape().take_front(added));
      SmallVector<StringRef> symbols;
      for (int64_t axis = 0; axis < added; ++axis)
        symbols.push_back(symbolOf(x, axis));
      for (int64_t axis = 0; axis < type.getRank(); ++axis) {
        shape.push_back(type.getDimSize(axis));
        symbols.push_back(symbolOf(type, axis));
      }
      each = tensorOf(shape, symbols, type.getElementType());
    }
    Formula product = b.isTransposed ? multiply(g, y.transposed(), a, each)
                                     : multiply(g, a.transposed(), y, each);
    adjoint.give(1, product.summedTo(type));
  }
  if (getBias() && adjoint.wants(2))
    adjoint.give(2, g.summedTo(tensorType(getBias())));
  return success();
}

//===----------------------------------------------------------------------===//
// Groups
//===----------------------------------------------------------------------===//

// Of each group y = A B: dA = g B^T, and dB = A^T g or, of a transposed b, its
// transposed g^T A.
LogicalResult GroupedMatmulOp::buildAdjoint(Adjoint &adjoint) {
  Formula g = adjoint.gradient();
  Value offsets = getOffsets();
  if (adjoint.wants(0)) {
    RankedTensorType type = gradientType(tensorType(getA()));
    adjoint.give(0, g.make<GroupedMatmulOp>(type, asFactor(g, getB()).value(),
                                            getB(), offsets, !getTransposeB()));
  }
  if (adjoint.wants(1)) {
    RankedTensorType type = gradientType(tensorType(getB()));
    Value y = asFactor(g, getA()).value(), x = getA();
    if (!getTransposeB())
      std::swap(x, y);
    adjoint.give(1, g.make<GroupedOuterOp>(type, y, x, offsets));
  }
  return success();
}

// Of each group y = A^T B: dA = B g^T, dB = A g.
LogicalResult GroupedOuterOp::buildAdjoint(Adjoint &adjoint) {
  Formula g = adjoint.gradient();
  auto multiply = [&](Value x, Value of, bool transposeB) {
    return g.make<GroupedMatmulOp>(gradientType(tensorType(of)), x,
                                   asFactor(g, x).value(), getOffsets(),
                                   transposeB);
  };
  if (adjoint.wants(0))
    adjoint.give(0, multiply(getB(), getA(), /*transposeB=*/true));
  if (adjoint.wants(1))
    adjoint.give(1, multiply(getA(), getB(), /*transposeB=*/false));
  return success();
}

//===----------------------------------------------------------------------===//
// Quantisation
//===----------------------------------------------------------------------===//

// Straight through: as if nothing were rounded.
LogicalResult QuantizeOp::buildAdjoint(Adjoint &adjoint) {
  adjoint.give(0, adjoint.gradient());
  return success();
}
