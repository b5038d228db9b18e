//===- Trace.h - Where the time of a step goes ------------------*- C++ -*-===//
//
// Collects one event per launch and one per worker that had a part in it, and
// writes them as the JSON that Perfetto and chrome://tracing open.
//
//   Trace trace;
//   session->setTrace(&trace);
//   ... calls ...
//   TENON_RETURN_IF_ERROR(trace.write("step.json"));
//
//===----------------------------------------------------------------------===//

#ifndef TENON_RUNTIME_EXEC_TRACE_H
#define TENON_RUNTIME_EXEC_TRACE_H

#include "runtime/exec/VariantPlan.h"

#include <string>
#include <vector>

namespace tenon::exec {

/// Nanoseconds of std::chrono::steady_clock.
int64_t nowNs();

/// Threads: one at a time; a session adds to it during its calls.
class Trace {
public:
  struct Launch {
    std::string name;  // the kernel's label
    std::string layer; // the instruction's label
    uint32_t tiles;
    int64_t beginNs, endNs;
    std::vector<hal::WorkerSpan> workers;
  };

  void add(Launch launch) { launches.push_back(std::move(launch)); }
  const std::vector<Launch> &events() const { return launches; }

  /// The events as Chrome trace JSON; times start at the first event's.
  std::string toJson() const;
  /// Errors: UNAVAILABLE, naming the path.
  Status write(const std::string &path) const;

private:
  std::vector<Launch> launches;
};

/// Runs `launch`, adding its times to the context's trace and kernel times.
void timeLaunch(RunContext &context, const base::Instruction &instruction,
                hal::Launch &launch, std::vector<hal::WorkerSpan> &spans);

} // namespace tenon::exec
#endif // TENON_RUNTIME_EXEC_TRACE_H
