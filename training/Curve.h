//===- Curve.h - Losses as SVG ----------------------------------*- C++ -*-===//

#ifndef TENON_TRAINING_CURVE_H
#define TENON_TRAINING_CURVE_H

#include "training/Log.h"

#include <string>

namespace tenon::training {

/// Draws the losses by step: of training, each step and their running mean, and
/// of validation.
std::string drawCurve(const LossHistory &losses, const std::string &title);

} // namespace tenon::training
#endif // TENON_TRAINING_CURVE_H
