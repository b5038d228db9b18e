//===- Adapters.cpp - Adapters of decoders --------------------------------===//

#include "models/Adapters.h"

#include "frontend/session/AdapterFiles.h"

#include <algorithm>

namespace tenon::models {
namespace {

constexpr std::string_view kModule = "adapters.";

/// What files call a linear part.
std::string partInFile(const Decoder &decoder, std::string_view path) {
  constexpr std::string_view kWeight = ".weight";
  std::string weight = std::string(path) + std::string(kWeight);
  std::string name = nameInFile(decoder.names, weight, /*gguf=*/false);
  return decoder.whole + name.substr(0, name.size() - kWeight.size());
}

/// The options of adapters that an adapter's files fit.
absl::StatusOr<AdapterOptions> optionsOf(const Decoder &decoder,
                                         const std::string &path) {
  absl::StatusOr<AdapterFiles> files = readAdapterFiles(path);
  if (!files.ok())
    return files.status();
  AdapterOptions options = files->options;
  for (const LinearPart &part : linearParts(*decoder.model))
    if (std::erase(files->parts, partInFile(decoder, part.path)))
      options.targets.push_back(part.path);
  if (!files->parts.empty())
    return absl::InvalidArgumentError(
        path + ": expects adapters of this model's parts, got one of '" +
        files->parts.front() + "'");
  return options;
}

} // namespace

absl::Status attachAdapters(Decoder &decoder, const DecoderOptions &options) {
  std::optional<AdapterOptions> wanted = options.adapters;
  if (!options.adapterFiles.empty()) {
    auto read = optionsOf(decoder, options.adapterFiles);
    if (!read.ok())
      return read.status();
    wanted = *std::move(read);
  }
  if (!wanted)
    return absl::OkStatus();
  if (absl::Status status = Adapters::check(*decoder.model, *wanted);
      !status.ok())
    return status;
  Adapters adapters(*decoder.model, *wanted);
  std::vector<InterleavedPart> interleaved;
  for (const InterleavedHeads &each : decoder.interleaved)
    interleaved.push_back({partInFile(decoder, each.path), each.heads});
  decoder.adapters = {adapters.parameters(),
                      describeAdapters(*wanted, interleaved,
                                       unadapted(*decoder.model, *wanted))};
  return absl::OkStatus();
}

std::vector<PartInFiles> partsInFiles(const Decoder &decoder,
                                      const ModelFiles &files) {
  TraceOptions names = traceOptions(decoder, files);
  std::vector<PartInFiles> parts;
  for (const LinearPart &part : linearParts(*decoder.model)) {
    auto heads = std::ranges::find(decoder.interleaved, part.path,
                                   &InterleavedHeads::path);
    std::string tensor = names.source(part.path + ".weight");
    if (files.has(tensor))
      parts.push_back({tensor, partInFile(decoder, part.path), part.inputsFirst,
                       heads == decoder.interleaved.end() ? 0 : heads->heads});
  }
  return parts;
}

std::optional<std::string> adapterSource(const Decoder &decoder,
                                         std::string_view name) {
  size_t dot = name.rfind('.');
  if (!name.starts_with(kModule) || dot == std::string_view::npos)
    return std::nullopt;
  std::string_view path = name.substr(kModule.size(), dot - kModule.size());
  return adapterWeightInFile(partInFile(decoder, path), name.substr(dot + 1));
}

} // namespace tenon::models
