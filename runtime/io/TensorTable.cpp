//===- TensorTable.cpp - The tensors of a weights file --------------------===//

#include "runtime/io/TensorTable.h"

#include <algorithm>
#include <numeric>

namespace tenon::io {

int64_t TensorEntry::elements() const {
  int64_t count = 1;
  for (int64_t extent : shape)
    count *= extent; // The reader has checked that it fits.
  return count;
}

StatusOr<TensorTable> TensorTable::create(std::vector<TensorEntry> tensors,
                                          std::string_view source) {
  TensorTable table;
  table.entries = std::move(tensors);
  const std::vector<TensorEntry> &entries = table.entries;
  table.byName.resize(entries.size());
  std::iota(table.byName.begin(), table.byName.end(), 0u);
  std::sort(table.byName.begin(), table.byName.end(),
            [&](uint32_t a, uint32_t b) {
              return entries[a].name < entries[b].name;
            });
  for (size_t i = 1; i < entries.size(); ++i)
    if (entries[table.byName[i - 1]].name == entries[table.byName[i]].name)
      return dataLoss(source, ": expects each tensor once, got \"",
                      entries[table.byName[i]].name, "\" twice");
  return table;
}

const TensorEntry *TensorTable::find(std::string_view name) const {
  auto it = std::lower_bound(byName.begin(), byName.end(), name,
                             [&](uint32_t index, std::string_view wanted) {
                               return entries[index].name < wanted;
                             });
  if (it == byName.end() || entries[*it].name != name)
    return nullptr;
  return &entries[*it];
}

bool multiply(int64_t a, int64_t b, int64_t &out) {
  return !__builtin_mul_overflow(a, b, &out);
}

std::string printShape(std::span<const int64_t> shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i)
    text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

Status checkDisjoint(std::span<const TensorEntry> tensors,
                     std::string_view source) {
  std::vector<const TensorEntry *> order;
  for (const TensorEntry &tensor : tensors)
    if (!tensor.data.empty())
      order.push_back(&tensor);
  std::sort(order.begin(), order.end(),
            [](const TensorEntry *a, const TensorEntry *b) {
              return a->offset < b->offset;
            });
  for (size_t i = 1; i < order.size(); ++i) {
    const TensorEntry &a = *order[i - 1], &b = *order[i];
    if (b.offset < a.offset + a.data.size())
      return dataLoss(source, ": expects tensors that do not overlap, got \"",
                      a.name, "\" at bytes [", a.offset, ", ",
                      a.offset + a.data.size(), ") and \"", b.name, "\" at ",
                      b.offset);
  }
  return Status();
}

} // namespace tenon::io
