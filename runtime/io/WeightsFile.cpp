//===- WeightsFile.cpp - Tensors of a model, whatever their format --------===//

#include "runtime/io/WeightsFile.h"

#include "runtime/io/Float8Weights.h"
#include "runtime/io/Gguf.h"
#include "runtime/io/PackedWeights.h"
#include "runtime/io/Safetensors.h"
#include "runtime/io/StackedWeights.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <set>

namespace tenon::io {

namespace fs = std::filesystem;

// One parsed file of a set.
struct WeightsFile::Part {
  std::string path;
  std::optional<MappedFile> mapping;
  Metadata metadata;
  std::vector<TensorEntry> tensors;
  ContentHash hash;
};

namespace {

constexpr size_t kMaxIndexBytes = size_t{64} << 20;
constexpr int64_t kMaxSplits = 10000; // the format's own five digits
constexpr std::string_view kIndexSuffix = ".safetensors.index.json";

bool isGguf(std::span<const uint8_t> bytes) {
  return bytes.size() >= 4 && std::equal(bytes.begin(), bytes.begin() + 4,
                                         std::string_view("GGUF").begin());
}

// A safetensors file has no magic: a small length, then '{'.
bool looksLikeSafetensors(std::span<const uint8_t> bytes) {
  return bytes.size() > 8 && bytes[8] == '{';
}

ContentHash hashOf(std::span<const uint8_t> header, uint64_t fileBytes) {
  XXH128_hash_t value =
      XXH3_128bits_withSeed(header.data(), header.size(), fileBytes);
  return {value.low64, value.high64};
}

template <typename Part, typename File>
Part makePart(const std::string &path, std::span<const uint8_t> bytes,
              File file, Metadata metadata) {
  Part part;
  part.path = path;
  part.metadata = std::move(metadata);
  part.tensors = file.tensors().tensors();
  part.hash = hashOf(file.header(), bytes.size());
  return part;
}

// Finds what `folder` holds: a sharded set, one safetensors file, or one GGUF.
StatusOr<std::string> findInFolder(const std::string &folder) {
  for (const char *name : {"model.safetensors.index.json", "model.safetensors"})
    if (std::error_code error; fs::exists(fs::path(folder) / name, error))
      return (fs::path(folder) / name).string();
  std::set<std::string> found; // ascending, so that a split set's first leads
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end;
       it.increment(error))
    if (it->path().extension() == ".gguf")
      found.insert(it->path().string());
  bool isSplit =
      !found.empty() && found.begin()->find("-00001-of-") != std::string::npos;
  if (found.size() == 1 || isSplit)
    return *found.begin();
  return notFound(folder,
                  ": expects model.safetensors.index.json, "
                  "model.safetensors or one .gguf file, got ",
                  found.size(), " .gguf files");
}

// Names file `number`, from 1, of the split set that `first` opens.
StatusOr<std::string> splitPath(const std::string &first, int64_t number,
                                int64_t count) {
  char suffix[64];
  std::snprintf(suffix, sizeof(suffix), "-%05d-of-%05d.gguf", 1,
                static_cast<int>(count));
  std::string_view wanted = suffix;
  if (!first.ends_with(wanted))
    return invalidArgument(first, ": expects the first of ", count,
                           " files to end in \"", wanted, "\"");
  std::string stem = first.substr(0, first.size() - wanted.size());
  std::snprintf(suffix, sizeof(suffix), "-%05d-of-%05d.gguf",
                static_cast<int>(number), static_cast<int>(count));
  return stem + suffix;
}

} // namespace

std::string ContentHash::toHex() const {
  char text[33];
  std::snprintf(text, sizeof(text), "%016llx%016llx",
                static_cast<unsigned long long>(high),
                static_cast<unsigned long long>(low));
  return text;
}

StatusOr<WeightsFile> WeightsFile::parse(std::span<const uint8_t> bytes,
                                         const std::string &source) {
  std::vector<Part> parts;
  if (isGguf(bytes)) {
    TENON_ASSIGN_OR_RETURN(GgufFile file, GgufFile::parse(bytes, source));
    Metadata metadata = file.takeMetadata();
    parts.push_back(
        makePart<Part>(source, bytes, std::move(file), std::move(metadata)));
    return join(std::move(parts), source, WeightsFormat::Gguf);
  }
  if (!looksLikeSafetensors(bytes))
    return invalidArgument(source, ": expects a GGUF or safetensors file");
  TENON_ASSIGN_OR_RETURN(SafetensorsFile file,
                         SafetensorsFile::parse(bytes, source));
  Metadata metadata = file.takeMetadata();
  parts.push_back(
      makePart<Part>(source, bytes, std::move(file), std::move(metadata)));
  return join(std::move(parts), source, WeightsFormat::Safetensors);
}

StatusOr<WeightsFile> WeightsFile::open(const std::string &path) {
  std::error_code error;
  if (fs::is_directory(path, error)) {
    TENON_ASSIGN_OR_RETURN(std::string found, findInFolder(path));
    return open(found);
  }
  if (path.ends_with(kIndexSuffix))
    return openSharded(path);
  TENON_ASSIGN_OR_RETURN(MappedFile file, MappedFile::open(path));
  if (isGguf(file.bytes()))
    return openGguf(path, std::move(file));
  TENON_ASSIGN_OR_RETURN(WeightsFile weights, parse(file.bytes(), path));
  weights.mappings.push_back(std::move(file));
  return weights;
}

