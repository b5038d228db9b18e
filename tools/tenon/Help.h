//===- Help.h - How help texts are laid out ---------------------*- C++ -*-===//

#ifndef TENON_TOOLS_HELP_H
#define TENON_TOOLS_HELP_H

#include <CLI/CLI.hpp>

#include <string>

namespace tenon::tools {

/// Help of at most 80 columns: the value an option takes after its name, its
/// default after the description. The parser's own layout breaks no lines and
/// shows the names of its validators.
class HelpFormatter : public CLI::Formatter {
public:
  HelpFormatter();

  std::string make_option_opts(const CLI::Option *option) const override;
  std::string make_option_desc(const CLI::Option *option) const override;
  std::string make_subcommand(const CLI::App *command) const override;
};

} // namespace tenon::tools
#endif // TENON_TOOLS_HELP_H
