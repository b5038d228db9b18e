//===- Generator.cpp - Decoder models token by token ----------------------===//

#include "runtime/exec/Generator.h"
#include "runtime/exec/DecoderEntries.h"
#include "runtime/exec/Trace.h"

#include <algorithm>
#include <array>

namespace tenon::exec {

using base::ElementType;

StatusOr<std::unique_ptr<Generator>> Generator::create(Session &session,
                                                       const Options &options) {
  std::unique_ptr<Generator> generator(new Generator(session));
  TENON_RETURN_IF_ERROR(generator->resolveDrafts(options.drafts));
  TENON_RETURN_IF_ERROR(generator->resolve());
  if (options.chunkTokens > 0)
    generator->chunk = std::min(generator->chunk, options.chunkTokens);
  return generator;
}

Status Generator::resolve() {
  TENON_ASSIGN_OR_RETURN(forwardEntry, session.findEntry("forward"));
  TENON_ASSIGN_OR_RETURN(sampleEntry, session.findEntry("sample"));
  if (auto entry = session.findEntry("scoreRows"); entry.ok())
    scoreEntry = *entry;
  const base::Program &program = session.program().program();
  routing = routingStates(program);
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
  int64_t each = drafts ? drafts->perStep + 1 : 1; // tokens of a step
  sequences = std::min(
      {sequences, rowRange.most / each, range(kTokens, 0).most / each});
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
  drawing.reserve(sequences * each);
  for (auto *column : {&tokens, &sequence, &position})
    column->resize(chunk);
  for (auto *column : {&rows, &topK, &drawPosition, &drawnTokens})
    column->resize(sequences * each);
  for (auto *column : {&temperature, &topP, &minP, &drawnLogs})
    column->resize(sequences * each);
  seed.resize(sequences * each);
  logitRows.resize(sequences * each * width);
  if (drafts)
    reserveDrafts();
  return Status();
}

Status
Generator::checkRequests(std::span<const GenerateRequest> requests) const {
  if (requests.empty())
    return invalidArgument("expects a request at least, got none");
  for (size_t i = 0; i < requests.size(); ++i) {
    auto length = static_cast<int64_t>(requests[i].prompt.size());
    if (length < 1 || length > context)
      return invalidArgument("request ", i, " expects a prompt of 1 to ",
                             context, " tokens, the context, got ", length);
    if (requests[i].log && !scoreEntry)
      return invalidArgument("request ", i,
                             " expects a program that tells "
                             "log-probabilities, by the entry 'scoreRows', "
                             "got one without");
    if (requests[i].experts && routing.empty())
      return invalidArgument("request ", i,
                             " expects a program that notes experts, in "
                             "caches 'routing.*', got one without");
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
  int64_t logitShape[] = {step.rows, width};
  MutableTensorView result = {out, ElementType::F32, logitShape};
  return callForward(forwardEntry, forwardOrder, step, {&result, 1});
}

/// Calls `forward` or an entry with its arguments and, where `states` are
/// given, those.
Status Generator::callForward(uint32_t entry, std::span<const size_t> order,
                              const Step &step,
                              std::span<MutableTensorView> results,
                              const TensorView *states) {
  int64_t perToken[] = {step.tokens}, perRow[] = {step.rows};
  int64_t table[] = {step.sequences, pages->options().pagesPerSequence};
  std::array<TensorView, kDraftRoles> arguments;
  auto set = [&](size_t role, const void *data,
                 std::span<const int64_t> shape) {
    arguments[order[role]] = {data, ElementType::I32, shape};
  };
  set(kTokens, tokens.data(), perToken);
  set(kSequence, sequence.data(), perToken);
  set(kPosition, position.data(), perToken);
  set(kPages, pages->table().data(), table);
  set(kRows, rows.data(), perRow);
  if (states)
    arguments[order[kStates]] = *states;
  return session.call(entry, std::span(arguments).first(order.size()), results);
}

/// Gives free slots the requests that wait, and computes their prompts.
Status Generator::admit(std::span<const GenerateRequest> requests, size_t &next,
                        GenerateStats &stats) {
  for (size_t i = 0; i < slots.size() && next < requests.size(); ++i) {
    if (slots[i].request)
      continue;
    bool hasOthers = isRunning();
    slots[i] = {&requests[next], next};
    Status status = prefill(i, stats);
    if (!status.ok()) {
      slots[i].request = nullptr;
      pages->release(i);
      // Others give pages back when they end.
      if (status.code() == TENON_RESOURCE_EXHAUSTED && hasOthers)
        return Status();
      return status;
    }
    ++next;
    if (requests[next - 1].maxTokens <= 0) {
      drawing.pop_back();
      finish(i, FinishReason::MaxTokens, stats);
      --i; // which waits again
    }
  }
  return Status();
}

Status Generator::prefill(size_t index, GenerateStats &stats) {
  Slot &slot = slots[index];
  std::span<const int32_t> prompt = slot.request->prompt;
  // The last token is computed again: its logits are not kept.
  auto keep =
      static_cast<size_t>(pages->begin(index, prompt.first(prompt.size() - 1)));
  // What the drafting layer holds of a token depends on the next one: the last
  // token found is computed again.
  if (drafts && keep > 0)
    pages->truncate(index, static_cast<int64_t>(--keep));
  TENON_RETURN_IF_ERROR(pages->append(index, prompt.size() - keep));
  session.copyPages(pages->takeCopies());
  stats.cachedTokens += keep;
  stats.promptTokens += prompt.size() - keep;
  for (size_t at = keep; at < prompt.size();) {
    size_t begin = at;
    Step step;
    step.sequences = static_cast<int64_t>(index) + 1;
    while (step.tokens < chunk && at < prompt.size()) {
      addToken(step, index, prompt[at], at);
      ++at;
    }
    step.rows = at == prompt.size() || !rowsMayBeEmpty ? 1 : 0;
    rows[0] = static_cast<int32_t>(step.tokens - 1);
    float *logits = &logitRows[drawing.size() * width];
    TENON_RETURN_IF_ERROR(drafts ? forwardStates(step, logits)
                                 : forward(step, logits));
    if (drafts)
      TENON_RETURN_IF_ERROR(draftPrompt(index, begin, at));
    // The last token's part of the drafting layer is not there yet.
    bool isWaiting = drafts && at == prompt.size();
    pages->record(index, prompt.subspan(begin, at - begin - isWaiting));
  }
  slot.firstWaiting = prompt.back();
  slot.cached = static_cast<int64_t>(prompt.size());
  drawing.push_back({index, slot.cached});
  return Status();
}

/// Computes the drawn token of every slot that runs.
Status Generator::decode(GenerateStats &stats) {
  Step step;
  drawing.clear();
  for (size_t i = 0; i < slots.size(); ++i) {
    if (!slots[i].request)
      continue;
    TENON_RETURN_IF_ERROR(pages->append(i, 1));
    rows[step.rows++] = static_cast<int32_t>(step.tokens);
    addToken(step, i, slots[i].drawn, slots[i].cached);
    drawing.push_back({i, slots[i].cached + 1});
    step.sequences = static_cast<int64_t>(i) + 1;
  }
  session.copyPages(pages->takeCopies());
  TENON_RETURN_IF_ERROR(forward(step, logitRows.data()));
  for (const Row &row : drawing) {
    pages->record(row.slot, {&slots[row.slot].drawn, 1});
    ++slots[row.slot].cached;
  }
  stats.decodeTokens += static_cast<int64_t>(drawing.size());
  return Status();
}

/// Draws a token of all logits that wait.
Status Generator::draw() {
  TENON_RETURN_IF_ERROR(drawRows(drawing, logitRows.data()));
  bool isAsked = std::ranges::any_of(
      drawing, [&](const Row &row) { return slots[row.slot].request->log; });
  return isAsked ? scoreDrawn() : Status();
}

/// Draws a token for each row of logits.
Status Generator::drawRows(std::span<const Row> from, const float *logits) {
  for (size_t row = 0; row < from.size(); ++row) {
    const SamplingOptions &sampling = slots[from[row].slot].request->sampling;
    temperature[row] = sampling.temperature;
    topK[row] = sampling.topK;
    topP[row] = sampling.topP;
    minP[row] = sampling.minP;
    seed[row] = sampling.seed;
    drawPosition[row] = static_cast<int32_t>(from[row].position);
  }
  int64_t perRow[] = {static_cast<int64_t>(from.size())};
  int64_t logitShape[] = {perRow[0], width};
  std::array<TensorView, kSampleRoles> arguments;
  auto set = [&](size_t role, const void *data, ElementType element) {
    arguments[sampleOrder[role]] = {data, element, perRow};
  };
  set(kLogits, logits, ElementType::F32);
  arguments[sampleOrder[kLogits]].shape = logitShape;
  set(kTemperature, temperature.data(), ElementType::F32);
  set(kTopK, topK.data(), ElementType::I32);
  set(kTopP, topP.data(), ElementType::F32);
  set(kMinP, minP.data(), ElementType::F32);
  set(kSeed, seed.data(), ElementType::I64);
  set(kDrawPosition, drawPosition.data(), ElementType::I32);
  MutableTensorView result = {drawnTokens.data(), ElementType::I32, perRow};
  return session.call(sampleEntry, arguments, {&result, 1});
}

/// Finds log p of the drawn tokens.
Status Generator::scoreDrawn() {
  const base::Entry &entry = session.program().program().entries[*scoreEntry];
  int64_t perRow[] = {static_cast<int64_t>(drawing.size())};
  int64_t logitShape[] = {perRow[0], width};
  for (size_t row = 0; row < drawing.size(); ++row)
    if (temperature[row] <= 0)
      temperature[row] = 1;
  std::vector<TensorView> arguments;
  for (const base::Value &argument : entry.arguments) {
    if (argument.name == "logits")
      arguments.push_back({logitRows.data(), ElementType::F32, logitShape});
    else if (argument.name == "targets")
      arguments.push_back({drawnTokens.data(), ElementType::I32, perRow});
    else
      arguments.push_back({temperature.data(), ElementType::F32, perRow});
  }
  MutableTensorView result = {drawnLogs.data(), ElementType::F32, perRow};
  return session.call(*scoreEntry, arguments, {&result, 1});
}

bool Generator::isRunning() const {
  return std::ranges::any_of(slots,
                             [](const Slot &slot) { return slot.request; });
}

/// Frees a slot; what its pages hold stays known.
void Generator::finish(size_t index, FinishReason reason,
                       GenerateStats &stats) {
  Slot &slot = slots[index];
  stats.reasons[slot.number] = reason;
  stats.tokens += slot.tokens;
  if (slot.request->experts)
    readExperts(index);
  slot.request = nullptr;
  pages->release(index);
  if (end)
    end(slot.number, reason);
}

/// Gives out the experts of the tokens that the slot's pages hold.
void Generator::readExperts(size_t index) const {
  const Slot &slot = slots[index];
  const PageTable::Options &sizes = pages->options();
  std::span<const int32_t> table =
      pages->table().subspan(index * sizes.pagesPerSequence);
  for (int64_t at = 0; at < slot.cached; ++at)
    for (size_t state : routing) {
      std::span<const float> held =
          session.cachePage(state, table[at / sizes.pageTokens]);
      size_t k = held.size() / sizes.pageTokens;
      for (float each : held.subspan(at % sizes.pageTokens * k, k))
        slot.request->experts->push_back(static_cast<int32_t>(each));
    }
}

/// Gives a drawn token out, and ends its request where that is to end.
void Generator::accept(size_t index, const OnToken &onToken,
                       GenerateStats &stats) {
  Slot &slot = slots[index];
  const GenerateRequest &request = *slot.request;
  if (std::ranges::find(request.stopTokens, slot.drawn) !=
      request.stopTokens.end())
    return finish(index, FinishReason::StopToken, stats);
  ++slot.tokens;
  if (request.log)
    request.log->push_back(slot.drawnLog);
  if (onToken && onToken(slot.number, slot.drawn))
    finish(index, FinishReason::Callback, stats);
  else if (slot.tokens >= request.maxTokens)
    finish(index, FinishReason::MaxTokens, stats);
  else if (slot.cached >= context)
    finish(index, FinishReason::Context, stats);
}

/// Gives out what was drawn; after drafts, while the model drew those too.
void Generator::acceptDrawn(const OnToken &onToken, GenerateStats &stats) {
  for (size_t i = 0; i < drawing.size(); ++i) {
    const Row &row = drawing[i];
    Slot &slot = slots[row.slot];
    if (row.draft > 0 && !takeDraft(row, stats))
      continue;
    if (onLogits)
      onLogits(slot.number,
               {&logitRows[i * width], static_cast<size_t>(width)});
    slot.drawn = drawnTokens[i];
    slot.drawnLog = drawnLogs[i];
    if (drafts)
      drafts->after[row.slot * (drafts->perStep + 1) + row.draft] = slot.drawn;
    slot.waiting = row.draft + 1;
    accept(row.slot, onToken, stats);
  }
  if (drafts)
    dropDrafts();
}

StatusOr<GenerateStats>
Generator::generate(std::span<const GenerateRequest> requests,
                    const OnToken &onToken, const OnEnd &onEnd) {
  TENON_RETURN_IF_ERROR(checkRequests(requests));
  GenerateStats stats;
  end = onEnd;
  stats.reasons.resize(requests.size());
  for (size_t i = 0; i < slots.size(); ++i) { // after an error
    slots[i].request = nullptr;
    pages->release(i);
  }
  drawing.clear();
  size_t next = 0;
  bool byLoop = canLoop(requests);
  for (;;) {
    int64_t begin = nowNs();
    TENON_RETURN_IF_ERROR(admit(requests, next, stats));
    stats.promptNs += nowNs() - begin;
    if (drawing.empty())
      return stats;
    begin = nowNs();
    TENON_RETURN_IF_ERROR(draw());
    acceptDrawn(onToken, stats);
    drawing.clear();
    if (isRunning()) {
      TENON_RETURN_IF_ERROR(byLoop   ? decodeByLoop(onToken, stats)
                            : drafts ? decodeWithDrafts(stats)
                                     : decode(stats));
    }
    stats.decodeNs += nowNs() - begin;
  }
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