StatusOr<WeightsFile> WeightsFile::openGguf(const std::string &path,
                                            MappedFile first) {
  TENON_ASSIGN_OR_RETURN(WeightsFile whole, parse(first.bytes(), path));
  TENON_ASSIGN_OR_RETURN(int64_t count, whole.values.getInt("split.count", 1));
  if (count <= 1) {
    whole.mappings.push_back(std::move(first));
    return whole;
  }
  if (count > kMaxSplits)
    return dataLoss(path, ": expects \"split.count\" of at most ", kMaxSplits,
                    ", got ", count);
  std::vector<Part> parts;
  for (int64_t i = 0; i < count; ++i) {
    TENON_ASSIGN_OR_RETURN(std::string name, splitPath(path, i + 1, count));
    TENON_ASSIGN_OR_RETURN(MappedFile mapped, MappedFile::open(name));
    TENON_ASSIGN_OR_RETURN(GgufFile file,
                           GgufFile::parse(mapped.bytes(), name));
    TENON_ASSIGN_OR_RETURN(int64_t number, file.metadata().getInt("split.no"));
    if (number != i)
      return dataLoss(name, ": expects \"split.no\" to be ", i, ", got ",
                      number);
    Metadata metadata = file.takeMetadata();
    parts.push_back(makePart<Part>(name, mapped.bytes(), std::move(file),
                                   std::move(metadata)));
    parts.back().mapping = std::move(mapped);
  }
  return join(std::move(parts), path, WeightsFormat::Gguf);
}

StatusOr<WeightsFile> WeightsFile::openSharded(const std::string &indexPath) {
  TENON_ASSIGN_OR_RETURN(std::string text, readFile(indexPath, kMaxIndexBytes));
  TENON_ASSIGN_OR_RETURN(SafetensorsIndex index,
                         parseSafetensorsIndex(text, indexPath));
  std::vector<Part> parts;
  std::vector<std::vector<TensorEntry>> listed(index.files.size());
  std::vector<TensorTable> tables;
  for (const std::string &name : index.files) {
    std::string path = (fs::path(indexPath).parent_path() / name).string();
    TENON_ASSIGN_OR_RETURN(MappedFile mapped, MappedFile::open(path));
    TENON_ASSIGN_OR_RETURN(SafetensorsFile file,
                           SafetensorsFile::parse(mapped.bytes(), path));
    tables.push_back(file.tensors());
    Metadata metadata = file.takeMetadata();
    parts.push_back(makePart<Part>(path, mapped.bytes(), std::move(file),
                                   std::move(metadata)));
    parts.back().mapping = std::move(mapped);
  }
  // The index decides which tensors exist; each must be where it says.
  for (const SafetensorsIndex::Entry &entry : index.entries) {
    const TensorEntry *found = tables[entry.file].find(entry.tensor);
    if (!found)
      return dataLoss(indexPath, ": expects tensor \"", entry.tensor, "\" in ",
                      index.files[entry.file], ", got none there");
    listed[entry.file].push_back(*found);
  }
  for (size_t i = 0; i < parts.size(); ++i)
    parts[i].tensors = std::move(listed[i]);
  return join(std::move(parts), indexPath, WeightsFormat::Safetensors);
}

StatusOr<WeightsFile> WeightsFile::join(std::vector<Part> parts,
                                        const std::string &path,
                                        WeightsFormat format) {
  WeightsFile weights;
  weights.fileFormat = format;
  weights.values =
      parts.empty() ? Metadata(path) : std::move(parts.front().metadata);
  std::vector<TensorEntry> tensors;
  std::vector<ContentHash> hashes;
  for (Part &part : parts) {
    auto number = static_cast<uint32_t>(weights.filePaths.size());
    for (TensorEntry &entry : part.tensors) {
      entry.file = number;
      tensors.push_back(std::move(entry));
    }
    hashes.push_back(part.hash);
    weights.filePaths.push_back(std::move(part.path));
    if (part.mapping)
      weights.mappings.push_back(std::move(*part.mapping));
  }
  if (format == WeightsFormat::Safetensors) {
    // Experts are stacked when each is a tensor of its own.
    for (auto join : {joinPackedWeights, joinFloat8Weights, stackExperts}) {
      TENON_ASSIGN_OR_RETURN(std::vector<std::vector<uint8_t>> built,
                             join(tensors, path));
      std::ranges::move(built, std::back_inserter(weights.joined));
    }
  }
  XXH128_hash_t all =
      XXH3_128bits(hashes.data(), hashes.size() * sizeof(ContentHash));
  weights.hash = {all.low64, all.high64};
  weights.values.rename(path);
  TENON_ASSIGN_OR_RETURN(weights.table,
                         TensorTable::create(std::move(tensors), path));
  return weights;
}

StatusOr<const TensorEntry *> WeightsFile::tensor(std::string_view name) const {
  if (const TensorEntry *found = find(name))
    return found;
  return notFound(path(), ": expects a tensor \"", name, "\", got none");
}

void WeightsFile::release(const TensorEntry &tensor) const {
  if (tensor.file >= mappings.size())
    return;
  // A joined weight lies outside.
  std::span<const uint8_t> file = mappings[tensor.file].bytes();
  if (std::less_equal()(file.data(), tensor.data.data()) &&
      std::less()(tensor.data.data(), file.data() + file.size()))
    mappings[tensor.file].release(tensor.data);
}

} // namespace tenon::io
