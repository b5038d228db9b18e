//===- AdapterSet.cpp - Adapters in memory, for sessions ------------------===//

#include "runtime/exec/AdapterSet.h"

#include "runtime/io/Json.h"

#include <algorithm>
#include <functional>
#include <numeric>

namespace tenon::exec {
namespace {

constexpr const char *kMetadata = "adapters";

/// The floats of a session's state, which must be of the shape.
StatusOr<std::span<float>> floatsOf(Session &session, const std::string &name,
                                    std::span<const int64_t> shape) {
  TENON_ASSIGN_OR_RETURN(MutableTensorView view, session.state(name));
  if (view.element != base::ElementType::F32 ||
      !std::ranges::equal(view.shape, shape))
    return notFound("expects f32 ", io::printShape(shape), " of '", name,
                    "', got another type or shape");
  int64_t count = 1;
  for (int64_t extent : shape)
    count *= extent;
  return std::span<float>(static_cast<float *>(view.data), count);
}

} // namespace

bool isAdapterWeight(const base::State &state) {
  return state.source.starts_with(io::kAdapterPrefix);
}

int64_t AdapterSet::Weight::elements() const {
  return std::accumulate(shape.begin(), shape.end(), int64_t{1},
                         std::multiplies<>());
}

StatusOr<AdapterSet> AdapterSet::create(const base::Program &program) {
  AdapterSet set;
  TENON_RETURN_IF_ERROR(set.readMetadata(program));
  for (const base::State &state : program.states)
    if (isAdapterWeight(state))
      set.addWeight(state);
  return set;
}

Status AdapterSet::readMetadata(const base::Program &program) {
  auto found = std::ranges::find(program.metadata, kMetadata,
                                 [](const base::Metadata &m) { return m.key; });
  if (found == program.metadata.end())
    return invalidArgument("expects a program that was compiled with adapters, "
                           "got one without");
  constexpr std::string_view kSource = "the program's adapters";
  TENON_ASSIGN_OR_RETURN(io::Json json, io::parseJson(found->value, kSource));
  const std::string *kind = io::textOf(io::findMember(json, "kind"));
  if (!kind ||
      !io::readInt(io::findMember(json, "rank"), 1, 1 << 20, settings.rank))
    return dataLoss(kSource, ": expects a kind and a rank");
  settings.kind = *kind;
  const io::Json *alpha = io::findMember(json, "alpha");
  if (alpha && alpha->is_number())
    settings.alpha = alpha->template get<double>();
  const io::Json *interleaved = io::findMember(json, "interleaved");
  for (const io::Json &each : interleaved ? *interleaved : io::Json::array()) {
    const std::string *part = io::textOf(io::findMember(each, "part"));
    int64_t heads;
    if (!part || !io::readInt(io::findMember(each, "heads"), 1, 1 << 20, heads))
      return dataLoss(kSource, ": expects a part and its heads");
    headsOf[*part] = heads;
  }
  const io::Json *unadapted = io::findMember(json, "unadapted");
  for (const io::Json &each : unadapted ? *unadapted : io::Json::array())
    if (const std::string *name = io::textOf(&each))
      passedOver.push_back(*name);
  return Status();
}

void AdapterSet::addWeight(const base::State &state) {
  Weight weight = {state.name, state.source, state.shape};
  std::string_view name = state.source;
  weight.adds =
      name.ends_with(".lora_B.weight") || name.ends_with(".adapter_up.weight");
  bool hasResult = !name.ends_with(".lora_A.weight") && state.shape.size() == 2;
  weight.axis = weight.adds ? 0 : 1;
  for (const auto &[part, heads] : headsOf)
    if (hasResult && name.starts_with(io::kAdapterPrefix) &&
        name.substr(io::kAdapterPrefix.size()).starts_with(part + "."))
      weight.heads = heads;
  weights.push_back(std::move(weight));
}

std::vector<float> AdapterSet::reorder(const Weight &weight,
                                       std::span<const float> from,
                                       bool toFile) {
  std::vector<float> to(from.begin(), from.end());
  if (weight.heads == 0)
    return to;
  int64_t rows = weight.shape[0], columns = weight.shape[1];
  int64_t headWidth = weight.shape[weight.axis] / weight.heads;
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < columns; ++c) {
      int64_t row = weight.axis == 0 ? io::placeInHalves(r, headWidth) : r;
      int64_t column = weight.axis == 1 ? io::placeInHalves(c, headWidth) : c;
      int64_t here = r * columns + c, there = row * columns + column;
      to[toFile ? there : here] = from[toFile ? here : there];
    }
  return to;
}

