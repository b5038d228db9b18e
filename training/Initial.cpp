//===- Initial.cpp - The first values of weights --------------------------===//

#include "training/Initial.h"

#include "runtime/base/Hash.h"
#include "training/Order.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace tenon::training {
namespace {

/// Normal numbers in pairs. Source: Box and Muller 1958.
class Normals {
public:
  explicit Normals(uint64_t start) : state(start) {}

  float next() {
    if (hasSpare) {
      hasSpare = false;
      return spare;
    }
    double radius = std::sqrt(-2 * std::log(uniform()));
    double angle = 2 * std::numbers::pi * uniform();
    spare = static_cast<float>(radius * std::sin(angle));
    hasSpare = true;
    return static_cast<float>(radius * std::cos(angle));
  }

private:
  double uniform() { // in (0, 1]
    return static_cast<double>((mix(state++) >> 11) + 1) * 0x1p-53;
  }

  uint64_t state;
  float spare = 0;
  bool hasSpare = false;
};

} // namespace

Status drawWeights(exec::Session &session, uint64_t seed) {
  for (const base::State &state : session.program().program().states) {
    if (!state.isTensor() || state.source.empty())
      continue;
    if (state.element != base::ElementType::F32)
      return unimplemented("weight '", state.name, "': expects f32, got ",
                           base::info(state.element).name);
    TENON_ASSIGN_OR_RETURN(exec::MutableTensorView view,
                           session.state(state.name));
    int64_t count = 1;
    for (int64_t extent : state.shape)
      count *= extent;
    std::span<float> values(static_cast<float *>(view.data), count);
    if (state.deviation == 0) {
      std::ranges::fill(values, state.mean);
      continue;
    }
    base::Hash128 name = base::hashBytes(state.name.data(), state.name.size());
    Normals normals(mix(seed ^ mix(name.low)));
    for (float &value : values)
      value = state.mean + state.deviation * normals.next();
  }
  return Status();
}

} // namespace tenon::training
