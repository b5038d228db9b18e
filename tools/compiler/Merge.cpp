//===- Merge.cpp - Adapters merged by the models' names -------------------===//

#include "models/Adapters.h"
#include "models/Registry.h"
#include "runtime/io/MergeAdapter.h"
#include "tools/compiler/CompilerApi.h"
#include "tools/compiler/FromAbsl.h"

#include <algorithm>
#include <cstring>

using namespace tenon;

namespace {

StatusOr<io::MergeReport> merge(const std::string &modelPath,
                                const std::string &adapterPath,
                                const std::string &output,
                                const tenon_merge_options_t &options) {
  io::MergeOptions how;
  how.takesAway = options.takes_away != 0;
  if (options.type) {
    how.type = base::parseElementType(options.type);
    if (!how.type)
      return invalidArgument("expects the name of an element type, got '",
                             options.type, "'");
  }
  TENON_ASSIGN_OR_RETURN(io::AdapterFile adapter,
                         io::AdapterFile::open(adapterPath));
  absl::StatusOr<ModelFiles> files = ModelFiles::open(modelPath);
  if (!files.ok())
    return tools::fromAbsl(files.status());
  absl::StatusOr<models::Decoder> decoder = models::buildModel(*files);
  if (!decoder.ok())
    return tools::fromAbsl(decoder.status());
  std::vector<io::MergePart> parts;
  for (models::PartInFiles &part : models::partsInFiles(*decoder, *files))
    parts.push_back({std::move(part.tensor), std::move(part.part),
                     part.inputsFirst, part.heads});
  return io::mergeAdapter(files->weights(), adapter, parts, how, output);
}

} // namespace

tenon_status_t tenon_merge_adapter(const char *model_path,
                                   const char *adapter_path,
                                   const char *output_path,
                                   const tenon_merge_options_t *options,
                                   tenon_merge_report_t *report) {
  if (!model_path || !adapter_path || !output_path || !report)
    return toC(invalidArgument("expects a model, an adapter, an output path "
                               "and a report, got NULL"));
  tenon_merge_options_t known = {sizeof(known), nullptr, 0};
  if (options)
    std::memcpy(&known, options, std::min(options->size_bytes, sizeof(known)));
  StatusOr<io::MergeReport> made =
      merge(model_path, adapter_path, output_path, known);
  if (!made.ok())
    return toC(made.status());
  *report = {made->merged, made->dequantised,
             base::info(made->type).name.data()};
  return nullptr;
}
