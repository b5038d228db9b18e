//===- Main.cpp - The tenon tool ------------------------------------------===//
//
// Compiles models, runs them, and shows what is in their files. It links the
// runtime alone: the compiler is a library that is opened when needed.
//
//===----------------------------------------------------------------------===//

#include "tools/tenon/Command.h"

#include "tenon/abi.h"
#include "tools/tenon/Errors.h"
#include "tools/tenon/Help.h"
#include "tools/tenon/Interrupt.h"

#include <memory>

using namespace tenon;
using namespace tenon::tools;

// Errors of the parser follow the same form as all others; its own form and
// its exit codes are dropped.
static int reportParseError(const CLI::App &app, const CLI::ParseError &error) {
  if (error.get_exit_code() == 0) // --help, --version
    return app.exit(error);
  std::string command = "tenon";
  for (const CLI::App *used : app.get_subcommands())
    command += " " + used->get_name();
  printError(invalidArgument(error.what(), "; see `", command, " --help`"));
  return kExitBadInput;
}

int main(int argc, char **argv) {
  CLI::App app("Tenon compiles language models and runs them.", "tenon");
  app.set_version_flag("--version", concat("tenon " TENON_VERSION " (abi ",
                                           TENON_ABI_VERSION, ")"));
  app.require_subcommand(1);
  app.formatter(std::make_shared<HelpFormatter>());
  app.footer("`tenon COMMAND --help` explains a command. Errors end with exit "
             "code 2 for bad\ninput and 1 for failures of the machine or of "
             "Tenon.");
  Action action;
  addRunCommand(app, action);
  addBenchCommand(app, action);
  addScoreCommand(app, action);
  addCompileCommand(app, action);
  addTuneCommand(app, action);
  addInspectCommand(app, action);
  addTokenizeCommand(app, action);
  addDataCommand(app, action);
  addTrainCommand(app, action);
  addMergeCommand(app, action);
  try { // CLI11 reports by exceptions; nothing of ours throws.
    app.parse(argc, argv);
  } catch (const CLI::ParseError &error) {
    return reportParseError(app, error);
  }
  installInterruptHandler();
  Status status = action();
  if (status.code() == TENON_CANCELLED)
    printNotice("cancelled");
  else
    printError(status);
  return exitCodeOf(status);
}
