//===- Log.h - A line of JSON for each event of a run -----------*- C++ -*-===//
//
//   {"step": 12, "loss": 5.03, "norm": 1.2, "rate": 3e-4, "tokens": 512, ...}
//   {"step": 100, "validation_loss": 3.2}
//
// Steps count those taken before the event plus one: the line of the first step
// says 1. Lines are written as they come, each whole.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_TRAINING_LOG_H
#define TENON_TRAINING_LOG_H

#include "runtime/base/Status.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace tenon::training {

/// Losses by step, for a curve.
struct LossHistory {
  std::vector<std::pair<int64_t, double>> training, validation;
};

/// Owns: the open file.
class Log {
public:
  /// Opens a log and drops the lines after `step`, which the run repeats, and
  /// a last one that was cut.
  /// Errors: UNAVAILABLE.
  static StatusOr<Log> open(const std::string &path, int64_t step);
  Log(Log &&other) noexcept;
  Log &operator=(Log &&) = delete;
  ~Log();

  /// Adds a line, the text of a JSON object. Errors: UNAVAILABLE (the disk).
  Status add(const std::string &line);
  const LossHistory &history() const { return losses; }

private:
  Log() = default;
  /// Takes a line into the history; returns its step, or -1 if it is none.
  int64_t note(const std::string &line);

  std::string path;
  int file = -1;
  LossHistory losses;
};

} // namespace tenon::training
#endif // TENON_TRAINING_LOG_H
