//===- SafetensorsFuzzer.cpp - safetensors files from strangers -----------===//

#include "runtime/io/ModelConfig.h"
#include "runtime/io/PackedWeights.h"
#include "runtime/io/Safetensors.h"

using namespace tenon;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  // The same bytes as an index and as a configuration, which are JSON too.
  std::string_view text(reinterpret_cast<const char *>(data), size);
  (void)io::parseSafetensorsIndex(text, "fuzz").ok();
  (void)io::ModelConfig::parse(text, "fuzz").ok();

  StatusOr<io::SafetensorsFile> file =
      io::SafetensorsFile::parse({data, size}, "fuzz");
  if (!file.ok())
    return 0;
  uint64_t covered = file->header().size();
  for (const io::TensorEntry &tensor : file->tensors().tensors()) {
    covered += tensor.data.size();
    uint8_t sum = 0;
    for (uint8_t byte : tensor.data)
      sum = static_cast<uint8_t>(sum + byte);
    if (sum == 1 && tensor.data.data() == nullptr)
      __builtin_trap();
  }
  if (covered != size)
    __builtin_trap();
  std::vector<io::TensorEntry> tensors = file->tensors().tensors();
  (void)io::joinPackedWeights(tensors, "fuzz").ok();
  return 0;
}
