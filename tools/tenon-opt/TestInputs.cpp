//===- TestInputs.cpp - Reference values from attributes ------------------===//

#include "tools/tenon-opt/TestInputs.h"

#include "ir/reference/Evaluate.h"
#include "ir/reference/Storage.h"
#include "ir/tn/Tn.h"

#include "tenon/abi.h"

using namespace mlir;
using namespace tenon;
using namespace tenon::ir;

namespace {

template <typename A>
llvm::Expected<ref::Value<A>> blockedFromAttr(RankedTensorType type,
                                              DenseElementsAttr dense) {
  std::string bytes;
  for (const APInt &byte : dense.getValues<APInt>())
    bytes.push_back(static_cast<char>(byte.getSExtValue()));
  auto tensor = ref::tensorFromBytes<A>(type.getElementType(), type.getShape(),
                                        {bytes.data(), bytes.size()});
  if (!tensor)
    return tensor.takeError();
  return std::move(*tensor);
}

template <typename A>
llvm::Expected<ref::Value<A>> tensorFromAttr(RankedTensorType type,
                                             Attribute attr) {
  auto dense = dyn_cast_or_null<DenseElementsAttr>(attr);
  if (!dense)
    return ref::evaluationError("expects dense elements for a tensor");
  Type element = type.getElementType();
  if (isa<BlockType>(element) && dense.getElementType().isInteger(8))
    return blockedFromAttr<A>(type, dense);
  if (dense.getElementType() != element)
    return ref::evaluationError("expects dense elements of the tensor's type");
  ref::Tensor<A> tensor =
      ref::makeTensor<A>(element, dense.getType().getShape());
  int64_t i = 0;
  if (ref::holdsFloats(element))
    for (const APFloat &value : dense.getValues<APFloat>())
      tensor.floats[i++] = static_cast<ref::Float<A>>(value.convertToDouble());
  else
    for (const APInt &value : dense.getValues<APInt>())
      tensor.ints[i++] =
          element.isInteger(1) ? value.getZExtValue() : value.getSExtValue();
  return std::move(tensor);
}

std::vector<int32_t> numbers(DictionaryAttr attr, StringRef name) {
  std::vector<int32_t> result;
  if (auto dense = attr.getAs<DenseIntElementsAttr>(name))
    for (const APInt &value : dense.getValues<APInt>())
      result.push_back(static_cast<int32_t>(value.getSExtValue()));
  return result;
}

int64_t number(DictionaryAttr attr, StringRef name, int64_t otherwise) {
  auto value = attr.getAs<IntegerAttr>(name);
  return value ? value.getInt() : otherwise;
}

ref::Batch batchFromAttr(DictionaryAttr attr) {
  ref::Batch batch;
  batch.sequence = numbers(attr, "sequence");
  batch.position = numbers(attr, "position");
  batch.pages = numbers(attr, "pages");
  batch.pageBlocks = number(attr, "page_blocks", 1);
  if (auto pages = attr.getAs<DenseIntElementsAttr>("pages"))
    batch.pagesPerSequence = pages.getType().getShape().back();
  return batch;
}

template <typename A>
llvm::Expected<ref::Value<A>> cacheFromAttr(CacheType type,
                                            DictionaryAttr attr) {
  ref::Cache<A> cache;
  cache.element = type.getElementType();
  cache.heads = type.getHeads();
  cache.width = type.getWidth();
  int64_t slots = number(attr, "slots", 0);
  cache.rows.resize(slots * cache.heads * cache.width);
  auto rows = attr.getAs<DenseFPElementsAttr>("rows");
  if (!rows)
    return std::move(cache);
  cache.rows.clear();
  for (const APFloat &value : rows.getValues<APFloat>())
    cache.rows.push_back(static_cast<ref::Float<A>>(value.convertToDouble()));
  return std::move(cache);
}

} // namespace

template <typename A>
llvm::Expected<ref::Value<A>> tools::valueFromAttr(Type type, Attribute attr) {
  if (auto tensor = dyn_cast<RankedTensorType>(type))
    return tensorFromAttr<A>(tensor, attr);
  auto dictionary = dyn_cast_or_null<DictionaryAttr>(attr);
  if (!dictionary)
    return ref::evaluationError("expects a dictionary for a batch or a cache");
  if (auto cache = dyn_cast<CacheType>(type))
    return cacheFromAttr<A>(cache, dictionary);
  return ref::Value<A>(batchFromAttr(dictionary));
}

template llvm::Expected<ref::Value<ref::Real>>
    tools::valueFromAttr<ref::Real>(Type, Attribute);
template llvm::Expected<ref::Value<ref::Contract>>
    tools::valueFromAttr<ref::Contract>(Type, Attribute);
