//===- RandomParameters.cpp - Weights for measuring without a file --------===//

#include "runtime/exec/RandomParameters.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <numbers>

namespace tenon::exec {
namespace {

using base::ElementType;

constexpr float kDeviation = 0.02f;
// Whole blocks of every type, and a prime number of them: rows of the usual
// lengths begin at a different place each.
constexpr int64_t kPeriod = int64_t{4099} * 256;
// Parameters begin at multiples of this, so that each is aligned to 64 bytes.
constexpr int64_t kStep = 64 * 256;
constexpr int64_t kSteps = kPeriod / kStep;

/// Normal numbers by Box and Muller's method from SplitMix64.
std::vector<float> normals(uint64_t seed, int64_t count) {
  auto uniform = [&] { // in (0, 1]
    uint64_t z = seed += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return static_cast<float>(((z ^ (z >> 31)) >> 40) + 1) * 0x1p-24f;
  };
  std::vector<float> values(count);
  for (int64_t i = 0; i + 1 < count; i += 2) {
    float radius = kDeviation * std::sqrt(-2 * std::log(uniform()));
    float angle = 2 * std::numbers::pi_v<float> * uniform();
    values[i] = radius * std::cos(angle);
    values[i + 1] = radius * std::sin(angle);
  }
  return values;
}

StatusOr<int64_t> sizeOf(const base::Parameter &parameter) {
  int64_t count = 1;
  for (int64_t extent : parameter.shape)
    count *= extent; // verified not to overflow
  return base::sizeBytes(parameter.element, count);
}

/// One period of packed values, repeated over as many bytes as are needed.
StatusOr<hal::Memory> repeated(hal::Device &device, ElementType type,
                               const std::vector<float> &values,
                               int64_t sizeBytes) {
  auto count = static_cast<int64_t>(values.size());
  TENON_ASSIGN_OR_RETURN(int64_t period, base::sizeBytes(type, count));
  int64_t whole = std::max(period, sizeBytes);
  TENON_ASSIGN_OR_RETURN(hal::Memory memory, device.allocate(whole));
  auto *bytes = static_cast<char *>(memory.data());
  TENON_RETURN_IF_ERROR(base::pack(type, values.data(), count, bytes));
  for (int64_t at = period; at < whole; at += period)
    std::memcpy(bytes + at, bytes, std::min(period, whole - at));
  return memory;
}

/// What parameters share: whether they are norms, and their type.
using Kind = std::pair<bool, ElementType>;
using Pools = std::map<Kind, hal::Memory>;

Kind kindOf(const base::Parameter &parameter) {
  bool isNorm =
      parameter.shape.size() < 2 && !parameter.name.ends_with(".bias");
  return {isNorm, parameter.element};
}

/// The byte of its pool at which a parameter begins.
StatusOr<int64_t> beginning(size_t index, const base::Parameter &parameter) {
  auto step = static_cast<int64_t>(index * 37 % kSteps);
  return base::sizeBytes(parameter.element, step * kStep);
}

StatusOr<Pools> makePools(const base::Program &program, hal::Device &device,
                          uint64_t seed) {
  std::map<Kind, int64_t> sizes;
  for (size_t i = 0; i < program.parameters.size(); ++i) {
    const base::Parameter &parameter = program.parameters[i];
    TENON_ASSIGN_OR_RETURN(int64_t size, sizeOf(parameter));
    TENON_ASSIGN_OR_RETURN(int64_t before, beginning(i, parameter));
    int64_t &most = sizes[kindOf(parameter)];
    most = std::max(most, before + size);
  }
  std::vector<float> noise = normals(seed, kPeriod), ones(kPeriod, 1.0f);
  Pools pools;
  for (auto [kind, size] : sizes) {
    auto [isNorm, type] = kind;
    TENON_ASSIGN_OR_RETURN(pools[kind],
                           repeated(device, type, isNorm ? ones : noise, size));
  }
  return pools;
}

} // namespace

StatusOr<ParameterLookup>
randomParameters(std::shared_ptr<const LoadedProgram> program,
                 hal::Device &device, uint64_t seed) {
  TENON_ASSIGN_OR_RETURN(Pools made,
                         makePools(program->program(), device, seed));
  auto pools = std::make_shared<const Pools>(std::move(made));
  return ParameterLookup(
      [program,
       pools](const base::Parameter &parameter) -> StatusOr<TensorView> {
        size_t index = &parameter - program->program().parameters.data();
        TENON_ASSIGN_OR_RETURN(int64_t offset, beginning(index, parameter));
        const hal::Memory &pool = pools->at(kindOf(parameter));
        return TensorView{static_cast<const char *>(pool.data()) + offset,
                          parameter.element, parameter.shape};
      });
}

} // namespace tenon::exec
