//===- Progress.cpp - What takes so long ----------------------------------===//

#include "tools/tenon/Progress.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <unistd.h>

namespace tenon::tools {

// Often enough to look alive, seldom enough to cost nothing.
static constexpr std::chrono::milliseconds kRedraw(50);
static constexpr size_t kBarWidth = 30;

Progress::Progress() {
  const char *terminal = std::getenv("TERM");
  isShown = isatty(STDERR_FILENO) == 1 && terminal &&
            std::string_view(terminal) != "dumb";
}

void Progress::update(std::string_view stage, size_t done, size_t total) {
  if (!isShown)
    return;
  std::lock_guard<std::mutex> lock(mutex);
  Clock::time_point now = Clock::now();
  if (isDrawn && stage == shownStage && done < total && now - drawnAt < kRedraw)
    return;
  isDrawn = true;
  shownStage = stage;
  drawnAt = now;
  if (total == 0) {
    std::fprintf(stderr, "\r\033[K%s ...", shownStage.c_str());
    return;
  }
  size_t filled = std::min(done, total) * kBarWidth / total;
  std::string bar(kBarWidth, ' ');
  std::fill_n(bar.begin(), filled, '#');
  std::fprintf(stderr, "\r\033[K%-12s [%s] %zu/%zu", shownStage.c_str(),
               bar.c_str(), done, total);
}

void Progress::clear() {
  std::lock_guard<std::mutex> lock(mutex);
  if (!isDrawn)
    return;
  std::fputs("\r\033[K", stderr);
  isDrawn = false;
}

} // namespace tenon::tools
