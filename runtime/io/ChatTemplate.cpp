//===- ChatTemplate.cpp - Conversations as prompts ------------------------===//

#include "runtime/io/ChatTemplate.h"

#include <algorithm>

namespace tenon::io {

namespace {

struct FormatName {
  std::string_view name;
  ChatFormat format;
};
constexpr FormatName kFormats[] = {
    {"gemma", ChatFormat::Gemma},
    {"chatml", ChatFormat::ChatMl},
    {"qwen2", ChatFormat::Qwen2},
    {"deepseek-v3", ChatFormat::DeepSeekV3},
    {"deepseek-r1", ChatFormat::DeepSeekR1},
};

constexpr std::string_view kQwenSystem =
    "You are Qwen, created by Alibaba Cloud. You are a helpful assistant.";

std::string knownNames() {
  std::string names;
  for (const FormatName &entry : kFormats)
    names += concat(names.empty() ? "" : ", ", entry.name);
  return names;
}

// Jinja's trim: ASCII and Unicode white space alike; ASCII is what occurs.
std::string trim(std::string_view text) {
  constexpr std::string_view blank = " \t\r\n\v\f";
  size_t begin = text.find_first_not_of(blank);
  if (begin == std::string_view::npos)
    return "";
  return std::string(
      text.substr(begin, text.find_last_not_of(blank) - begin + 1));
}

// DeepSeek's template shows what followed the thinking, never the thinking.
std::string withoutThinking(const std::string &content) {
  constexpr std::string_view mark = "</think>";
  size_t at = content.rfind(mark);
  return at == std::string::npos ? content : content.substr(at + mark.size());
}

class Writer {
public:
  void markup(std::string_view text) { add(text, /*trusted=*/true); }
  void content(std::string_view text) { add(text, /*trusted=*/false); }

  Prompt prompt;

private:
  void add(std::string_view text, bool trusted) {
    if (text.empty())
      return;
    if (prompt.empty() || prompt.back().trusted != trusted)
      prompt.push_back({"", trusted});
    prompt.back().text += text;
  }
};

// Source: google/gemma-3 tokenizer_config.json. There is no system role: its
// text leads the first user turn.
StatusOr<Prompt> renderGemma(std::span<const ChatMessage> messages) {
  Writer out;
  out.markup("<bos>");
  std::string lead;
  if (messages.front().role == ChatRole::System) {
    lead = messages.front().content + "\n\n";
    messages = messages.subspan(1);
  }
  bool user = true;
  for (const ChatMessage &message : messages) {
    if ((message.role == ChatRole::User) != user)
      return invalidArgument("expects user and assistant turns that alternate, "
                             "beginning with a user's");
    out.markup(user ? "<start_of_turn>user\n" : "<start_of_turn>model\n");
    out.content(lead + trim(message.content));
    out.markup("<end_of_turn>\n");
    lead.clear();
    user = !user;
  }
  out.markup("<start_of_turn>model\n");
  return std::move(out.prompt);
}

// Source: Qwen/Qwen2.5 tokenizer_config.json.
Prompt renderChatMl(std::span<const ChatMessage> messages, bool ownSystem) {
  Writer out;
  if (ownSystem && messages.front().role != ChatRole::System) {
    out.markup("<|im_start|>system\n");
    out.markup(kQwenSystem);
    out.markup("<|im_end|>\n");
  }
  for (const ChatMessage &message : messages) {
    std::string_view role = message.role == ChatRole::System ? "system"
                            : message.role == ChatRole::User ? "user"
                                                             : "assistant";
    out.markup(concat("<|im_start|>", role, "\n"));
    out.content(message.content);
    out.markup("<|im_end|>\n");
  }
  out.markup("<|im_start|>assistant\n");
  return std::move(out.prompt);
}

// Source: deepseek-ai/DeepSeek-V3 and DeepSeek-R1 tokenizer_config.json.
Prompt renderDeepSeek(std::span<const ChatMessage> messages, bool think) {
  Writer out;
  out.markup("<｜begin▁of▁sentence｜>");
  for (const ChatMessage &message : messages) {
    if (message.role == ChatRole::System) {
      out.content(message.content);
      continue;
    }
    bool user = message.role == ChatRole::User;
    out.markup(user ? "<｜User｜>" : "<｜Assistant｜>");
    out.content(user ? message.content : withoutThinking(message.content));
    if (!user)
      out.markup("<｜end▁of▁sentence｜>");
  }
  out.markup("<｜Assistant｜>");
  if (think)
    out.markup("<think>\n");
  return std::move(out.prompt);
}

} // namespace

std::string_view chatFormatName(ChatFormat format) {
  for (const FormatName &entry : kFormats)
    if (entry.format == format)
      return entry.name;
  return "unknown";
}

StatusOr<ChatFormat> parseChatFormat(std::string_view name) {
  for (const FormatName &entry : kFormats)
    if (entry.name == name)
      return entry.format;
  return invalidArgument("expects a chat format of ", knownNames(), ", got \"",
                         name, "\"");
}

StatusOr<ChatFormat> chooseChatFormat(std::string_view text) {
  auto says = [&](std::string_view mark) {
    return text.find(mark) != std::string_view::npos;
  };
  if (says("<start_of_turn>"))
    return ChatFormat::Gemma;
  if (says("<|im_start|>"))
    return says(kQwenSystem) ? ChatFormat::Qwen2 : ChatFormat::ChatMl;
  // R1's own template names the mark that V3's lacks.
  if (says("<｜Assistant｜>"))
    return says("<think>") || says("</think>") ? ChatFormat::DeepSeekR1
                                               : ChatFormat::DeepSeekV3;
  return unimplemented(
      "expects a chat template of a known format (", knownNames(), "), got ",
      text.empty() ? "none" : concat("\"", text.substr(0, 60), "\""));
}

StatusOr<ChatFormat> chooseChatFormat(const Tokenizer &tokenizer) {
  if (!tokenizer.chatTemplate().empty())
    return chooseChatFormat(tokenizer.chatTemplate());
  constexpr std::pair<std::string_view, ChatFormat> kTurnTokens[] = {
      {"<start_of_turn>", ChatFormat::Gemma},
      {"<|im_start|>", ChatFormat::ChatMl},
      {"<｜User｜>", ChatFormat::DeepSeekV3},
  };
  for (const auto &[piece, format] : kTurnTokens)
    if (tokenizer.pieceToId(piece) >= 0)
      return format;
  return chooseChatFormat(std::string_view());
}

StatusOr<Prompt> renderChat(ChatFormat format,
                            std::span<const ChatMessage> messages) {
  if (messages.empty())
    return invalidArgument("expects at least one message, got none");
  for (size_t i = 1; i < messages.size(); ++i)
    if (messages[i].role == ChatRole::System)
      return invalidArgument("expects a system message only as the first, got "
                             "one as message ",
                             i + 1);
  switch (format) {
  case ChatFormat::Gemma:
    return renderGemma(messages);
  case ChatFormat::ChatMl:
    return renderChatMl(messages, /*ownSystem=*/false);
  case ChatFormat::Qwen2:
    return renderChatMl(messages, /*ownSystem=*/true);
  case ChatFormat::DeepSeekV3:
    return renderDeepSeek(messages, /*think=*/false);
  case ChatFormat::DeepSeekR1:
    return renderDeepSeek(messages, /*think=*/true);
  }
  return internalError("expects a chat format");
}

std::string promptText(const Prompt &prompt) {
  std::string text;
  for (const PromptPart &part : prompt)
    text += part.text;
  return text;
}

} // namespace tenon::io
