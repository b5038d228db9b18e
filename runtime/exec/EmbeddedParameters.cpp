//===- EmbeddedParameters.cpp - Weights that a .tenon file holds ----------===//

#include "runtime/exec/EmbeddedParameters.h"

#include <algorithm>

namespace tenon::exec {
namespace {

constexpr int64_t kAlignment = 64;

struct Place {
  int64_t offset = -1; // not stored
  int64_t sizeBytes = 0;
};

struct Layout {
  std::vector<Place> places; // by parameter
  int64_t sizeBytes = 0;
};

bool isReadOutsidePrepare(const base::Program &program, size_t parameter) {
  auto reads = [&](const base::Variant &variant) {
    return std::ranges::any_of(variant.buffers, [&](const auto &buffer) {
      return buffer.kind == base::BufferKind::Parameter &&
             buffer.index == parameter;
    });
  };
  return std::ranges::any_of(program.entries, [&](const base::Entry &entry) {
    return entry.name != "prepare" &&
           std::ranges::any_of(entry.variants, reads);
  });
}

StatusOr<int64_t> sizeOf(const base::Parameter &parameter) {
  int64_t count = 1;
  for (int64_t extent : parameter.shape)
    if (__builtin_mul_overflow(count, extent, &count))
      return outOfRange("parameter '", parameter.name,
                        "' exceeds 2^63 elements");
  return base::sizeBytes(parameter.element, count);
}

StatusOr<Layout> layout(const base::Program &program) {
  Layout result;
  result.places.resize(program.parameters.size());
  for (size_t i = 0; i < program.parameters.size(); ++i) {
    if (!isReadOutsidePrepare(program, i))
      continue;
    Place &place = result.places[i];
    TENON_ASSIGN_OR_RETURN(place.sizeBytes, sizeOf(program.parameters[i]));
    place.offset = result.sizeBytes;
    int64_t end = 0;
    if (__builtin_add_overflow(place.offset, place.sizeBytes, &end) ||
        __builtin_add_overflow(end, -end & (kAlignment - 1), &end))
      return outOfRange("the parameters exceed 2^63 bytes at '",
                        program.parameters[i].name, "'");
    result.sizeBytes = end;
  }
  return result;
}

} // namespace

StatusOr<std::string> storeParameters(const base::Program &program,
                                      const ParameterLookup &lookup) {
  TENON_ASSIGN_OR_RETURN(Layout places, layout(program));
  std::string bytes(static_cast<size_t>(places.sizeBytes), '\0');
  for (size_t i = 0; i < program.parameters.size(); ++i) {
    const Place &place = places.places[i];
    if (place.offset < 0)
      continue;
    TENON_ASSIGN_OR_RETURN(TensorView view, lookup(program.parameters[i]));
    std::copy_n(static_cast<const char *>(view.data), place.sizeBytes,
                bytes.data() + place.offset);
  }
  return bytes;
}

StatusOr<ParameterLookup>
embeddedParameters(std::shared_ptr<const LoadedProgram> program) {
  std::span<const std::byte> section =
      program->section(base::SectionKind::Parameters);
  if (section.empty())
    return ParameterLookup();
  TENON_ASSIGN_OR_RETURN(Layout places, layout(program->program()));
  if (section.size() != static_cast<size_t>(places.sizeBytes))
    return dataLoss("expects embedded parameters of ", places.sizeBytes,
                    " bytes, got ", section.size());
  return ParameterLookup(
      [program, section, places = std::move(places.places)](
          const base::Parameter &parameter) -> StatusOr<TensorView> {
        size_t index = &parameter - program->program().parameters.data();
        if (places[index].offset < 0)
          return notFound("expects the parameter '", parameter.name,
                          "' in the program, got none");
        return TensorView{section.data() + places[index].offset,
                          parameter.element, parameter.shape};
      });
}

} // namespace tenon::exec
