//===- AdapterOptions.cpp - Options of adapters, as JSON ------------------===//

#include "tools/compiler/AdapterOptions.h"

#include "runtime/io/Json.h"

namespace tenon::tools {
namespace {

using io::Json;

absl::Status invalid(std::string_view what) {
  return absl::InvalidArgumentError(concat("adapter options: ", what));
}

std::optional<AdapterKind> kindOf(std::string_view name) {
  for (AdapterKind kind :
       {AdapterKind::LoRa, AdapterKind::RsLoRa, AdapterKind::Bottleneck})
    if (nameOf(kind) == name)
      return kind;
  return std::nullopt;
}

absl::Status readTargets(const Json &json, std::vector<std::string> &targets) {
  for (const Json &each : json) {
    const std::string *text = io::textOf(&each);
    if (!text)
      return invalid("'targets' expects an array of texts");
    targets.push_back(*text);
  }
  return absl::OkStatus();
}

absl::Status readMember(std::string_view key, const Json &value,
                        AdapterOptions &options) {
  if (key == "kind") {
    const std::string *name = io::textOf(&value);
    std::optional<AdapterKind> kind = kindOf(name ? *name : "");
    options.kind = kind.value_or(options.kind);
    return kind ? absl::OkStatus()
                : invalid("'kind' expects lora, rslora or bottleneck");
  }
  if (key == "rank")
    return io::readInt(&value, 1, 1 << 20, options.rank)
               ? absl::OkStatus()
               : invalid("'rank' expects a positive integer");
  if (key == "alpha" && value.is_number()) {
    options.alpha = value.template get<double>();
    return absl::OkStatus();
  }
  if (key == "targets" && value.is_array())
    return readTargets(value, options.targets);
  return invalid(concat("expects kind, rank, a number alpha and an array "
                        "targets, got '",
                        key, "'"));
}

} // namespace

absl::Status parseAdapterOptions(std::string_view text,
                                 models::DecoderOptions &options) {
  StatusOr<Json> json = io::parseJson(text, "adapter options");
  if (!json.ok())
    return toAbsl(json.status());
  if (!json->is_object())
    return invalid("expects an object");
  if (const std::string *files = io::textOf(io::findMember(*json, "files"))) {
    options.adapterFiles = *files;
    return json->size() == 1 ? absl::OkStatus()
                             : invalid("'files' expects no other members");
  }
  options.adapters.emplace();
  for (const auto &[key, value] : json->items())
    if (absl::Status status = readMember(key, value, *options.adapters);
        !status.ok())
      return status;
  return absl::OkStatus();
}

} // namespace tenon::tools
