//===- MergeAdapter.cpp - An adapter made a part of the weights -----------===//
// D width in, N width out, r rank, E experts, or 1.

#include "runtime/io/MergeAdapter.h"

#include "runtime/io/GgufWriter.h"

#include <algorithm>

namespace tenon::io {
namespace {

using base::ElementType;

StatusOr<std::vector<float>> floatsOf(const TensorEntry &tensor) {
  std::vector<float> values(tensor.elements());
  TENON_RETURN_IF_ERROR(base::unpack(tensor.type, tensor.data.data(),
                                     tensor.elements(), values.data()));
  return values;
}

std::vector<float> transposed(const std::vector<float> &x, int64_t rows,
                              int64_t columns) {
  std::vector<float> y(x.size());
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < columns; ++j)
      y[j * rows + i] = x[i * columns + j];
  return y;
}

/// What is added to a weight [E, rows, columns]: left [E, rows, r] right [E, r,
/// columns].
struct Change {
  int64_t experts, rows, columns, rank;
  std::vector<float> left, right;

  /// Adds row `row` of all to that row of the weight.
  void addTo(int64_t row, float *weight) const {
    std::vector<float> sum(columns, 0.0f);
    for (int64_t r = 0; r < rank; ++r) {
      float factor = left[row * rank + r];
      const float *from = &right[(row / rows * rank + r) * columns];
      for (int64_t j = 0; j < columns; ++j)
        sum[j] += factor * from[j];
    }
    for (int64_t j = 0; j < columns; ++j)
      weight[j] += sum[j];
  }
};

class Merger {
public:
  Merger(const WeightsFile &weights, const AdapterFile &file,
         const MergeOptions &how)
      : model(weights), adapter(file), options(how) {}

  Status match(std::span<const MergePart> parts);
  Status decideTypes();
  Status write(const std::string &path);
  const MergeReport &report() const { return made; }

private:
  Status readChange(const MergePart &part);
  Status writeGgufFile(const std::string &path, const TensorProducer &produce);
  StatusOr<std::span<const uint8_t>> produce(size_t index);

