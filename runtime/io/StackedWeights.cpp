//===- StackedWeights.cpp - Experts' weights as one tensor ----------------===//

#include "runtime/io/StackedWeights.h"

#include <algorithm>
#include <charconv>
#include <map>

namespace tenon::io {
namespace {

constexpr std::string_view kExperts = ".experts.", kStacked = ".experts.#.";

/// Of an expert's tensor, the name of its stack and its number.
struct Place {
  std::string stack;
  int64_t number = -1; // it is no expert's
};

Place placeOf(std::string_view name) {
  size_t at = name.find(kExperts);
  if (at == std::string_view::npos)
    return {};
  size_t begin = at + kExperts.size();
  int64_t number = 0;
  auto [end, error] =
      std::from_chars(name.data() + begin, name.data() + name.size(), number);
  auto rest = static_cast<size_t>(end - name.data());
  bool isNumber = error == std::errc() && number >= 0 && rest < name.size() &&
                  name[rest] == '.';
  if (!isNumber)
    return {};
  return {concat(name.substr(0, at), kStacked, name.substr(rest + 1)), number};
}

Status checkPart(const TensorEntry &part, const TensorEntry &first,
                 std::string_view source) {
  if (part.type == first.type && part.shape == first.shape)
    return Status();
  return dataLoss(source, ": expects \"", part.name, "\" like \"", first.name,
                  "\", ", base::info(first.type).name, " ",
                  printShape(first.shape), ", got ", base::info(part.type).name,
                  " ", printShape(part.shape));
}

} // namespace

StatusOr<std::vector<std::vector<uint8_t>>>
stackExperts(std::vector<TensorEntry> &tensors, std::string_view source) {
  std::map<std::string, std::map<int64_t, const TensorEntry *>> stacks;
  for (const TensorEntry &tensor : tensors)
    if (Place place = placeOf(tensor.name); place.number >= 0)
      stacks[place.stack][place.number] = &tensor;
  if (stacks.empty())
    return std::vector<std::vector<uint8_t>>();
  std::vector<std::vector<uint8_t>> built;
  std::map<std::string, TensorEntry> joined;
  for (const auto &[name, parts] : stacks) {
    const TensorEntry &first = *parts.begin()->second;
    auto count = static_cast<int64_t>(parts.size());
    int64_t last = parts.rbegin()->first;
    if (last + 1 != count)
      return dataLoss(source, ": expects \"", name, "\" for each of ", last + 1,
                      " experts, got ", count);
    std::vector<uint8_t> bytes;
    for (const auto &[number, part] : parts) {
      TENON_RETURN_IF_ERROR(checkPart(*part, first, source));
      bytes.insert(bytes.end(), part->data.begin(), part->data.end());
    }
    TensorEntry stack = first;
    stack.name = name;
    stack.shape.insert(stack.shape.begin(), count);
    built.push_back(std::move(bytes));
    stack.data = built.back();
    joined.emplace(name, std::move(stack));
  }
  std::vector<TensorEntry> result;
  for (TensorEntry &tensor : tensors) {
    Place place = placeOf(tensor.name);
    if (place.number < 0)
      result.push_back(std::move(tensor));
    else if (place.number == 0)
      result.push_back(joined.at(place.stack));
  }
  tensors = std::move(result);
  return built;
}

bool isStackName(std::string_view name) {
  return name.find(kStacked) != std::string_view::npos;
}

std::string expertName(std::string_view stack, int64_t expert) {
  size_t at = stack.find(kStacked);
  return concat(stack.substr(0, at), kExperts, expert, ".",
                stack.substr(at + kStacked.size()));
}

} // namespace tenon::io
