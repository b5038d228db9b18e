//===- Generator.h - Decoder models token by token --------------*- C++ -*-===//
//
// Drives a program with the entries
//
//   forward(tokens i32[T], batch.sequence i32[T], batch.position i32[T],
//           batch.pages i32[S, P], rows i32[R]) -> logits f32[R, V]
//   sample(logits f32[R, V], temperature f32[R], topK i32[R], topP f32[R],
//          minP f32[R], seed i64[R], position i32[R]) -> token i32[R]
//
// and, where it has it, the loop of both for one sequence
//
//   generate(token i32[1], batch..., temperature f32[1], topK i32[1],
//            topP f32[1], minP f32[1], seed i64[1], position i32[1],
//            stops i32[N], limit i32[1]) -> token i32[1]
//
// (models/Decoder.h says what it does), by which a request that comes alone is
// decoded; its tokens are those of the other two. Where tokens are drafted, the
// entries
//
//   forwardStates(as forward) -> logits f32[R, V], states f32[T, D]
//   draft(tokens i32[T], states f32[T, D], batch..., rows i32[R])
//       -> logits f32[R, V], states f32[R, D]
//
// serve: a step drafts some tokens, computes them together and keeps those that
// the model would have drawn, so that there are fewer steps and the same tokens
// (GeneratorDrafts.cpp). Arguments are found by name,
// in any order. `rows` are the token rows that want logits; `position` of
// `sample` is that of the token being drawn. Prompts are cut into
// chunks; then all requests step together, one token each, and where one ends
// the next that waits begins. What the caches hold is shared (PageTable.h): a
// prompt that begins like another, or one before, computes only the rest.
//
//   TENON_ASSIGN_OR_RETURN(auto options, decoderOptions(program, {}));
//   TENON_ASSIGN_OR_RETURN(auto session, Session::open(..., options, lookup));
//   TENON_ASSIGN_OR_RETURN(auto generator, Generator::create(*session, {}));
//   TENON_ASSIGN_OR_RETURN(auto stats, generator->generate(requests, onToken));
//
//===----------------------------------------------------------------------===//

#ifndef TENON_RUNTIME_EXEC_GENERATOR_H
#define TENON_RUNTIME_EXEC_GENERATOR_H

#include "runtime/exec/PageTable.h"
#include "runtime/exec/Session.h"

#include <optional>

namespace tenon::exec {

/// How much a decoder's session is to hold.
struct DecoderLimits {
  int64_t contextTokens = 0; // of a sequence; 0: 4096, or less if the model is
  int64_t sequences = 1;     // that run together
  int64_t chunkTokens = 512; // of a prompt, computed at once
  int64_t rows = 0;          // of logits in a step; at least one a sequence
  int64_t pageBlocks = 4;    // blocks of TENON_CACHE_BLOCK keys in a page
  int64_t drafts = 0;        // tokens that a step drafts for a sequence
};
inline constexpr int64_t kMostDrafts = 15;

/// Works out the session's options from the shapes of `forward`. The model's
/// longest context is the metadata "context_tokens", where present.
/// Errors: INVALID_ARGUMENT (limits below 1, a context beyond the model's),
///         NOT_FOUND (no such entry or argument).
StatusOr<SessionOptions> decoderOptions(const base::Program &program,
                                        const DecoderLimits &limits);

/// Temperature 0 takes the likeliest token; topK 0, topP 1 and minP 0 are off.
struct SamplingOptions {
  float temperature = 0;
  int32_t topK = 0;
  float topP = 1;
  float minP = 0;
  int64_t seed = 0;
};

struct GenerateRequest {
  std::span<const int32_t> prompt; // outlives the call
  SamplingOptions sampling;
  int64_t maxTokens = 256;
  std::span<const int32_t> stopTokens; // end a request and are not given out
  /// Gets log p of each token drawn that is given out, of softmax(logits /
  /// temperature), or of softmax(logits) where that is 0; null: nobody asks.
  /// Takes a program with the entry "scoreRows" (models/Training.h).
  std::vector<float> *log = nullptr;
  /// Gets, when the request ends, the experts of each token that was computed,
  /// all but the last one drawn: [tokens, experts of all layers]; null: nobody
  /// asks. Takes a program that notes them (frontend/dsl/RecordedRouting.h).
  std::vector<int32_t> *experts = nullptr;
};

enum class FinishReason : uint8_t {
  MaxTokens,
  StopToken,
  Callback, // it asked to stop
  Context,  // the cache of the sequence is full
};

/// Takes a token of `request`; returns whether that request should stop.
using OnToken = std::function<bool(size_t request, int32_t token)>;
/// Shown the logits that a request's next token is drawn from.
using OnLogits =
    std::function<void(size_t request, std::span<const float> logits)>;
/// Told that a request has ended.
using OnEnd = std::function<void(size_t request, FinishReason reason)>;

struct GenerateStats {
  int64_t promptTokens = 0; // computed: without what the cache held
  int64_t cachedTokens = 0; // of the prompts, found in the cache
  int64_t promptNs = 0;     // to the prompts' last logits
  int64_t tokens = 0;       // given out, of all requests
  int64_t decodeTokens = 0; // computed and kept; without prompts
  int64_t draftedTokens = 0;
  int64_t acceptedTokens = 0;        // of those, kept
  int64_t decodeNs = 0;              // with sampling
  std::vector<FinishReason> reasons; // by request

