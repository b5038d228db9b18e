//===- GeneratorRun.h - Requests to the programs of tests -------*- C++ -*-===//

#ifndef TENON_TESTS_RUNTIME_EXEC_GENERATORRUN_H
#define TENON_TESTS_RUNTIME_EXEC_GENERATORRUN_H

#include "runtime/exec/Generator.h"
#include "tests/runtime/exec/Programs.h"

#include <span>

namespace tenon::exec {

/// The vocabulary of what tests generate with.
inline constexpr int64_t kWidth = 31;

struct Opened {
  std::unique_ptr<Session> session;
  std::unique_ptr<Generator> generator;
};

/// With caches of so many pages, if not as many as the limits may need.
inline Opened open(ProgramBuilder builder, const DecoderLimits &limits,
                   int64_t pages = 0) {
  auto options = decoderOptions(builder.program, limits);
  EXPECT_TRUE(options.ok()) << options.status();
  if (pages)
    options->pages = pages;
  auto session = builder.open(*options);
  EXPECT_TRUE(session.ok()) << session.status();
  auto generator = Generator::create(**session, {.drafts = limits.drafts});
  EXPECT_TRUE(generator.ok()) << generator.status();
  return {*std::move(session), *std::move(generator)};
}

inline std::vector<int32_t> promptOf(int64_t length, int32_t seed = 1) {
  std::vector<int32_t> prompt(length);
  for (int64_t i = 0; i < length; ++i)
    prompt[i] = static_cast<int32_t>((i * 7 + seed) % kWidth);
  return prompt;
}

struct Answer {
  Status status;
  GenerateStats stats;
  std::vector<std::vector<int32_t>> tokens; // by request
};

/// Stops a request after so many tokens, if that is not negative.
inline Answer generate(Generator &generator,
                       std::span<const GenerateRequest> requests,
                       int64_t stopAfter = -1) {
  Answer answer;
  answer.tokens.resize(requests.size());
  auto stats = generator.generate(requests, [&](size_t i, int32_t token) {
    answer.tokens[i].push_back(token);
    return std::ssize(answer.tokens[i]) == stopAfter;
  });
  answer.status = stats.status();
  if (stats.ok())
    answer.stats = *stats;
  return answer;
}

inline Answer generate(Generator &generator, const GenerateRequest &request,
                       int64_t stopAfter = -1) {
  return generate(generator, {&request, 1}, stopAfter);
}

} // namespace tenon::exec
#endif // TENON_TESTS_RUNTIME_EXEC_GENERATORRUN_H
