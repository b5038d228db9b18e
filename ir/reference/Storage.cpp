//===- Storage.cpp - Reference values as the bytes of the runtime ---------===//

#include "ir/reference/Storage.h"
#include "ir/reference/Evaluate.h"
#include "ir/tn/Tn.h"
#include "runtime/base/BlockLayouts.h"

#include "tenon/abi.h"

#include <array>
#include <cmath>
#include <cstring>
#include <optional>

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

//===----------------------------------------------------------------------===//
// Caches of q8_0
//===----------------------------------------------------------------------===//

using Block = base::BlockQ8_0;
constexpr int64_t kQuants = std::size(Block{}.qs);
constexpr uint16_t kNanHalf = 0x7e00;

/// Where a block of a row lies in a cache of q8_0, in bytes.
struct BlockPlace {
  int64_t scale;
  int64_t quants, stride; // of one quant to the next
};

BlockPlace blockPlace(CacheType type, int64_t slot, int64_t head,
                      int64_t number) {
  int64_t width = type.getWidth(), blocks = width / kQuants;
  int64_t block = slot / TENON_CACHE_BLOCK, lane = slot % TENON_CACHE_BLOCK;
  int64_t start = (block * type.getHeads() + head) * type.headBytes();
  int64_t scales = start + type.scalesOffset();
  if (type.getLayout() == CacheLayout::Keys)
    return {scales +
                (number * TENON_CACHE_BLOCK + lane) * int64_t(sizeof(Block::d)),
            start + number * kQuants * TENON_CACHE_BLOCK + lane,
            TENON_CACHE_BLOCK};
  return {scales + (lane * blocks + number) * int64_t(sizeof(Block::d)),
          start + lane * width + number * kQuants, 1};
}

void unpackBlock(const Block &block, float *out) {
  [[maybe_unused]] Status status =
      base::unpack(base::ElementType::Q8_0, &block, kQuants, out);
  assert(status.ok() && "expects one block");
}

Block scaledBlock(uint16_t d, llvm::ArrayRef<float> values) {
  Block block{d, {}};
  float scale = base::f16ToF32(d);
  for (auto [quant, value] : llvm::zip_equal(block.qs, values))
    if (scale > 0)
      quant = static_cast<int8_t>(
          std::clamp(std::nearbyint(value / scale), -127.0f, 127.0f));
  return block;
}

/// Finds a block that means `values`, which another one was unpacked to: that
/// of the quantised values but where scales are subnormal halves, whose errors
/// are larger.
std::optional<Block> blockOf(llvm::ArrayRef<float> values) {
  if (llvm::all_of(values, [](float x) { return std::isnan(x); }))
    return Block{kNanHalf, {}};
  Block block;
  std::string bytes = ref::quantizedBytes(base::ElementType::Q8_0, values);
  std::memcpy(&block, bytes.data(), sizeof(block));
  constexpr uint16_t kNormalHalf = 0x0400;
  uint16_t last = std::max(block.d, kNormalHalf);
  for (uint16_t d = block.d; d <= last; ++d) {
    block = scaledBlock(d, values);
    std::array<float, kQuants> meant;
    unpackBlock(block, meant.data());
    if (llvm::equal(meant, values))
      return block;
  }
  return std::nullopt;
}

/// Calls `f(first row element, place)` for each block of the cache.
template <typename F> void forEachBlock(CacheType type, int64_t slots, F f) {
  int64_t number = 0;
  for (int64_t slot = 0; slot < slots; ++slot)
    for (int64_t head = 0; head < type.getHeads(); ++head)
      for (int64_t b = 0; b < type.getWidth() / kQuants; ++b)
        f(kQuants * number++, blockPlace(type, slot, head, b));
}

template <typename A>
void unpackCache(CacheType type, llvm::ArrayRef<char> bytes, Cache<A> &cache) {
  int64_t row = cache.heads * cache.width;
  int64_t slots =
      bytes.size() / (type.getHeads() * type.headBytes()) * TENON_CACHE_BLOCK;
  cache.rows.resize(slots * row);
  forEachBlock(type, slots, [&](int64_t at, const BlockPlace &place) {
    Block block;
    std::memcpy(&block.d, bytes.data() + place.scale, sizeof(block.d));
    for (int64_t i = 0; i < kQuants; ++i)
      block.qs[i] = bytes[place.quants + i * place.stride];
    std::array<float, kQuants> values;
    unpackBlock(block, values.data());
    llvm::copy(values, cache.rows.begin() + at);
  });
}

template <typename A>
llvm::Expected<std::string> packCache(CacheType type, const Cache<A> &cache) {
  int64_t slots = cache.rows.size() / (cache.heads * cache.width);
  std::string bytes(
      slots / TENON_CACHE_BLOCK * type.getHeads() * type.headBytes(), 0);
  bool isHeld = true;
  forEachBlock(type, slots, [&](int64_t at, const BlockPlace &place) {
    std::array<float, kQuants> values;
    std::copy_n(cache.rows.begin() + at, kQuants, values.begin());
    std::optional<Block> block = blockOf(values);
    isHeld = isHeld && block;
    if (!block)
      return;
    std::memcpy(bytes.data() + place.scale, &block->d, sizeof(block->d));
    for (int64_t i = 0; i < kQuants; ++i)
      bytes[place.quants + i * place.stride] = block->qs[i];
  });
  if (!isHeld)
    return evaluationError(
        "expects rows of values that q8_0 holds, got others");
  return bytes;
}

} // namespace

namespace {

template <typename B>
std::string blocksOf(base::ElementType type, llvm::ArrayRef<float> values,
                     const B &ofNan) {
  std::string bytes;
  constexpr size_t size = std::size(B().qs);
  for (size_t at = 0; at < values.size(); at += size) {
    B block = ofNan;
    // Nothing but a NaN or an infinity is refused.
    (void)base::pack(type, values.data() + at, size, &block);
    bytes.append(reinterpret_cast<const char *>(&block), sizeof(block));
  }
  return bytes;
}

} // namespace

std::string ref::quantizedBytes(base::ElementType type,
                                llvm::ArrayRef<float> values) {
  if (type == base::ElementType::Q8_0)
    return blocksOf(type, values, Block{kNanHalf, {}});
  constexpr uint32_t kNan = 0x7fc00000;
  base::BlockQ8_K ofNan{};
  std::memcpy(ofNan.d, &kNan, sizeof(kNan));
  return blocksOf(type, values, ofNan);
}

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
  if (bytes.size() % (cache.heads * cacheType.headBytes()) != 0)
    return evaluationError("expects whole blocks of a cache, got " +
                           llvm::Twine(bytes.size()) + " bytes");
  if (cacheType.isQuantized()) {
    unpackCache(cacheType, bytes, cache);
    return cache;
  }
  int64_t row = cache.heads * cache.width;
  int64_t elements = bytes.size() * 8 / cache.element.getIntOrFloatBitWidth();
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
  if (cacheType.isQuantized())
    return packCache(cacheType, cache);
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
