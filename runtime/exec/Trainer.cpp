//===- Trainer.cpp - Steps of training a decoder --------------------------===//

#include "runtime/exec/Trainer.h"

#include <algorithm>
#include <array>

namespace tenon::exec {
namespace {

using base::ElementType;

int64_t learnedOf(std::span<const TrainSequence> batch) {
  int64_t learned = 0;
  for (const TrainSequence &each : batch)
    learned += each.learned();
  return learned;
}

/// The place of an argument of the entry.
StatusOr<size_t> placeOf(const base::Entry &entry, std::string_view name) {
  for (size_t i = 0; i < entry.arguments.size(); ++i)
    if (entry.arguments[i].name == name)
      return i;
  return invalidArgument("entry '", entry.name, "': expects an argument '",
                         name, "', got none");
}

/// Whether an entry is of those that take tokens to learn.
bool computesTokens(const base::Entry &entry) {
  return entry.name == "train" || entry.name == "accumulate" ||
         entry.name == "evaluate";
}

/// The largest value of a symbol of such an entry; 0: its own.
int64_t limitOf(const base::Symbol &symbol, int64_t tokens, int64_t sequences) {
  int64_t asked = symbol.name == "S"                         ? sequences
                  : symbol.name == "T" || symbol.name == "M" ? tokens
                                                             : 0;
  return asked ? std::clamp(asked, symbol.min, symbol.max) : symbol.max;
}

} // namespace

void addTrainingLimits(const base::Program &program, SessionOptions &options,
                       int64_t tokens, int64_t sequences) {
  for (const base::Entry &entry : program.entries)
    for (const base::Symbol &symbol : entry.symbols)
      if (computesTokens(entry))
        options.limits.push_back(
            {symbol.name, limitOf(symbol, tokens, sequences), entry.name});
}

StatusOr<int64_t> stepArenaBytes(const base::Program &program, int64_t tokens,
                                 int64_t sequences) {
  int64_t bytes = 0;
  for (const base::Entry &entry : program.entries) {
    std::vector<int64_t> most;
    for (const base::Symbol &symbol : entry.symbols)
      most.push_back(limitOf(symbol, tokens, sequences));
    for (const base::Variant &variant : entry.variants) {
      if (!computesTokens(entry) && entry.name != "apply")
        continue;
      TENON_ASSIGN_OR_RETURN(VariantPlan plan,
                             VariantPlan::create(variant, most));
      bytes = std::max(bytes, plan.reachable() ? plan.arenaBytes() : 0);
    }
  }
  if (bytes == 0)
    return notFound("expects a program to train, got no entry 'train'");
  return bytes;
}

StatusOr<std::unique_ptr<Trainer>> Trainer::create(Session &session) {
  std::unique_ptr<Trainer> trainer(new Trainer(session));
  TENON_RETURN_IF_ERROR(trainer->resolve());
  return trainer;
}

Status Trainer::resolve() {
  const base::Program &program = session.program().program();
  hasSums = std::ranges::any_of(program.entries, [](const base::Entry &entry) {
    return entry.name == "accumulate";
  });
  StatusOr<uint32_t> train =
      session.findEntry(hasSums ? "accumulate" : "train");
  if (!train.ok())
    return train.status().withContext("the program is not one to train");
  trainEntry = *train;
  if (hasSums) {
    TENON_ASSIGN_OR_RETURN(applyEntry, session.findEntry("apply"));
  }
  TENON_ASSIGN_OR_RETURN(evaluateEntry, session.findEntry("evaluate"));
  TENON_ASSIGN_OR_RETURN(normEntry, session.findEntry("norm"));
  const base::Entry &entry = program.entries[trainEntry];
  TENON_ASSIGN_OR_RETURN(size_t at, placeOf(entry, "tokens"));
  mostTokens = session.axisRange(trainEntry, at, 0).most;
  TENON_ASSIGN_OR_RETURN(at, placeOf(entry, "batch.pages"));
  mostSequences = session.axisRange(trainEntry, at, 0).most;
  return Status();
}

StatusOr<std::vector<Trainer::Part>>
Trainer::cut(std::span<const TrainSequence> batch) const {
  if (batch.empty())
    return invalidArgument("expects at least one sequence, got none");
  std::vector<Part> parts;
  size_t begin = 0;
  int64_t held = 0;
  for (size_t i = 0; i < batch.size(); ++i) {
    const TrainSequence &each = batch[i];
    if (each.from < 1 || each.learned() < 1)
      return invalidArgument("sequence ", i, ": expects a token to learn, got ",
                             each.tokens.size(), " tokens, learned from ",
                             each.from);
    if (each.inputs() > mostTokens)
      return invalidArgument("sequence ", i, ": expects at most ", mostTokens,
                             " tokens and the one after them, got ",
                             each.tokens.size());
    bool isFull = held + each.inputs() > mostTokens ||
                  static_cast<int64_t>(i - begin) == mostSequences;
    if (isFull) {
      parts.push_back(batch.subspan(begin, i - begin));
      begin = i;
      held = 0;
    }
    held += each.inputs();
  }
  parts.push_back(batch.subspan(begin));
  return parts;
}

void Trainer::fill(Part part, int64_t learned) {
  for (auto *list : {&tokens, &sequence, &position, &rows, &targets})
    list->clear();
  for (size_t s = 0; s < part.size(); ++s) {
    const TrainSequence &each = part[s];
    for (int64_t i = 0; i < each.inputs(); ++i) {
      if (i + 1 >= each.from) {
        rows.push_back(static_cast<int32_t>(tokens.size()));
        targets.push_back(each.tokens[i + 1]);
      }
      tokens.push_back(each.tokens[i]);
      sequence.push_back(static_cast<int32_t>(s));
      position.push_back(static_cast<int32_t>(i));
    }
  }
  pages.assign(part.size(), -1); // no cache is read
  shares.assign(rows.size(), 1.0f / static_cast<float>(learned));
}

Status Trainer::call(uint32_t number, std::span<const Scalar> scalars,
                     std::span<float> results) {
  const base::Entry &entry = session.program().program().entries[number];
  struct Column {
    std::string_view name;
    const void *data;
    ElementType element;
    size_t count;
  };
  const Column columns[] = {
      {"tokens", tokens.data(), ElementType::I32, tokens.size()},
      {"batch.sequence", sequence.data(), ElementType::I32, sequence.size()},
      {"batch.position", position.data(), ElementType::I32, position.size()},
      {"batch.pages", pages.data(), ElementType::I32, pages.size()},
      {"rows", rows.data(), ElementType::I32, rows.size()},
      {"targets", targets.data(), ElementType::I32, targets.size()},
      {"shares", shares.data(), ElementType::F32, shares.size()},
  };
  std::vector<TensorView> views;
  std::vector<std::array<int64_t, 2>> shapes(entry.arguments.size());
  for (size_t i = 0; i < entry.arguments.size(); ++i) {
    const std::string &name = entry.arguments[i].name;
    auto scalar = std::ranges::find(scalars, name, &Scalar::name);
    auto column = std::ranges::find(columns, name, &Column::name);
    if (scalar != scalars.end()) {
      views.push_back({&scalar->value, ElementType::F32, {}});
    } else if (column != std::end(columns)) {
      shapes[i] = {static_cast<int64_t>(column->count), 1};
      size_t rank = name == "batch.pages" ? 2 : 1;
      views.push_back({column->data, column->element,
                       std::span<const int64_t>(shapes[i]).first(rank)});
    } else {
      return invalidArgument("entry '", entry.name,
                             "': has an unknown argument '", name, "'");
    }
  }
  if (entry.results.size() != results.size())
    return invalidArgument("entry '", entry.name, "': expects ", results.size(),
                           " results, got ", entry.results.size());
  std::vector<MutableTensorView> outputs;
  for (float &result : results)
    outputs.push_back({&result, ElementType::F32, {}});
  return session.call(number, views, outputs);
}

StatusOr<StepResult> Trainer::step(std::span<const TrainSequence> batch,
                                   float rate, float scale) {
  TENON_ASSIGN_OR_RETURN(std::vector<Part> parts, cut(batch));
  if (parts.size() > 1 && !hasSums)
    return invalidArgument("expects at most ", mostSequences,
                           " sequences of together ", mostTokens,
                           " tokens in a step, got ", batch.size(),
                           "; a program that accumulates takes more");
  StepResult made;
  made.learned = learnedOf(batch);
  made.calls = static_cast<int64_t>(parts.size());
  for (size_t i = 0; i < parts.size(); ++i) {
    fill(parts[i], made.learned);
    made.inputs += static_cast<int64_t>(tokens.size());
    float results[2] = {0, 0};
    Scalar scalars[] = {{hasSums ? "keeps" : "rate", rate}, {"scale", scale}};
    if (hasSums)
      scalars[0].value = i > 0 ? 1.0f : 0.0f;
    TENON_RETURN_IF_ERROR(
        call(trainEntry, scalars, std::span(results).first(hasSums ? 1 : 2)));
    made.loss += results[0];
    made.norm = results[1];
  }
  if (hasSums) {
    const Scalar scalars[] = {{"rate", rate}, {"scale", scale}};
    TENON_RETURN_IF_ERROR(call(applyEntry, scalars, {&made.norm, 1}));
  }
  return made;
}

StatusOr<double> Trainer::evaluate(std::span<const TrainSequence> batch) {
  TENON_ASSIGN_OR_RETURN(std::vector<Part> parts, cut(batch));
  int64_t learned = learnedOf(batch);
  double total = 0;
  for (Part part : parts) {
    fill(part, learned);
    float loss = 0;
    TENON_RETURN_IF_ERROR(call(evaluateEntry, {}, {&loss, 1}));
    total += loss;
  }
  return total;
}

StatusOr<float> Trainer::weightNorm() {
  float norm = 0;
  TENON_RETURN_IF_ERROR(call(normEntry, {}, {&norm, 1}));
  return norm;
}

Status Trainer::findNonFinite(std::span<const TrainSequence> batch,
                              float scale) {
  TENON_ASSIGN_OR_RETURN(std::vector<Part> parts, cut(batch));
  session.checkFinite(true);
  Status found;
  for (size_t i = 0; i < parts.size() && found.ok(); ++i) {
    fill(parts[i], learnedOf(batch));
    float results[2];
    const Scalar scalars[] = {{hasSums ? "keeps" : "rate", 0},
                              {"scale", scale}};
    found =
        call(trainEntry, scalars, std::span(results).first(hasSums ? 1 : 2));
  }
  session.checkFinite(false);
  return found;
}

} // namespace tenon::exec
