//===- RunStats.cpp - What `tenon run --stats` prints ---------------------===//

#include "tools/tenon/RunStats.h"

#include "tools/tenon/Table.h"

#include <cstdio>
#include <sys/resource.h>

namespace tenon::tools {
namespace {

std::string describeSource(ProgramSource source) {
  switch (source) {
  case ProgramSource::File:
    return "compiled before: a .tenon file";
  case ProgramSource::Cache:
    return "compiled before: found in the cache";
  case ProgramSource::Compiled:
    return "compiled now";
  }
  return "";
}

std::string describeSpeed(int64_t tokens, double perSecond) {
  return concat(tokens, " tokens, ", formatNumber(perSecond, 1), " tokens/s");
}

std::string describeDrafts(const exec::GenerateStats &stats) {
  double percent = 100.0 * static_cast<double>(stats.acceptedTokens) /
                   static_cast<double>(stats.draftedTokens);
  return concat(stats.draftedTokens, " tokens, ", stats.acceptedTokens,
                " accepted, ", formatNumber(percent, 1), " %");
}

std::string describeEnd(const exec::GenerateStats &stats) {
  if (stats.reasons.empty())
    return "";
  switch (stats.reasons.front()) {
  case exec::FinishReason::MaxTokens:
    return "as many tokens as asked for";
  case exec::FinishReason::StopToken:
    return "the model ended the text";
  case exec::FinishReason::Callback:
    return "nobody reads the text";
  case exec::FinishReason::Context:
    return "the context is full";
  }
  return "";
}

int64_t peakResidentBytes() {
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  return int64_t{usage.ru_maxrss} * 1024; // Linux counts KiB
}

} // namespace

void printRunStats(const ReadyProgram &program,
                   const exec::SessionStats &memory, const RunStats &stats) {
  const exec::GenerateStats &generated = stats.generated;
  auto seconds = [](double value) { return formatNumber(value, 3) + " s"; };
  std::string features = "unknown";
  if (program.program->features())
    features = base::cpuFeaturesName(*program.program->features());

  Table table({{""}, {""}, {""}});
  table.add(
      {"prompt",
       describeSpeed(generated.promptTokens, generated.promptTokensPerSecond()),
       seconds(generated.promptNs / 1e9)});
  table.add(
      {"generation",
       describeSpeed(generated.decodeTokens, generated.decodeTokensPerSecond()),
       seconds(generated.decodeNs / 1e9)});
  if (generated.draftedTokens > 0)
    table.add({"drafts", describeDrafts(generated), ""});
  table.add({"ended", describeEnd(generated), ""});
  table.add({"compile", seconds(program.compileSeconds),
             describeSource(program.source)});
  table.add({"load", seconds(program.loadSeconds), "code for " + features});
  table.add({"prepare", seconds(stats.prepareSeconds),
             "weights mapped and "
             "packed"});
  table.add({"memory: weights", formatBytes(memory.preparedBytes), "prepared"});
  table.add({"memory: caches", formatBytes(memory.stateBytes), "states"});
  table.add({"memory: values", formatBytes(memory.arenaBytes), "arena"});
  table.add(
      {"memory: scratch", formatBytes(memory.scratchBytes), "of all threads"});
  table.add({"memory: process", formatBytes(peakResidentBytes()),
             "peak resident, mapped files included"});
  std::fprintf(stderr, "\n%s", table.print().c_str());
}

} // namespace tenon::tools
