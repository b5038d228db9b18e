//===- InspectWeights.cpp - Reports on weights files ----------------------===//

#include "tools/tenon/Inspect.h"

#include "tools/tenon/Table.h"

#include <algorithm>
#include <map>

namespace tenon::tools {
namespace {

int64_t sizeOf(const io::TensorEntry &tensor) {
  return static_cast<int64_t>(tensor.data.size());
}

/// Of all tensors of one element type.
struct TypeSum {
  int64_t tensors = 0, elements = 0, bytes = 0;
};

std::map<std::string, TypeSum> sumByType(const io::WeightsFile &weights) {
  std::map<std::string, TypeSum> sums;
  for (const io::TensorEntry &tensor : weights.tensors()) {
    TypeSum &sum = sums[std::string(base::info(tensor.type).name)];
    ++sum.tensors;
    sum.elements += tensor.elements();
    sum.bytes += sizeOf(tensor);
  }
  return sums;
}

std::string describeArray(const io::ArrayView &array) {
  return concat(array.count, " x ", io::valueTypeName(array.element));
}

std::string describe(const io::Value &value) {
  if (auto *flag = std::get_if<bool>(&value))
    return *flag ? "true" : "false";
  if (auto *text = std::get_if<std::string_view>(&value))
    return printable(*text, 100);
  if (auto *array = std::get_if<io::ArrayView>(&value))
    return describeArray(*array);
  if (auto *number = std::get_if<int64_t>(&value))
    return concat(*number);
  if (auto *number = std::get_if<uint64_t>(&value))
    return concat(*number);
  return concat(std::get<double>(value));
}

io::Json toJson(const io::Value &value) {
  if (auto *flag = std::get_if<bool>(&value))
    return *flag;
  if (auto *text = std::get_if<std::string_view>(&value))
    return std::string(*text);
  if (auto *array = std::get_if<io::ArrayView>(&value))
    return describeArray(*array);
  if (auto *number = std::get_if<int64_t>(&value))
    return *number;
  if (auto *number = std::get_if<uint64_t>(&value))
    return *number;
  return std::get<double>(value);
}

const char *formatName(const io::WeightsFile &weights) {
  return weights.format() == io::WeightsFormat::Gguf ? "GGUF" : "safetensors";
}

std::string describeTypes(const io::WeightsFile &weights) {
  Table table({{"type"},
               {"tensors", Align::Right},
               {"elements", Align::Right},
               {"size", Align::Right}});
  TypeSum all;
  for (const auto &[name, sum] : sumByType(weights)) {
    table.add({name, concat(sum.tensors), concat(sum.elements),
               formatBytes(sum.bytes)});
    all.tensors += sum.tensors;
    all.elements += sum.elements;
    all.bytes += sum.bytes;
  }
  table.add({"all", concat(all.tensors), concat(all.elements),
             formatBytes(all.bytes)});
  return table.print("  ");
}

} // namespace

std::string describeWeights(const io::WeightsFile &weights,
                            const InspectOptions &options) {
  std::string out =
      concat(formatName(weights), " weights, ", weights.files().size(),
             " file(s), hash ", weights.contentHash().toHex(), "\n");
  out += "\nmetadata\n";
  Table metadata({{""}, {""}});
  for (std::string_view key : weights.metadata().keys())
    metadata.add({printable(key), describe(*weights.metadata().find(key))});
  out += metadata.print("  ");
  out += "\ntensors\n" + describeTypes(weights);
  if (!options.showTensors)
    return out;
  Table table({{"name"}, {"type"}, {"shape"}, {"bytes", Align::Right}});
  for (const io::TensorEntry &tensor : weights.tensors())
    table.add({printable(tensor.name),
               std::string(base::info(tensor.type).name),
               io::printShape(tensor.shape), concat(sizeOf(tensor))});
  return out + "\n" + table.print("  ");
}

io::Json weightsToJson(const io::WeightsFile &weights,
                       const InspectOptions &options) {
  io::Json json = {{"format", formatName(weights)},
                   {"files", weights.files()},
                   {"hash", weights.contentHash().toHex()}};
  for (std::string_view key : weights.metadata().keys())
    json["metadata"][std::string(key)] = toJson(*weights.metadata().find(key));
  for (const auto &[name, sum] : sumByType(weights))
    json["types"][name] = {{"tensors", sum.tensors},
                           {"elements", sum.elements},
                           {"bytes", sum.bytes}};
  if (!options.showTensors)
    return json;
  json["tensors"] = io::Json::array();
  for (const io::TensorEntry &tensor : weights.tensors())
    json["tensors"].push_back(
        {{"name", tensor.name},
         {"type", std::string(base::info(tensor.type).name)},
         {"shape", tensor.shape},
         {"file", tensor.file},
         {"offset", tensor.offset},
         {"bytes", sizeOf(tensor)}});
  return json;
}

} // namespace tenon::tools
