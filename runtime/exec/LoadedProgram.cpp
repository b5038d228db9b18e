//===- LoadedProgram.cpp - A program, its code and its sections -----------===//

#include "runtime/exec/LoadedProgram.h"
#include "runtime/hal/cpu/CpuFeatures.h"
#include "runtime/io/MappedFile.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace tenon::exec {
namespace {

constexpr int64_t kAlignment = 64; // a cache line, and the widest vector

/// Bytes of that alignment, from the C library: they are not a device's.
StatusOr<hal::Memory> alignedCopy(const std::string &bytes) {
  size_t size = (bytes.size() + kAlignment) / kAlignment * kAlignment;
  void *data = std::aligned_alloc(kAlignment, size);
  if (!data)
    return resourceExhausted("expects ", size, " bytes for constants");
  std::memcpy(data, bytes.data(), bytes.size());
  return hal::Memory(data, size, [](void *p, size_t) { std::free(p); });
}

const base::Section *find(const std::vector<base::Section> &sections,
                          base::SectionKind kind) {
  for (const base::Section &section : sections)
    if (section.kind == kind)
      return &section;
  return nullptr;
}

/// The most capable code of the file that may run here.
StatusOr<const base::Section *>
chooseCode(const std::vector<base::Section> &sections,
           base::CpuFeatures allowed) {
  const base::Section *best = nullptr;
  std::string held;
  for (const base::Section &section : sections) {
    if (section.kind != base::SectionKind::Code)
      continue;
    auto features = static_cast<base::CpuFeatures>(section.tag);
    held +=
        std::string(held.empty() ? "" : ", ") + base::cpuFeaturesName(features);
    if (features <= allowed && (!best || section.tag > best->tag))
      best = &section;
  }
  if (!best)
    return unavailable("expects code for ", base::cpuFeaturesName(allowed),
                       " or less, the file holds ",
                       held.empty() ? "none" : held);
  return best;
}

} // namespace

StatusOr<std::shared_ptr<const LoadedProgram>>
LoadedProgram::create(base::Program program, Code code) {
  TENON_RETURN_IF_ERROR(verify(program));
  auto loaded = std::make_shared<LoadedProgram>();
  loaded->data = std::move(program);
  loaded->code = std::move(code);
  TENON_ASSIGN_OR_RETURN(loaded->constantMemory,
                         alignedCopy(loaded->data.constants));
  return std::shared_ptr<const LoadedProgram>(std::move(loaded));
}

StatusOr<std::shared_ptr<const LoadedProgram>>
LoadedProgram::open(const std::string &path,
                    std::optional<base::CpuFeatures> most) {
  TENON_ASSIGN_OR_RETURN(io::MappedFile mapped, io::MappedFile::open(path));
  auto file = std::make_shared<const io::MappedFile>(std::move(mapped));
  auto inFile = [&](Status status) { return status.withContext(path); };
  auto sections =
      base::readContainer(file->bytes().data(), file->bytes().size());
  if (!sections.ok())
    return inFile(sections.status());
  const base::Section *stored = find(*sections, base::SectionKind::Program);
  if (!stored)
    return dataLoss(path, ": expects a program section, got none");
  StatusOr<base::Program> program = base::parse(stored->data, stored->size);
  if (!program.ok())
    return inFile(program.status());
  TENON_ASSIGN_OR_RETURN(base::CpuFeatures machine, hal::detectCpuFeatures());
  auto chosen =
      chooseCode(*sections, std::min(machine, most.value_or(machine)));
  if (!chosen.ok())
    return inFile(chosen.status());
  StatusOr<Code> code =
      Code::fromElf(*program, (*chosen)->data, (*chosen)->size);
  if (!code.ok())
    return inFile(code.status());

  auto loaded = std::make_shared<LoadedProgram>();
  loaded->codeFeatures = static_cast<base::CpuFeatures>((*chosen)->tag);
  loaded->data = *std::move(program);
  loaded->code = *std::move(code);
  loaded->file = std::move(file);
  loaded->sections = *std::move(sections);
  TENON_ASSIGN_OR_RETURN(loaded->constantMemory,
                         alignedCopy(loaded->data.constants));
  return std::shared_ptr<const LoadedProgram>(std::move(loaded));
}

std::span<const std::byte>
LoadedProgram::section(base::SectionKind kind) const {
  const base::Section *found = find(sections, kind);
  if (!found)
    return {};
  return {static_cast<const std::byte *>(found->data), found->size};
}

StatusOr<PreparedLayout> layoutPrepared(const base::Program &program) {
  PreparedLayout layout;
  for (const base::Prepared &prepared : program.prepared) {
    layout.offsets.push_back(layout.sizeBytes);
    if (prepared.sizeBytes > INT64_MAX - kAlignment - layout.sizeBytes)
      return outOfRange("the prepared values exceed 2^63 bytes at '",
                        prepared.name, "'");
    layout.sizeBytes +=
        (prepared.sizeBytes + kAlignment - 1) / kAlignment * kAlignment;
  }
  return layout;
}

} // namespace tenon::exec
