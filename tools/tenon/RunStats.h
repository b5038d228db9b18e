//===- RunStats.h - What `tenon run --stats` prints -------------*- C++ -*-===//

#ifndef TENON_TOOLS_RUNSTATS_H
#define TENON_TOOLS_RUNSTATS_H

#include "runtime/exec/Generator.h"
#include "tools/tenon/Programs.h"

namespace tenon::tools {

struct RunStats {
  double prepareSeconds = 0; // mapping and packing the weights
  exec::GenerateStats generated;
};

/// Prints a table to stderr, so that stdout holds the text alone.
void printRunStats(const ReadyProgram &program,
                   const exec::SessionStats &memory, const RunStats &stats);

} // namespace tenon::tools
#endif // TENON_TOOLS_RUNSTATS_H
