//===- TokenData.cpp - A data set of tokens -------------------------------===//

#include "training/TokenData.h"

#include "runtime/io/SafetensorsWriter.h"

#include <algorithm>

namespace tenon::training {
namespace {

using base::ElementType;

/// A tensor of one axis, in place; empty where there is none.
template <typename T>
StatusOr<std::span<const T>> column(const io::WeightsFile &file,
                                    std::string_view name, ElementType type) {
  const io::TensorEntry *found = file.find(name);
  if (!found)
    return std::span<const T>();
  if (found->type != type || found->shape.size() != 1)
    return dataLoss(file.path(), ": expects '", name, "' of ",
                    base::info(type).name, " and one axis, got ",
                    base::info(found->type).name, " and ", found->shape.size());
  if (reinterpret_cast<uintptr_t>(found->data.data()) % alignof(T) != 0)
    return dataLoss(file.path(), ": expects '", name, "' aligned to ",
                    alignof(T), " bytes; write it again with `tenon data`");
  return std::span(reinterpret_cast<const T *>(found->data.data()),
                   found->data.size() / sizeof(T));
}

template <typename T>
std::span<const uint8_t> bytesOf(const std::vector<T> &values) {
  return {reinterpret_cast<const uint8_t *>(values.data()),
          values.size() * sizeof(T)};
}

} // namespace

StatusOr<TokenData> TokenData::open(const std::string &path) {
  TENON_ASSIGN_OR_RETURN(io::WeightsFile file, io::WeightsFile::open(path));
  TokenData data(std::move(file));
  TENON_RETURN_IF_ERROR(data.read());
  return data;
}

Status TokenData::read() {
  TENON_ASSIGN_OR_RETURN(ids,
                         column<int32_t>(file, "tokens", ElementType::I32));
  TENON_ASSIGN_OR_RETURN(starts,
                         column<int64_t>(file, "documents", ElementType::I64));
  TENON_ASSIGN_OR_RETURN(firsts,
                         column<int64_t>(file, "learned", ElementType::I64));
  if (ids.empty())
    return dataLoss(path(), ": expects a data set of `tenon data`, with a "
                            "tensor 'tokens', got none");
  StatusOr<std::string_view> text = file.metadata().getString("vocabulary");
  if (text.ok())
    width = std::atoll(std::string(*text).c_str());
  if (width < 1)
    return dataLoss(path(), ": expects the metadata 'vocabulary', got none");
  auto count = static_cast<int64_t>(ids.size());
  bool isOrdered = std::ranges::is_sorted(starts);
  if (!starts.empty() &&
      (!isOrdered || starts.front() != 0 || starts.back() != count))
    return dataLoss(path(), ": expects 'documents' from 0 to ", count,
                    ", ascending");
  if (!firsts.empty() && firsts.size() + 1 != starts.size())
    return dataLoss(path(), ": expects 'learned' of each of ",
                    starts.empty() ? 0 : starts.size() - 1, " documents, got ",
                    firsts.size());
  if (std::ranges::any_of(firsts, [](int64_t first) { return first < 1; }))
    return dataLoss(path(), ": expects 'learned' of at least 1");
  auto [least, most] = std::ranges::minmax(ids);
  if (least < 0 || most >= width)
    return dataLoss(path(), ": expects tokens in [0, ", width, "), got ",
                    least < 0 ? least : most);
  return Status();
}

int64_t TokenData::sequences(int64_t length) const {
  if (hasDocuments())
    return static_cast<int64_t>(starts.size()) - 1;
  return (static_cast<int64_t>(ids.size()) - 1) / length;
}

exec::TrainSequence TokenData::sequence(int64_t index, int64_t length) const {
  if (!hasDocuments())
    return {ids.subspan(index * length, length + 1), 1};
  int64_t size = std::min(starts[index + 1] - starts[index], length + 1);
  return {ids.subspan(starts[index], size), firsts.empty() ? 1 : firsts[index]};
}

Status writeTokenData(const std::string &path,
                      const TokenDataContents &contents) {
  std::vector<io::SafetensorsTensor> tensors;
  auto add = [&](const char *name, ElementType type, const auto &values) {
    if (!values.empty())
      tensors.push_back(
          {name, type, {static_cast<int64_t>(values.size())}, bytesOf(values)});
  };
  // The widest first, so that each lies at a multiple of its elements' size.
  add("documents", ElementType::I64, contents.documents);
  add("learned", ElementType::I64, contents.learned);
  add("tokens", ElementType::I32, contents.tokens);
  return io::writeSafetensors(
      path, tensors,
      {{"vocabulary", std::to_string(contents.vocabulary)},
       {"tokenizer", contents.tokenizer}});
}

} // namespace tenon::training
