//===- SyntheticQwen.h - A Qwen2 of any depth, without data -----*- C++ -*-===//
//
//   SyntheticQwen files(/*layers=*/64);
//   auto model = ModelFiles::open(files.path());
//
//===----------------------------------------------------------------------===//

#ifndef TENON_BENCHMARKS_SYNTHETICQWEN_H
#define TENON_BENCHMARKS_SYNTHETICQWEN_H

#include "tests/support/TempFolder.h"

#include <cstdint>
#include <string>

namespace tenon::benchmarks {

/// A safetensors folder with the sizes of Qwen2.5-0.5B but `layers` layers. The
/// weights are a hole in the file: zeros that take no space on disk.
class SyntheticQwen {
public:
  explicit SyntheticQwen(int64_t layers);
  std::string path() const { return folder.path(); }

private:
  tests::TempFolder folder;
};

} // namespace tenon::benchmarks
#endif // TENON_BENCHMARKS_SYNTHETICQWEN_H
