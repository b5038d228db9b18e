//===- Progress.h - What takes so long --------------------------*- C++ -*-===//
//
//   Progress progress;
//   progress.update("kernels", 3, 40); // kernels  [##        ]  3/40
//   progress.update("linking");        // no count
//
// One line on stderr, redrawn in place and gone in the end; nothing at all
// where stderr is no terminal.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_TOOLS_PROGRESS_H
#define TENON_TOOLS_PROGRESS_H

#include <chrono>
#include <cstddef>
#include <mutex>
#include <string>
#include <string_view>

namespace tenon::tools {

/// Threads: any.
class Progress {
public:
  Progress();
  ~Progress() { clear(); }
  Progress(const Progress &) = delete;
  Progress &operator=(const Progress &) = delete;

  /// Shows that `done` of `total` steps of `stage` are made; a total of 0 has
  /// no bar.
  void update(std::string_view stage, size_t done = 0, size_t total = 0);

  /// Removes the line, before something else is printed.
  void clear();

private:
  using Clock = std::chrono::steady_clock;

  std::mutex mutex;
  bool isShown = false; // whether there is a terminal at all
  bool isDrawn = false;
  std::string shownStage;
  Clock::time_point drawnAt;
};

} // namespace tenon::tools
#endif // TENON_TOOLS_PROGRESS_H
