//===- Inspect.h - What `tenon inspect` shows -------------------*- C++ -*-===//
//
// Each report exists as text for people and as JSON for programs. Files are
// read and verified, never run: nothing is mapped executable.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_TOOLS_INSPECT_H
#define TENON_TOOLS_INSPECT_H

#include "runtime/base/Container.h"
#include "runtime/io/Json.h"
#include "runtime/io/WeightsFile.h"
#include "tools/tenon/Symbols.h"

#include <string>
#include <vector>

namespace tenon::tools {

struct InspectOptions {
  std::string file;
  bool showTensors = false;
  bool showEntries = false;
  bool showKernels = false;
  bool showPlan = false;
  bool isJson = false;
  std::vector<std::string> set; // "T=16"
};

/// A .tenon file's contents.
struct ProgramFile {
  std::vector<base::Section> sections; // borrowed from the file
  const char *begin = nullptr;         // of the file
  int64_t sizeBytes = 0;
  base::Program program;
};

std::string describeWeights(const io::WeightsFile &weights,
                            const InspectOptions &options);
io::Json weightsToJson(const io::WeightsFile &weights,
                       const InspectOptions &options);

std::string describeProgram(const ProgramFile &file,
                            const InspectOptions &options,
                            const SymbolValues &given);
io::Json programToJson(const ProgramFile &file, const InspectOptions &options,
                       const SymbolValues &given);

/// "program", "code v4", ...
std::string sectionName(const base::Section &section);

} // namespace tenon::tools
#endif // TENON_TOOLS_INSPECT_H