  const WeightsFile &model;
  const AdapterFile &adapter;
  const MergeOptions &options;
  std::map<std::string, Change, std::less<>> changes; // by the model's tensor
  std::vector<ElementType> types;                     // by tensor
  std::vector<uint8_t> bytes;                         // of the last one made
  MergeReport made;
};

/// Reads the adapter's weights of a part into the order of the model's.
Status Merger::readChange(const MergePart &part) {
  auto weight = [&](std::string_view end) {
    return adapter.weights().find(concat(kAdapterPrefix, part.part, end));
  };
  const TensorEntry *a = weight(".lora_A.weight");
  const TensorEntry *b = weight(".lora_B.weight");
  TENON_ASSIGN_OR_RETURN(const TensorEntry *w, model.tensor(part.tensor));
  bool isStack = a->shape.size() == 3;
  int64_t E = isStack ? a->shape[0] : 1, rank = adapter.config().rank;
  int64_t D = a->shape.back(), N = b->shape[isStack ? 1 : 0];
  std::vector<int64_t> expected = {N, D};
  if (part.inputsFirst)
    std::swap(expected[0], expected[1]);
  if (isStack)
    expected.insert(expected.begin(), E);
  if (w->shape != expected || (isStack && b->shape[0] != E))
    return invalidArgument(adapter.path(), ": expects '", part.part,
                           "' to fit the weight ", printShape(w->shape),
                           ", got one for ", printShape(expected));
  TENON_ASSIGN_OR_RETURN(std::vector<float> narrow, floatsOf(*a)); // [E, r, D]
  TENON_ASSIGN_OR_RETURN(std::vector<float> wide, floatsOf(*b));   // [E, N, r]
  double scale = adapter.config().scale() * (options.takesAway ? -1 : 1);
  std::vector<float> ordered(wide.size());
  for (int64_t n = 0; n < E * N; ++n) {
    int64_t from = part.heads ? placeInHalves(n, N / part.heads) : n;
    for (int64_t r = 0; r < rank; ++r)
      ordered[n * rank + r] = static_cast<float>(scale * wide[from * rank + r]);
  }
  Change change = {E, N, D, rank, std::move(ordered), std::move(narrow)};
  if (part.inputsFirst)
    change = {.experts = 1,
              .rows = D,
              .columns = N,
              .rank = rank,
              .left = transposed(change.right, rank, D),
              .right = transposed(change.left, N, rank)};
  changes[part.tensor] = std::move(change);
  return Status();
}

Status Merger::match(std::span<const MergePart> parts) {
  if (adapter.config().kind == "bottleneck")
    return unimplemented(adapter.path(),
                         ": a bottleneck is no change of weights: only LoRA "
                         "and rsLoRA adapters can be merged");
  for (const std::string &name : adapter.parts()) {
    auto found = std::ranges::find(parts, name, &MergePart::part);
    if (found == parts.end())
      return invalidArgument(adapter.path(), ": expects parts of '",
                             model.path(), "', got '", name, "'");
    TENON_RETURN_IF_ERROR(readChange(*found));
  }
  return Status();
}

Status Merger::decideTypes() {
  bool isGguf = model.format() == WeightsFormat::Gguf;
  for (const TensorEntry &tensor : model.tensors()) {
    bool isMerged = changes.contains(tensor.name);
    bool isBlocked = base::info(tensor.type).isBlocked();
    ElementType type = tensor.type;
    if (isBlocked && !isGguf)
      type = options.type.value_or(ElementType::BF16);
    if (isMerged && options.type)
      type = *options.type;
    if (base::info(type).isBlocked() && !isGguf)
      return invalidArgument("safetensors hold no blocks: expects f32, f16 or "
                             "bf16 for merged weights, got ",
                             base::info(type).name);
    if (isBlocked && !base::info(type).isBlocked())
      ++made.dequantised;
    if (isMerged) {
      ++made.merged;
      made.type = type;
    }
    types.push_back(type);
  }
  return Status();
}

StatusOr<std::span<const uint8_t>> Merger::produce(size_t index) {
  const TensorEntry &tensor = model.tensors()[index];
  auto change = changes.find(tensor.name);
  if (change == changes.end() && types[index] == tensor.type)
    return tensor.data;
  TENON_ASSIGN_OR_RETURN(std::vector<float> values, floatsOf(tensor));
  if (change != changes.end()) {
    const Change &added = change->second;
    for (int64_t row = 0; row < added.experts * added.rows; ++row)
      added.addTo(row, &values[row * added.columns]);
  }
  TENON_ASSIGN_OR_RETURN(int64_t size,
                         base::sizeBytes(types[index], tensor.elements()));
  bytes.resize(size);
  TENON_RETURN_IF_ERROR(
      base::pack(types[index], values.data(), tensor.elements(), bytes.data())
          .withContext(tensor.name));
  model.release(tensor);
  return std::span<const uint8_t>(bytes);
}

Status Merger::writeGgufFile(const std::string &path,
                             const TensorProducer &makeBytes) {
  if (model.files().size() != 1)
    return unimplemented(model.path(), ": expects a GGUF of one file, got ",
                         model.files().size());
  TENON_ASSIGN_OR_RETURN(MappedFile mapped, MappedFile::open(model.files()[0]));
  TENON_ASSIGN_OR_RETURN(GgufFile like,
                         GgufFile::parse(mapped.bytes(), model.path()));
  return writeGguf(path, like, types, makeBytes);
}

Status Merger::write(const std::string &path) {
  auto makeBytes = [this](size_t index) { return produce(index); };
  if (model.format() == WeightsFormat::Gguf)
    return writeGgufFile(path, makeBytes);
  std::vector<SafetensorsTensor> tensors;
  for (size_t i = 0; i < types.size(); ++i) {
    const TensorEntry &tensor = model.tensors()[i];
    tensors.push_back({tensor.name, types[i], tensor.shape, {}});
  }
  return writeSafetensors(path, tensors, {{"format", "pt"}}, makeBytes);
}

} // namespace

StatusOr<MergeReport> mergeAdapter(const WeightsFile &model,
                                   const AdapterFile &adapter,
                                   std::span<const MergePart> parts,
                                   const MergeOptions &options,
                                   const std::string &path) {
  Merger merger(model, adapter, options);
  TENON_RETURN_IF_ERROR(merger.match(parts));
  TENON_RETURN_IF_ERROR(merger.decideTypes());
  TENON_RETURN_IF_ERROR(merger.write(path));
  return merger.report();
}

} // namespace tenon::io
