//===- GeneratorDrafts.cpp - Steps of several tokens ----------------------===//
//
// A step first drafts tokens, which takes little, then computes them together,
// and keeps them as far as the model draws the same ones. A draft is drawn as
// its token will be, of the same seed and position, so that it is right where
// the two logits are much alike, whatever the temperature.
//
//===----------------------------------------------------------------------===//

#include "runtime/exec/DecoderEntries.h"
#include "runtime/exec/Generator.h"

#include <algorithm>
#include <array>

namespace tenon::exec {

using base::ElementType;

Status Generator::resolveDrafts(int64_t perStep) {
  if (perStep < 0)
    return invalidArgument("expects drafts >= 0, got ", perStep);
  if (perStep == 0)
    return Status();
  auto states = session.findEntry("forwardStates"),
       draft = session.findEntry("draft");
  if (!states.ok() || !draft.ok())
    return invalidArgument("expects a program with the entries 'forwardStates' "
                           "and 'draft', for drafts, got one without");
  const base::Program &program = session.program().program();
  drafts = std::make_unique<Drafts>();
  drafts->perStep = perStep;
  drafts->statesEntry = *states;
  drafts->draftEntry = *draft;
  const base::Entry &entry = program.entries[*draft];
  TENON_ASSIGN_OR_RETURN(
      drafts->statesOrder,
      orderArguments(program.entries[*states], forwardStatesSignature()));
  TENON_ASSIGN_OR_RETURN(drafts->draftOrder,
                         orderArguments(entry, draftSignature()));
  drafts->width = entry.results[1].type.shape[1].terms[0].value;
  return Status();
}

/// Room for what a step of every slot takes.
void Generator::reserveDrafts() {
  int64_t count = std::ssize(slots), most = drafts->perStep + 1;
  int64_t each = drafts->width;
  drafts->states.resize(chunk * each);
  drafts->given.resize(chunk * each);
  drafts->own.resize(count * each);
  drafts->logits.resize(count * width);
  drafts->pending.resize(count * most * each);
  drafts->after.resize(count * most);
  drafts->tokens.resize(count * drafts->perStep);
  drafts->proposing.reserve(count);
}

Status Generator::forwardStates(const Step &step, float *out) {
  int64_t states[] = {step.tokens, drafts->width};
  int64_t logits[] = {step.rows, width};
  MutableTensorView results[] = {
      {out, ElementType::F32, logits},
      {drafts->states.data(), ElementType::F32, states}};
  return callForward(drafts->statesEntry, drafts->statesOrder, step, results);
}

/// Runs the layer that drafts: of `states`, those of the step's tokens, each
/// of which stands for the one after it.
Status Generator::draft(const Step &step, const float *states) {
  int64_t given[] = {step.tokens, drafts->width};
  int64_t own[] = {step.rows, drafts->width}, logits[] = {step.rows, width};
  MutableTensorView results[] = {
      {drafts->logits.data(), ElementType::F32, logits},
      {drafts->own.data(), ElementType::F32, own}};
  TensorView view = {states, ElementType::F32, given};
  return callForward(drafts->draftEntry, drafts->draftOrder, step, results,
                     &view);
}

/// Has the drafting layer see a chunk of a prompt that was computed, from token
/// `from` to before `to`, as far as the next tokens are known; the last one's
/// state waits.
Status Generator::draftPrompt(size_t index, size_t from, size_t to) {
  std::span<const int32_t> prompt = slots[index].request->prompt;
  Step step;
  step.sequences = static_cast<int64_t>(index) + 1;
  for (size_t at = from; at < std::min(to, prompt.size() - 1); ++at)
    addToken(step, index, prompt[at + 1], static_cast<int64_t>(at));
  if (to == prompt.size())
    keepStates(index, static_cast<int64_t>(to - 1 - from), 1);
  if (step.tokens == 0)
    return Status();
  step.rows = 1; // which nobody reads
  rows[0] = 0;
  return draft(step, drafts->states.data());
}

/// Keeps the states of tokens of the last step, which wait for the drafting
/// layer.
void Generator::keepStates(size_t index, int64_t begin, int64_t count) {
  int64_t each = drafts->width;
  std::copy_n(&drafts->states[begin * each], count * each,
              &drafts->pending[index * (drafts->perStep + 1) * each]);
}

/// How many tokens a slot's next step may draft beside the one it computes.
int64_t Generator::draftsOf(size_t index) const {
  const Slot &slot = slots[index];
  int64_t most =
      std::min(slot.request->maxTokens - slot.tokens, context - slot.cached) -
      1;
  return std::clamp<int64_t>(std::min(most, pages->room(index)), 0,
                             drafts->perStep);
}

/// Makes room in the caches for the step of every slot that runs.
Status Generator::makeRoom() {
  for (size_t i = 0; i < slots.size(); ++i)
    if (slots[i].request)
      TENON_RETURN_IF_ERROR(pages->append(i, 1));
  for (size_t i = 0; i < slots.size(); ++i) {
    if (!slots[i].request)
      continue;
    slots[i].drafted = draftsOf(i);
    TENON_RETURN_IF_ERROR(pages->append(i, slots[i].drafted));
  }
  session.copyPages(pages->takeCopies());
  return Status();
}

/// The first drafts, after all states that wait, whose pages are then whole.
Status Generator::draftFirst() {
  int64_t most = drafts->perStep + 1, each = drafts->width;
  Step step;
  drafts->proposing.clear();
  for (size_t i = 0; i < slots.size(); ++i) {
    Slot &slot = slots[i];
    if (!slot.request)
      continue;
    std::copy_n(&drafts->pending[i * most * each], slot.waiting * each,
                &drafts->given[step.tokens * each]);
    for (int64_t j = 0; j < slot.waiting; ++j)
      addToken(step, i, drafts->after[i * most + j],
               slot.cached - slot.waiting + j);
    rows[step.rows++] = static_cast<int32_t>(step.tokens - 1);
    drafts->proposing.push_back({i, slot.cached + 1});
    step.sequences = static_cast<int64_t>(i) + 1;
  }
  TENON_RETURN_IF_ERROR(draft(step, drafts->given.data()));
  for (const Row &row : drafts->proposing) {
    Slot &slot = slots[row.slot];
    pages->record(row.slot, {&slot.firstWaiting, 1});
    pages->record(row.slot, {&drafts->after[row.slot * most],
                             static_cast<size_t>(slot.waiting - 1)});
  }
  return propose(0);
}

/// Draws the j-th draft of those that propose one.
Status Generator::propose(int64_t j) {
  TENON_RETURN_IF_ERROR(drawRows(drafts->proposing, drafts->logits.data()));
  for (size_t row = 0; row < drafts->proposing.size(); ++row)
    drafts->tokens[drafts->proposing[row].slot * drafts->perStep + j] =
        drawnTokens[row];
  return Status();
}

/// The j-th drafts, j > 0, of the drafting layer's own states.
Status Generator::draftNext(int64_t j) {
  int64_t each = drafts->width;
  Step step;
  size_t kept = 0;
  for (size_t row = 0; row < drafts->proposing.size(); ++row) {
    Row from = drafts->proposing[row];
    if (slots[from.slot].drafted <= j)
      continue;
    std::copy_n(&drafts->own[row * each], each,
                &drafts->given[step.tokens * each]);
    rows[step.rows++] = static_cast<int32_t>(step.tokens);
    addToken(step, from.slot,
             drafts->tokens[from.slot * drafts->perStep + j - 1],
             from.position - 1);
    drafts->proposing[kept++] = {from.slot, from.position + 1};
    step.sequences = static_cast<int64_t>(from.slot) + 1;
  }
  drafts->proposing.resize(kept);
  if (kept == 0)
    return Status();
  TENON_RETURN_IF_ERROR(draft(step, drafts->given.data()));
  return propose(j);
}

/// Drafts for every slot that runs, and computes the drawn token and the
/// drafts of each.
Status Generator::decodeWithDrafts(GenerateStats &stats) {
  TENON_RETURN_IF_ERROR(makeRoom());
  TENON_RETURN_IF_ERROR(draftFirst());
  for (int64_t j = 1; j < drafts->perStep; ++j)
    TENON_RETURN_IF_ERROR(draftNext(j));
  Step step;
  drawing.clear();
  for (size_t i = 0; i < slots.size(); ++i) {
    Slot &slot = slots[i];
    if (!slot.request)
      continue;
    for (int64_t j = 0; j <= slot.drafted; ++j) {
      Row row = {i, slot.cached + j + 1, slot.drawn, j};
      if (j > 0)
        row.token = drafts->tokens[i * drafts->perStep + j - 1];
      rows[step.rows++] = static_cast<int32_t>(step.tokens);
      addToken(step, i, row.token, row.position - 1);
      drawing.push_back(row);
    }
    step.sequences = static_cast<int64_t>(i) + 1;
  }
  TENON_RETURN_IF_ERROR(forwardStates(step, logitRows.data()));
  for (size_t row = 0; row < drawing.size();
       row += slots[drawing[row].slot].drafted + 1)
    keepComputed(row, stats);
  return Status();
}

/// Keeps what was computed of a slot, whose first row is `row`.
void Generator::keepComputed(size_t row, GenerateStats &stats) {
  size_t index = drawing[row].slot;
  Slot &slot = slots[index];
  keepStates(index, static_cast<int64_t>(row), slot.drafted + 1);
  slot.firstWaiting = slot.drawn;
  ++slot.cached;
  ++stats.decodeTokens;
  stats.draftedTokens += slot.drafted;
}

/// Whether a row is of a token that the model drew, too, and of a request that
/// goes on; the drafted one is then computed.
bool Generator::takeDraft(const Row &row, GenerateStats &stats) {
  Slot &slot = slots[row.slot];
  if (!slot.request || row.draft != slot.waiting || row.token != slot.drawn)
    return false;
  ++slot.cached;
  ++stats.decodeTokens;
  ++stats.acceptedTokens;
  return true;
}

/// Forgets the drafts that were wrong.
void Generator::dropDrafts() {
  for (size_t i = 0; i < slots.size(); ++i)
    if (slots[i].request)
      pages->truncate(i, slots[i].cached);
}

} // namespace tenon::exec
