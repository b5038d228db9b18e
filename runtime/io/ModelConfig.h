//===- ModelConfig.h - What a model's files say about its shape -----------===//
//
// One view over GGUF metadata or a config.json. The keys stay those of the
// format: a model's weight map knows both spellings, this file knows neither.
//
//   TENON_ASSIGN_OR_RETURN(ModelConfig config, ModelConfig::load(weights));
//   // GGUF: "gemma3.block_count" is config.values().getInt(
//   //       config.key("block_count")); HF: getInt("num_hidden_layers").
//
//===----------------------------------------------------------------------===//

#ifndef TENON_IO_MODELCONFIG_H
#define TENON_IO_MODELCONFIG_H

#include "runtime/io/WeightsFile.h"

namespace tenon::io {

enum class ConfigKind {
  Gguf,        ///< keys such as "gemma3.block_count"
  HuggingFace, ///< keys such as "num_hidden_layers", "rope_scaling.factor"
};

/// Owns: its values if they came from JSON; a GGUF's are views into it.
class ModelConfig {
public:
  /// The longest config.json that is read.
  static constexpr size_t kMaxBytes = size_t{4} << 20;

  /// Reads the metadata of a GGUF file, or config.json beside safetensors.
  /// Errors: NOT_FOUND (no config.json, or no architecture in it), DATA_LOSS,
  ///         INVALID_ARGUMENT (the architecture is no string).
  static StatusOr<ModelConfig> load(const WeightsFile &weights);

  /// Parses the text of a config.json; `source` names it in messages.
  /// Errors: as load; UNIMPLEMENTED (weights quantised as Tenon has not).
  static StatusOr<ModelConfig> parse(std::string_view text,
                                     std::string_view source);

  ConfigKind kind() const { return configKind; }

  /// "gemma3": GGUF's general.architecture, or HF's model_type.
  const std::string &architecture() const { return arch; }

  /// Puts the architecture before a GGUF key: "block_count" becomes
  /// "gemma3.block_count". Keys of HF are returned as they are.
  std::string key(std::string_view name) const;

  const Metadata &values() const { return table; }

private:
  ModelConfig() = default;

  ConfigKind configKind = ConfigKind::Gguf;
  std::string arch;
  Metadata table;
};

} // namespace tenon::io

#endif // TENON_IO_MODELCONFIG_H
