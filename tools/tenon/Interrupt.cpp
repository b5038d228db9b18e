//===- Interrupt.cpp - Ctrl-C ---------------------------------------------===//

#include "tools/tenon/Interrupt.h"
#include "tools/tenon/Errors.h"

#include <atomic>
#include <climits>
#include <csignal>
#include <cstring>
#include <unistd.h>

namespace tenon::tools {
namespace {

// A signal handler reaches nothing but globals. All are lock-free.
std::atomic<exec::Session *> cancelled = nullptr;
std::atomic<int> deferrals = 0;
std::atomic<bool> isSignalled = false;
std::atomic<bool> hasPartial = false;
std::atomic<bool> isQuiet = false;
char partialPath[PATH_MAX];

[[noreturn]] void leave() {
  if (hasPartial.load())
    unlink(partialPath);
  static constexpr char kMessage[] = "\ntenon: cancelled\n";
  if (!isQuiet.load())
    (void)!write(STDERR_FILENO, kMessage, sizeof(kMessage) - 1);
  _exit(kExitCancelled);
}

void onSignal(int) {
  bool isFirst = !isSignalled.exchange(true);
  if (deferrals.load() > 0)
    return;
  exec::Session *session = cancelled.load();
  if (!session || !isFirst)
    leave();
  session->cancel();
}

} // namespace

void installInterruptHandler() {
  struct sigaction action = {};
  action.sa_handler = onSignal;
  sigemptyset(&action.sa_mask);
  // Not SA_RESTART: a prompt being typed is given up too.
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

void beQuietWhenInterrupted() { isQuiet.store(true); }

CancelOnInterrupt::CancelOnInterrupt(exec::Session &session) {
  cancelled.store(&session);
}

CancelOnInterrupt::~CancelOnInterrupt() { cancelled.store(nullptr); }

DeferInterrupt::DeferInterrupt() { ++deferrals; }

DeferInterrupt::~DeferInterrupt() {
  if (--deferrals == 0 && isSignalled.load())
    leave();
}

bool DeferInterrupt::isPending() { return isSignalled.load(); }

PartialFile::PartialFile(std::string path) : name(std::move(path)) {
  if (name.size() >= sizeof(partialPath))
    return;
  std::memcpy(partialPath, name.c_str(), name.size() + 1);
  hasPartial.store(true);
}

PartialFile::~PartialFile() {
  hasPartial.store(false);
  unlink(name.c_str());
}

} // namespace tenon::tools
