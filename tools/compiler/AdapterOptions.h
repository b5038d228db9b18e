//===- AdapterOptions.h - Options of adapters, as JSON ----------*- C++ -*-===//

#ifndef TENON_TOOLS_COMPILER_ADAPTEROPTIONS_H
#define TENON_TOOLS_COMPILER_ADAPTEROPTIONS_H

#include "models/Decoder.h"

namespace tenon::tools {

/// Reads {"kind": "lora", "rank": 16, "alpha": 32, "targets": ["layers.*..."]},
/// all but the targets of which may be left out, or {"files": "FOLDER"}: what
/// fits an adapter that was written.
/// Errors: INVALID_ARGUMENT, DATA_LOSS (not JSON).
absl::Status parseAdapterOptions(std::string_view json,
                                 models::DecoderOptions &options);

} // namespace tenon::tools
#endif // TENON_TOOLS_COMPILER_ADAPTEROPTIONS_H
