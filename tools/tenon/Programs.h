//===- Programs.h - A loaded program for any MODEL --------------*- C++ -*-===//
//
// A .tenon file is loaded as it is; weights are compiled for this machine
// first, unless the cache has the program already.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_TOOLS_PROGRAMS_H
#define TENON_TOOLS_PROGRAMS_H

#include "runtime/exec/LoadedProgram.h"
#include "runtime/io/WeightsFile.h"
#include "tools/tenon/CompilerLibrary.h"
#include "tools/tenon/Machine.h"

#include <optional>
#include <string>
#include <vector>

namespace tenon::tools {

struct ProgramRequest {
  std::string model;
  std::string weights;   // empty: those of the model
  std::string cpu;       // empty: the best this machine runs
  std::string cacheType; // of attention; empty: the model's
  std::string latents;   // form of latent attention; empty: the default
  std::string activations = "f32";
  std::optional<uint64_t> randomWeights; // a seed; weights are not read
  std::string weightsType;               // of a config.json's; empty: bf16
  std::string adapter;                   // a folder; empty: none
  std::string draft;    // "mtp": with entries that draft tokens; empty: without
  std::string training; // JSON for the compiler; empty: not to be trained
  ScheduleOptions schedules = {"host", ""};
  bool skipCache = false;
  uint32_t threads = 0;
  std::vector<int> cpus; // see hal::DeviceOptions
};

enum class ProgramSource { File, Cache, Compiled };

struct ReadyProgram {
  std::shared_ptr<const exec::LoadedProgram> program;
  std::string path;    // what it was read from
  std::string weights; // empty: embedded, or the file that it refers to
  std::shared_ptr<const io::WeightsFile> opened; // that file; null: not yet
  ProgramSource source = ProgramSource::File;
  double compileSeconds = 0;
  double loadSeconds = 0;
};

/// Errors: NOT_FOUND (a file, the compiler), DATA_LOSS, INVALID_ARGUMENT,
///         those of CompilerLibrary::compile and LoadedProgram::open.
StatusOr<ReadyProgram> prepareProgram(const ProgramRequest &request,
                                      Progress &progress);

/// Loads a .tenon file; a failure says what can be done.
StatusOr<std::shared_ptr<const exec::LoadedProgram>>
openProgram(const std::string &path,
            std::optional<base::CpuFeatures> most = std::nullopt);

/// Seconds since a moment.
class Stopwatch {
public:
  double seconds() const;

private:
  std::chrono::steady_clock::time_point start =
      std::chrono::steady_clock::now();
};

} // namespace tenon::tools
#endif // TENON_TOOLS_PROGRAMS_H
