//===- ChatTemplateTest.cpp - Conversations as prompts --------------------===//

#include "runtime/io/ChatTemplate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tenon::io {
namespace {

using testing::HasSubstr;

const std::vector<ChatMessage> kChat = {
    {ChatRole::System, "Be brief."},
    {ChatRole::User, "Hi"},
    {ChatRole::Assistant, "<think>\nhm\n</think>Hello!"},
    {ChatRole::User, " 2+2? "},
};

std::string render(ChatFormat format) {
  StatusOr<Prompt> prompt = renderChat(format, kChat);
  EXPECT_TRUE(prompt.ok()) << prompt.status();
  return prompt.ok() ? promptText(*prompt) : "";
}

TEST(ChatTemplate, Gemma) {
  EXPECT_EQ(render(ChatFormat::Gemma),
            "<bos><start_of_turn>user\nBe brief.\n\nHi<end_of_turn>\n"
            "<start_of_turn>model\n<think>\nhm\n</think>Hello!<end_of_turn>\n"
            "<start_of_turn>user\n2+2?<end_of_turn>\n<start_of_turn>model\n");
}

TEST(ChatTemplate, ChatMl) {
  EXPECT_EQ(render(ChatFormat::ChatMl),
            "<|im_start|>system\nBe brief.<|im_end|>\n"
            "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n<think>\n"
            "hm\n</think>Hello!<|im_end|>\n<|im_start|>user\n 2+2? <|im_end|>\n"
            "<|im_start|>assistant\n");
}

TEST(ChatTemplate, Qwen2BringsItsOwnSystemMessage) {
  std::vector<ChatMessage> chat = {{ChatRole::User, "Hi"}};
  StatusOr<Prompt> prompt = renderChat(ChatFormat::Qwen2, chat);
  ASSERT_TRUE(prompt.ok()) << prompt.status();
  EXPECT_EQ(promptText(*prompt),
            "<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You "
            "are a helpful assistant.<|im_end|>\n<|im_start|>user\nHi<|im_end|>"
            "\n<|im_start|>assistant\n");
}

TEST(ChatTemplate, DeepSeekDropsPastThinking) {
  std::string v3 = "<｜begin▁of▁sentence｜>Be brief.<｜User｜>Hi<｜Assistant｜>"
                   "Hello!<｜end▁of▁sentence｜><｜User｜> 2+2? <｜Assistant｜>";
  EXPECT_EQ(render(ChatFormat::DeepSeekV3), v3);
  EXPECT_EQ(render(ChatFormat::DeepSeekR1), v3 + "<think>\n");
}

TEST(ChatTemplate, OnlyMarkupIsTrusted) {
  std::vector<ChatMessage> chat = {{ChatRole::User, "<end_of_turn>"}};
  StatusOr<Prompt> prompt = renderChat(ChatFormat::Gemma, chat);
  ASSERT_TRUE(prompt.ok()) << prompt.status();
  EXPECT_THAT(*prompt,
              testing::ElementsAre(
                  PromptPart{"<bos><start_of_turn>user\n", true},
                  PromptPart{"<end_of_turn>", false},
                  PromptPart{"<end_of_turn>\n<start_of_turn>model\n", true}));
}

TEST(ChatTemplate, IsChosenFromTheModelsText) {
  auto choose = [](std::string_view text) { return *chooseChatFormat(text); };
  EXPECT_EQ(choose("{{ '<start_of_turn>' + role }}"), ChatFormat::Gemma);
  EXPECT_EQ(choose("{{'<|im_start|>' + role}}"), ChatFormat::ChatMl);
  EXPECT_EQ(choose("<|im_start|>system\\nYou are Qwen, created by Alibaba "
                   "Cloud. You are a helpful assistant."),
            ChatFormat::Qwen2);
  EXPECT_EQ(choose("'<｜Assistant｜>'"), ChatFormat::DeepSeekV3);
  EXPECT_EQ(choose("'<｜Assistant｜><think>\\n'"), ChatFormat::DeepSeekR1);
}

TEST(ChatTemplate, UnknownOnesListTheKnown) {
  constexpr const char *known =
      "gemma, chatml, qwen2, deepseek-v3, deepseek-r1";
  EXPECT_THAT(chooseChatFormat("[INST]").status().message(), HasSubstr(known));
  EXPECT_THAT(chooseChatFormat("").status().message(), HasSubstr("got none"));
  EXPECT_THAT(parseChatFormat("llama").status().message(), HasSubstr(known));
  for (const char *name :
       {"gemma", "chatml", "qwen2", "deepseek-v3", "deepseek-r1"})
    EXPECT_EQ(chatFormatName(*parseChatFormat(name)), name);
}

TEST(ChatTemplate, RefusesConversationsOutOfOrder) {
  EXPECT_THAT(renderChat(ChatFormat::Gemma, {}).status().message(),
              HasSubstr("at least one message"));
  std::vector<ChatMessage> late = {{ChatRole::User, "a"},
                                   {ChatRole::System, "b"}};
  EXPECT_THAT(renderChat(ChatFormat::ChatMl, late).status().message(),
              HasSubstr("only as the first, got one as message 2"));
  std::vector<ChatMessage> twice = {{ChatRole::User, "a"},
                                    {ChatRole::User, "b"}};
  EXPECT_THAT(renderChat(ChatFormat::Gemma, twice).status().message(),
              HasSubstr("alternate"));
}

} // namespace
} // namespace tenon::io
