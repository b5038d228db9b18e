//===- ControlSteps.cpp - Branches, loops, streaming in random graphs -----===//

#include "tests/numerics/GraphSteps.h"

namespace tenon::testing {

using namespace mlir;

static constexpr int64_t kDeepest = 2;

/// A truth value: an old one, or a new argument.
static SsaValue condition(GraphBuilder &g) {
  RankedTensorType type = g.tensor({}, g.builder.getI1Type());
  SsaValue old = g.find([&](SsaValue v) { return v.getType() == type; });
  return old && g.below(3) ? old : g.argument(type);
}

/// Some steps, and then a value of `type`: perhaps one that was there before.
static SsaValue workFor(GraphBuilder &g, RankedTensorType type) {
  std::vector<Step> steps = kernelSteps();
  for (int64_t more = g.below(3); more > 0; --more) {
    Step step = steps[g.below(steps.size())];
    // A loop changes only the caches that it carries.
    if (!StringRef(step.op).contains("cache") &&
        !StringRef(step.op).contains("attention"))
      step.add(g, step.op);
  }
  SsaValue x = g.find([&](SsaValue v) { return v.getType() == type; });
  if (g.below(5) == 0)
    return x;
  bool isTruth = type.getElementType().isInteger(1);
  Operation *op = g.add(isTruth ? "tn.or" : "tn.max", {x, g.another(x)}, type);
  return op ? op->getResult(0) : x;
}

static bool branch(GraphBuilder &g, StringRef op) {
  if (!g.isProgram() || g.depth == kDeepest)
    return false;
  SsaValue like = g.find([](SsaValue) { return true; });
  SsaValue holds = condition(g);
  SmallVector<Type> types(1 + g.below(2), like.getType());
  OperationState state(g.builder.getUnknownLoc(), op);
  state.addOperands(holds);
  state.addTypes(types);
  for (int i = 0; i < 2; ++i)
    g.fillRegion(*state.addRegion(), {}, [&](ValueRange) {
      SmallVector<SsaValue> results;
      for (Type type : types)
        results.push_back(workFor(g, cast<RankedTensorType>(type)));
      return results;
    });
  g.create(state);
  return true;
}

/// Carries a counter and two values, which may change places.
static bool loop(GraphBuilder &g, StringRef op) {
  if (!g.isProgram() || g.depth == kDeepest)
    return false;
  RankedTensorType number = g.tensor({}, g.builder.getI32Type());
  SsaValue counter = g.indices(number, 3), end = g.indices(number, 6);
  SsaValue one = g.argument(number, [] { return 1.0; });
  SsaValue x = g.find([](SsaValue) { return true; }), y = g.another(x);
  OperationState state(g.builder.getUnknownLoc(), op);
  state.addOperands({counter, x, y});
  state.addTypes({number, x.getType(), y.getType()});
  state.addAttributes(g.i64("limit", g.below(5)));
  g.fillRegion(*state.addRegion(), state.types, [&](ValueRange carried) {
    auto less =
        ir::PredicateAttr::get(g.builder.getContext(), ir::Predicate::LT);
    Operation *test =
        g.infer("tn.compare", ir::infer::compare, {carried[0], end},
                g.builder.getNamedAttr("predicate", less));
    return SmallVector<SsaValue>{test->getResult(0)};
  });
  g.fillRegion(*state.addRegion(), state.types, [&](ValueRange carried) {
    Operation *next = g.add("tn.add", {carried[0], one}, number);
    SsaValue worked = workFor(g, g.typeOf(x));
    SsaValue kept = carried[1 + g.below(2)];
    return g.below(2) ? SmallVector<SsaValue>{next->getResult(0), worked, kept}
                      : SmallVector<SsaValue>{next->getResult(0), kept, worked};
  });
  g.create(state);
  return true;
}

static bool emit(GraphBuilder &g, StringRef op) {
  if (!g.isProgram())
    return false;
  SsaValue tokens = g.find([&](SsaValue v) {
    return g.typeOf(v).getRank() == 1 &&
           g.typeOf(v).getElementType().isInteger(32);
  });
  if (!tokens)
    tokens = g.indices(g.tensor(g.rows(), g.builder.getI32Type()), 100);
  return g.infer(op, ir::infer::emit, tokens);
}

static bool positions(GraphBuilder &g, StringRef op) {
  return g.isProgram() &&
         g.add(op, g.batch(),
               g.tensor(ShapedType::kDynamic, g.builder.getI32Type()));
}

/// Turns rows by the batch at other positions.
static bool reposition(GraphBuilder &g, StringRef op) {
  if (!g.isProgram())
    return false;
  constexpr int64_t tokens = ShapedType::kDynamic;
  Builder &b = g.builder;
  SsaValue x = g.argument(g.tensor({tokens, 1 + g.below(3), 4}, g.floatType()));
  SsaValue position = g.indices(g.tensor(tokens, b.getI32Type()), 1000);
  SsaValue frequency = g.argument(g.tensor(2, b.getF32Type()));
  SsaValue moved =
      g.add(op, {g.batch(), position}, g.batch().getType())->getResult(0);
  auto half = ir::RopeLayoutAttr::get(b.getContext(), ir::RopeLayout::Half);
  g.add("tn.rope", {x, moved, frequency}, x.getType(),
        b.getNamedAttr("layout", half));
  return true;
}

llvm::ArrayRef<Step> controlSteps() {
  static constexpr Step steps[] = {{"tn.if", "", branch},
                                   {"tn.if", "again", branch},
                                   {"tn.while", "", loop},
                                   {"tn.while", "again", loop},
                                   {"tn.reposition", "", reposition},
                                   {"tn.positions", "", positions},
                                   {"tn.emit", "", emit}};
  return steps;
}

} // namespace tenon::testing
