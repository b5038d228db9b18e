//===- Command.h - The subcommands of tenon ---------------------*- C++ -*-===//
//
// Each command is one file: it declares its options on the command line's
// parser, and parsing it sets what is to be done.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_TOOLS_COMMAND_H
#define TENON_TOOLS_COMMAND_H

#include "runtime/base/Status.h"

#include <functional>

namespace CLI {
class App;
} // namespace CLI

namespace tenon::tools {

/// What the parsed command line asks for.
using Action = std::function<Status()>;

/// Each adds one subcommand to `app`; parsing it sets `action`, which must
/// outlive the parse.
void addRunCommand(CLI::App &app, Action &action);
void addBenchCommand(CLI::App &app, Action &action);
void addScoreCommand(CLI::App &app, Action &action);
void addCompileCommand(CLI::App &app, Action &action);
void addTuneCommand(CLI::App &app, Action &action);
void addInspectCommand(CLI::App &app, Action &action);
void addTokenizeCommand(CLI::App &app, Action &action);
void addDataCommand(CLI::App &app, Action &action);
void addTrainCommand(CLI::App &app, Action &action);
void addMergeCommand(CLI::App &app, Action &action);

} // namespace tenon::tools
#endif // TENON_TOOLS_COMMAND_H
