//===- TextInput.h - Texts that are read whole ------------------*- C++ -*-===//

#ifndef TENON_TOOLS_TEXTINPUT_H
#define TENON_TOOLS_TEXTINPUT_H

#include "runtime/base/Status.h"

#include <string>
#include <string_view>

namespace tenon::tools {

/// The longest text that a command reads.
inline constexpr size_t kMaxTextBytes = size_t{64} << 20;

/// Reads stdin to its end; at a keyboard it says so first. `what` names the
/// text in messages: "the prompt".
/// Errors: UNAVAILABLE (it cannot be read), INVALID_ARGUMENT (longer than
///         kMaxTextBytes).
StatusOr<std::string> readStdin(std::string_view what);

} // namespace tenon::tools
#endif // TENON_TOOLS_TEXTINPUT_H