  double promptTokensPerSecond() const {
    return promptNs ? promptTokens * 1e9 / promptNs : 0;
  }
  double decodeTokensPerSecond() const {
    return decodeNs ? decodeTokens * 1e9 / decodeNs : 0;
  }
};

/// Threads: one at a time; `Session::cancel` stops it from any.
class Generator {
public:
  struct Options {
    int64_t chunkTokens = 0; // 0: the most the session allows
    int64_t drafts = 0;      // in a step of a sequence; see DecoderLimits
  };

  /// `session` must outlive the result, which is the only one to call it and to
  /// set its sink.
  /// Errors: NOT_FOUND, INVALID_ARGUMENT (entries of another form, drafts of a
  ///         program without the entries for them).
  static StatusOr<std::unique_ptr<Generator>> create(Session &session,
                                                     const Options &options);

  /// Runs all requests to their ends, as many at once as the session has
  /// sequences and pages for, in their order.
  /// Errors: INVALID_ARGUMENT (no request; an empty prompt, or one longer than
  ///         the context; log-probabilities or experts that the program cannot
  ///         tell),
  ///         RESOURCE_EXHAUSTED (cache pages), CANCELLED, those of
  ///         `Session::call`.
  StatusOr<GenerateStats> generate(std::span<const GenerateRequest> requests,
                                   const OnToken &onToken,
                                   const OnEnd &onEnd = {});

  /// Whom `generate` shows logits; empty: nobody.
  void setOnLogits(OnLogits shown) { onLogits = std::move(shown); }

  /// Computes a prompt and gives the logits of its last token, valid until the
  /// next call; for tests, scoring and constrained decoding.
  StatusOr<std::span<const float>> logits(std::span<const int32_t> prompt);

  /// Forgets what the caches hold, after weights have changed.
  void forget() { pages->forget(); }

  int64_t contextTokens() const { return context; }
  int64_t vocabulary() const { return width; }

private:
  /// What runs one request at a time, in a sequence of the caches.
  struct Slot {
    const GenerateRequest *request = nullptr; // null: it waits for one
    size_t number = 0;                        // of the request
    int64_t cached = 0;                       // tokens that its cache holds
    int32_t drawn = 0;                        // sampled, not yet computed
    float drawnLog = 0;                       // log p of it, where asked
    int64_t tokens = 0;                       // given out for this request
    int64_t drafted = 0; // tokens of this step, after the drawn one
    int64_t waiting = 0; // last tokens that the drafting layer has not seen
    int32_t firstWaiting = 0;
  };
  /// Logits that a token is drawn from.
  struct Row {
    size_t slot;
    int64_t position;  // of the token drawn
    int32_t token = 0; // before it, where that is a draft
    int64_t draft = 0; // how many drafts are before it in this step
  };
  /// What drafting takes; D elements of a state.
  struct Drafts {
    int64_t perStep = 0, width = 0; // D
    uint32_t statesEntry = 0, draftEntry = 0;
    std::vector<size_t> statesOrder, draftOrder;
    std::vector<float> states;      // of the last step's tokens
    std::vector<float> given;       // to the drafting layer, by token
    std::vector<float> logits, own; // of the drafting layer, by row
    // By slot and one of perStep + 1: states that wait, the tokens after them.
    std::vector<float> pending;
    std::vector<int32_t> after;
    std::vector<int32_t> tokens; // drafts, by slot and one of perStep
    std::vector<Row> proposing;  // slots that draft a token, by row
  };
  struct Step {
    int64_t tokens = 0, rows = 0, sequences = 0;
  };

