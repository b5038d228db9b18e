//===- ReferenceModel.cpp - A decoder run by its definition ---------------===//

#include "tests/models/ReferenceModel.h"

#include "ir/reference/Storage.h"
#include "ir/tn/Tn.h"

namespace tenon::tests {
namespace {
using namespace ir;

constexpr int64_t kSequences = 2;
constexpr int64_t kPagesEach = 2; // of one block of 64 positions

absl::Status toStatus(llvm::Error error) {
  return absl::InternalError(llvm::toString(std::move(error)));
}

template <typename A>
ref::Tensor<A> floats(mlir::Type element, llvm::ArrayRef<float> values) {
  ref::Tensor<A> tensor;
  tensor.element = element;
  tensor.shape = {static_cast<int64_t>(values.size())};
  tensor.floats.assign(values.begin(), values.end());
  return tensor;
}

template <typename A>
ref::Tensor<A> integers(mlir::Type element, llvm::ArrayRef<int64_t> values) {
  ref::Tensor<A> tensor;
  tensor.element = element;
  tensor.shape = {static_cast<int64_t>(values.size())};
  tensor.ints.assign(values.begin(), values.end());
  return tensor;
}
} // namespace

template <typename A>
absl::StatusOr<std::unique_ptr<ReferenceModel<A>>>
ReferenceModel<A>::open(const std::string &path,
                        const models::DecoderOptions &options) {
  absl::StatusOr<ModelFiles> files = ModelFiles::open(path);
  if (!files.ok())
    return files.status();
  absl::StatusOr<TracedProgram> program = models::traceModel(*files, options);
  if (!program.ok())
    return program.status();
  std::unique_ptr<ReferenceModel> model(
      new ReferenceModel(*std::move(program)));
  if (absl::Status status = model->readWeights(*files); !status.ok())
    return status;
  model->makeCaches();
  return model;
}

template <typename A>
absl::Status ReferenceModel<A>::readWeights(const ModelFiles &files) {
  for (auto op : traced.module().getOps<ParameterOp>()) {
    auto type = mlir::cast<mlir::RankedTensorType>(op.getType());
    const io::TensorEntry *entry =
        files.weights().find(op.getSource().value_or(op.getSymName()).str());
    llvm::ArrayRef<char> bytes(
        reinterpret_cast<const char *>(entry->data.data()), entry->data.size());
    llvm::Expected<ref::Tensor<A>> tensor =
        ref::tensorFromBytes<A>(type.getElementType(), type.getShape(), bytes);
    if (!tensor)
      return toStatus(tensor.takeError());
    parameters[op.getSymName()] = std::move(*tensor);
  }
  return absl::OkStatus();
}

template <typename A> void ReferenceModel<A>::makeCaches() {
  lengths.assign(kSequences, 0);
  for (auto op : traced.module().getOps<StateOp>()) {
    auto type = mlir::cast<CacheType>(op.getType());
    ref::Cache<A> cache;
    cache.element = type.getElementType();
    cache.heads = type.getHeads();
    cache.width = type.getWidth();
    cache.rows.resize(kSequences * kPagesEach * 64 * cache.heads * cache.width);
    caches[op.getSymName().str()] = std::move(cache);
  }
}

/// Pages lie in descending order, so that nothing can take them for granted.
template <typename A>
ref::Batch ReferenceModel<A>::batchOf(const std::vector<Piece> &pieces) {
  ref::Batch batch;
  batch.pagesPerSequence = kPagesEach;
  for (int32_t page = kSequences * kPagesEach; page-- > 0;)
    batch.pages.push_back(page);
  for (const Piece &piece : pieces) {
    for (size_t i = 0; i < piece.tokens.size(); ++i) {
      batch.sequence.push_back(piece.sequence);
      batch.position.push_back(lengths[piece.sequence]++);
    }
  }
  return batch;
}

template <typename A>
absl::StatusOr<std::vector<ref::Value<A>>>
ReferenceModel<A>::run(const char *entry, std::vector<ref::Value<A>> arguments,
                       ref::Context &context, bool forgets) {
  auto function = traced.module().lookupSymbol<mlir::func::FuncOp>(entry);
  std::vector<std::string> used;
  for (unsigned i = arguments.size(); i < function.getNumArguments(); ++i) {
    used.push_back(
        function.getArgAttrOfType<mlir::StringAttr>(i, "tn.name").str());
    arguments.push_back(caches[used.back()]);
  }
  auto results = ref::interpret<A>(function, arguments, parameters, context);
  if (!results)
    return toStatus(results.takeError());
  if (context.failure)
    return absl::InternalError("a failure of the step in " +
                               context.failure->op);
  size_t own = results->size() - used.size();
  for (size_t i = 0; i < used.size() && !forgets; ++i)
    caches[used[i]] = (*results)[own + i];
  return std::vector<ref::Value<A>>(results->begin(), results->begin() + own);
}

/// The arguments of `forward` that logits of every token take.
template <typename A>
std::vector<ref::Value<A>>
ReferenceModel<A>::forwardArguments(const std::vector<Piece> &pieces) {
  mlir::Builder builder(&traced.context());
  std::vector<int64_t> tokens, rows;
  for (const Piece &piece : pieces)
    for (int32_t token : piece.tokens) {
      rows.push_back(static_cast<int64_t>(tokens.size()));
      tokens.push_back(token);
    }
  return {integers<A>(builder.getI32Type(), tokens), batchOf(pieces),
          integers<A>(builder.getI32Type(), rows)};
}

template <typename A>
absl::StatusOr<std::vector<ref::Float<A>>>
ReferenceModel<A>::forward(const std::vector<Piece> &pieces) {
  ref::Context context;
  auto results = run("forward", forwardArguments(pieces), context);
  if (!results.ok())
    return results.status();
  return std::get<ref::Tensor<A>>((*results)[0]).floats;
}

template <typename A>
absl::StatusOr<typename ReferenceModel<A>::WithStates>
ReferenceModel<A>::runWithStates(const char *entry,
                                 std::vector<ref::Value<A>> in) {
  ref::Context context;
  auto results = run(entry, std::move(in), context);
  if (!results.ok())
    return results.status();
  return WithStates{std::get<ref::Tensor<A>>((*results)[0]).floats,
                    std::get<ref::Tensor<A>>((*results)[1]).floats};
}

template <typename A>
absl::StatusOr<typename ReferenceModel<A>::WithStates>
ReferenceModel<A>::forwardStates(const std::vector<Piece> &pieces) {
  return runWithStates("forwardStates", forwardArguments(pieces));
}

template <typename A>
absl::StatusOr<typename ReferenceModel<A>::WithStates>
ReferenceModel<A>::draft(const std::vector<int32_t> &tokens,
                         const Floats &states, int32_t begin) {
  int32_t length = std::exchange(lengths[0], begin);
  auto arguments = forwardArguments({{0, tokens}});
  lengths[0] = length;
  auto count = static_cast<int64_t>(tokens.size());
  ref::Tensor<A> given;
  given.element = mlir::Float32Type::get(&traced.context());
  given.shape = {count, static_cast<int64_t>(states.size()) / count};
  given.floats = states;
  arguments.insert(arguments.begin() + 1, std::move(given));
  return runWithStates("draft", std::move(arguments));
}

template <typename A>
absl::StatusOr<int32_t>
ReferenceModel<A>::sample(const std::vector<float> &logits, float temperature,
                          int64_t seed) {
  mlir::Builder builder(&traced.context());
  mlir::Type f32 = builder.getF32Type(), i32 = builder.getI32Type();
  ref::Tensor<A> row = floats<A>(f32, logits);
  row.shape = {1, static_cast<int64_t>(logits.size())};
  std::vector<ref::Value<A>> arguments = {
      row,
      floats<A>(f32, {temperature}),
      integers<A>(i32, {0}),
      floats<A>(f32, {1}),
      floats<A>(f32, {0}),
      integers<A>(builder.getI64Type(), {seed}),
      integers<A>(i32, {0})};
  ref::Context context;
  auto results = run("sample", arguments, context);
  if (!results.ok())
    return results.status();
  return static_cast<int32_t>(std::get<ref::Tensor<A>>((*results)[0]).ints[0]);
}

template <typename A>
absl::StatusOr<std::vector<int32_t>>
ReferenceModel<A>::generate(int32_t token, int64_t limit, int32_t stop) {
  mlir::Builder builder(&traced.context());
  mlir::Type f32 = builder.getF32Type(), i32 = builder.getI32Type();
  int64_t position = lengths[0];
  std::vector<ref::Value<A>> arguments = {
      integers<A>(i32, {token}),
      batchOf({{0, {token}}}),
      floats<A>(f32, {0}),
      integers<A>(i32, {0}),
      floats<A>(f32, {1}),
      floats<A>(f32, {0}),
      integers<A>(builder.getI64Type(), {0}),
      integers<A>(i32, {position}),
      integers<A>(i32, {stop}),
      integers<A>(i32, {limit})};
  ref::Context context;
  if (auto results = run("generate", arguments, context, /*forgets=*/true);
      !results.ok())
    return results.status();
  return context.emitted;
}

template class ReferenceModel<ref::Real>;
template class ReferenceModel<ref::Contract>;

} // namespace tenon::tests