Status AdapterSet::checkFile(const io::AdapterFile &file) const {
  const io::AdapterConfig &config = file.config();
  if (config.kind != settings.kind || config.rank != settings.rank ||
      config.alpha != settings.alpha)
    return invalidArgument(file.path(), ": expects an adapter that is ",
                           settings.print(), ", got ", config.print());
  for (const io::TensorEntry &tensor : file.weights().tensors())
    if (std::ranges::find(weights, tensor.name, &Weight::source) ==
        weights.end())
      return invalidArgument(file.path(), ": the program has no adapter for '",
                             tensor.name, "'");
  return Status();
}

Status AdapterSet::load(const std::string &name, const std::string &path) {
  TENON_ASSIGN_OR_RETURN(io::AdapterFile file, io::AdapterFile::open(path));
  TENON_RETURN_IF_ERROR(checkFile(file));
  Values values;
  for (const Weight &weight : weights) {
    const io::TensorEntry *tensor = file.weights().find(weight.source);
    if (!tensor)
      return invalidArgument(path, ": expects '", weight.source, "', got none");
    if (tensor->shape != weight.shape)
      return invalidArgument(
          path, ": expects the shape ", io::printShape(weight.shape), " of '",
          weight.source, "', got ", io::printShape(tensor->shape));
    std::vector<float> read(weight.elements());
    TENON_RETURN_IF_ERROR(base::unpack(tensor->type, tensor->data.data(),
                                       weight.elements(), read.data()));
    values.push_back(reorder(weight, read, /*toFile=*/false));
  }
  adapters[name] = std::move(values);
  return Status();
}

Status AdapterSet::keep(const std::string &name, Session &session) {
  Values values;
  for (const Weight &weight : weights) {
    TENON_ASSIGN_OR_RETURN(std::span<float> held,
                           floatsOf(session, weight.state, weight.shape));
    values.emplace_back(held.begin(), held.end());
  }
  adapters[name] = std::move(values);
  return Status();
}

StatusOr<const AdapterSet::Values *>
AdapterSet::find(std::string_view name) const {
  auto found = adapters.find(name);
  if (found != adapters.end())
    return &found->second;
  std::string known;
  for (const auto &[each, values] : adapters)
    known += (known.empty() ? "" : ", ") + each;
  return notFound("expects one of the adapters ",
                  known.empty() ? "(none)" : known, ", got '", name, "'");
}

Status AdapterSet::save(std::string_view name,
                        const std::string &folder) const {
  TENON_ASSIGN_OR_RETURN(const Values *values, find(name));
  Values ordered;
  std::vector<io::SafetensorsTensor> tensors;
  for (size_t i = 0; i < weights.size(); ++i) {
    ordered.push_back(reorder(weights[i], (*values)[i], /*toFile=*/true));
    const std::vector<float> &floats = ordered.back();
    tensors.push_back({weights[i].source,
                       base::ElementType::F32,
                       weights[i].shape,
                       {reinterpret_cast<const uint8_t *>(floats.data()),
                        floats.size() * sizeof(float)}});
  }
  return io::writeAdapter(folder, settings, tensors);
}

Status AdapterSet::use(Session &session, std::string_view name) const {
  TENON_ASSIGN_OR_RETURN(const Values *values, find(name));
  for (size_t i = 0; i < weights.size(); ++i) {
    TENON_ASSIGN_OR_RETURN(
        std::span<float> held,
        floatsOf(session, weights[i].state, weights[i].shape));
    std::ranges::copy((*values)[i], held.begin());
  }
  return Status();
}

Status AdapterSet::useNone(Session &session) const {
  for (const Weight &weight : weights) {
    TENON_ASSIGN_OR_RETURN(std::span<float> held,
                           floatsOf(session, weight.state, weight.shape));
    if (weight.adds)
      std::ranges::fill(held, 0.0f);
  }
  return Status();
}

std::vector<std::string> AdapterSet::names() const {
  std::vector<std::string> all;
  for (const auto &[name, values] : adapters)
    all.push_back(name);
  return all;
}

bool AdapterSet::remove(std::string_view name) {
  auto found = adapters.find(name);
  if (found == adapters.end())
    return false;
  adapters.erase(found);
  return true;
}

} // namespace tenon::exec
