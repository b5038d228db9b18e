//===- ModelFiles.h - A model's weights and configuration -------*- C++ -*-===//
//
// What a model's code asks of its files, whichever their format.
//
//   ASSIGN(ModelFiles files, ModelFiles::open("model.gguf"));
//   ConfigReader read(files);
//   int64_t layers = read.integer("block_count", "num_hidden_layers");
//   if (!read.status().ok()) ...
//
//===----------------------------------------------------------------------===//

#ifndef TENON_FRONTEND_SESSION_MODELFILES_H
#define TENON_FRONTEND_SESSION_MODELFILES_H

#include "frontend/dsl/Trace.h"
#include "runtime/io/ModelConfig.h"
#include "runtime/io/WeightsFile.h"

#include "absl/status/statusor.h"

#include <memory>
#include <optional>

namespace tenon {

/// Returns the runtime's status in the frontend's type.
absl::Status toAbsl(const Status &status);

/// Weights, and their GGUF metadata or config.json.
/// Owns: the files' mappings.
class ModelFiles {
public:
  /// Opens a path that `io::WeightsFile` understands.
  /// Errors: those of `io::WeightsFile::open` and `io::ModelConfig::load`.
  static absl::StatusOr<ModelFiles> open(const std::string &path);

  /// Reads a config.json that no weights lie beside, to trace a model whose
  /// weights are drawn: matrices of `type`, vectors of f32.
  /// Errors: those of `io::ModelConfig::parse`; INVALID_ARGUMENT (a type that
  /// no
  ///         weights have).
  static absl::StatusOr<ModelFiles> describe(const std::string &configPath,
                                             base::ElementType type);

  bool hasWeights() const { return file != nullptr; }
  /// Only where there are weights.
  const io::WeightsFile &weights() const { return *file; }
  /// Of matrices, where there are no weights.
  base::ElementType drawnType() const { return drawn; }
  /// What was opened.
  const std::string &path() const;
  const io::ModelConfig &config() const { return *settings; }
  bool isGguf() const;
  bool has(std::string_view tensor) const;
  /// Every tensor, for `trace`.
  const ParameterTypes &parameterTypes() const { return types; }

private:
  ModelFiles() = default;
  std::unique_ptr<io::WeightsFile> file; // the config views into it
  std::unique_ptr<io::ModelConfig> settings;
  ParameterTypes types;
  base::ElementType drawn = base::ElementType::F32;
};

/// Reads values by their GGUF name (without the architecture) or their name in
/// config.json, and keeps the first error: so a model reads its configuration
/// line by line and checks once.
class ConfigReader {
public:
  explicit ConfigReader(const ModelFiles &modelFiles) : files(modelFiles) {}

  int64_t integer(std::string_view gguf, std::string_view json,
                  std::optional<int64_t> fallback = {});
  double number(std::string_view gguf, std::string_view json,
                std::optional<double> fallback = {});
  std::string text(std::string_view gguf, std::string_view json,
                   std::optional<std::string_view> fallback = {});
  bool flag(std::string_view json, bool fallback); // which GGUF has not
  bool flag(std::string_view gguf, std::string_view json, bool fallback);
  /// An array of numbers, flags or strings as text; empty if there is none.
  std::vector<std::string> list(std::string_view gguf, std::string_view json);

  /// The first axis of a tensor.
  int64_t rowsOf(std::string_view tensor);

  /// Notes what the configuration asks for and the model has not.
  void expect(bool holds, const std::string &message);

  const absl::Status &status() const { return first; }

private:
  std::string key(std::string_view gguf, std::string_view json) const;
  void note(const Status &status);

  const ModelFiles &files;
  absl::Status first;
};

} // namespace tenon
#endif // TENON_FRONTEND_SESSION_MODELFILES_H
