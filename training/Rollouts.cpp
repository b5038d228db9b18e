//===- Rollouts.cpp - What a model makes of prompts -----------------------===//

#include "training/Rollouts.h"

#include "training/Order.h"

#include <algorithm>

namespace tenon::training {

StatusOr<std::string> drawnText(const io::Tokenizer &tokenizer,
                                std::span<const int32_t> tokens) {
  std::string text;
  while (!tokens.empty()) {
    auto end = std::ranges::find_if(
        tokens, [&](int32_t token) { return token >= tokenizer.size(); });
    size_t known = end - tokens.begin();
    TENON_ASSIGN_OR_RETURN(std::string part,
                           tokenizer.decode(tokens.first(known)));
    text += part;
    if (known < tokens.size())
      text += "\uFFFD";
    tokens = tokens.subspan(std::min(known + 1, tokens.size()));
  }
  return text;
}

StatusOr<std::vector<Rollout>> drawRollouts(exec::Generator &generator,
                                            const io::Tokenizer &tokenizer,
                                            std::span<const Task *const> tasks,
                                            const RolloutOptions &options) {
  std::vector<Rollout> rollouts(tasks.size());
  std::vector<exec::GenerateRequest> requests(tasks.size());
  for (size_t i = 0; i < tasks.size(); ++i) {
    const Task &task = *tasks[i];
    auto length = std::ssize(task.tokens);
    int64_t room = options.mostTokens - length;
    if (options.mostDrawn > 0)
      room = std::min(room, options.mostDrawn);
    if (room < 1)
      return invalidArgument("expects prompts of fewer than ",
                             options.mostTokens, " tokens, got ", length,
                             " of '", task.prompt, "'; say a larger --length");
    rollouts[i].task = &task;
    rollouts[i].tokens = task.tokens;
    rollouts[i].from = length;
    requests[i].prompt = task.tokens;
    requests[i].maxTokens = room;
    requests[i].sampling.temperature = static_cast<float>(options.temperature);
    requests[i].sampling.seed =
        static_cast<int64_t>(mix(options.seed ^ mix(i)) >> 1);
    requests[i].log = options.keepsLog ? &rollouts[i].log : nullptr;
    requests[i].experts = options.keepsExperts ? &rollouts[i].experts : nullptr;
  }
  if (options.keepsLogits)
    generator.setOnLogits([&](size_t i, std::span<const float> logits) {
      std::vector<float> &all = rollouts[i].logits;
      all.insert(all.end(), logits.begin(), logits.end());
    });
  generator.forget();
  // The end of a text is learned, too: it is given out, and then ends.
  StatusOr<exec::GenerateStats> stats =
      generator.generate(requests, [&](size_t i, int32_t token) {
        rollouts[i].tokens.push_back(token);
        rollouts[i].completion.isEnded = tokenizer.isEndOfText(token);
        return rollouts[i].completion.isEnded;
      });
  generator.setOnLogits({});
  TENON_RETURN_IF_ERROR(stats.status());
  for (Rollout &each : rollouts) {
    std::span<const int32_t> drawn = each.drawn();
    if (each.completion.isEnded)
      drawn = drawn.first(drawn.size() - 1);
    TENON_ASSIGN_OR_RETURN(each.completion.text, drawnText(tokenizer, drawn));
  }
  return rollouts;
}

} // namespace tenon::training
