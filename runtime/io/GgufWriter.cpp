//===- GgufWriter.cpp - Writes a GGUF file like another one ---------------===//

#include "runtime/io/GgufWriter.h"

#include "runtime/io/PendingFile.h"

#include <cstring>

namespace tenon::io {
namespace {

template <typename T> void put(std::string &bytes, T value) {
  bytes.append(reinterpret_cast<const char *>(&value), sizeof(value));
}

StatusOr<uint64_t> sizeOf(const TensorEntry &tensor, base::ElementType type) {
  int64_t row = tensor.shape.empty() ? 1 : tensor.shape.back();
  if (row % base::info(type).blockElements != 0)
    return invalidArgument("gguf: expects rows of whole blocks of ",
                           base::info(type).name, " for '", tensor.name,
                           "', got ", row, " elements");
  TENON_ASSIGN_OR_RETURN(int64_t size,
                         base::sizeBytes(type, tensor.elements()));
  return static_cast<uint64_t>(size);
}

uint64_t padded(uint64_t size, uint64_t alignment) {
  return (size + alignment - 1) / alignment * alignment;
}

/// Everything before the first tensor's data, and the tensors' sizes.
StatusOr<std::string> header(const GgufFile &like,
                             std::span<const base::ElementType> types,
                             std::vector<uint64_t> &sizes) {
  const std::vector<TensorEntry> &tensors = like.tensors().tensors();
  std::string bytes = "GGUF";
  put(bytes, like.version());
  put(bytes, uint64_t{tensors.size()});
  put(bytes, like.valueCount());
  bytes.append(reinterpret_cast<const char *>(like.metadataBytes().data()),
               like.metadataBytes().size());
  uint64_t offset = 0;
  for (size_t i = 0; i < tensors.size(); ++i) {
    const TensorEntry &tensor = tensors[i];
    std::optional<uint32_t> id = ggmlTypeOf(types[i]);
    if (!id)
      return invalidArgument("gguf: expects a type that the format has for '",
                             tensor.name, "', got ", base::info(types[i]).name);
    put(bytes, uint64_t{tensor.name.size()});
    bytes += tensor.name;
    put(bytes, static_cast<uint32_t>(tensor.shape.size()));
    for (size_t axis = tensor.shape.size(); axis-- > 0;) // innermost first
      put(bytes, tensor.shape[axis]);
    put(bytes, *id);
    put(bytes, offset);
    TENON_ASSIGN_OR_RETURN(uint64_t size, sizeOf(tensor, types[i]));
    sizes.push_back(size);
    offset += padded(size, like.alignment());
  }
  bytes.resize(padded(bytes.size(), like.alignment()), '\0');
  return bytes;
}

} // namespace

Status writeGguf(const std::string &path, const GgufFile &like,
                 std::span<const base::ElementType> types,
                 const TensorProducer &produce) {
  std::vector<uint64_t> sizes;
  TENON_ASSIGN_OR_RETURN(std::string head, header(like, types, sizes));
  PendingFile file(path);
  bool isWritten = file.isOpen() && file.write(head.data(), head.size());
  for (size_t i = 0; isWritten && i < sizes.size(); ++i) {
    TENON_ASSIGN_OR_RETURN(std::span<const uint8_t> data, produce(i));
    if (data.size() != sizes[i])
      return invalidArgument("gguf: expects ", sizes[i], " bytes of '",
                             like.tensors().tensors()[i].name, "', got ",
                             data.size());
    std::string filler(padded(sizes[i], like.alignment()) - sizes[i], '\0');
    isWritten = file.write(data.data(), data.size()) &&
                file.write(filler.data(), filler.size());
  }
  if (isWritten && file.commit())
    return Status();
  return unavailable("expects to write '", path,
                     "', got: ", std::strerror(errno));
}

} // namespace tenon::io
