//===- AdapterFile.cpp - An adapter's files, as PEFT writes them ----------===//

#include "runtime/io/AdapterFile.h"

#include "runtime/io/Json.h"
#include "runtime/io/StackedWeights.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

namespace tenon::io {
namespace {

constexpr const char *kWeights = "adapter_model.safetensors";
constexpr const char *kConfig = "adapter_config.json";

/// The ends of a pair's names; the rank is the first axis of `narrow` and the
/// last one of `wide`.
struct Pair {
  std::string_view narrow, wide;
};
constexpr Pair kLora = {".lora_A.weight", ".lora_B.weight"};
constexpr Pair kBottleneck = {".adapter_down.weight", ".adapter_up.weight"};

const Pair &pairOf(const AdapterConfig &config) {
  return config.kind == "bottleneck" ? kBottleneck : kLora;
}

/// "model.layers.0.mlp.up_proj" of a name with that end; empty for others.
std::string_view partOf(std::string_view name, std::string_view end) {
  if (!name.starts_with(kAdapterPrefix) || !name.ends_with(end))
    return {};
  name.remove_prefix(kAdapterPrefix.size());
  return name.substr(0, name.size() - end.size());
}

StatusOr<std::string> readText(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  if (!file)
    return notFound("expects an adapter's configuration at '", path,
                    "', got none");
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// Refuses members that change what an adapter computes, unless they are as
/// `usual`: null, false or absent.
Status checkPlain(const Json &json, const std::string &source) {
  for (const char *key :
       {"use_dora", "lora_bias", "rank_pattern", "alpha_pattern",
        "modules_to_save", "use_parallel_adapter", "trainable_token_indices"}) {
    const Json *value = findMember(json, key);
    bool isPlain = !value || value->is_null() || value->empty() ||
                   (value->is_boolean() && !boolOr(value, false));
    if (!isPlain)
      return unimplemented(source, ": expects an adapter without '", key,
                           "', got one with it");
  }
  const std::string *bias = textOf(findMember(json, "bias"));
  if (bias && *bias != "none")
    return unimplemented(source, ": expects an adapter without biases, got '",
                         *bias, "'");
  return Status();
}

Status readBottleneck(const Json &json, const std::string &source,
                      AdapterConfig &config) {
  config.kind = "bottleneck";
  const std::string *shape = textOf(findMember(json, "non_linearity"));
  if (!shape || *shape != "gelu_new")
    return unimplemented(source,
                         ": expects the non_linearity 'gelu_new', got '",
                         shape ? *shape : "", "'");
  const Json *scaling = findMember(json, "scaling");
  if (scaling && *scaling != Json(1.0))
    return unimplemented(source, ": expects a scaling of 1, got another");
  if (!readInt(findMember(json, "bottleneck_size"), 1, 1 << 20, config.rank))
    return dataLoss(source, ": expects a positive 'bottleneck_size'");
  return Status();
}

StatusOr<AdapterConfig> parseConfig(std::string_view text,
                                    const std::string &source) {
  TENON_ASSIGN_OR_RETURN(Json json, parseJson(text, source));
  AdapterConfig config;
  TENON_RETURN_IF_ERROR(checkPlain(json, source));
  const std::string *type = textOf(findMember(json, "peft_type"));
  if (type && *type == "BOTTLENECK") {
    TENON_RETURN_IF_ERROR(readBottleneck(json, source, config));
    return config;
  }
  if (!type || *type != "LORA")
    return unimplemented(source,
                         ": expects the peft_type LORA or BOTTLENECK, "
                         "got '",
                         type ? *type : "", "'");
  if (boolOr(findMember(json, "use_rslora"), false))
    config.kind = "rslora";
  if (!readInt(findMember(json, "r"), 1, 1 << 20, config.rank))
    return dataLoss(source, ": expects a positive 'r'");
  const Json *alpha = findMember(json, "lora_alpha");
  if (!alpha || !alpha->is_number())
    return dataLoss(source, ": expects a number 'lora_alpha'");
  config.alpha = alpha->template get<double>();
  return config;
}

/// "q_proj" of "model.layers.0.self_attn.q_proj".
std::string lastName(std::string_view part) {
  return std::string(part.substr(part.rfind('.') + 1));
}

Json toJson(const AdapterConfig &config, const std::set<std::string> &targets) {
  Json json = {{"base_model_name_or_path", nullptr},
               {"inference_mode", true},
               {"target_modules", targets},
               {"task_type", "CAUSAL_LM"},
               {"bias", "none"}};
  if (config.kind == "bottleneck") {
    json["peft_type"] = "BOTTLENECK";
    json["bottleneck_size"] = config.rank;
    json["non_linearity"] = "gelu_new";
    json["scaling"] = 1.0;
    json["use_parallel_adapter"] = false;
    return json;
  }
  json["peft_type"] = "LORA";
  json["r"] = config.rank;
  json["lora_alpha"] = config.alpha;
  json["lora_dropout"] = 0.0;
  json["use_rslora"] = config.kind == "rslora";
  return json;
}

} // namespace

double AdapterConfig::scale() const {
  if (kind == "bottleneck")
    return 1;
  auto r = static_cast<double>(rank);
  return alpha / (kind == "rslora" ? std::sqrt(r) : r);
}

std::string AdapterConfig::print() const {
  std::string text = concat(kind, " of rank ", rank);
  return kind == "bottleneck" ? text : concat(text, " and alpha ", alpha);
}

StatusOr<AdapterFile> AdapterFile::open(const std::string &path) {
  std::filesystem::path folder = path;
  if (folder.extension() == ".safetensors")
    folder = folder.parent_path();
  std::string config = (folder / kConfig).string();
  TENON_ASSIGN_OR_RETURN(std::string text, readText(config));
  TENON_ASSIGN_OR_RETURN(AdapterConfig parsed, parseConfig(text, config));
  TENON_ASSIGN_OR_RETURN(WeightsFile weights,
                         WeightsFile::open((folder / kWeights).string()));
  AdapterFile file(std::move(parsed), std::move(weights));
  TENON_RETURN_IF_ERROR(file.checkWeights());
  return file;
}

/// Finds the parts, each of which has both of its weights, of the rank.
Status AdapterFile::checkWeights() {
  const Pair &pair = pairOf(settings);
  auto isRank = [&](const TensorEntry &tensor, size_t axis) {
    size_t first = isStackName(tensor.name) ? 1 : 0; // behind the experts
    return tensor.shape.size() == first + 2 &&
           tensor.shape[first + axis] == settings.rank;
  };
  for (const TensorEntry &tensor : file.tensors()) {
    std::string_view part = partOf(tensor.name, pair.narrow);
    bool isNarrow = !part.empty();
    if (!isNarrow)
      part = partOf(tensor.name, pair.wide);
    if (part.empty())
      return unimplemented(path(), ": expects weights named ", kAdapterPrefix,
                           "PART", pair.narrow, " or ", pair.wide, ", got '",
                           tensor.name, "'");
    if (!isRank(tensor, isNarrow ? 0 : 1))
      return invalidArgument(path(), ": expects rank ", settings.rank, " of '",
                             tensor.name, "', got the shape ",
                             printShape(tensor.shape));
    std::string other =
        concat(kAdapterPrefix, part, isNarrow ? pair.wide : pair.narrow);
    if (!file.find(other))
      return dataLoss(path(), ": expects '", other, "' beside '", tensor.name,
                      "', got none");
    if (isNarrow)
      names.emplace_back(part);
  }
  if (names.empty())
    return dataLoss(path(), ": expects weights of an adapter, got none");
  return Status();
}

Status writeAdapter(const std::string &folder, const AdapterConfig &config,
                    std::span<const SafetensorsTensor> tensors) {
  const Pair &pair = pairOf(config);
  std::set<std::string> targets;
  for (const SafetensorsTensor &tensor : tensors) {
    std::string_view part = partOf(tensor.name, pair.narrow);
    if (part.empty())
      part = partOf(tensor.name, pair.wide);
    if (part.empty())
      return invalidArgument("expects an adapter's weight, got '", tensor.name,
                             "'");
    targets.insert(lastName(part));
  }
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error)
    return unavailable("cannot make the folder '", folder,
                       "': ", error.message());
  std::string path = (std::filesystem::path(folder) / kConfig).string();
  std::ofstream text(path, std::ios::binary | std::ios::trunc);
  text << toJson(config, targets).dump(2) << '\n';
  text.close();
  if (!text)
    return unavailable("cannot write '", path, "'");
  return writeSafetensors((std::filesystem::path(folder) / kWeights).string(),
                          tensors, {{"format", "pt"}});
}

} // namespace tenon::io
