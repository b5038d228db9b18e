//===- GeneratorLoop.cpp - Decoding by the program's own loop -------------===//
//
// One call of the entry `generate` in place of many of `forward` and `sample`.
//
//===----------------------------------------------------------------------===//

#include "runtime/exec/DecoderEntries.h"
#include "runtime/exec/Generator.h"

#include <algorithm>
#include <array>

namespace tenon::exec {

using base::ElementType;

Status Generator::resolveLoop() {
  const base::Program &program = session.program().program();
  auto entry =
      std::ranges::find(program.entries, "generate", &base::Entry::name);
  if (entry == program.entries.end())
    return Status();
  loopEntry = static_cast<uint32_t>(entry - program.entries.begin());
  TENON_ASSIGN_OR_RETURN(loopOrder,
                         orderArguments(*entry, generateSignature()));
  mostStops = session.axisRange(loopEntry, loopOrder[kStops], 0).most;
  return Status();
}

bool Generator::canLoop(std::span<const GenerateRequest> requests) const {
  return requests.size() == 1 && !requests[0].log && !onLogits && !drafts &&
         std::max<int64_t>(requests[0].stopTokens.size(), 1) <= mostStops;
}

/// Makes up to `trips` trips from the drawn token on; the sink takes the
/// tokens.
Status Generator::callLoop(int64_t trips) {
  static constexpr int32_t kNoStop[] = {-1}; // no token has this number
  const GenerateRequest &request = *slots[0].request;
  std::span<const int32_t> stops = request.stopTokens;
  if (stops.empty())
    stops = kNoStop;
  const Slot &slot = slots[0];
  int32_t first = slot.drawn, zero = 0;
  auto at = static_cast<int32_t>(slot.cached);
  auto limit = static_cast<int32_t>(std::min<int64_t>(trips, INT32_MAX));
  int64_t one[] = {1}, table[] = {1, pages->options().pagesPerSequence};
  int64_t perStop[] = {static_cast<int64_t>(stops.size())};
  std::array<TensorView, kGenerateRoles> arguments;
  auto set = [&](size_t role, const void *data, ElementType element,
                 std::span<const int64_t> shape) {
    arguments[loopOrder[role]] = {data, element, shape};
  };
  set(kFirstToken, &first, ElementType::I32, one);
  set(kLoopSequence, &zero, ElementType::I32, one);
  set(kLoopPosition, &at, ElementType::I32, one);
  set(kLoopPages, pages->table().data(), ElementType::I32, table);
  set(kLoopTemperature, &request.sampling.temperature, ElementType::F32, one);
  set(kLoopTopK, &request.sampling.topK, ElementType::I32, one);
  set(kLoopTopP, &request.sampling.topP, ElementType::F32, one);
  set(kLoopMinP, &request.sampling.minP, ElementType::F32, one);
  set(kLoopSeed, &request.sampling.seed, ElementType::I64, one);
  set(kFirstPosition, &at, ElementType::I32, one);
  set(kStops, stops.data(), ElementType::I32, perStop);
  set(kLimit, &limit, ElementType::I32, one);
  MutableTensorView result = {drawnTokens.data(), ElementType::I32, one};
  return session.call(loopEntry, arguments, {&result, 1});
}

/// Decodes the one request, whose first token is drawn and given out, to its
/// end.
Status Generator::decodeByLoop(const OnToken &onToken, GenerateStats &stats) {
  Slot &slot = slots[0];
  // What was drawn before is computed once the next token is there.
  auto take = [&](int32_t token) {
    pages->record(0, {&slot.drawn, 1});
    ++slot.cached;
    ++stats.decodeTokens;
    slot.drawn = token;
    accept(0, onToken, stats);
  };
  session.setSink([&](std::span<const int32_t> emitted) {
    take(emitted[0]);
    return !slot.request;
  });
  Status status;
  while (status.ok() && slot.request) {
    // The pages of all trips are needed before the first one.
    int64_t trips =
        std::min(slot.request->maxTokens - slot.tokens, context - slot.cached);
    trips = std::max<int64_t>(std::min(trips, pages->room(0)), 1);
    status = pages->append(0, trips);
    session.copyPages(pages->takeCopies());
    if (status.ok())
      status = callLoop(trips);
    // What it drew and did not emit is a stop token.
    if (status.ok() && slot.request && drawnTokens[0] != slot.drawn)
      take(drawnTokens[0]);
    if (slot.request)
      pages->truncate(0, slot.cached);
  }
  session.setSink(nullptr);
  return status;
}

} // namespace tenon::exec
