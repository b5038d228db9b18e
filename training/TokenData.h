//===- TokenData.h - A data set of tokens -----------------------*- C++ -*-===//
//
// A safetensors file with
//   tokens     i32 [N]
//   documents  i64 [D + 1]  where each document begins, and N; absent: the
//                           tokens are one text, cut anywhere
//   learned    i64 [D]      the first token of each document that is learned,
//                           counted in it; absent: 1
// and the metadata "vocabulary" (tokens are below it) and "tokenizer".
//
//===----------------------------------------------------------------------===//

#ifndef TENON_TRAINING_TOKENDATA_H
#define TENON_TRAINING_TOKENDATA_H

#include "runtime/exec/Trainer.h"
#include "runtime/io/WeightsFile.h"

namespace tenon::training {

/// Stays on disk: it is mapped.
/// Owns: the mapping; its spans die with it.
/// Threads: any may read.
class TokenData {
public:
  /// Errors: NOT_FOUND, DATA_LOSS (damaged, or it contradicts itself).
  static StatusOr<TokenData> open(const std::string &path);

  const std::string &path() const { return file.path(); }
  std::span<const int32_t> tokens() const { return ids; }
  bool hasDocuments() const { return !starts.empty(); }
  int64_t vocabulary() const { return width; }

  /// How many sequences of up to `length` inputs it has: documents, or pieces
  /// that share no input.
  int64_t sequences(int64_t length) const;
  /// One of them; a document is cut after `length` inputs, and may then have
  /// nothing to learn.
  exec::TrainSequence sequence(int64_t index, int64_t length) const;

private:
  explicit TokenData(io::WeightsFile opened) : file(std::move(opened)) {}
  Status read();

  io::WeightsFile file;
  std::span<const int32_t> ids;
  std::span<const int64_t> starts, firsts;
  int64_t width = 0;
};

/// A data set that is being made.
struct TokenDataContents {
  std::vector<int32_t> tokens;
  std::vector<int64_t> documents, learned; // both empty, or as in the file
  int64_t vocabulary = 0;
  std::string tokenizer; // for people
};

/// Writes it, whole or not at all. Errors: UNAVAILABLE.
Status writeTokenData(const std::string &path,
                      const TokenDataContents &contents);

} // namespace tenon::training
#endif // TENON_TRAINING_TOKENDATA_H
