//===- Types.cpp - Element types, dimensions and shapes -------------------===//

#include "frontend/dsl/Types.h"

namespace tenon {

std::string_view dtypeName(DType type) {
  switch (type) {
  case DType::f32:
    return "f32";
  case DType::f16:
    return "f16";
  case DType::bf16:
    return "bf16";
  case DType::i8:
    return "i8";
  case DType::i32:
    return "i32";
  case DType::i64:
    return "i64";
  case DType::i1:
    return "i1";
  }
  return "unknown";
}

std::string_view cacheElementName(CacheElement element) {
  switch (element) {
  case CacheElement::f32:
    return "f32";
  case CacheElement::f16:
    return "f16";
  case CacheElement::bf16:
    return "bf16";
  case CacheElement::q8_0:
    return "q8_0";
  }
  return "unknown";
}

std::optional<CacheElement> parseCacheElement(std::string_view name) {
  for (CacheElement element : {CacheElement::f32, CacheElement::f16,
                               CacheElement::bf16, CacheElement::q8_0})
    if (cacheElementName(element) == name)
      return element;
  return std::nullopt;
}

Dim Dim::symbol(std::string name, int64_t min, int64_t max, int64_t divisor) {
  Dim dim(-1);
  dim.symbolName = std::move(name);
  dim.least = min;
  dim.most = max;
  dim.multiple = divisor;
  return dim;
}

std::string Dim::str() const {
  return isSymbol() ? symbolName : std::to_string(number);
}

// Bounds are the symbol's, not the axis's: a name is enough.
bool Dim::operator==(const Dim &other) const {
  return symbolName == other.symbolName && number == other.number;
}

std::string Shape::str() const {
  std::string text = "[";
  for (const Dim &dim : axes)
    text += (text.size() > 1 ? ", " : "") + dim.str();
  return text + "]";
}

} // namespace tenon
