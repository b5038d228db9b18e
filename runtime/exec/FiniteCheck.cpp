//===- FiniteCheck.cpp - The first value that is no finite number ---------===//

#include "runtime/exec/FiniteCheck.h"

#include <cmath>
#include <cstring>
#include <optional>

namespace tenon::exec {
namespace {

using base::BufferKind;
using base::ElementType;

float elementAt(const char *bytes, ElementType type, int64_t i) {
  uint16_t half;
  float value;
  switch (type) {
  case ElementType::F32:
    std::memcpy(&value, bytes + 4 * i, 4);
    return value;
  case ElementType::BF16:
    std::memcpy(&half, bytes + 2 * i, 2);
    return base::bf16ToF32(half);
  case ElementType::F16:
    std::memcpy(&half, bytes + 2 * i, 2);
    return base::f16ToF32(half);
  default:
    return 0;
  }
}

/// The first element that is no finite number.
std::optional<int64_t> findNonFinite(const char *bytes, ElementType type,
                                     int64_t size) {
  bool isFloat = type == ElementType::F32 || type == ElementType::BF16 ||
                 type == ElementType::F16;
  int64_t count = isFloat ? size / base::info(type).blockBytes : 0;
  for (int64_t i = 0; i < count; ++i)
    if (!std::isfinite(elementAt(bytes, type, i)))
      return i;
  return std::nullopt;
}

/// "matmul at model/Layer.cpp:31, add at ...".
std::string placesOf(const base::Kernel &kernel) {
  std::string places;
  for (const base::KernelLocation &location : kernel.locations)
    places += concat(places.empty() ? "" : ", ", location.op, " at ",
                     location.source);
  return places.empty() ? kernel.symbol : places;
}

} // namespace

Status FiniteCheck::after(const base::Instruction &launch,
                          std::span<const Region> memory,
                          std::span<const int64_t> sizes) {
  for (uint32_t i : launch.buffers) {
    const base::Buffer &buffer = body.buffers[i];
    if (buffer.kind == BufferKind::Parameter)
      weights = data.parameters[buffer.index].name;
    else if (buffer.kind == BufferKind::Prepared)
      weights = data.prepared[buffer.index].name;
    else if (buffer.kind == BufferKind::State)
      weights = data.states[buffer.index].name;
  }
  for (uint32_t i : launch.buffers) {
    const base::Buffer &buffer = body.buffers[i];
    std::optional<int64_t> at =
        findNonFinite(memory[i].data, buffer.element, sizes[i]);
    if (!at)
      continue;
    const base::Kernel &kernel = data.kernels[launch.kernel];
    return outOfRange(
        "the first value that is no finite number: ",
        elementAt(memory[i].data, buffer.element, *at), ", element ", *at,
        " of '", buffer.name, "', of the kernel ",
        kernel.label.empty() ? kernel.symbol : kernel.label, " (",
        placesOf(kernel), ")",
        weights.empty() ? ""
                        : concat(", at or after the weights '", weights, "'"));
  }
  return Status();
}

} // namespace tenon::exec
