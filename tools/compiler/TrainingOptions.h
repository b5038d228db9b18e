//===- TrainingOptions.h - Options of training, as JSON ---------*- C++ -*-===//

#ifndef TENON_TOOLS_COMPILER_TRAININGOPTIONS_H
#define TENON_TOOLS_COMPILER_TRAININGOPTIONS_H

#include "models/Training.h"

namespace tenon::tools {

/// Reads what `tenon train` hands to the compiler, a JSON object: tokens,
/// sequences, accumulates, optimizer and its numbers, clip, checkpoint,
/// compute, frozen, undecayed, adapter (as AdapterOptions.h says), objective,
/// values, scores_all, balance_loss, z_loss, capacity (whether there is one),
/// records_routing, cache_type, latent_attention (empty: the default), further
/// (whether further tokens are learned), decode (tokens of a call that
/// generates). Errors: INVALID_ARGUMENT (a member of another type, or unknown),
/// DATA_LOSS
///         (not JSON).
absl::StatusOr<models::TrainingOptions>
parseTrainingOptions(std::string_view json);

} // namespace tenon::tools
#endif // TENON_TOOLS_COMPILER_TRAININGOPTIONS_H
