//===- GgufFuzzer.cpp - GGUF files from strangers -------------------------===//

#include "runtime/io/Gguf.h"
#include "runtime/io/WeightsFile.h"

using namespace tenon;

// Reads what was accepted, so that a wrong bound is an error of the sanitizer.
static void readAll(const io::Metadata &metadata) {
  for (std::string_view key : metadata.keys()) {
    (void)metadata.getBool(key).ok();
    (void)metadata.getInt(key).ok();
    (void)metadata.getFloat(key).ok();
    (void)metadata.getString(key).ok();
    (void)metadata.getInts(key).ok();
    (void)metadata.getFloats(key).ok();
    (void)metadata.getStrings(key).ok();
  }
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  StatusOr<io::WeightsFile> file = io::WeightsFile::parse({data, size}, "fuzz");
  (void)io::GgufFile::parse({data, size}, "fuzz").ok();
  if (!file.ok())
    return 0;
  readAll(file->metadata());
  std::vector<float> floats;
  for (const io::TensorEntry &tensor : file->tensors()) {
    floats.resize(static_cast<size_t>(tensor.elements()));
    (void)base::unpack(tensor.type, tensor.data.data(), tensor.elements(),
                       floats.data())
        .ok();
    if (file->find(tensor.name) != &tensor)
      __builtin_trap();
  }
  return 0;
}
