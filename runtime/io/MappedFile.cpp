//===- MappedFile.cpp - A file's bytes without reading them ---------------===//

#include "runtime/io/MappedFile.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace tenon::io {

namespace {

Status failure(const std::string &path, std::string_view action, int error) {
  std::string text =
      concat(path, ": cannot ", action, ": ", std::strerror(error));
  if (error == ENOENT || error == ENOTDIR)
    return Status(TENON_NOT_FOUND, std::move(text));
  return Status(TENON_UNAVAILABLE, std::move(text));
}

} // namespace

StatusOr<MappedFile> MappedFile::open(const std::string &path) {
  // O_NONBLOCK: opening a FIFO by mistake must not hang.
  int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0)
    return failure(path, "open", errno);
  struct stat about = {};
  if (::fstat(fd, &about) != 0) {
    int error = errno;
    ::close(fd);
    return failure(path, "inspect", error);
  }
  if (!S_ISREG(about.st_mode)) {
    ::close(fd);
    return invalidArgument(path, ": expects a regular file");
  }
  size_t size = static_cast<size_t>(about.st_size);
  if (size == 0) { // mmap refuses an empty range.
    ::close(fd);
    return MappedFile(nullptr, 0);
  }
  void *mapped = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
  int error = errno;
  ::close(fd);
  if (mapped == MAP_FAILED)
    return failure(path, "map", error);
  return MappedFile(static_cast<const uint8_t *>(mapped), size);
}

MappedFile::MappedFile(MappedFile &&other) noexcept
    : data(std::exchange(other.data, nullptr)),
      size(std::exchange(other.size, 0)) {}

MappedFile &MappedFile::operator=(MappedFile &&other) noexcept {
  std::swap(data, other.data);
  std::swap(size, other.size);
  return *this;
}

MappedFile::~MappedFile() {
  if (data)
    ::munmap(const_cast<uint8_t *>(data), size);
}

void MappedFile::release(std::span<const uint8_t> part) const {
  // Only whole pages can go; a page shared with a neighbour stays.
  uintptr_t page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  auto begin = reinterpret_cast<uintptr_t>(part.data());
  uintptr_t end = (begin + part.size()) / page * page;
  begin = (begin + page - 1) / page * page;
  if (begin < end)
    ::madvise(reinterpret_cast<void *>(begin), end - begin, MADV_DONTNEED);
}

StatusOr<std::string> readFile(const std::string &path, size_t maxBytes) {
  TENON_ASSIGN_OR_RETURN(MappedFile file, MappedFile::open(path));
  std::span<const uint8_t> bytes = file.bytes();
  if (bytes.size() > maxBytes)
    return resourceExhausted(path, ": expects at most ", maxBytes,
                             " bytes, got ", bytes.size());
  return std::string(reinterpret_cast<const char *>(bytes.data()),
                     bytes.size());
}

} // namespace tenon::io
