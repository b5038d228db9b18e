//===- Attention.h - Constants of rotary positions --------------*- C++ -*-===//
//
//   RopeScaling yarn{.kind = RopeScaling::Yarn, .factor = 40,
//                    .originalContext = 4096};
//   std::vector<float> frequency = ropeFrequencies(1e4, 64, yarn);
//
//===----------------------------------------------------------------------===//

#ifndef TENON_IR_TN_ATTENTION_H
#define TENON_IR_TN_ATTENTION_H

#include <cstdint>
#include <vector>

namespace tenon::ir {

/// How a model's rotary frequencies are changed for longer contexts.
struct RopeScaling {
  enum Kind { None, Linear, Yarn };
  Kind kind = None;
  double factor = 1.0; ///< New context / original context.
  int64_t originalContext = 4096;
  double betaFast = 32.0; ///< Turns above which a pair is not scaled.
  double betaSlow = 1.0;  ///< Turns below which it is scaled fully.
};

/// Computes the frequency of each of width / 2 pairs, theta^(-2i / width) and
/// its scaling, in double and rounded once to f32.
/// Source: Su et al. 2021, section 3.2.2; Peng et al. 2023, section 3.2.
std::vector<float> ropeFrequencies(double theta, int64_t width,
                                   const RopeScaling &scaling = {});

/// Computes YaRN's magnitude, 0.1 * mscale * ln(factor) + 1; 1 for factor <= 1.
/// A model's `tn.rope` amplitude is yarnMagnitude(factor, mscale) /
/// yarnMagnitude(factor, mscaleAllDim), and its attention scale is multiplied
/// by the square of the latter.
/// Source: Peng et al. 2023, eq. 22; DeepSeek-V3, inference/model.py.
double yarnMagnitude(double factor, double mscale = 1.0);

} // namespace tenon::ir
#endif // TENON_IR_TN_ATTENTION_H
