//===- Tensors.cpp - Tensors of the oracle in tests -----------------------===//

#include "tests/support/Tensors.h"

#include "ir/reference/Rounding.h"
#include "ir/reference/Storage.h"
#include "ir/tn/Tn.h"

#include <bit>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <sys/mman.h>
#include <unistd.h>

namespace tenon::testing {

namespace {

float randomFloat(Random &random, Choice choice) {
  std::uniform_real_distribution<float> uniform(-4, 4);
  if (choice == Choice::Ordinary)
    return uniform(random);
  constexpr float infinity = std::numeric_limits<float>::infinity();
  static constexpr float special[] = {0, -0.0f, infinity, -infinity, NAN,
                                      1, -1,    0x1p31f,  -0x1p31f,  0x1p63f};
  uint64_t kind = random() % 8;
  if (kind == 0)
    return special[random() % std::size(special)];
  if (kind < 6)
    return uniform(random) * (kind < 3 ? 1 : 32);
  // Any bits but a subnormal: kernels may keep or flush one they only move.
  float x = std::bit_cast<float>(static_cast<uint32_t>(random()));
  return std::fpclassify(x) == FP_SUBNORMAL ? 0.5f : x;
}

int64_t randomInteger(Random &random, mlir::Type element, Choice choice) {
  if (element.isInteger(1))
    return static_cast<int64_t>(random() & 1);
  if (choice == Choice::Ordinary || random() % 2)
    return static_cast<int64_t>(random() % 19) - 9;
  static constexpr int64_t special[] = {0,         -1,        INT32_MIN,
                                        INT32_MAX, INT64_MIN, INT64_MAX};
  uint64_t any = random();
  int64_t value = any % 4 ? static_cast<int64_t>(random()) >> (any >> 58)
                          : special[(any >> 8) % std::size(special)];
  return ir::ref::wrapped(value, element);
}

std::string where(const Tensor &x, int64_t i) {
  std::string text = "[";
  for (int64_t at : ir::ref::unravel(i, x.shape))
    text += (text.size() > 1 ? ", " : "") + std::to_string(at);
  return text + "]";
}

bool sameFloat(float a, float b) {
  if (std::isnan(a) || std::isnan(b))
    return std::isnan(a) && std::isnan(b);
  return std::bit_cast<uint32_t>(a) == std::bit_cast<uint32_t>(b);
}

} // namespace

Tensor randomTensor(Random &random, mlir::Type element,
                    llvm::ArrayRef<int64_t> shape, Choice choice) {
  if (mlir::isa<ir::BlockType>(element)) {
    mlir::Type f32 = mlir::Float32Type::get(element.getContext());
    Tensor values = randomTensor(random, f32, shape);
    return llvm::cantFail(ir::ref::packedTensor<ir::ref::Contract>(
        element, shape, values.floats));
  }
  Tensor x = ir::ref::makeTensor<ir::ref::Contract>(element, shape);
  for (float &value : x.floats)
    value = ir::ref::rounded<ir::ref::Contract>(randomFloat(random, choice),
                                                element);
  for (int64_t &value : x.ints)
    value = randomInteger(random, element, choice);
  return x;
}

RealTensor toReal(const Tensor &x) {
  RealTensor y;
  y.element = x.element;
  y.shape = x.shape;
  y.floats.assign(x.floats.begin(), x.floats.end());
  y.ints = x.ints;
  y.blocks = x.blocks;
  return y;
}

std::string firstDifference(const Tensor &expected, const Tensor &actual) {
  if (expected.shape != actual.shape)
    return "the shapes differ";
  for (size_t i = 0; i < expected.floats.size(); ++i)
    if (!sameFloat(expected.floats[i], actual.floats[i])) {
      char text[96];
      std::snprintf(text, sizeof(text), "expected %a (%g), got %a (%g) at ",
                    expected.floats[i], expected.floats[i], actual.floats[i],
                    actual.floats[i]);
      return text + where(expected, static_cast<int64_t>(i));
    }
  for (size_t i = 0; i < expected.ints.size(); ++i)
    if (expected.ints[i] != actual.ints[i])
      return "expected " + std::to_string(expected.ints[i]) + ", got " +
             std::to_string(actual.ints[i]) + " at " +
             where(expected, static_cast<int64_t>(i));
  return expected.blocks == actual.blocks ? "" : "the blocks differ";
}

GuardedBytes::GuardedBytes(size_t bytes) {
  size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  size_t pages = (bytes + page - 1) / page;
  mappedBytes = (pages + 1) * page;
  mapping = mmap(nullptr, mappedBytes, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapping == MAP_FAILED)
    std::abort();
  mprotect(static_cast<char *>(mapping) + pages * page, page, PROT_NONE);
  first = static_cast<char *>(mapping) + pages * page - bytes;
}

GuardedBytes::~GuardedBytes() {
  if (mapping)
    munmap(mapping, mappedBytes);
}

GuardedBytes::GuardedBytes(GuardedBytes &&other) noexcept
    : mapping(std::exchange(other.mapping, nullptr)),
      mappedBytes(other.mappedBytes), first(other.first) {}

} // namespace tenon::testing
