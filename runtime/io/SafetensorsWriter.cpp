//===- SafetensorsWriter.cpp - Writes a safetensors file ------------------===//

#include "runtime/io/SafetensorsWriter.h"

#include "runtime/io/Json.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

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
    if (static_cast<uint64_t>(bytes) != tensor.data.size())
      return invalidArgument("safetensors: expects ", bytes, " bytes of '",
                             tensor.name, "', got ", tensor.data.size());
    uint64_t end = offset + tensor.data.size();
    json[tensor.name] = {{"dtype", type->second},
                         {"shape", tensor.shape},
                         {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text =
      json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  text.resize((text.size() + 7) / 8 * 8, ' ');
  uint64_t size = text.size();
  std::string bytes(sizeof(size), '\0');
  std::memcpy(bytes.data(), &size, sizeof(size)); // little-endian, as we are
  return bytes + text;
}

/// A file under another name until it is whole.
class PendingFile {
public:
  explicit PendingFile(const std::string &target)
      : path(target), partial(target + ".partial"),
        file(::open(partial.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
                    0644)) {}
  ~PendingFile() {
    if (file < 0)
      return;
    ::close(file);
    ::unlink(partial.c_str());
  }
  PendingFile(const PendingFile &) = delete;
  PendingFile &operator=(const PendingFile &) = delete;

  bool isOpen() const { return file >= 0; }
  bool write(const void *data, size_t size) {
    const char *next = static_cast<const char *>(data);
    constexpr size_t kMost = size_t{1} << 30; // of one call
    while (size > 0) {
      ssize_t written = ::write(file, next, std::min(size, kMost));
      if (written < 0 && errno == EINTR)
        continue;
      if (written < 0)
        return false;
      next += written;
      size -= written;
    }
    return true;
  }
  bool commit() {
    if (::fsync(file) != 0 || ::close(file) != 0)
      return false;
    file = -1;
    return ::rename(partial.c_str(), path.c_str()) == 0;
  }

private:
  std::string path, partial;
  int file;
};

} // namespace

Status writeSafetensors(const std::string &path,
                        std::span<const SafetensorsTensor> tensors,
                        const std::map<std::string, std::string> &metadata) {
  TENON_ASSIGN_OR_RETURN(std::string head, header(tensors, metadata));
  PendingFile file(path);
  bool isWritten = file.isOpen() && file.write(head.data(), head.size());
  for (const SafetensorsTensor &tensor : tensors)
    isWritten = isWritten && file.write(tensor.data.data(), tensor.data.size());
  if (isWritten && file.commit())
    return Status();
  return unavailable("expects to write '", path,
                     "', got: ", std::strerror(errno));
}

} // namespace tenon::io
