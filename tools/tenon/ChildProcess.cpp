//===- ChildProcess.cpp - Work whose memory is given back -----------------===//

#include "tools/tenon/ChildProcess.h"

#include "tools/tenon/Interrupt.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <string>
#include <sys/poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace tenon::tools {
namespace {

/// Writes the status as its code, in a byte, and its message.
[[noreturn]] void runChild(int output, const std::function<Status()> &work) {
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  beQuietWhenInterrupted();
  Status status = work();
  std::string report(1, static_cast<char>(status.code()));
  report += status.message();
  std::fflush(nullptr);
  for (size_t done = 0; done < report.size();) {
    ssize_t count = write(output, report.data() + done, report.size() - done);
    if (count < 0 && errno != EINTR)
      break;
    done += count > 0 ? count : 0;
  }
  _exit(0);
}

/// What the child wrote before it ended.
std::string readReport(int input, pid_t child) {
  constexpr int kMilliseconds = 100; // until a signal is handed on
  std::string report;
  std::array<char, 4096> some;
  bool isTold = false;
  for (;;) {
    if (DeferInterrupt::isPending() && !isTold)
      isTold = kill(child, SIGTERM) == 0;
    pollfd ready = {input, POLLIN, 0};
    if (poll(&ready, 1, kMilliseconds) <= 0)
      continue;
    ssize_t count = read(input, some.data(), some.size());
    if (count > 0)
      report.append(some.data(), count);
    else if (count == 0 || errno != EINTR)
      return report;
  }
}

} // namespace

Status runInChild(const std::function<Status()> &work) {
  int ends[2];
  if (pipe(ends) != 0)
    return unavailable("expects a pipe, got: ", std::strerror(errno));
  std::fflush(nullptr);
  pid_t child = fork();
  if (child < 0) {
    int error = errno;
    close(ends[0]);
    close(ends[1]);
    return resourceExhausted("expects to start a process, got: ",
                             std::strerror(error));
  }
  if (child == 0) {
    close(ends[0]);
    runChild(ends[1], work);
  }
  DeferInterrupt waiting; // for what the child leaves
  close(ends[1]);
  std::string report = readReport(ends[0], child);
  close(ends[0]);
  int ended = 0;
  while (waitpid(child, &ended, 0) < 0 && errno == EINTR) {
  }
  if (WIFSIGNALED(ended) && WTERMSIG(ended) == SIGKILL)
    return resourceExhausted("expects the compiler to end, got a kill, as the "
                             "system does where memory runs out");
  if (WIFSIGNALED(ended))
    return internalError("expects the compiler to end, got a crash: ",
                         strsignal(WTERMSIG(ended)));
  if (report.empty())
    return internalError("expects the compiler to report, got exit status ",
                         WEXITSTATUS(ended));
  auto code = static_cast<tenon_status_code_t>(report[0]);
  return code == TENON_OK ? Status() : Status(code, report.substr(1));
}

} // namespace tenon::tools
