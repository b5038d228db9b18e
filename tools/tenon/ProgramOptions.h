//===- ProgramOptions.h - Options of commands that run models ---*- C++ -*-===//

#ifndef TENON_TOOLS_PROGRAMOPTIONS_H
#define TENON_TOOLS_PROGRAMOPTIONS_H

#include "tools/tenon/Programs.h"

namespace CLI {
class App;
} // namespace CLI

namespace tenon::tools {

/// Declares MODEL and, in the group "Machine", what programs are compiled for
/// and run with. `request` must outlive the parse.
void addProgramOptions(CLI::App &app, ProgramRequest &request);

} // namespace tenon::tools
#endif // TENON_TOOLS_PROGRAMOPTIONS_H