  explicit Generator(Session &owner) : session(owner) {}
  Status resolve();
  Status checkRequests(std::span<const GenerateRequest> requests) const;
  Status admit(std::span<const GenerateRequest> requests, size_t &next,
               GenerateStats &stats);
  Status prefill(size_t slot, GenerateStats &stats);
  Status decode(GenerateStats &stats);
  bool isRunning() const;
  void finish(size_t slot, FinishReason reason, GenerateStats &stats);
  Status resolveLoop();
  bool canLoop(std::span<const GenerateRequest> requests) const;
  Status decodeByLoop(const OnToken &onToken, GenerateStats &stats);
  Status callLoop(int64_t trips);
  Status draw();
  Status drawRows(std::span<const Row> from, const float *logits);
  Status scoreDrawn();
  void acceptDrawn(const OnToken &onToken, GenerateStats &stats);
  Status callForward(uint32_t entry, std::span<const size_t> order,
                     const Step &step, std::span<MutableTensorView> results,
                     const TensorView *states = nullptr);
  void addToken(Step &step, size_t slot, int32_t token, int64_t position);
  Status forward(const Step &step, float *out);
  void readExperts(size_t slot) const;
  void accept(size_t slot, const OnToken &onToken, GenerateStats &stats);

  // GeneratorDrafts.cpp
  Status resolveDrafts(int64_t perStep);
  void reserveDrafts();
  Status forwardStates(const Step &step, float *out);
  Status draft(const Step &step, const float *states);
  Status draftPrompt(size_t slot, size_t from, size_t to);
  void keepStates(size_t slot, int64_t begin, int64_t count);
  int64_t draftsOf(size_t slot) const;
  Status makeRoom();
  Status draftFirst();
  Status draftNext(int64_t j);
  Status propose(int64_t j);
  Status decodeWithDrafts(GenerateStats &stats);
  void keepComputed(size_t row, GenerateStats &stats);
  bool takeDraft(const Row &row, GenerateStats &stats);
  void dropDrafts();

  Session &session;
  uint32_t forwardEntry = 0, sampleEntry = 0, loopEntry = 0;
  std::optional<uint32_t> scoreEntry;
  std::vector<size_t> routing; // states that note experts, by layer
  // An argument's place, by role.
  std::vector<size_t> forwardOrder, sampleOrder, loopOrder;
  int64_t mostStops = 0; // that `generate` takes; 0: there is no such entry
  OnEnd end;             // of the call that runs
  OnLogits onLogits;
  int64_t chunk = 0, context = 0, width = 0;
  bool rowsMayBeEmpty = false;
  std::unique_ptr<PageTable> pages;
  std::vector<Slot> slots;
  std::vector<Row> drawing;       // logits that wait, by row
  std::unique_ptr<Drafts> drafts; // null: no tokens are drafted
  // Arguments of the entries, as long as the session's limits.
  std::vector<int32_t> tokens, sequence, position, rows;
  std::vector<float> logitRows, temperature, topP, minP, drawnLogs;
  std::vector<int32_t> topK, drawPosition, drawnTokens;
  std::vector<int64_t> seed;
};

} // namespace tenon::exec
#endif // TENON_RUNTIME_EXEC_GENERATOR_H
