//===- Generator.cpp - Decoder models token by token ----------------------===//

#include "runtime/exec/Generator.h"
#include "runtime/exec/DecoderEntries.h"
#include "runtime/exec/Trace.h"

#include <algorithm>
#include <array>

namespace tenon::exec {
namespace {

using base::ElementType;

size_t commonPrefix(std::span<const int32_t> a, std::span<const int32_t> b) {
  size_t most = std::min(a.size(), b.size()), i = 0;
  while (i < most && a[i] == b[i])
    ++i;
  return i;
}

} // namespace

StatusOr<std::unique_ptr<Generator>> Generator::create(Session &session,
                                                       const Options &options) {
  std::unique_ptr<Generator> generator(new Generator(session));
  TENON_RETURN_IF_ERROR(generator->resolve());
  if (options.chunkTokens > 0)
    generator->chunk = std::min(generator->chunk, options.chunkTokens);
  return generator;
}

Status Generator::resolve() {
  TENON_ASSIGN_OR_RETURN(forwardEntry, session.findEntry("forward"));
  TENON_ASSIGN_OR_RETURN(sampleEntry, session.findEntry("sample"));
  const base::Program &program = session.program().program();
  TENON_ASSIGN_OR_RETURN(
      forwardOrder,
      orderArguments(program.entries[forwardEntry], forwardSignature()));
  TENON_ASSIGN_OR_RETURN(
      sampleOrder,
      orderArguments(program.entries[sampleEntry], sampleSignature()));
  TENON_RETURN_IF_ERROR(resolveLoop());
  const base::Value &logits = program.entries[forwardEntry].results[0];
  width = logits.type.shape[1].terms[0].value;

  auto range = [&](size_t role, size_t axis) {
    return session.axisRange(forwardEntry, forwardOrder[role], axis);
  };
  Session::AxisRange rowRange = range(kRows, 0);
  int64_t sequences = range(kPages, 0).most;
  sequences = std::min({sequences, rowRange.most, range(kTokens, 0).most});
  rowsMayBeEmpty = rowRange.least == 0;
  chunk = range(kTokens, 0).most;
  PageTable::Options sizes;
  sizes.pages = session.pages();
  sizes.pageTokens = session.pageBlocks() * TENON_CACHE_BLOCK;
  sizes.sequences = sequences;
  sizes.pagesPerSequence = range(kPages, 1).most;
  if (sequences < 1 || chunk < 1 || sizes.pagesPerSequence < 1)
    return invalidArgument("expects a session for 1 sequence at least, got ",
                           sequences, " of ", sizes.pagesPerSequence,
                           " pages in steps of ", chunk, " tokens");
  context = sizes.pagesPerSequence * sizes.pageTokens;
  if (int64_t most = modelContext(program); most > 0)
    context = std::min(context, most);
  pages = std::make_unique<PageTable>(sizes);

  slots.resize(sequences);
  for (Slot &slot : slots)
    slot.cached.reserve(context);
  drawing.reserve(sequences);
  for (auto *column : {&tokens, &sequence, &position})
    column->resize(chunk);
  for (auto *column : {&rows, &topK, &drawPosition, &drawnTokens})
    column->resize(sequences);
  for (auto *column : {&temperature, &topP, &minP})
    column->resize(sequences);
  seed.resize(sequences);
  logitRows.resize(sequences * width);
  return Status();
}

Status
Generator::checkRequests(std::span<const GenerateRequest> requests) const {
  if (requests.empty() || requests.size() > slots.size())
    return invalidArgument("expects 1 to ", slots.size(), " requests, got ",
                           requests.size());
  for (size_t i = 0; i < requests.size(); ++i) {
    auto length = static_cast<int64_t>(requests[i].prompt.size());
    if (length < 1 || length > context)
      return invalidArgument("request ", i, " expects a prompt of 1 to ",
                             context, " tokens, the context, got ", length);
  }
  return Status();
}

void Generator::addToken(Step &step, size_t slot, int32_t token, int64_t at) {
  tokens[step.tokens] = token;
  sequence[step.tokens] = static_cast<int32_t>(slot);
  position[step.tokens] = static_cast<int32_t>(at);
  ++step.tokens;
}

Status Generator::forward(const Step &step, float *out) {
  int64_t perToken[] = {step.tokens}, perRow[] = {step.rows};
  int64_t table[] = {step.sequences, pages->options().pagesPerSequence};
  int64_t logitShape[] = {step.rows, width};
  std::array<TensorView, kForwardRoles> arguments;
  auto set = [&](size_t role, const void *data,
                 std::span<const int64_t> shape) {
    arguments[forwardOrder[role]] = {data, ElementType::I32, shape};
  };
  set(kTokens, tokens.data(), perToken);
  set(kSequence, sequence.data(), perToken);
  set(kPosition, position.data(), perToken);
  set(kPages, pages->table().data(), table);
  set(kRows, rows.data(), perRow);
  MutableTensorView result = {out, ElementType::F32, logitShape};
  return session.call(forwardEntry, arguments, {&result, 1});
}

Status Generator::prefill(size_t index, std::span<const int32_t> prompt,
                          int64_t sequences, GenerateStats &stats) {
  Slot &slot = slots[index];
  // The last token is computed again: its logits are not kept.
  size_t keep = std::min(commonPrefix(slot.cached, prompt), prompt.size() - 1);
  slot.cached.resize(keep);
  pages->truncate(index, keep);
  TENON_RETURN_IF_ERROR(pages->append(index, prompt.size() - keep));
  stats.cachedTokens += keep;
  stats.promptTokens += prompt.size() - keep;
  for (size_t at = keep; at < prompt.size();) {
    Step step;
    step.sequences = sequences;
    while (step.tokens < chunk && at < prompt.size()) {
      addToken(step, index, prompt[at], at);
      ++at;
    }
    step.rows = at == prompt.size() || !rowsMayBeEmpty ? 1 : 0;
    rows[0] = static_cast<int32_t>(step.tokens - 1);
    TENON_RETURN_IF_ERROR(forward(step, &logitRows[drawing.size() * width]));
    slot.cached.insert(slot.cached.end(), tokens.begin(),
                       tokens.begin() + step.tokens);
  }
  drawing.push_back(index);
  return Status();
}

/// Computes the drawn token of every active slot.
Status Generator::decode(int64_t sequences) {
  Step step;
  step.sequences = sequences;
  drawing.clear();
  for (size_t i = 0; i < static_cast<size_t>(sequences); ++i) {
    Slot &slot = slots[i];
    if (!slot.active)
      continue;
    TENON_RETURN_IF_ERROR(pages->append(i, 1));
    rows[step.rows++] = static_cast<int32_t>(step.tokens);
    addToken(step, i, slot.drawn, slot.cached.size());
    drawing.push_back(i);
  }
  TENON_RETURN_IF_ERROR(forward(step, logitRows.data()));
  for (size_t i : drawing)
    slots[i].cached.push_back(slots[i].drawn);
  return Status();
}

/// Draws a token for every slot whose logits wait.
Status Generator::draw(std::span<const GenerateRequest> requests) {
  for (size_t row = 0; row < drawing.size(); ++row) {
    const SamplingOptions &sampling = requests[drawing[row]].sampling;
    temperature[row] = sampling.temperature;
    topK[row] = sampling.topK;
    topP[row] = sampling.topP;
    minP[row] = sampling.minP;
    seed[row] = sampling.seed;
    drawPosition[row] = static_cast<int32_t>(slots[drawing[row]].cached.size());
  }
  int64_t perRow[] = {static_cast<int64_t>(drawing.size())};
  int64_t logitShape[] = {perRow[0], width};
  std::array<TensorView, kSampleRoles> arguments;
  auto set = [&](size_t role, const void *data, ElementType element) {
    arguments[sampleOrder[role]] = {data, element, perRow};
  };
  set(kLogits, logitRows.data(), ElementType::F32);
  arguments[sampleOrder[kLogits]].shape = logitShape;
  set(kTemperature, temperature.data(), ElementType::F32);
  set(kTopK, topK.data(), ElementType::I32);
  set(kTopP, topP.data(), ElementType::F32);
  set(kMinP, minP.data(), ElementType::F32);
  set(kSeed, seed.data(), ElementType::I64);
  set(kDrawPosition, drawPosition.data(), ElementType::I32);
  MutableTensorView result = {drawnTokens.data(), ElementType::I32, perRow};
  TENON_RETURN_IF_ERROR(session.call(sampleEntry, arguments, {&result, 1}));
  for (size_t row = 0; row < drawing.size(); ++row)
    slots[drawing[row]].drawn = drawnTokens[row];
  return Status();
}

/// Gives a drawn token out; returns whether its request goes on.
bool Generator::accept(size_t index, const GenerateRequest &request,
                       const OnToken &onToken) {
  Slot &slot = slots[index];
  auto end = [&](FinishReason reason) {
    slot.reason = reason;
    return false;
  };
  if (std::ranges::find(request.stopTokens, slot.drawn) !=
      request.stopTokens.end())
    return end(FinishReason::StopToken);
  ++slot.tokens;
  if (onToken && onToken(index, slot.drawn))
    return end(FinishReason::Callback);
  if (slot.tokens >= request.maxTokens)
    return end(FinishReason::MaxTokens);
  if (static_cast<int64_t>(slot.cached.size()) >= context)
    return end(FinishReason::Context);
  return true;
}

size_t Generator::cachedTokens() const {
  size_t sum = 0;
  for (const Slot &slot : slots)
    sum += slot.cached.size();
  return sum;
}

StatusOr<GenerateStats>
Generator::generate(std::span<const GenerateRequest> requests,
                    const OnToken &onToken) {
  TENON_RETURN_IF_ERROR(checkRequests(requests));
  GenerateStats stats;
  auto sequences = static_cast<int64_t>(requests.size());
  int64_t begin = nowNs();
  drawing.clear();
  // Slots of no request give their pages back: they may be needed here.
  for (size_t i = requests.size(); i < slots.size(); ++i) {
    pages->release(i);
    slots[i].cached.clear();
  }
  for (size_t i = 0; i < requests.size(); ++i) {
    slots[i].active = requests[i].maxTokens > 0;
    slots[i].tokens = 0;
    slots[i].reason = FinishReason::MaxTokens;
    TENON_RETURN_IF_ERROR(prefill(i, requests[i].prompt, sequences, stats));
  }
  stats.promptNs = nowNs() - begin;
  auto isActive = [](const Slot &slot) { return slot.active; };
  std::span<Slot> running(slots.data(), requests.size());
  std::erase_if(drawing, [&](size_t i) { return !slots[i].active; });
  bool byLoop = canLoop(requests);
  while (std::ranges::any_of(running, isActive)) {
    begin = nowNs();
    TENON_RETURN_IF_ERROR(draw(requests));
    for (size_t i : drawing)
      slots[i].active = accept(i, requests[i], onToken);
    if (std::ranges::any_of(running, isActive)) {
      size_t before = cachedTokens();
      TENON_RETURN_IF_ERROR(byLoop ? decodeByLoop(requests[0], onToken)
                                   : decode(sequences));
      stats.decodeTokens += cachedTokens() - before;
    }
    stats.decodeNs += nowNs() - begin;
  }
  for (const Slot &slot : running) {
    stats.tokens += slot.tokens;
    stats.reasons.push_back(slot.reason);
  }
  return stats;
}

StatusOr<std::span<const float>>
Generator::logits(std::span<const int32_t> prompt) {
  GenerateRequest request;
  request.prompt = prompt;
  request.maxTokens = 0;
  TENON_ASSIGN_OR_RETURN(GenerateStats stats, generate({&request, 1}, {}));
  (void)stats;
  return std::span<const float>(logitRows.data(), width);
}

} // namespace tenon::exec
