//===- Storage.cpp - Reference values as the bytes of the runtime ---------===//

#include "ir/reference/Storage.h"
#include "ir/reference/Evaluate.h"
#include "ir/tn/Tn.h"

#include "tenon/abi.h"

#include <cstring>

using namespace tenon;
using namespace tenon::ir;
using namespace tenon::ir::ref;

namespace {

/// Reads one little-endian integer of `size` bytes, sign extended but for i1.
int64_t readInteger(const char *bytes, int64_t size, bool isBool) {
  if (isBool)
    return *bytes != 0;
  uint64_t value = 0;
  std::memcpy(&value, bytes, size);
  int64_t shift = 64 - 8 * size;
  return static_cast<int64_t>(value << shift) >> shift;
}

void appendFloat(std::string &bytes, float value, mlir::Type element) {
  uint16_t half =
      element.isBF16() ? base::f32ToBf16(value) : base::f32ToF16(value);
  if (element.isF32())
    bytes.append(reinterpret_cast<const char *>(&value), sizeof(value));
  else
    bytes.append(reinterpret_cast<const char *>(&half), sizeof(half));
}

/// Where element (head, d) of a row lies in its block, in elements.
int64_t cacheOffset(CacheType type, int64_t slot, int64_t head, int64_t d) {
  int64_t block = slot / TENON_CACHE_BLOCK, lane = slot % TENON_CACHE_BLOCK;
  int64_t base =
      (block * type.getHeads() + head) * type.getWidth() * TENON_CACHE_BLOCK;
  if (type.getLayout() == CacheLayout::Keys)
    return base + d * TENON_CACHE_BLOCK + lane;
  return base + lane * type.getWidth() + d;
}

/// Calls `f(row element, stored element)` for each element of the cache.
template <typename F> void forEachElement(CacheType type, int64_t slots, F f) {
  int64_t number = 0;
  for (int64_t slot = 0; slot < slots; ++slot)
    for (int64_t head = 0; head < type.getHeads(); ++head)
      for (int64_t d = 0; d < type.getWidth(); ++d)
        f(number++, cacheOffset(type, slot, head, d));
}

} // namespace

template <typename A>
llvm::Expected<Tensor<A>> ref::tensorFromBytes(mlir::Type element,
                                               llvm::ArrayRef<int64_t> shape,
                                               llvm::ArrayRef<char> bytes) {
  Tensor<A> result = makeTensor<A>(element, shape);
  base::ElementType storage = storageOf(element);
  StatusOr<int64_t> size = base::sizeBytes(storage, result.size());
  if (!size.ok() || *size != static_cast<int64_t>(bytes.size()))
    return evaluationError("expects the bytes of the tensor's shape, got " +
                           llvm::Twine(bytes.size()));
  if (holdsFloats(element)) {
    std::vector<float> floats(result.size());
    Status status =
        base::unpack(storage, bytes.data(), result.size(), floats.data());
    if (!status.ok())
      return evaluationError(status.message());
    llvm::copy(floats, result.floats.begin());
    if (mlir::isa<BlockType>(element))
      result.blocks.assign(bytes.begin(), bytes.end());
    return result;
  }
  int64_t width = base::info(storage).blockBytes;
  for (int64_t i = 0; i < result.size(); ++i)
    result.ints[i] =
        readInteger(bytes.data() + i * width, width, element.isInteger(1));
  return result;
}

template <typename A>
llvm::Expected<Tensor<A>> ref::packedTensor(mlir::Type element,
                                            llvm::ArrayRef<int64_t> shape,
                                            llvm::ArrayRef<float> values) {
  base::ElementType storage = storageOf(element);
  int64_t count = values.size();
  StatusOr<int64_t> size = base::sizeBytes(storage, count);
  if (!size.ok())
    return evaluationError(size.status().message());
  std::string bytes(*size, '\0');
  Status status = base::pack(storage, values.data(), count, bytes.data());
  if (!status.ok())
    return evaluationError(status.message());
  return tensorFromBytes<A>(element, shape, bytes);
}

template <typename A> std::string ref::tensorToBytes(const Tensor<A> &tensor) {
  if (mlir::isa<BlockType>(tensor.element))
    return tensor.blocks;
  std::string bytes;
  if (holdsFloats(tensor.element)) {
    for (Float<A> value : tensor.floats)
      appendFloat(bytes, static_cast<float>(value), tensor.element);
    return bytes;
  }
  int64_t width = base::info(storageOf(tensor.element)).blockBytes;
  for (int64_t value : tensor.ints)
    bytes.append(reinterpret_cast<const char *>(&value), width);
  return bytes;
}

template <typename A>
llvm::Expected<Cache<A>> ref::cacheFromBytes(mlir::Type type,
                                             llvm::ArrayRef<char> bytes) {
  auto cacheType = mlir::cast<CacheType>(type);
  Cache<A> cache;
  cache.element = cacheType.getElementType();
  cache.heads = cacheType.getHeads();
  cache.width = cacheType.getWidth();
  int64_t row = cache.heads * cache.width;
  int64_t elements = bytes.size() * 8 / cache.element.getIntOrFloatBitWidth();
  if (elements % (row * TENON_CACHE_BLOCK) != 0)
    return evaluationError("expects whole blocks of a cache, got " +
                           llvm::Twine(bytes.size()) + " bytes");
  auto stored = tensorFromBytes<A>(cache.element, {elements}, bytes);
  if (!stored)
    return stored.takeError();
  cache.rows.resize(elements);
  forEachElement(cacheType, elements / row, [&](int64_t at, int64_t from) {
    cache.rows[at] = stored->floats[from];
  });
  return cache;
}

template <typename A>
llvm::Expected<std::string> ref::cacheToBytes(mlir::Type type,
                                              const Cache<A> &cache) {
  auto cacheType = mlir::cast<CacheType>(type);
  int64_t elements = cache.rows.size(), row = cache.heads * cache.width;
  if (elements % (row * TENON_CACHE_BLOCK) != 0)
    return evaluationError("expects whole blocks of a cache, got " +
                           llvm::Twine(elements) + " elements");
  Tensor<A> stored = makeTensor<A>(cache.element, {elements});
  forEachElement(cacheType, elements / row, [&](int64_t at, int64_t to) {
    stored.floats[to] = cache.rows[at];
  });
  return tensorToBytes(stored);
}

#define TENON_INSTANTIATE(A)                                                   \
  template llvm::Expected<Tensor<A>> ref::tensorFromBytes<A>(                  \
      mlir::Type, llvm::ArrayRef<int64_t>, llvm::ArrayRef<char>);              \
  template llvm::Expected<Tensor<A>> ref::packedTensor<A>(                     \
      mlir::Type, llvm::ArrayRef<int64_t>, llvm::ArrayRef<float>);             \
  template std::string ref::tensorToBytes(const Tensor<A> &);                  \
  template llvm::Expected<Cache<A>> ref::cacheFromBytes<A>(                    \
      mlir::Type, llvm::ArrayRef<char>);                                       \
  template llvm::Expected<std::string> ref::cacheToBytes(mlir::Type,           \
                                                         const Cache<A> &);
TENON_INSTANTIATE(Real)
TENON_INSTANTIATE(Contract)
