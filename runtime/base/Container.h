//===- Container.h - The .tenon file ----------------------------*- C++ -*-===//
//
// All numbers are little-endian:
//
//   magic "TENON\0\r\n"  u32 major  u32 minor  u32 sections  u32 zero
//   per section            u32 kind   u32 tag    u64 offset    u64 size
//                          u64 u64 XXH3-128 of its bytes, low half first
//   u64 u64                XXH3-128 of all of the above
//
// then the sections, each 4096-byte aligned, in the table's order. Another
// major version is refused; unknown kinds of a newer minor are ignored. Hashes
// of the table, program and code are checked on open; the weights' on request.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_BASE_CONTAINER_H
#define TENON_BASE_CONTAINER_H

#include "runtime/base/Program.h"
#include "runtime/base/Status.h"

#include <cstdint>
#include <string>
#include <vector>

namespace tenon::base {

enum class SectionKind : uint32_t {
  Program = 1,    // base::serialise
  Code = 2,       // an ELF shared object; `tag` is the CPU feature set
  Weights = 3,    // prepared memory, in the order of Program::prepared
  Tokenizer = 4,  // the tokenizer's metadata, as io/ stores it
  Reference = 5,  // JSON: file name and content hash of the weights
  Parameters = 6, // weights that other entries than `prepare` read
};

/// CPU feature sets code is compiled for; a machine that runs one runs all
/// before it.
enum class CpuFeatures : uint32_t {
  V3 = 0,     // x86-64-v3: AVX2, FMA, F16C
  V4 = 1,     // x86-64-v4: AVX-512 F/BW/CD/DQ/VL
  V4Vnni = 2, // v4 + VNNI + BF16
};
/// "v3", "v4", "v4-vnni"; "unknown" for another number.
const char *cpuFeaturesName(CpuFeatures features);
StatusOr<CpuFeatures> parseCpuFeatures(const std::string &name);

struct Section {
  SectionKind kind;
  uint32_t tag = 0;
  const void *data = nullptr; // borrowed from the file's mapping or the writer
  uint64_t size = 0;
};

/// Writes to a temporary file beside `path` and renames it: no partial file.
/// Errors: UNAVAILABLE (disk full, no permission), naming the path.
Status writeContainer(const std::string &path,
                      const std::vector<Section> &sections);

/// Reads the table of `bytes`, which must outlive the result; verifies magic,
/// version, bounds and the hashes of Program and Code.
/// Errors: DATA_LOSS, UNIMPLEMENTED (another major version).
StatusOr<std::vector<Section>> readContainer(const void *bytes, size_t size);

/// Checks the hash of every section, reading the whole file.
/// Errors: those of readContainer; DATA_LOSS, naming the section.
Status verifyContainer(const void *bytes, size_t size);

} // namespace tenon::base
#endif // TENON_BASE_CONTAINER_H
