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
         entry.name == "score" || entry.name == "scoreAll";
}

bool hasResult(const base::Entry &entry, std::string_view name) {
  return std::ranges::find(entry.results, name, &base::Value::name) !=
         entry.results.end();
}

// What every entry that trains takes, beside numbers of the optimiser's.
constexpr std::string_view kOwnArguments[] = {
    "tokens",          "batch.sequence", "batch.position",
    "batch.pages",     "rows",           "targets",
    "shares",          "sequences",      "rate",
    "keeps",           "scale",          "after",
    "further_targets", "further_shares", "experts"};

bool isOwn(std::string_view name) {
  return std::ranges::find(kOwnArguments, name) != std::end(kOwnArguments);
}

/// What a call has for an argument of this name.
struct Column {
  std::string_view name;
  const void *data;
  ElementType element;
  std::array<int64_t, 2> shape;
  size_t rank;
};

/// The arguments of an entry; they view the columns.
StatusOr<std::vector<TensorView>> viewsOf(const base::Entry &entry,
                                          const std::vector<Column> &columns) {
  std::vector<TensorView> views;
  for (const base::Value &argument : entry.arguments) {
    auto found = std::ranges::find(columns, argument.name, &Column::name);
    if (found == columns.end())
      return invalidArgument("entry '", entry.name,
                             "': has an unknown argument '", argument.name,
                             "'");
    views.push_back(
        {found->data, found->element,
         std::span<const int64_t>(found->shape).first(found->rank)});
  }
  return views;
}

/// The name of a sequence's column that the program wants; null: it has none.
const TokenColumn *findColumn(const TrainSequence &sequence,
                              std::string_view name) {
  auto found = std::ranges::find(sequence.columns, name, &TokenColumn::name);
  return found == sequence.columns.end() ? nullptr : &*found;
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
  TENON_ASSIGN_OR_RETURN(scoreEntry, session.findEntry("score"));
  TENON_ASSIGN_OR_RETURN(normEntry, session.findEntry("norm"));
  const base::Entry &entry = program.entries[trainEntry];
  TENON_ASSIGN_OR_RETURN(size_t at, placeOf(entry, "tokens"));
  mostTokens = session.axisRange(trainEntry, at, 0).most;
  TENON_ASSIGN_OR_RETURN(at, placeOf(entry, "batch.pages"));
  mostSequences = session.axisRange(trainEntry, at, 0).most;
  hasLog = hasResult(entry, "log");
  hasFurther = hasResult(entry, "further");
  for (const base::Value &argument : entry.arguments)
    if (argument.name == "experts")
      expertsWidth = argument.type.shape[1].terms[0].value;
  const base::Entry &last = program.entries[hasSums ? applyEntry : trainEntry];
  for (const base::Value &result : last.results)
    if (result.name == "load") {
      loadLayers = result.type.shape[0].terms[0].value;
      loadWidth = result.type.shape[1].terms[0].value;
    }
  hasValues = hasResult(program.entries[scoreEntry], "values");
  for (const base::Value &argument : entry.arguments) {
    if (isOwn(argument.name))
      continue;
    size_t rank = argument.type.shape.size();
    bool isKnown = argument.type.element == ElementType::F32 && rank <= 2 &&
                   (rank < 2 || argument.type.shape[1].isConstant());
    if (!isKnown)
      return invalidArgument("entry '", entry.name, "': expects arguments of ",
                             "f32 with a row for each learned token, or none, "
                             "got '",
                             argument.name, "'");
    int64_t width = rank == 2 ? argument.type.shape[1].terms[0].value : 1;
    extras.push_back({argument.name, rank == 0 ? 0 : width, {}});
  }
  for (const base::Value &argument : last.arguments)
    if (hasSums && !isOwn(argument.name))
      extras.push_back({argument.name, 0, {}});
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

Status Trainer::fill(Part part, int64_t learned) {
  for (auto *list : {&tokens, &sequence, &position, &rows, &targets})
    list->clear();
  shares.clear();
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
    const TokenColumn *given = findColumn(each, "shares");
    if (given && std::ssize(given->values) != each.learned())
      return invalidArgument("sequence ", s, ": expects ", each.learned(),
                             " shares, got ", given->values.size());
    if (given)
      shares.insert(shares.end(), given->values.begin(), given->values.end());
    else
      shares.resize(rows.size(), 1.0f / static_cast<float>(learned));
  }
  pages.assign(part.size(), -1); // no cache is read
  if (hasFurther)
    fillFurther(part);
  return fillExperts(part);
}

Status Trainer::fillExperts(Part part) {
  experts.clear();
  for (const TrainSequence &each : part) {
    int64_t expected = each.inputs() * expertsWidth;
    if (std::ssize(each.experts) != expected)
      return invalidArgument(
          "a sequence to learn expects ", expected, " experts, ", expertsWidth,
          " for each token computed, got ", each.experts.size());
    experts.insert(experts.end(), each.experts.begin(), each.experts.end());
  }
  return Status();
}

