//===- Trace.cpp - Where the time of a step goes --------------------------===//

#include "runtime/exec/Trace.h"

#include <algorithm>
#include <chrono>
#include <cstdio>

namespace tenon::exec {
namespace {

/// `text` as a JSON string with its quotes.
std::string quoted(const std::string &text) {
  std::string json = "\"";
  for (char c : text) {
    char escaped[8];
    if (c == '"' || c == '\\') {
      json += '\\';
      json += c;
      continue;
    }
    if (static_cast<unsigned char>(c) >= 0x20) {
      json += c;
      continue;
    }
    std::snprintf(escaped, sizeof(escaped), "\\u%04x", c);
    json += escaped;
  }
  return json + '"';
}

/// One complete event ("ph": "X"); the format counts in microseconds.
std::string event(const std::string &name, size_t thread, int64_t beginNs,
                  int64_t durationNs, const std::string &arguments) {
  char times[96];
  std::snprintf(times, sizeof(times), "\"ts\":%.3f,\"dur\":%.3f", beginNs / 1e3,
                durationNs / 1e3);
  return concat("{\"ph\":\"X\",\"pid\":1,\"tid\":", thread,
                ",\"name\":", quoted(name), ",", times, ",\"args\":{",
                arguments, "}}");
}

std::string threadName(size_t thread, const std::string &name) {
  return concat("{\"ph\":\"M\",\"pid\":1,\"tid\":", thread,
                ",\"name\":\"thread_name\",\"args\":{\"name\":", quoted(name),
                "}}");
}

} // namespace

int64_t nowNs() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

std::string Trace::toJson() const {
  int64_t origin = launches.empty() ? 0 : launches.front().beginNs;
  size_t workers = 0;
  std::string json = "{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n";
  for (const Launch &launch : launches) {
    workers = std::max(workers, launch.workers.size());
    json += event(launch.name, 0, launch.beginNs - origin,
                  launch.endNs - launch.beginNs,
                  concat("\"tiles\":", launch.tiles,
                         ",\"layer\":", quoted(launch.layer))) +
            ",\n";
    for (size_t w = 0; w < launch.workers.size(); ++w) {
      const hal::WorkerSpan &span = launch.workers[w];
      if (span.tiles != 0)
        json +=
            event(launch.name, w + 1, span.beginNs - origin,
                  span.endNs - span.beginNs, concat("\"tiles\":", span.tiles)) +
            ",\n";
    }
  }
  for (size_t w = 0; w < workers; ++w)
    json += threadName(w + 1, concat("worker ", w)) + ",\n";
  return json + threadName(0, "launches") + "\n]}\n";
}

Status Trace::write(const std::string &path) const {
  std::FILE *file = std::fopen(path.c_str(), "wb");
  if (!file)
    return unavailable("expects to write '", path, "', could not open it");
  std::string json = toJson();
  bool written = std::fwrite(json.data(), 1, json.size(), file) == json.size();
  if (std::fclose(file) != 0 || !written)
    return unavailable("expects to write ", json.size(), " bytes to '", path,
                       "', could not");
  return Status();
}

void timeLaunch(RunContext &context, const base::Instruction &instruction,
                hal::Launch &launch, std::vector<hal::WorkerSpan> &spans) {
  if (context.trace) {
    spans.assign(context.device->workers(), hal::WorkerSpan());
    launch.spans = spans.data();
  }
  int64_t begin = nowNs();
  context.device->launch(launch);
  int64_t end = nowNs();
  if (!context.kernelTimes.empty()) {
    KernelTime &time = context.kernelTimes[instruction.kernel];
    ++time.launches;
    time.timeNs += end - begin;
  }
  if (!context.trace)
    return;
  const base::Kernel &kernel =
      context.program->program().kernels[instruction.kernel];
  context.trace->add({kernel.label.empty() ? kernel.symbol : kernel.label,
                      instruction.label, launch.tiles, begin, end, spans});
}

} // namespace tenon::exec
