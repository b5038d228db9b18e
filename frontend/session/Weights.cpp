//===- Weights.cpp - Where a session takes its weights from ---------------===//

#include "frontend/session/Weights.h"

#include <cmath>

namespace tenon {
namespace {

/// SplitMix64: a stream for each weight, whatever the order of drawing.
/// Source: Steele, Lea and Flood 2014, figure 5.
class Stream {
public:
  Stream(std::string_view name, uint64_t seed) : state(seed) {
    for (char c : name)
      state = (state ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  }
  /// Uniform in [0, 1).
  float next() {
    uint64_t z = state += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return static_cast<float>((z ^ (z >> 31)) >> 40) * 0x1p-24f;
  }

private:
  uint64_t state;
};

std::vector<float> draw(const TracedProgram::Weight &weight, uint64_t seed) {
  int64_t count = 1;
  for (int64_t extent : weight.type.shape)
    count *= extent;
  bool isVector = weight.type.shape.size() < 2;
  float columns = isVector ? 1 : static_cast<float>(weight.type.shape.back());
  float width = isVector ? 0.5f : std::sqrt(3 / columns);
  float middle = isVector ? 1 : 0;
  Stream stream(weight.source, seed);
  std::vector<float> values(count);
  for (float &value : values)
    value = middle + width * (2 * stream.next() - 1);
  return values;
}
} // namespace

Weights Weights::of(const ModelFiles &files) {
  Weights weights;
  for (const io::TensorEntry &tensor : files.weights().tensors())
    weights.views[tensor.name] = {{tensor.type, tensor.shape}, tensor.data};
  return weights;
}

absl::StatusOr<Weights> Weights::random(const TracedProgram &program,
                                        uint64_t seed) {
  Weights weights;
  weights.owned = std::make_shared<std::vector<std::vector<uint8_t>>>();
  for (const TracedProgram::Weight &weight : program.weights()) {
    std::vector<float> values = draw(weight, seed);
    int64_t count = static_cast<int64_t>(values.size());
    StatusOr<int64_t> size = base::sizeBytes(weight.type.element, count);
    if (!size.ok())
      return toAbsl(size.status());
    std::vector<uint8_t> bytes(*size);
    Status packed =
        base::pack(weight.type.element, values.data(), count, bytes.data());
    if (!packed.ok())
      return toAbsl(packed);
    weights.owned->push_back(std::move(bytes));
    weights.views[weight.source] = {weight.type, weights.owned->back()};
  }
  return weights;
}

const Weights::View *Weights::find(std::string_view source) const {
  auto found = views.find(source);
  return found == views.end() ? nullptr : &found->second;
}

} // namespace tenon
