//===- AdapterFile.h - An adapter's files, as PEFT writes them --*- C++ -*-===//
//
// A folder of adapter_model.safetensors, which has for each linear part that is
// adapted
//
//   base_model.model.PART.lora_A.weight [r, D], .lora_B.weight [N, r]
//   base_model.model.PART.adapter_down.weight [r, N], .adapter_up.weight [N, r]
//
// (of experts, in the files one PART for each, here the stack of them all:
// StackedWeights.h)
// with PART as in the safetensors of the model ("model.layers.0.mlp.up_proj"),
// and of adapter_config.json, of which are read
//
//   peft_type, r, lora_alpha, use_rslora     LoRA and rsLoRA
//   peft_type, bottleneck_size               bottlenecks
//
// Source: huggingface/peft, docs/source/developer_guides/checkpoint.md; the
// bottlenecks' members: AGI-Edgerunners/LLM-Adapters,
// peft/tuners/bottleneck.py.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_IO_ADAPTERFILE_H
#define TENON_IO_ADAPTERFILE_H

#include "runtime/io/SafetensorsWriter.h"
#include "runtime/io/WeightsFile.h"

namespace tenon::io {

inline constexpr std::string_view kAdapterPrefix = "base_model.model.";

/// Where safetensors have what GGUF files of some models have at `at` of a
/// part's results: there the two halves of each head, which rope turns, follow
/// each other; here they alternate.
inline int64_t placeInHalves(int64_t at, int64_t headWidth) {
  int64_t within = at % headWidth;
  return at - within + within % 2 * (headWidth / 2) + within / 2;
}

struct AdapterConfig {
  std::string kind = "lora"; ///< "lora", "rslora" or "bottleneck".
  int64_t rank = 0;
  double alpha = 0; ///< 0 for bottlenecks.

  /// What multiplies b (a x); 1 for bottlenecks.
  double scale() const;
  /// "lora of rank 16 and alpha 32"
  std::string print() const;
};

/// Owns: the weights' mapping.
class AdapterFile {
public:
  /// Opens the folder, or the adapter_model.safetensors in it.
  /// Errors: NOT_FOUND, DATA_LOSS (damaged), UNIMPLEMENTED (adapters of a kind
  ///         or with options that Tenon has not), INVALID_ARGUMENT (weights of
  ///         another rank than the configuration says).
  static StatusOr<AdapterFile> open(const std::string &path);

  const AdapterConfig &config() const { return settings; }
  const WeightsFile &weights() const { return file; }
  /// "model.layers.0.self_attn.q_proj", ..., in the order of the file.
  const std::vector<std::string> &parts() const { return names; }
  /// What was opened.
  const std::string &path() const { return file.path(); }

private:
  AdapterFile(AdapterConfig read, WeightsFile opened)
      : settings(std::move(read)), file(std::move(opened)) {}
  Status checkWeights();

  AdapterConfig settings;
  WeightsFile file;
  std::vector<std::string> names;
};

/// Writes an adapter's folder, which is made if there is none.
/// Errors: INVALID_ARGUMENT (a tensor of another name than above), UNAVAILABLE
///         (cannot write).
Status writeAdapter(const std::string &folder, const AdapterConfig &config,
                    std::span<const SafetensorsTensor> tensors);

} // namespace tenon::io
#endif // TENON_IO_ADAPTERFILE_H
