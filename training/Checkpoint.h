//===- Checkpoint.h - A run that can go on ----------------------*- C++ -*-===//
//
//   OUTPUT/step-00000200/
//     model.safetensors      the weights, by their names in files; of adapters
//                            alone the files of `io::writeAdapter` instead
//     optimizer.safetensors  the program's other tensors, by their own names
//     training.json          the step, and what decides the next batches
//     config.json ...        files of the model, copied, so that the folder is
//                            a model itself
//
// The folder appears whole or not at all: it is written under another name,
// synchronised, then renamed.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_TRAINING_CHECKPOINT_H
#define TENON_TRAINING_CHECKPOINT_H

#include "runtime/exec/Session.h"

#include <optional>
#include <string>
#include <vector>

namespace tenon::training {

struct CheckpointInfo {
  int64_t step = 0;  // steps that were taken
  std::string order; // Recipe::orderDigest
  double lossScale = 1;
};

/// Writes a checkpoint into `folder` and removes older ones but `keep`.
/// `files` are copied beside the weights.
/// Errors: UNAVAILABLE (the disk is full, ...), which leaves the earlier ones.
StatusOr<std::string> writeCheckpoint(exec::Session &session,
                                      const std::string &folder,
                                      const CheckpointInfo &info,
                                      const std::vector<std::string> &files,
                                      int64_t keep);

/// The newest checkpoint's path; nothing if there is none. Removes what a
/// killed run left half written.
std::optional<std::string> newestCheckpoint(const std::string &folder);

/// Gives the session's tensors the checkpoint's values.
/// Errors: NOT_FOUND, DATA_LOSS (damaged), INVALID_ARGUMENT (of another model:
///         a tensor is missing or of another shape). The session is then as it
///         was or partly changed.
StatusOr<CheckpointInfo> readCheckpoint(exec::Session &session,
                                        const std::string &path);

} // namespace tenon::training
#endif // TENON_TRAINING_CHECKPOINT_H
