//===- Attention.cpp - Rotary positions, caches, attention ----------------===//
//
// The definitions (`evaluate`) are in AttentionReference.cpp.
//
//===----------------------------------------------------------------------===//

#include "ir/tn/Attention.h"
#include "ir/tn/AttentionShape.h"
#include "ir/tn/Verify.h"

#include <algorithm>
#include <cmath>
#include <numbers>

using namespace mlir;
using namespace tenon;
using namespace tenon::ir;

//===----------------------------------------------------------------------===//
// Frequencies
//===----------------------------------------------------------------------===//

/// The pair whose wave makes `turns` turns over the original context.
static double yarnCorrection(double turns, double theta, int64_t width,
                             const RopeScaling &scaling) {
  double wavelength = scaling.originalContext / (2 * std::numbers::pi * turns);
  return width * std::log(wavelength) / (2 * std::log(theta));
}

std::vector<float> ir::ropeFrequencies(double theta, int64_t width,
                                       const RopeScaling &scaling) {
  double low = 0, high = 0;
  if (scaling.kind == RopeScaling::Yarn) {
    low = std::max(0.0, std::floor(yarnCorrection(scaling.betaFast, theta,
                                                  width, scaling)));
    high = std::min(
        double(width - 1),
        std::ceil(yarnCorrection(scaling.betaSlow, theta, width, scaling)));
    if (low == high)
      high += 0.001; // A ramp of no length would divide by zero.
  }
  std::vector<float> frequencies;
  for (int64_t i = 0; i < width / 2; ++i) {
    double frequency = std::pow(theta, -2.0 * i / width);
    if (scaling.kind == RopeScaling::Linear)
      frequency /= scaling.factor;
    if (scaling.kind == RopeScaling::Yarn) {
      double ramp = std::clamp((i - low) / (high - low), 0.0, 1.0);
      frequency = frequency / scaling.factor * ramp + frequency * (1 - ramp);
    }
    frequencies.push_back(static_cast<float>(frequency));
  }
  return frequencies;
}

double ir::yarnMagnitude(double factor, double mscale) {
  return factor <= 1 ? 1.0 : 0.1 * mscale * std::log(factor) + 1.0;
}

//===----------------------------------------------------------------------===//
// Verifiers
//===----------------------------------------------------------------------===//

LogicalResult RopeOp::verify() {
  RankedTensorType x = tensorType(getX());
  if (failed(expectRank(*this, "x", 3, x))) // C1
    return failure();
  int64_t width = x.getDimSize(2);
  if (ShapedType::isDynamic(width) || width % 2 != 0)
    return emitOpError("expects x of even width, got ") << x;
  auto frequency =
      RankedTensorType::get({width / 2}, Float32Type::get(getContext())); // C2
  if (failed(
          expectType(*this, "frequency", frequency, getFrequency().getType())))
    return failure();
  if (!(getAmplitude().convertToDouble() > 0)) // C3
    return emitOpError("expects a positive amplitude, got ")
           << getAmplitude().convertToDouble();
  return success();
}

LogicalResult CacheAppendOp::verify() {
  CacheType cache = getCache().getType();
  RankedTensorType x = tensorType(getX());
  if (x.getRank() == 3 && x.getDimSize(1) == cache.getHeads() &&
      x.getDimSize(2) == cache.getWidth() &&
      x.getElementType() == cache.getRowElement()) // C1
    return success();
  return emitOpError("expects x of shape [T, ")
         << cache.getHeads() << ", " << cache.getWidth() << "] of "
         << cache.getRowElement() << ", the rows of the cache, got " << x;
}

LogicalResult AttentionOp::verify() {
  RankedTensorType q = tensorType(getQ());
  CacheType keys = getKeys().getType();
  if (failed(expectRank(*this, "q", 3, q))) // C1
    return failure();
  if (q.isDynamicDim(1) || q.getDimSize(1) % keys.getHeads() != 0)
    return emitOpError("expects heads of q to be a multiple of the ")
           << keys.getHeads() << " heads of keys, got " << q;
  if (keys.getLayout() != CacheLayout::Keys ||
      keys.getWidth() != q.getDimSize(2)) // C2
    return emitOpError("expects keys of layout keys and of width ")
           << q.getDimSize(2) << ", that of q, got " << keys;
  int64_t valueWidth = static_cast<int64_t>(getLatent());
  if (failed(verifyLatent(*this, bool(getValues()), valueWidth,
                          keys.getWidth()))) // C5
    return failure();
  if (getValues()) {
    CacheType values = getValues().getType();
    if (values.getLayout() != CacheLayout::Values ||
        values.getHeads() != keys.getHeads()) // C2
      return emitOpError("expects values of layout values and of ")
             << keys.getHeads() << " heads, those of keys, got " << values;
    valueWidth = values.getWidth();
  }
  if (failed(expectType(*this, "y", attended(q, valueWidth),
                        getY().getType()))) // C1
    return failure();
  if (failed(verifyWindow(*this, getWindow(), getGlobals()))) // C3
    return failure();
  if (!(getScale().convertToDouble() > 0)) // C4
    return emitOpError("expects a positive scale, got ")
           << getScale().convertToDouble();
  return success();
}

LogicalResult PositionsOp::verify() {
  return expectRank(*this, "y", 1, tensorType(getY())); // C1
}

LogicalResult RepositionOp::verify() {
  return expectRank(*this, "position", 1, tensorType(getPosition())); // C1
}
