//===- Interrupt.h - Ctrl-C -------------------------------------*- C++ -*-===//
//
// Ctrl-C ends the process at once, unless something alive says otherwise:
//
//   CancelOnInterrupt guard(session); // the session's call fails: CANCELLED
//   DeferInterrupt guard;             // ends at the guard's end instead
//   PartialFile file(path);           // the file is removed first
//
//===----------------------------------------------------------------------===//

#ifndef TENON_TOOLS_INTERRUPT_H
#define TENON_TOOLS_INTERRUPT_H

#include "runtime/exec/Session.h"

#include <string>

namespace tenon::tools {

/// Handles SIGINT and SIGTERM from here on; called once, by main.
void installInterruptHandler();

/// From here on signals end this process, a child, without a word.
void beQuietWhenInterrupted();

/// While it lives the signals cancel `session`, which must outlive it; the
/// second one ends the process.
class CancelOnInterrupt {
public:
  explicit CancelOnInterrupt(exec::Session &session);
  ~CancelOnInterrupt();
  CancelOnInterrupt(const CancelOnInterrupt &) = delete;
  CancelOnInterrupt &operator=(const CancelOnInterrupt &) = delete;
};

/// While it lives the signals wait, so that what is written is whole.
class DeferInterrupt {
public:
  DeferInterrupt();
  ~DeferInterrupt();
  /// Whether a signal came, for loops that can end early.
  static bool isPending();
  DeferInterrupt(const DeferInterrupt &) = delete;
  DeferInterrupt &operator=(const DeferInterrupt &) = delete;
};

/// A file that is removed with this object, and by the signals; one at a time.
class PartialFile {
public:
  explicit PartialFile(std::string path);
  ~PartialFile();
  PartialFile(const PartialFile &) = delete;
  PartialFile &operator=(const PartialFile &) = delete;

  const std::string &path() const { return name; }

private:
  std::string name;
};

} // namespace tenon::tools
#endif // TENON_TOOLS_INTERRUPT_H
