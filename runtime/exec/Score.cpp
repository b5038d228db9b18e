//===- Score.cpp - How likely a model finds a text ------------------------===//

#include "runtime/exec/Score.h"
#include "runtime/exec/DecoderEntries.h"
#include "runtime/exec/Trace.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace tenon::exec {
namespace {

using base::ElementType;

constexpr int64_t kLogitBytes = int64_t{64} << 20;
constexpr int64_t kMostChunk = 512;
constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

/// A kernel of the host: tile `row` of
///   buffers: logits f32 [R, V], targets i32 [R], result f64 [R]; dims: V
void scoreRow(const tenon_frame *frame, uint32_t row) {
  auto width = static_cast<size_t>(frame->dims[0]);
  auto *logits = static_cast<const float *>(frame->buffers[0]) + row * width;
  auto *targets = static_cast<const int32_t *>(frame->buffers[1]);
  static_cast<double *>(frame->buffers[2])[row] =
      logProbability({logits, width}, targets[row]);
}

} // namespace

double logProbability(std::span<const float> logits, int32_t target) {
  double most = -std::numeric_limits<double>::infinity();
  for (float x : logits)
    most = x > most ? x : most;
  // The largest term is 1: the sum neither overflows nor vanishes.
  double sum = 0;
  for (float x : logits)
    sum += std::exp(x - most);
  return logits[target] - most - std::log(sum);
}

double Score::perplexity() const { return std::exp(negativeLogLikelihood); }

StatusOr<std::vector<ScoreWindow>> cutWindows(const ScoreRequest &request,
                                              int64_t context) {
  auto count = static_cast<int64_t>(request.tokens.size());
  if (count < 2)
    return invalidArgument("expects at least 2 tokens, the first to predict "
                           "the second from, got ",
                           count);
  int64_t window = request.windowTokens ? request.windowTokens : context;
  if (window < 2 || window > context)
    return invalidArgument("expects windows of 2 to ", context,
                           " tokens, the context, got ", window);
  if (request.strideTokens < 0 || request.strideTokens > window)
    return invalidArgument("expects a stride of 0 to ", window,
                           " tokens, the window, got ", request.strideTokens);
  int64_t head = request.repeatsFirst ? 1 : 0, most = window - head;
  // A stride of the whole window would leave out a token under each head.
  int64_t stride =
      request.strideTokens ? std::min(request.strideTokens, most) : most;
  std::vector<ScoreWindow> windows;
  int64_t reached = head;
  for (int64_t begin = head; reached < count; begin += stride) {
    int64_t end = std::min(begin + most, count);
    int64_t scored = std::max(reached, begin + 1 - head);
    if (scored < end) // else a last token with nothing before it
      windows.push_back({begin, end, scored});
    reached = end;
  }
  return windows;
}

StatusOr<DecoderLimits> scoreLimits(const base::Program &program,
                                    int64_t contextTokens,
                                    int64_t chunkTokens) {
  if (chunkTokens < 0)
    return invalidArgument("expects chunks of 0 or more tokens, got ",
                           chunkTokens);
  auto forward =
      std::ranges::find(program.entries, "forward", &base::Entry::name);
  if (forward == program.entries.end())
    return notFound("expects a program with an entry 'forward', got none");
  TENON_ASSIGN_OR_RETURN(std::vector<size_t> order,
                         orderArguments(*forward, forwardSignature()));
  (void)order; // the form is right, so that the width is there
  int64_t width = forward->results[0].type.shape[1].terms[0].value;
  int64_t fitting = kLogitBytes / (std::max<int64_t>(width, 1) * 4);
  DecoderLimits limits;
  limits.contextTokens = contextTokens;
  limits.chunkTokens =
      chunkTokens ? chunkTokens : std::clamp<int64_t>(fitting, 1, kMostChunk);
  limits.rows = limits.chunkTokens;
  return limits;
}

StatusOr<std::unique_ptr<Scorer>> Scorer::create(Session &session,
                                                 hal::Device &device) {
  std::unique_ptr<Scorer> scorer(new Scorer(session, device));
  TENON_RETURN_IF_ERROR(scorer->resolve());
  return scorer;
}

Status Scorer::resolve() {
  TENON_ASSIGN_OR_RETURN(entry, session.findEntry("forward"));
  const base::Program &program = session.program().program();
  TENON_ASSIGN_OR_RETURN(
      order, orderArguments(program.entries[entry], forwardSignature()));
  width = program.entries[entry].results[0].type.shape[1].terms[0].value;
  auto most = [&](size_t role, size_t axis) {
    return session.axisRange(entry, order[role], axis).most;
  };
  maxTokens = most(kTokens, 0);
  maxRows = most(kRows, 0);
  PageTable::Options sizes;
  sizes.pages = session.pages();
  sizes.pageTokens = session.pageBlocks() * TENON_CACHE_BLOCK;
  sizes.sequences = 1;
  sizes.pagesPerSequence = std::min(most(kPages, 1), sizes.pages);
  if (maxTokens < 1 || maxRows < 1 || sizes.pagesPerSequence < 1)
    return invalidArgument("expects a session for 1 token, row and page at "
                           "least, got ",
                           maxTokens, ", ", maxRows, " and ",
                           sizes.pagesPerSequence);
  context = sizes.pagesPerSequence * sizes.pageTokens;
  if (int64_t longest = modelContext(program); longest > 0)
    context = std::min(context, longest);
  pages = std::make_unique<PageTable>(sizes);
  for (auto *column : {&tokens, &sequence, &position})
    column->resize(maxTokens);
  for (auto *column : {&rows, &targets})
    column->resize(maxRows);
  found.resize(maxRows);
  logits.resize(maxRows * width);
  return Status();
}

