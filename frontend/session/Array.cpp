//===- Array.cpp - Tensors of the host ------------------------------------===//

#include "frontend/session/Array.h"

namespace tenon {

Array::Array(base::ElementType element, std::vector<int64_t> shape)
    : type(element), extents(std::move(shape)) {
  assert(!base::info(type).isBlocked() && "arrays hold plain elements");
  bytes.resize(elements() * base::info(type).blockBytes);
}

int64_t Array::elements() const {
  int64_t product = 1;
  for (int64_t extent : extents)
    product *= extent;
  return product;
}

template <typename T>
static Array copied(base::ElementType element, const std::vector<T> &values,
                    std::vector<int64_t> shape) {
  Array array(element, std::move(shape));
  assert(array.elements() == static_cast<int64_t>(values.size()) &&
         "as many values as the shape has elements");
  std::memcpy(array.data(), values.data(), values.size() * sizeof(T));
  return array;
}

Array Array::of(const std::vector<float> &values, std::vector<int64_t> shape) {
  return copied(base::ElementType::F32, values, std::move(shape));
}

Array Array::of(const std::vector<int8_t> &values, std::vector<int64_t> shape) {
  return copied(base::ElementType::I8, values, std::move(shape));
}

Array Array::of(const std::vector<int32_t> &values,
                std::vector<int64_t> shape) {
  return copied(base::ElementType::I32, values, std::move(shape));
}

Array Array::of(const std::vector<int64_t> &values,
                std::vector<int64_t> shape) {
  return copied(base::ElementType::I64, values, std::move(shape));
}

} // namespace tenon
