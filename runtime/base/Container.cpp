//===- Container.cpp - The .tenon file ------------------------------------===//

#include "runtime/base/Container.h"
#include "runtime/base/Hash.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace tenon::base {
namespace {

constexpr char kMagic[8] = {'T', 'E', 'N', 'O', 'N', '\0', '\r', '\n'};
constexpr uint32_t kMajor = 1, kMinor = 0;
constexpr size_t kHeaderBytes = 24, kRowBytes = 40, kHashBytes = 16;
constexpr uint64_t kAlignment = 4096; // a page, so that a mapping is aligned
constexpr uint32_t kMaxSections = 1024;

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
              "numbers are stored as they lie in memory");

template <typename T> T readAt(const char *bytes, size_t offset) {
  T value;
  std::memcpy(&value, bytes + offset, sizeof(T));
  return value;
}

template <typename T> void append(std::string &out, T value) {
  out.append(reinterpret_cast<const char *>(&value), sizeof(T));
}

Hash128 readHash(const char *bytes, size_t offset) {
  return {readAt<uint64_t>(bytes, offset), readAt<uint64_t>(bytes, offset + 8)};
}

void appendHash(std::string &out, const void *bytes, size_t size) {
  Hash128 hash = hashBytes(bytes, size);
  append(out, hash.low);
  append(out, hash.high);
}

uint64_t alignUp(uint64_t offset) {
  return (offset + kAlignment - 1) / kAlignment * kAlignment;
}

std::string header(const std::vector<Section> &sections) {
  std::string out(kMagic, sizeof(kMagic));
  append(out, kMajor);
  append(out, kMinor);
  append(out, static_cast<uint32_t>(sections.size()));
  append(out, uint32_t{0});
  uint64_t offset =
      alignUp(kHeaderBytes + sections.size() * kRowBytes + kHashBytes);
  for (const Section &section : sections) {
    append(out, static_cast<uint32_t>(section.kind));
    append(out, section.tag);
    append(out, offset);
    append(out, section.size);
    appendHash(out, section.data, section.size);
    offset = alignUp(offset + section.size);
  }
  appendHash(out, out.data(), out.size());
  return out;
}

/// A file that exists under its name only when it is whole.
class PendingFile {
public:
  explicit PendingFile(const std::string &path)
      : path(path), temporary(path + ".XXXXXX") {
    descriptor = mkostemp(temporary.data(), O_CLOEXEC);
  }
  ~PendingFile() {
    if (descriptor < 0)
      return;
    close(descriptor);
    unlink(temporary.c_str());
  }
  PendingFile(const PendingFile &) = delete;
  PendingFile &operator=(const PendingFile &) = delete;

  bool isOpen() const { return descriptor >= 0; }

  bool write(const void *bytes, uint64_t size) {
    auto *from = static_cast<const char *>(bytes);
    while (size > 0) {
      ssize_t written = ::write(descriptor, from, size);
      if (written < 0 && errno == EINTR)
        continue;
      if (written <= 0)
        return false;
      from += written;
      size -= written;
      position += written;
    }
    return true;
  }

  bool pad() {
    static constexpr char zeros[kAlignment] = {};
    return write(zeros, alignUp(position) - position);
  }

  bool commit() {
    mode_t mask = umask(0); // mkostemp makes files nobody else may read
    umask(mask);
    bool done = fchmod(descriptor, 0666 & ~mask) == 0 &&
                fsync(descriptor) == 0 &&
                rename(temporary.c_str(), path.c_str()) == 0;
    if (done) {
      close(descriptor);
      descriptor = -1;
    }
    return done;
  }

private:
  std::string path, temporary;
  int descriptor = -1;
  uint64_t position = 0;
};

struct Row {
  Section section;
  Hash128 hash;
};

/// Checks everything before the table's rows; returns how many there are.
StatusOr<uint32_t> readHeader(const char *bytes, size_t size) {
  if (size < kHeaderBytes || std::memcmp(bytes, kMagic, sizeof(kMagic)) != 0)
    return dataLoss("expects a .tenon file, got another kind");
  auto major = readAt<uint32_t>(bytes, 8);
  if (major != kMajor)
    return unimplemented("expects a .tenon file of version ", kMajor,
                         ".x, got ", major, ".", readAt<uint32_t>(bytes, 12));
  auto count = readAt<uint32_t>(bytes, 16);
  if (count > kMaxSections)
    return dataLoss("expects at most ", kMaxSections, " sections, got ", count);
  size_t table = kHeaderBytes + count * kRowBytes;
  if (size < table + kHashBytes)
    return dataLoss("expects a table of ", count, " sections, got ", size,
                    " bytes in all");
  if (readHash(bytes, table) != hashBytes(bytes, table))
    return dataLoss("expects an undamaged section table, its hash differs");
  return count;
}

