//===- PendingFile.h - A file that appears whole or not at all ------------===//

#ifndef TENON_IO_PENDINGFILE_H
#define TENON_IO_PENDINGFILE_H

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <string>
#include <unistd.h>

namespace tenon::io {

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
  /// False, with errno set, where it cannot.
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
  /// Puts the bytes on the disk, then the file in its place. False, with errno
  /// set, where it cannot.
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

} // namespace tenon::io
#endif // TENON_IO_PENDINGFILE_H