Status Scorer::checkTokens(std::span<const int32_t> given) const {
  for (size_t i = 0; i < given.size(); ++i)
    if (given[i] < 0 || given[i] >= width)
      return outOfRange("expects token ids of 0 to ", width - 1, ", got ",
                        given[i], " at position ", i);
  return Status();
}

Status Scorer::forward(int64_t tokenCount, int64_t rowCount) {
  int64_t perToken[] = {tokenCount}, perRow[] = {rowCount};
  int64_t table[] = {1, pages->options().pagesPerSequence};
  int64_t logitShape[] = {rowCount, width};
  std::array<TensorView, kForwardRoles> arguments;
  auto set = [&](size_t role, const void *data,
                 std::span<const int64_t> shape) {
    arguments[order[role]] = {data, ElementType::I32, shape};
  };
  set(kTokens, tokens.data(), perToken);
  set(kSequence, sequence.data(), perToken);
  set(kPosition, position.data(), perToken);
  set(kPages, pages->table().data(), table);
  set(kRows, rows.data(), perRow);
  MutableTensorView result = {logits.data(), ElementType::F32, logitShape};
  return session.call(entry, arguments, {&result, 1});
}

/// Looks the targets up in the rows of logits, a row a worker at a time.
void Scorer::lookUp(int64_t rowCount) {
  void *buffers[] = {logits.data(), targets.data(), found.data()};
  int64_t dims[] = {width};
  tenon_failure failure = {};
  hal::Launch launch;
  launch.kernel = scoreRow;
  launch.buffers = buffers;
  launch.dims = dims;
  launch.tiles = static_cast<uint32_t>(rowCount);
  launch.failure = &failure; // never set
  device.launch(launch);
}

Status Scorer::scoreWindow(const ScoreRequest &request,
                           const ScoreWindow &window, Score &score,
                           const std::function<void()> &afterChunk) {
  int64_t head = request.repeatsFirst ? 1 : 0;
  // The last token is only predicted: nothing is computed from it.
  int64_t count = head + window.end - window.begin - 1;
  pages->release(0);
  TENON_RETURN_IF_ERROR(pages->append(0, count));
  int64_t next = window.scored; // to be scored
  for (int64_t at = 0; at < count;) {
    int64_t tokenCount = 0, rowCount = 0, first = next;
    for (; at < count && tokenCount < maxTokens && rowCount < maxRows; ++at) {
      // At 0 is the head, if there is one; the window's tokens follow.
      int64_t predicted = window.begin + at + 1 - head;
      tokens[tokenCount] = request.tokens[at < head ? 0 : predicted - 1];
      position[tokenCount] = static_cast<int32_t>(at);
      if (predicted == next) {
        targets[rowCount] = request.tokens[next++];
        rows[rowCount++] = static_cast<int32_t>(tokenCount);
      }
      ++tokenCount;
    }
    if (rowCount == 0)
      rows[0] = 0; // an entry may ask for one row at least
    TENON_RETURN_IF_ERROR(forward(tokenCount, std::max<int64_t>(rowCount, 1)));
    lookUp(rowCount);
    for (int64_t row = 0; row < rowCount; ++row) {
      if (std::isnan(found[row]))
        return dataLoss("expects finite logits, got others of the token at "
                        "position ",
                        first + row);
      score.logProbabilities[first + row] = found[row];
    }
    score.scoredTokens += rowCount;
    afterChunk();
  }
  return Status();
}

StatusOr<Score> Scorer::score(const ScoreRequest &request,
                              const OnScored &onScored) {
  int64_t begin = nowNs();
  TENON_RETURN_IF_ERROR(checkTokens(request.tokens));
  TENON_ASSIGN_OR_RETURN(std::vector<ScoreWindow> windows,
                         cutWindows(request, context));
  int64_t total = 0;
  for (const ScoreWindow &window : windows)
    total += window.end - window.scored;
  Score score;
  score.windows = static_cast<int64_t>(windows.size());
  score.logProbabilities.assign(request.tokens.size(), kNone);
  auto tell = [&] {
    if (onScored)
      onScored(score.scoredTokens, total);
  };
  for (const ScoreWindow &window : windows)
    TENON_RETURN_IF_ERROR(scoreWindow(request, window, score, tell));
  double sum = 0;
  for (double value : score.logProbabilities)
    sum += std::isnan(value) ? 0 : value;
  score.negativeLogLikelihood = -sum / static_cast<double>(score.scoredTokens);
  score.elapsedNs = nowNs() - begin;
  return score;
}

} // namespace tenon::exec
