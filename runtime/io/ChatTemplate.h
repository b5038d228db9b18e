//===- ChatTemplate.h - Conversations as prompts --------------------------===//
//
// Models publish their templates as Jinja programs. Running programs from model
// files is not worth the risk for the few that exist: each family is written
// out here, and a model's template only chooses among them.
//
//   TENON_ASSIGN_OR_RETURN(ChatFormat format,
//                          chooseChatFormat(tokenizer));
//   std::vector<ChatMessage> chat = {{ChatRole::User, "Hi"}};
//   TENON_ASSIGN_OR_RETURN(Prompt prompt, renderChat(format, chat));
//   TENON_ASSIGN_OR_RETURN(std::vector<int32_t> ids, tokenizer.encode(prompt));
//
// Only the template's own text is trusted to spell control tokens.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_IO_CHATTEMPLATE_H
#define TENON_IO_CHATTEMPLATE_H

#include "runtime/io/Tokenizer.h"

#include <span>
#include <string>
#include <string_view>

namespace tenon::io {

enum class ChatFormat {
  Gemma,      ///< <start_of_turn>user ... <end_of_turn>
  ChatMl,     ///< <|im_start|>user ... <|im_end|>
  Qwen2,      ///< ChatML; a system message of its own if none is given.
  DeepSeekV3, ///< <｜User｜>...<｜Assistant｜>
  DeepSeekR1, ///< the same; the answer begins inside <think>.
};

enum class ChatRole { System, User, Assistant };

struct ChatMessage {
  ChatRole role = ChatRole::User;
  std::string content;
};

/// Returns "gemma", "chatml", ...
std::string_view chatFormatName(ChatFormat format);

/// Finds a format by its name.
/// Errors: INVALID_ARGUMENT, listing the known names.
StatusOr<ChatFormat> parseChatFormat(std::string_view name);

/// Recognises which format a model's template text writes.
/// Errors: UNIMPLEMENTED (none of them), listing the known names.
StatusOr<ChatFormat> chooseChatFormat(std::string_view templateText);

/// The format of a model: by its template, or, where the file has none, by the
/// control tokens its vocabulary has for turns.
/// Errors: UNIMPLEMENTED (neither tells), listing the known names.
StatusOr<ChatFormat> chooseChatFormat(const Tokenizer &tokenizer);

/// Writes a conversation, ending where the model is to answer.
/// Errors: INVALID_ARGUMENT (no message; a system message that is not first;
///         for Gemma, turns that do not alternate from a user's on).
StatusOr<Prompt> renderChat(ChatFormat format,
                            std::span<const ChatMessage> messages);

/// Joins a prompt's parts, as one string for logs and tests.
std::string promptText(const Prompt &prompt);

} // namespace tenon::io

#endif // TENON_IO_CHATTEMPLATE_H