/// The tokens after those that `fill` left: a text's last target has none.
void Trainer::fillFurther(Part part) {
  after.clear();
  furtherTargets.clear();
  furtherShares.clear();
  for (const TrainSequence &each : part) {
    size_t first = furtherShares.size(), learned = each.learned();
    after.insert(after.end(), each.tokens.begin() + 1, each.tokens.end());
    furtherTargets.insert(furtherTargets.end(),
                          each.tokens.begin() + each.from + 1,
                          each.tokens.end());
    furtherTargets.push_back(0);
    furtherShares.insert(furtherShares.end(), shares.begin() + first + 1,
                         shares.begin() + first + learned);
    furtherShares.push_back(0);
  }
}

Status Trainer::fillColumns(Part part) {
  for (Extra &extra : extras) {
    if (extra.width == 0)
      continue;
    extra.values.clear();
    for (const TrainSequence &each : part) {
      const TokenColumn *given = findColumn(each, extra.name);
      int64_t expected = each.learned() * extra.width;
      int64_t got = given ? std::ssize(given->values) : 0;
      if (got != expected)
        return invalidArgument("a sequence to learn expects ", expected,
                               " numbers of '", extra.name, "', ", extra.width,
                               " for each token learned, got ", got);
      extra.values.insert(extra.values.end(), given->values.begin(),
                          given->values.end());
    }
  }
  return Status();
}

Status Trainer::setNumbers(std::span<const NamedNumber> numbers) {
  for (Extra &extra : extras) {
    if (extra.width > 0)
      continue;
    auto given = std::ranges::find(numbers, extra.name, &NamedNumber::name);
    if (given == numbers.end())
      return invalidArgument("a step of this program expects a number '",
                             extra.name, "', got none");
    extra.values.assign(1, given->value);
  }
  return Status();
}

Status Trainer::call(uint32_t number, std::span<const NamedNumber> numbers,
                     std::span<const Output> outputs) {
  const base::Entry &entry = session.program().program().entries[number];
  auto list = [](const char *name, const auto &values, ElementType element) {
    return Column{name, values.data(), element, {std::ssize(values), 1}, 1};
  };
  std::vector<Column> columns = {
      list("tokens", tokens, ElementType::I32),
      list("batch.sequence", sequence, ElementType::I32),
      list("sequences", sequence, ElementType::I32),
      list("batch.position", position, ElementType::I32),
      list("batch.pages", pages, ElementType::I32),
      list("rows", rows, ElementType::I32),
      list("targets", targets, ElementType::I32),
      list("shares", shares, ElementType::F32),
      list("after", after, ElementType::I32),
      list("further_targets", furtherTargets, ElementType::I32),
      list("further_shares", furtherShares, ElementType::F32)};
  columns[4].rank = 2;
  columns.push_back({"experts",
                     experts.data(),
                     ElementType::I32,
                     {std::ssize(tokens), expertsWidth},
                     2});
  for (const NamedNumber &each : numbers)
    columns.push_back({each.name, &each.value, ElementType::F32, {}, 0});
  for (const Extra &extra : extras)
    columns.push_back({extra.name,
                       extra.values.data(),
                       ElementType::F32,
                       {std::ssize(rows), extra.width},
                       static_cast<size_t>(std::min(extra.width, int64_t{2}))});
  TENON_ASSIGN_OR_RETURN(std::vector<TensorView> views,
                         viewsOf(entry, columns));
  std::vector<MutableTensorView> results;
  std::vector<std::array<int64_t, 2>> shapes(entry.results.size());
  for (size_t i = 0; i < entry.results.size(); ++i) {
    auto found =
        std::ranges::find(outputs, entry.results[i].name, &Output::name);
    if (found == outputs.end())
      return invalidArgument("entry '", entry.name,
                             "': has an unknown result '",
                             entry.results[i].name, "'");
    shapes[i] = {std::ssize(found->values) / found->width, found->width};
    results.push_back({found->values.data(), ElementType::F32,
                       std::span<const int64_t>(shapes[i]).first(found->rank)});
  }
  return session.call(number, views, results);
}

Status Trainer::differentiate(const StepOptions &options, bool isFirst,
                              StepResult &made) {
  float loss = 0, norm = 0, further = 0;
  size_t before = made.log.size();
  made.log.resize(before + (hasLog ? rows.size() : 0));
  float first = hasSums ? (isFirst ? 0.0f : 1.0f) : options.rate;
  const NamedNumber numbers[] = {{hasSums ? "keeps" : "rate", first},
                                 {"scale", options.scale}};
  const Output outputs[] = {{"loss", {&loss, 1}},
                            {"norm", {&norm, 1}},
                            {"further", {&further, 1}},
                            {"log", std::span(made.log).subspan(before), 1},
                            {"load", made.load, 2, loadWidth}};
  TENON_RETURN_IF_ERROR(call(trainEntry, numbers, outputs));
  made.loss += loss;
  made.further += further;
  made.norm = norm;
  return Status();
}

