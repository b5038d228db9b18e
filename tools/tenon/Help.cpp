//===- Help.cpp - How help texts are laid out -----------------------------===//

#include "tools/tenon/Help.h"

namespace tenon::tools {

static constexpr size_t kNameColumns = 26, kTextColumns = 80 - kNameColumns;

static std::string wrapped(const std::string &text) {
  std::istringstream words(text);
  std::string out;
  size_t column = 0;
  for (std::string word; words >> word; column += word.size() + 1) {
    if (column > 0 && column + word.size() > kTextColumns) {
      out += "\n";
      column = 0;
    }
    out += (column > 0 ? " " : "") + word;
  }
  return out;
}

HelpFormatter::HelpFormatter() { column_width(kNameColumns); }

std::string HelpFormatter::make_option_opts(const CLI::Option *option) const {
  if (option->get_positional() || option->get_type_size() == 0)
    return "";
  // The type, then what validators say: of these only a choice is for people.
  std::string type = option->get_type_name();
  size_t colon = type.find(':');
  if (colon == std::string::npos)
    return " " + type;
  bool isChoice = type.compare(colon + 1, 1, "{") == 0;
  return " " + (isChoice ? type.substr(colon + 1) : type.substr(0, colon));
}

std::string HelpFormatter::make_option_desc(const CLI::Option *option) const {
  std::string text = option->get_description();
  if (option->get_required() && !option->get_positional())
    text += " (required)";
  if (option->get_type_size() != 0 && !option->get_default_str().empty())
    text += " [default: " + option->get_default_str() + "]";
  return wrapped(text);
}

std::string HelpFormatter::make_subcommand(const CLI::App *command) const {
  std::ostringstream out;
  CLI::detail::format_help(out, command->get_name(),
                           wrapped(command->get_description()), kNameColumns);
  return out.str();
}

} // namespace tenon::tools
