//===- Score.h - How likely a model finds a text ----------------*- C++ -*-===//
//
// Teacher forcing: the tokens of a text are given to the entry `forward`, whose
// form Generator.h shows, and each is looked up in what the tokens before it
// predict.
//
//   TENON_ASSIGN_OR_RETURN(ModelOptions options, ...);
//   TENON_ASSIGN_OR_RETURN(options.decoder, scoreLimits(program, 1024, 0));
//   TENON_ASSIGN_OR_RETURN(auto model, TextModel::open(..., options));
//   TENON_ASSIGN_OR_RETURN(auto scorer, Scorer::create(model->session(),
//                                                      *options.device));
//   TENON_ASSIGN_OR_RETURN(Score score, scorer->score({.tokens = tokens}));
//   // score.perplexity(), score.logProbabilities
//
// A text longer than the context is cut into windows, each computed from an
// empty cache. A window begins `strideTokens` after the one before it and
// scores the tokens that no window before it had.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_RUNTIME_EXEC_SCORE_H
#define TENON_RUNTIME_EXEC_SCORE_H

#include "runtime/exec/Generator.h"

namespace tenon::exec {

/// Works out the log-probability of a token: x[target] - log(sum_v exp(x[v])),
/// in double. NaN if a logit is NaN or the largest one is not finite; -inf if
/// that of the target is.
/// Shapes: logits x [V], 0 <= target < V.      Units: nats.
double logProbability(std::span<const float> logits, int32_t target);

/// Tokens [begin, end) of a text, of which [scored, end) are scored here.
struct ScoreWindow {
  int64_t begin = 0;
  int64_t end = 0;
  int64_t scored = 0;

  bool operator==(const ScoreWindow &) const = default;
};

struct ScoreRequest {
  std::span<const int32_t> tokens; // outlives the call
  int64_t windowTokens = 0;        // at most, 0: the scorer's context
  int64_t strideTokens = 0;        // 0: windows share no token
  /// Whether tokens[0], a begin-of-text token, heads every window. It takes a
  /// place in each and is never scored itself.
  bool repeatsFirst = false;
};

/// Cuts a request into windows that score every token once, but for the first
/// of a window without a head: nothing is before it. `context` is the longest
/// window. The head is in no window's range.
/// Errors: INVALID_ARGUMENT (nothing to score; a window below 2 tokens or
///         beyond `context`; a stride below 0 or beyond the window).
StatusOr<std::vector<ScoreWindow>> cutWindows(const ScoreRequest &request,
                                              int64_t context);

struct Score {
  /// By token, in nats; NaN where a token has none.
  std::vector<double> logProbabilities; // [N]
  int64_t scoredTokens = 0;
  int64_t windows = 0;
  int64_t elapsedNs = 0;
  double negativeLogLikelihood = 0; // mean over the scored tokens, in nats

  /// exp(negativeLogLikelihood).
  double perplexity() const;
  /// Scored tokens by time.
  double tokensPerSecond() const {
    return elapsedNs ? scoredTokens * 1e9 / elapsedNs : 0;
  }
};

/// Told how many of all tokens are scored.
using OnScored = std::function<void(int64_t done, int64_t total)>;

/// What a session needs to score a text in one sequence. The logits of a whole
/// chunk are held at once, 4 bytes * vocabulary a token; chunkTokens 0 takes as
/// many tokens as 64 MiB of logits hold, 512 at most.
/// Errors: NOT_FOUND, INVALID_ARGUMENT (an entry of another form; below 0).
StatusOr<DecoderLimits> scoreLimits(const base::Program &program,
                                    int64_t contextTokens, int64_t chunkTokens);

/// Threads: one at a time; `Session::cancel` stops it from any.
class Scorer {
public:
  /// `session` and `device`, whose workers sum over the vocabulary, must
  /// outlive the result. No Generator is used on the session after: the caches
  /// hold other tokens then.
  /// Errors: NOT_FOUND, INVALID_ARGUMENT (an entry of another form).
  static StatusOr<std::unique_ptr<Scorer>> create(Session &session,
                                                  hal::Device &device);

  /// Scores the request's tokens; how they are cut into chunks changes no bit.
  /// Errors: OUT_OF_RANGE (an id beyond the vocabulary), DATA_LOSS (logits that
  ///         are not finite), CANCELLED, those of cutWindows and of
  ///         `Session::call`.
  StatusOr<Score> score(const ScoreRequest &request,
                        const OnScored &onScored = nullptr);

  int64_t contextTokens() const { return context; }
  int64_t vocabulary() const { return width; }

private:
  Scorer(Session &owner, hal::Device &workers)
      : session(owner), device(workers) {}
  Status resolve();
  Status checkTokens(std::span<const int32_t> tokens) const;
  Status scoreWindow(const ScoreRequest &request, const ScoreWindow &window,
                     Score &score, const std::function<void()> &afterChunk);
  Status forward(int64_t tokenCount, int64_t rowCount);
  void lookUp(int64_t rowCount);

  Session &session;
  hal::Device &device;
  uint32_t entry = 0;
  std::vector<size_t> order; // argument's place, by role
  int64_t maxTokens = 0, maxRows = 0, context = 0, width = 0;
  std::unique_ptr<PageTable> pages;
  // Arguments of the entry, as long as the session's limits.
  std::vector<int32_t> tokens, sequence, position, rows;
  std::vector<float> logits; // [rows, width]
  // What is looked up in them, and found.
  std::vector<int32_t> targets;
  std::vector<double> found;
};

} // namespace tenon::exec
#endif // TENON_RUNTIME_EXEC_SCORE_H
