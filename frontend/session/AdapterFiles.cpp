//===- AdapterFiles.cpp - What a model's code asks of an adapter ----------===//

#include "frontend/session/AdapterFiles.h"

#include "frontend/session/ModelFiles.h"
#include "runtime/io/AdapterFile.h"
#include "runtime/io/Json.h"

namespace tenon {
namespace {

/// A weight's name in the model and in files, behind the part's.
struct Ending {
  std::string_view model, file;
};
constexpr Ending kEndings[] = {
    {"lora_a", ".lora_A.weight"},
    {"lora_b", ".lora_B.weight"},
    {"down", ".adapter_down.weight"},
    {"up", ".adapter_up.weight"},
};

} // namespace

absl::StatusOr<AdapterFiles> readAdapterFiles(const std::string &path) {
  StatusOr<io::AdapterFile> file = io::AdapterFile::open(path);
  if (!file.ok())
    return toAbsl(file.status());
  const io::AdapterConfig &config = file->config();
  AdapterFiles read = {.options = {}, .parts = file->parts()};
  for (AdapterKind kind : {AdapterKind::RsLoRa, AdapterKind::Bottleneck})
    if (nameOf(kind) == config.kind)
      read.options.kind = kind;
  read.options.rank = config.rank;
  read.options.alpha = config.alpha;
  return read;
}

std::string adapterWeightInFile(std::string_view part,
                                std::string_view weight) {
  for (const Ending &ending : kEndings)
    if (ending.model == weight)
      return concat(io::kAdapterPrefix, part, ending.file);
  return concat(part, ".", weight);
}

std::string describeAdapters(const AdapterOptions &options,
                             const std::vector<InterleavedPart> &interleaved,
                             const std::vector<std::string> &unadapted) {
  io::Json json = {{"kind", nameOf(options.kind)}, {"rank", options.rank}};
  if (options.kind != AdapterKind::Bottleneck)
    json["alpha"] = options.alpha;
  for (const InterleavedPart &each : interleaved)
    json["interleaved"].push_back({{"part", each.part}, {"heads", each.heads}});
  if (!unadapted.empty())
    json["unadapted"] = unadapted;
  return json.dump(-1, ' ', false, io::Json::error_handler_t::replace);
}

} // namespace tenon
