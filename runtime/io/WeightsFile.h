//===- WeightsFile.h - Tensors of a model, whatever their format ----------===//
//
//   TENON_ASSIGN_OR_RETURN(WeightsFile weights,
//   WeightsFile::open("model.gguf")); TENON_ASSIGN_OR_RETURN(const TensorEntry
//   *embedding,
//                          weights.tensor("token_embd.weight"));
//   // embedding->type, ->shape (outermost first), ->data (zero copy, but
//   // for the weights that PackedWeights.h and StackedWeights.h join)
//
// A path is one of
//   model.gguf                        GGUF, or the first of a split set
//   model.safetensors                 one file
//   model.safetensors.index.json      a sharded set
//   folder/                           one of the above, found inside
//
//===----------------------------------------------------------------------===//

#ifndef TENON_IO_WEIGHTSFILE_H
#define TENON_IO_WEIGHTSFILE_H

#include "runtime/io/MappedFile.h"
#include "runtime/io/Metadata.h"
#include "runtime/io/TensorTable.h"

namespace tenon::io {

enum class WeightsFormat { Gguf, Safetensors };

/// An XXH3-128 value.
struct ContentHash {
  uint64_t low = 0, high = 0;

  bool operator==(const ContentHash &) const = default;
  /// 32 hexadecimal digits, the high half first.
  std::string toHex() const;
};

/// A model's weights: one table over all its files, which stay mapped.
/// Owns: the mappings and the packed weights; every span and view dies with it.
/// Moving keeps them.
/// Threads: any may read.
class WeightsFile {
public:
  /// Opens `path`, maps its files and verifies their headers and tables.
  /// Errors: NOT_FOUND, INVALID_ARGUMENT (neither format), DATA_LOSS (corrupt
  ///         or cut short), UNIMPLEMENTED (a type or version Tenon has not),
  ///         OUT_OF_RANGE (a packed weight's scale).
  static StatusOr<WeightsFile> open(const std::string &path);

  /// Parses a single file already in memory, which must outlive the result.
  static StatusOr<WeightsFile> parse(std::span<const uint8_t> bytes,
                                     const std::string &source);

  WeightsFormat format() const { return fileFormat; }

  /// What was opened, as messages name it.
  const std::string &path() const { return values.source(); }

  /// The files, in the order that TensorEntry::file counts.
  const std::vector<std::string> &files() const { return filePaths; }

  /// GGUF's metadata, or "__metadata__" of safetensors (of the first file).
  const Metadata &metadata() const { return values; }

  const std::vector<TensorEntry> &tensors() const { return table.tensors(); }

  /// Returns the tensor called `name`, or null.
  const TensorEntry *find(std::string_view name) const {
    return table.find(name);
  }

  /// Returns the tensor called `name`.
  /// Errors: NOT_FOUND, naming file and tensor.
  StatusOr<const TensorEntry *> tensor(std::string_view name) const;

  /// Identifies the weights without reading them: the hash of every file's
  /// header, metadata and table, and size.
  ContentHash contentHash() const { return hash; }

  /// Lets the pages of a tensor go; it stays readable.
  void release(const TensorEntry &tensor) const;

private:
  struct Part;

  WeightsFile() = default;
  static StatusOr<WeightsFile> openGguf(const std::string &path,
                                        MappedFile first);
  static StatusOr<WeightsFile> openSharded(const std::string &indexPath);
  static StatusOr<WeightsFile>
  join(std::vector<Part> parts, const std::string &path, WeightsFormat format);

  WeightsFormat fileFormat = WeightsFormat::Gguf;
  std::vector<MappedFile> mappings;         // empty when the bytes are borrowed
  std::vector<std::vector<uint8_t>> joined; // of several tensors
  std::vector<std::string> filePaths;
  Metadata values;
  TensorTable table;
  ContentHash hash;
};

} // namespace tenon::io

#endif // TENON_IO_WEIGHTSFILE_H