StatusOr<StepResult> Trainer::step(std::span<const TrainSequence> batch,
                                   const StepOptions &options) {
  TENON_ASSIGN_OR_RETURN(std::vector<Part> parts, cut(batch));
  if (parts.size() > 1 && !hasSums)
    return invalidArgument("expects at most ", mostSequences,
                           " sequences of together ", mostTokens,
                           " tokens in a step, got ", batch.size(),
                           "; a program that accumulates takes more");
  StepResult made;
  made.learned = learnedOf(batch);
  made.calls = static_cast<int64_t>(parts.size());
  made.layers = loadLayers;
  made.load.resize(loadLayers * loadWidth);
  TENON_RETURN_IF_ERROR(setNumbers(options.numbers));
  for (size_t i = 0; i < parts.size(); ++i) {
    TENON_RETURN_IF_ERROR(fill(parts[i], made.learned));
    TENON_RETURN_IF_ERROR(fillColumns(parts[i]));
    made.inputs += static_cast<int64_t>(tokens.size());
    TENON_RETURN_IF_ERROR(differentiate(options, i == 0, made));
  }
  if (hasSums) {
    const NamedNumber numbers[] = {{"rate", options.rate},
                                   {"scale", options.scale}};
    const Output outputs[] = {{"norm", {&made.norm, 1}},
                              {"load", made.load, 2, loadWidth}};
    TENON_RETURN_IF_ERROR(call(applyEntry, numbers, outputs));
  }
  return made;
}

StatusOr<Scores> Trainer::score(std::span<const TrainSequence> batch,
                                float temperature) {
  TENON_ASSIGN_OR_RETURN(std::vector<Part> parts, cut(batch));
  Scores scores;
  const NamedNumber number = {"temperature", temperature};
  for (Part part : parts) {
    TENON_RETURN_IF_ERROR(fill(part, learnedOf(batch)));
    size_t before = scores.log.size();
    scores.log.resize(before + rows.size());
    scores.values.resize(hasValues ? scores.log.size() : 0);
    std::span<float> values(scores.values);
    const Output outputs[] = {
        {"log", std::span(scores.log).subspan(before), 1},
        {"values", hasValues ? values.subspan(before) : values, 1}};
    TENON_RETURN_IF_ERROR(call(scoreEntry, {&number, 1}, outputs));
  }
  return scores;
}

StatusOr<std::vector<float>>
Trainer::scoreAll(std::span<const TrainSequence> batch, float temperature) {
  TENON_ASSIGN_OR_RETURN(uint32_t entry, session.findEntry("scoreAll"));
  TENON_ASSIGN_OR_RETURN(std::vector<Part> parts, cut(batch));
  const base::Entry &form = session.program().program().entries[entry];
  int64_t width = form.results[0].type.shape[1].terms[0].value;
  std::vector<float> all;
  for (Part part : parts) {
    TENON_RETURN_IF_ERROR(fill(part, learnedOf(batch)));
    size_t before = all.size();
    all.resize(before + rows.size() * width);
    const NamedNumber number = {"temperature", temperature};
    const Output output = {"log", std::span(all).subspan(before), 2, width};
    TENON_RETURN_IF_ERROR(call(entry, {&number, 1}, {&output, 1}));
  }
  return all;
}

StatusOr<double> Trainer::evaluate(std::span<const TrainSequence> batch) {
  TENON_ASSIGN_OR_RETURN(Scores scores, score(batch));
  double total = 0;
  for (float log : scores.log)
    total -= log;
  return total / static_cast<double>(scores.log.size());
}

StatusOr<float> Trainer::weightNorm() {
  float norm = 0;
  const Output output = {"norm", {&norm, 1}};
  TENON_RETURN_IF_ERROR(call(normEntry, {}, {&output, 1}));
  return norm;
}

Status Trainer::findNonFinite(std::span<const TrainSequence> batch,
                              const StepOptions &options) {
  TENON_ASSIGN_OR_RETURN(std::vector<Part> parts, cut(batch));
  TENON_RETURN_IF_ERROR(setNumbers(options.numbers));
  StepOptions still = options;
  still.rate = 0;
  session.checkFinite(true);
  Status found;
  for (size_t i = 0; i < parts.size() && found.ok(); ++i) {
    StepResult made;
    made.load.resize(loadLayers * loadWidth);
    found = fill(parts[i], learnedOf(batch));
    if (found.ok())
      found = fillColumns(parts[i]);
    if (found.ok())
      found = differentiate(still, i == 0, made);
  }
  session.checkFinite(false);
  return found;
}

} // namespace tenon::exec
