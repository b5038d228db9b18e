//===- InitialValues.cpp - First values of what is trained ----------------===//

#include "runtime/exec/InitialValues.h"

#include "runtime/base/Hash.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace tenon::exec {
namespace {

/// Source: Steele, Lea and Flood 2014, figure 5 (SplitMix64).
uint64_t mix(uint64_t bits) {
  uint64_t z = bits + 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

/// In (0, 1].
double uniform(uint64_t bits) {
  return static_cast<double>((mix(bits) >> 11) + 1) * 0x1p-53;
}

} // namespace

void drawInitial(const base::State &state, std::span<float> values,
                 uint64_t seed) {
  std::ranges::fill(values, state.mean);
  if (state.deviation == 0)
    return;
  base::Hash128 name = base::hashBytes(state.name.data(), state.name.size());
  uint64_t stream = mix(seed ^ mix(name.low));
  // Normal numbers in pairs. Source: Box and Muller 1958.
  for (size_t i = 0; i < values.size(); i += 2) {
    double radius = std::sqrt(-2 * std::log(uniform(stream + i)));
    double angle = 2 * std::numbers::pi * uniform(stream + i + 1);
    auto add = [&](size_t at, double number) {
      values[at] += state.deviation * static_cast<float>(radius * number);
    };
    add(i, std::cos(angle));
    if (i + 1 < values.size())
      add(i + 1, std::sin(angle));
  }
}

} // namespace tenon::exec
