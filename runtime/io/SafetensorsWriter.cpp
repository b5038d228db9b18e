//===- SafetensorsWriter.cpp - Writes a safetensors file ------------------===//

#include "runtime/io/SafetensorsWriter.h"

#include "runtime/io/Json.h"
#include "runtime/io/PendingFile.h"
#include "runtime/io/StackedWeights.h"

#include <algorithm>
#include <cstring>

namespace tenon::io {
namespace {

using base::ElementType;

constexpr std::pair<ElementType, const char *> kTypes[] = {
    {ElementType::F32, "F32"}, {ElementType::F64, "F64"},
    {ElementType::F16, "F16"}, {ElementType::BF16, "BF16"},
    {ElementType::I8, "I8"},   {ElementType::U8, "U8"},
    {ElementType::I16, "I16"}, {ElementType::I32, "I32"},
    {ElementType::I64, "I64"}, {ElementType::Bool, "BOOL"},
};

Status checkSize(const SafetensorsTensor &tensor, size_t got) {
  int64_t count = 1;
  for (int64_t extent : tensor.shape)
    count *= extent;
  TENON_ASSIGN_OR_RETURN(int64_t bytes, base::sizeBytes(tensor.type, count));
  if (static_cast<size_t>(bytes) == got)
    return Status();
  return invalidArgument("safetensors: expects ", bytes, " bytes of '",
                         tensor.name, "', got ", got);
}

/// The eight bytes of the header's length, and the header.
StatusOr<std::string> header(std::span<const SafetensorsTensor> tensors,
                             const std::map<std::string, std::string> &meta) {
  nlohmann::ordered_json json;
  if (!meta.empty())
    json["__metadata__"] = meta;
  uint64_t offset = 0;
  for (const SafetensorsTensor &tensor : tensors) {
    auto type = std::ranges::find(kTypes, tensor.type,
                                  &std::pair<ElementType, const char *>::first);
    if (type == std::end(kTypes))
      return invalidArgument("safetensors: expects a plain type for '",
                             tensor.name, "', got ",
                             base::info(tensor.type).name);
    int64_t count = 1;
    for (int64_t extent : tensor.shape)
      count *= extent;
    TENON_ASSIGN_OR_RETURN(int64_t bytes, base::sizeBytes(tensor.type, count));
    auto add = [&](const std::string &name, std::span<const int64_t> shape,
                   int64_t size) {
      uint64_t end = offset + static_cast<uint64_t>(size);
      json[name] = {{"dtype", type->second},
                    {"shape", shape},
                    {"data_offsets", {offset, end}}};
      offset = end;
    };
    if (!isStackName(tensor.name) || tensor.shape.empty()) {
      add(tensor.name, tensor.shape, bytes);
      continue;
    }
    int64_t experts = tensor.shape[0];
    for (int64_t e = 0; e < experts; ++e)
      add(expertName(tensor.name, e), std::span(tensor.shape).subspan(1),
          bytes / experts);
  }
  std::string text =
      json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  text.resize((text.size() + 7) / 8 * 8, ' ');
  uint64_t size = text.size();
  std::string bytes(sizeof(size), '\0');
  std::memcpy(bytes.data(), &size, sizeof(size)); // little-endian, as we are
  return bytes + text;
}

} // namespace

Status writeSafetensors(const std::string &path,
                        std::span<const SafetensorsTensor> tensors,
                        const std::map<std::string, std::string> &metadata,
                        const TensorProducer &produce) {
  TENON_ASSIGN_OR_RETURN(std::string head, header(tensors, metadata));
  PendingFile file(path);
  bool isWritten = file.isOpen() && file.write(head.data(), head.size());
  for (size_t i = 0; isWritten && i < tensors.size(); ++i) {
    TENON_ASSIGN_OR_RETURN(std::span<const uint8_t> data, produce(i));
    TENON_RETURN_IF_ERROR(checkSize(tensors[i], data.size()));
    isWritten = file.write(data.data(), data.size());
  }
  if (isWritten && file.commit())
    return Status();
  return unavailable("expects to write '", path,
                     "', got: ", std::strerror(errno));
}

Status writeSafetensors(const std::string &path,
                        std::span<const SafetensorsTensor> tensors,
                        const std::map<std::string, std::string> &metadata) {
  // Before anything is written.
  for (const SafetensorsTensor &tensor : tensors)
    TENON_RETURN_IF_ERROR(checkSize(tensor, tensor.data.size()));
  return writeSafetensors(path, tensors, metadata,
                          [&](size_t i) -> StatusOr<std::span<const uint8_t>> {
                            return tensors[i].data;
                          });
}

} // namespace tenon::io
