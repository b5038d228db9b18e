//===- TextInput.cpp - Texts that are read whole --------------------------===//

#include "tools/tenon/TextInput.h"

#include "tools/tenon/Errors.h"

#include <cerrno>
#include <system_error>
#include <unistd.h>

namespace tenon::tools {

StatusOr<std::string> readStdin(std::string_view what) {
  if (isatty(STDIN_FILENO))
    printNotice(
        concat("reading ", what, " from the keyboard; end it with Ctrl-D"));
  std::string text;
  char part[1 << 16];
  while (true) {
    ssize_t size = ::read(STDIN_FILENO, part, sizeof(part));
    if (size < 0 && errno == EINTR)
      continue;
    if (size < 0)
      return unavailable("expects to read ", what, " from stdin, got: ",
                         std::generic_category().message(errno));
    if (size == 0)
      return text;
    text.append(part, static_cast<size_t>(size));
    if (text.size() > kMaxTextBytes)
      return invalidArgument("expects ", what, " to have at most ",
                             kMaxTextBytes, " bytes on stdin, got more");
  }
}

} // namespace tenon::tools