bool isKnown(SectionKind kind) {
  return kind >= SectionKind::Program && kind <= SectionKind::Parameters;
}

StatusOr<std::vector<Row>> readRows(const char *bytes, size_t size) {
  TENON_ASSIGN_OR_RETURN(uint32_t count, readHeader(bytes, size));
  bool newer = readAt<uint32_t>(bytes, 12) > kMinor;
  std::vector<Row> rows;
  for (uint32_t i = 0; i < count; ++i) {
    size_t at = kHeaderBytes + i * kRowBytes;
    Row row;
    row.section.kind = static_cast<SectionKind>(readAt<uint32_t>(bytes, at));
    row.section.tag = readAt<uint32_t>(bytes, at + 4);
    auto offset = readAt<uint64_t>(bytes, at + 8);
    row.section.size = readAt<uint64_t>(bytes, at + 16);
    row.hash = readHash(bytes, at + 24);
    if (offset % kAlignment || offset > size ||
        row.section.size > size - offset)
      return dataLoss("section ", i, " expects to lie in ", size,
                      " bytes at a multiple of ", kAlignment, ", got [", offset,
                      ", +", row.section.size, "]");
    row.section.data = bytes + offset;
    if (isKnown(row.section.kind)) {
      rows.push_back(row);
      continue;
    }
    if (!newer)
      return dataLoss("section ", i, " expects a known kind, got ",
                      static_cast<uint32_t>(row.section.kind));
  }
  return rows;
}

Status checkHash(const Row &row) {
  if (hashBytes(row.section.data, row.section.size) == row.hash)
    return Status();
  return dataLoss("expects an undamaged section of kind ",
                  static_cast<uint32_t>(row.section.kind),
                  ", its hash differs");
}

} // namespace

const char *cpuFeaturesName(CpuFeatures features) {
  switch (features) {
  case CpuFeatures::V3:
    return "v3";
  case CpuFeatures::V4:
    return "v4";
  case CpuFeatures::V4Vnni:
    return "v4-vnni";
  }
  return "unknown";
}

StatusOr<CpuFeatures> parseCpuFeatures(const std::string &name) {
  for (CpuFeatures features :
       {CpuFeatures::V3, CpuFeatures::V4, CpuFeatures::V4Vnni})
    if (name == cpuFeaturesName(features))
      return features;
  return invalidArgument("expects v3, v4 or v4-vnni, got '", name, "'");
}

Status writeContainer(const std::string &path,
                      const std::vector<Section> &sections) {
  if (sections.size() > kMaxSections)
    return invalidArgument("expects at most ", kMaxSections, " sections, got ",
                           sections.size());
  PendingFile file(path);
  auto failed = [&] {
    return unavailable("expects to write '", path, "', got '",
                       std::strerror(errno), "'");
  };
  if (!file.isOpen())
    return failed();
  std::string table = header(sections);
  if (!file.write(table.data(), table.size()))
    return failed();
  for (const Section &section : sections)
    if (!file.pad() || !file.write(section.data, section.size))
      return failed();
  // A reader of sections of size 0 at the end expects their offset to exist.
  return file.pad() && file.commit() ? Status() : failed();
}

StatusOr<std::vector<Section>> readContainer(const void *bytes, size_t size) {
  TENON_ASSIGN_OR_RETURN(std::vector<Row> rows,
                         readRows(static_cast<const char *>(bytes), size));
  std::vector<Section> sections;
  for (const Row &row : rows) {
    if (row.section.kind == SectionKind::Program ||
        row.section.kind == SectionKind::Code)
      TENON_RETURN_IF_ERROR(checkHash(row));
    sections.push_back(row.section);
  }
  return sections;
}

Status verifyContainer(const void *bytes, size_t size) {
  TENON_ASSIGN_OR_RETURN(std::vector<Row> rows,
                         readRows(static_cast<const char *>(bytes), size));
  for (const Row &row : rows)
    TENON_RETURN_IF_ERROR(checkHash(row));
  return Status();
}

} // namespace tenon::base
