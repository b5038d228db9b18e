//===- DecoderEntries.cpp - The entries a decoder model has ---------------===//

#include "runtime/exec/DecoderEntries.h"
#include "runtime/exec/Generator.h"

#include <algorithm>
#include <charconv>

namespace tenon::exec {
namespace {

using base::ElementType;

constexpr ValueForm kForwardArguments[kDraftRoles] = {
    {"tokens", ElementType::I32, 1},
    {"batch.sequence", ElementType::I32, 1},
    {"batch.position", ElementType::I32, 1},
    {"batch.pages", ElementType::I32, 2},
    {"rows", ElementType::I32, 1},
    {"states", ElementType::F32, 2},
};
// The first one alone, of `forward`. Results may be named by the compiler.
constexpr ValueForm kForwardResults[] = {{"logits", ElementType::F32, 2},
                                         {"states", ElementType::F32, 2}};
constexpr ValueForm kToken[] = {{"token", ElementType::I32, 1}};
constexpr ValueForm kSampleArguments[kSampleRoles] = {
    {"logits", ElementType::F32, 2},   {"temperature", ElementType::F32, 1},
    {"topK", ElementType::I32, 1},     {"topP", ElementType::F32, 1},
    {"minP", ElementType::F32, 1},     {"seed", ElementType::I64, 1},
    {"position", ElementType::I32, 1},
};
constexpr ValueForm kGenerateArguments[kGenerateRoles] = {
    {"token", ElementType::I32, 1},
    {"batch.sequence", ElementType::I32, 1},
    {"batch.position", ElementType::I32, 1},
    {"batch.pages", ElementType::I32, 2},
    {"temperature", ElementType::F32, 1},
    {"topK", ElementType::I32, 1},
    {"topP", ElementType::F32, 1},
    {"minP", ElementType::F32, 1},
    {"seed", ElementType::I64, 1},
    {"position", ElementType::I32, 1},
    {"stops", ElementType::I32, 1},
    {"limit", ElementType::I32, 1},
};

Status checkForm(const base::Value &value, const ValueForm &form) {
  if (value.type.element == form.element &&
      value.type.shape.size() == form.rank)
    return Status();
  return invalidArgument("expects '", form.name, "' of type ",
                         base::info(form.element).name, " and rank ", form.rank,
                         ", got ", base::info(value.type.element).name,
                         " and rank ", value.type.shape.size());
}

const base::Entry *findEntry(const base::Program &program,
                             std::string_view name) {
  for (const base::Entry &entry : program.entries)
    if (entry.name == name)
      return &entry;
  return nullptr;
}

/// The symbol that is an axis; null where the axis is something else.
const base::Symbol *axisSymbol(const base::Entry &entry, size_t argument,
                               size_t axis) {
  const base::Expr &expr = entry.arguments[argument].type.shape[axis];
  bool isSymbol =
      expr.terms.size() == 1 && expr.terms[0].op == base::Expr::Op::Symbol;
  return isSymbol ? &entry.symbols[expr.terms[0].value] : nullptr;
}

} // namespace

EntryForm forwardSignature() {
  return {std::span(kForwardArguments).first(kForwardRoles),
          std::span(kForwardResults).first(1)};
}

EntryForm sampleSignature() { return {kSampleArguments, kToken}; }

EntryForm generateSignature() { return {kGenerateArguments, kToken}; }

EntryForm forwardStatesSignature() {
  return {std::span(kForwardArguments).first(kForwardRoles), kForwardResults};
}

EntryForm draftSignature() { return {kForwardArguments, kForwardResults}; }

StatusOr<std::vector<size_t>> orderArguments(const base::Entry &entry,
                                             const EntryForm &form) {
  auto inEntry = [&](Status status) {
    return status.withContext(concat("entry '", entry.name, "'"));
  };
  if (entry.arguments.size() != form.arguments.size() ||
      entry.results.size() != form.results.size())
    return inEntry(invalidArgument(
        "expects ", form.arguments.size(), " arguments and ",
        form.results.size(), form.results.size() == 1 ? " result" : " results",
        ", got ", entry.arguments.size(), " and ", entry.results.size()));
  std::vector<size_t> order;
  for (const ValueForm &role : form.arguments) {
    auto found =
        std::ranges::find(entry.arguments, role.name, &base::Value::name);
    if (found == entry.arguments.end())
      return inEntry(
          invalidArgument("expects an argument '", role.name, "', got none"));
    if (Status status = checkForm(*found, role); !status.ok())
      return inEntry(status);
    order.push_back(found - entry.arguments.begin());
  }
  for (size_t i = 0; i < form.results.size(); ++i) {
    const ValueForm &result = form.results[i];
    if (Status status = checkForm(entry.results[i], result); !status.ok())
      return inEntry(status);
    if (result.rank == 2 && !entry.results[i].type.shape[1].isConstant())
      return inEntry(
          invalidArgument("expects ", result.name, " of a constant width"));
  }
  return order;
}

std::vector<size_t> routingStates(const base::Program &program) {
  std::vector<size_t> found;
  for (size_t i = 0; i < program.states.size(); ++i)
    if (!program.states[i].isTensor() &&
        program.states[i].name.starts_with("routing."))
      found.push_back(i);
  return found;
}

int64_t modelContext(const base::Program &program) {
  for (const base::Metadata &item : program.metadata) {
    int64_t value = 0;
    const char *begin = item.value.data();
    if (item.key == "context_tokens" &&
        std::from_chars(begin, begin + item.value.size(), value).ec ==
            std::errc())
      return std::max<int64_t>(value, 0);
  }
  return 0;
}

StatusOr<SessionOptions> decoderOptions(const base::Program &program,
                                        const DecoderLimits &limits) {
  if (limits.contextTokens < 0 || limits.sequences < 1 ||
      limits.chunkTokens < 1 || limits.pageBlocks < 1)
    return invalidArgument("expects a context >= 0 and sequences, chunk and "
                           "page blocks >= 1, got ",
                           limits.contextTokens, ", ", limits.sequences, ", ",
                           limits.chunkTokens, " and ", limits.pageBlocks);
  if (limits.drafts < 0 || limits.drafts > kMostDrafts)
    return invalidArgument("expects 0 to ", kMostDrafts,
                           " drafts in a step, got ", limits.drafts);
  const base::Entry *forward = findEntry(program, "forward");
  if (!forward)
    return notFound("expects a program with an entry 'forward', got none");
  TENON_ASSIGN_OR_RETURN(std::vector<size_t> order,
                         orderArguments(*forward, forwardSignature()));
  int64_t pageTokens = limits.pageBlocks * TENON_CACHE_BLOCK;
  int64_t most = modelContext(program);
  const base::Symbol *perSequence = axisSymbol(*forward, order[kPages], 1);
  if (perSequence && (most == 0 || perSequence->max < most / pageTokens))
    most = perSequence->max > INT64_MAX / pageTokens
               ? INT64_MAX
               : perSequence->max * pageTokens;
  constexpr int64_t kUsualContext = 4096;
  int64_t context = limits.contextTokens ? limits.contextTokens
                                         : (most ? std::min(most, kUsualContext)
                                                 : kUsualContext);
  if (most && context > most)
    return invalidArgument("expects a context of at most ", most,
                           " tokens, the model's, got ", context);
  SessionOptions options;
  options.pageBlocks = limits.pageBlocks;
  int64_t pagesEach = (context - 1) / pageTokens + 1;
  if (__builtin_mul_overflow(pagesEach, limits.sequences, &options.pages) ||
      options.pages > INT32_MAX)
    return invalidArgument("expects fewer than 2^31 cache pages, got ",
                           limits.sequences, " sequences of ", pagesEach);
  auto limit = [&](size_t role, size_t axis, int64_t value) {
    if (const base::Symbol *symbol = axisSymbol(*forward, order[role], axis))
      options.limits.push_back({symbol->name, value});
  };
  int64_t perStep = limits.sequences * (limits.drafts + 1);
  limit(kTokens, 0, std::max(limits.chunkTokens, perStep));
  limit(kPages, 0, limits.sequences);
  limit(kPages, 1, pagesEach);
  limit(kRows, 0, std::max(limits.rows, perStep));
  return options;
}

} // namespace tenon::exec
