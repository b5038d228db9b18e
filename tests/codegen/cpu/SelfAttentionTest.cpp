//===- SelfAttentionTest.cpp - A training step's attention: the contract --===//
//
// The op and its gradients, each a kernel, equal the contract bit for bit; and
// the op equals `tn.attention` over caches of the step's rows.
//
//===----------------------------------------------------------------------===//

#include "tests/codegen/cpu/KernelRunner.h"
#include "tests/support/CompiledModule.h"
#include "tests/support/Tensors.h"

#include "tenon/abi.h"

#include "gtest/gtest.h"

#include <limits>

namespace tenon::testing {
namespace {

using ir::ref::Batch;

struct Shape {
  int64_t heads, keyHeads, width, window = 0;
  std::string queries = "f32", keys = "f32";
  int64_t mostTokens = 64; // What the schedule is made for.
  int64_t valueWidth = 0;  // 0: width
  bool isLatent = false;   // Values are the keys' first elements.
  int64_t globals = 0;

  int64_t values() const { return valueWidth ? valueWidth : width; }
};

/// One batch of sequences of so many tokens.
Batch batchOf(const std::vector<int32_t> &lengths) {
  Batch batch;
  for (size_t s = 0; s < lengths.size(); ++s)
    for (int32_t p = 0; p < lengths[s]; ++p) {
      batch.sequence.push_back(static_cast<int32_t>(s));
      batch.position.push_back(p);
    }
  batch.pages = {0};
  batch.pagesPerSequence = 1;
  return batch;
}

std::string replaced(std::string text, const std::string &from,
                     const std::string &to) {
  for (size_t at = 0; (at = text.find(from, at)) != std::string::npos;
       at += to.size())
    text.replace(at, from.size(), to);
  return text;
}

/// A function of one kernel: `body` makes what it yields.
std::string kernelText(const Shape &shape, const std::string &arguments,
                       const std::string &body, const std::string &results,
                       const std::string &yielded) {
  // Q: queries; K: keys; V: values; Y: what queries get; N: a number for each.
  std::string text = R"(
!q = tensor<?x$Hx$Wx$Q, #tn.dims<T, $H, $W>>
!k = tensor<?x$Gx$Wx$K, #tn.dims<T, $G, $W>>
!y = tensor<?x$Hx$Vx$Q, #tn.dims<T, $H, $V>>
!v = tensor<?x$Gx$Vx$K, #tn.dims<T, $G, $V>>
!n = tensor<?x$Hxf32, #tn.dims<T, $H>>
func.func @f($F) -> ($R)
    attributes {tn.symbols = [#tn.symbol<"T", 1 to $M>]} {
  $O = tn.kernel($I) : ($T) -> ($R) {
  ^bb0($A):
    $B
    tn.yield $Y : $R
  } {label = "kernel"}
  return $Z : $R
})";
  std::string names, types;
  for (size_t at = 0; at < arguments.size();) {
    size_t end = std::min(arguments.find(", ", at), arguments.size());
    std::string part = arguments.substr(at, end - at);
    size_t colon = part.find(": ");
    names += (names.empty() ? "" : ", ") + part.substr(0, colon);
    types += (types.empty() ? "" : ", ") + part.substr(colon + 2);
    at = end + 2;
  }
  bool isPair = results.find(',') != std::string::npos;
  text = replaced(text, "$F", replaced(arguments, "%", "%of_"));
  text = replaced(text, "$A", arguments);
  text = replaced(text, "$B", body);
  text = replaced(text, "$R", results);
  text = replaced(text, "$I", replaced(names, "%", "%of_"));
  text = replaced(text, "$T", types);
  text = replaced(text, "$O", isPair ? "%r:2" : "%r");
  text = replaced(text, "$Z", isPair ? "%r#0, %r#1" : "%r");
  text = replaced(text, "$Y", yielded);
  auto set = [&](const char *name, int64_t value) {
    text = replaced(text, name, std::to_string(value));
  };
  set("$H", shape.heads);
  set("$G", shape.keyHeads);
  set("$W", shape.width);
  set("$V", shape.values());
  set("$N", shape.window);
  set("$L", shape.globals);
  set("$M", shape.mostTokens);
  text = replaced(text, "$Q", shape.queries);
  return replaced(text, "$K", shape.keys);
}

/// The operands after q: k and v, or k alone.
std::string keysOf(const Shape &shape) {
  return shape.isLatent ? "%k latent " + std::to_string(shape.valueWidth)
                        : "%k, %v";
}

std::string forwardText(const Shape &shape) {
  bool own = !shape.isLatent;
  return kernelText(shape,
                    own ? "%q: !q, %k: !k, %v: !v, %b: !tn.batch"
                        : "%q: !q, %k: !k, %b: !tn.batch",
                    "%y, %l = tn.self_attention %q, " + keysOf(shape) +
                        ", %b scale 0.125 window $N globals $L : !q, !k" +
                        (own ? ", !v" : "") + " -> !y, !n",
                    "!y, !n", "%y, %l");
}

/// `results`: of the op, where it tells them.
std::string gradText(const Shape &shape, const std::string &op,
                     const std::string &results, const std::string &types,
                     const std::string &yielded) {
  bool own = !shape.isLatent;
  std::string arguments = own ? "%q: !q, %k: !k, %v: !v, " : "%q: !q, %k: !k, ";
  return kernelText(
      shape, arguments + "%dy: !y, %l: !n, %d: !n, %b: !tn.batch",
      yielded + " = tn.self_attention_grad_" + op + " %q, " + keysOf(shape) +
          ", %dy, %l, %d, %b scale 0.125 window $N globals $L : !q, !k, !y, "
          "!n" +
          (own ? ", !v" : "") + results,
      types, yielded);
}

std::string gradQueryText(const Shape &shape) {
  return gradText(shape, "query", "", "!q", "%dq");
}

std::string gradKeysText(const Shape &shape) {
  if (shape.isLatent)
    return gradText(shape, "keys", " -> !k", "!k", "%dk");
  return gradText(shape, "keys", " -> !k, !v", "!k, !v", "%dk, %dv");
}

/// What a kernel made, beside what it ought to.
struct Outcome {
  std::vector<Value> expected;
  std::vector<Tensor> made;
  tenon_failure failure;
};

/// The inputs of a kernel in memory that ends at a forbidden page.
class Memory {
public:
  explicit Memory(const std::vector<Value> &inputs) {
    batches.reserve(inputs.size());
    for (const Value &input : inputs)
      if (const auto *batch = std::get_if<Batch>(&input))
        add(batches.emplace_back(*batch));
      else
        add(toBytes(std::get<Tensor>(input)));
  }
  void add(const std::string &contents) {
    bytes.emplace_back(contents.size());
    std::copy(contents.begin(), contents.end(),
              static_cast<char *>(bytes.back().data()));
    buffers.push_back(bytes.back().data());
  }

  std::vector<void *> buffers;

private:
  void add(Batch &batch) {
    for (std::vector<int32_t> *of :
         {&batch.sequence, &batch.position, &batch.pages})
      buffers.push_back(of->data());
  }

  std::vector<GuardedBytes> bytes;
  std::vector<Batch> batches;
};

class SelfAttention : public ::testing::TestWithParam<base::CpuFeatures> {
protected:
  using Runner = std::unique_ptr<KernelRunner>;
  Runner compile(const std::string &text) {
    auto runner = KernelRunner::create(kernelContext(), text, GetParam());
    EXPECT_TRUE(runner.ok()) << runner.status() << text;
    return runner.ok() ? std::move(*runner) : nullptr;
  }
  Outcome run(const Runner &runner, const std::vector<Value> &inputs,
              uint32_t threads = 1);
  /// Runs it on one thread and on two, and returns what it ought to make.
  std::vector<Value> compare(const std::string &text,
                             const std::vector<Value> &inputs);
  void check(const Shape &shape, const std::vector<int32_t> &lengths);
  mlir::Type elementOf(const std::string &name);

  Random random{17};
};

mlir::Type SelfAttention::elementOf(const std::string &name) {
  mlir::MLIRContext *context = &kernelContext();
  if (name == "f16")
    return mlir::Float16Type::get(context);
  if (name == "bf16")
    return mlir::BFloat16Type::get(context);
  return mlir::Float32Type::get(context);
}

Outcome SelfAttention::run(const Runner &runner,
                           const std::vector<Value> &inputs, uint32_t threads) {
  int64_t tokens = std::get<Tensor>(inputs[0]).shape[0];
  llvm::StringMap<int64_t> symbols{{"T", tokens}, {"P", 1}, {"pageBlocks", 1}};
  Outcome outcome;
  outcome.expected = runner->expected(symbols, inputs);
  Memory memory(inputs);
  size_t firstResult = memory.buffers.size();
  for (const Value &value : outcome.expected) // Garbage, until it is written.
    memory.add(std::string(toBytes(std::get<Tensor>(value)).size(), '\x7f'));
  outcome.failure = runner->run(symbols, memory.buffers, threads);
  for (size_t i = 0; i < outcome.expected.size(); ++i) {
    const Tensor &want = std::get<Tensor>(outcome.expected[i]);
    outcome.made.push_back(
        fromBytes(want.element, want.shape, memory.buffers[firstResult + i]));
  }
  return outcome;
}

std::vector<Value> SelfAttention::compare(const std::string &text,
                                          const std::vector<Value> &inputs) {
  Runner runner = compile(text);
  Outcome outcome;
  for (uint32_t threads : {1, 2}) {
    outcome = run(runner, inputs, threads);
    EXPECT_EQ(outcome.failure.kind, TENON_FAILURE_NONE);
    for (size_t i = 0; i < outcome.made.size(); ++i)
      EXPECT_EQ(firstDifference(std::get<Tensor>(outcome.expected[i]),
                                outcome.made[i]),
                "")
          << "result " << i << " on " << threads << " threads of\n"
          << text;
  }
  return outcome.expected;
}

void SelfAttention::check(const Shape &shape,
                          const std::vector<int32_t> &lengths) {
  Batch batch = batchOf(lengths);
  auto tokens = static_cast<int64_t>(batch.sequence.size());
  mlir::Type f32 = elementOf("f32"), queries = elementOf(shape.queries);
  mlir::Type keys = elementOf(shape.keys);
  Tensor q = randomTensor(random, queries, {tokens, shape.heads, shape.width});
  Tensor k = randomTensor(random, keys, {tokens, shape.keyHeads, shape.width});
  Tensor v =
      randomTensor(random, keys, {tokens, shape.keyHeads, shape.values()});
  std::vector<Value> rows{q, k};
  if (!shape.isLatent)
    rows.push_back(v);
  std::vector<Value> inputs = rows;
  inputs.push_back(batch);
  std::vector<Value> forward = compare(forwardText(shape), inputs);
  Tensor dy =
      randomTensor(random, queries, {tokens, shape.heads, shape.values()});
  Tensor delta = randomTensor(random, f32, {tokens, shape.heads});
  inputs = rows;
  for (const Value &each : {Value(dy), forward[1], Value(delta), Value(batch)})
    inputs.push_back(each);
  compare(gradQueryText(shape), inputs);
  compare(gradKeysText(shape), inputs);
}

TEST_P(SelfAttention, OneSequence) {
  check({1, 1, 64}, {1});
  check({2, 2, 16}, {70});
  check({1, 1, 32, 0, "f32", "f32", 1024}, {600});
}

TEST_P(SelfAttention, RaggedSequencesOfGroupedHeads) {
  check({4, 2, 32}, {1, 5, 64, 3, 65, 20});
  check({6, 1, 24, 0, "f32", "f32", 4096}, {100, 1, 1, 130, 63});
}

TEST_P(SelfAttention, Windows) {
  check({2, 1, 16, 1}, {40, 7});
  check({3, 1, 40, 70, "f32", "f32", 4096}, {200, 66, 2});
  check({2, 1, 16, 100, "f32", "f32", 4096}, {1100});
}

TEST_P(SelfAttention, Segments) {
  check({1, 1, 16, 0, "f32", "f32", 4096}, {37, 1100, 513});
  check({2, 1, 16, 513, "f32", "f32", 4096}, {1540});
}

TEST_P(SelfAttention, OtherElements) {
  check({4, 2, 32, 0, "bf16", "bf16"}, {90, 30});
  check({2, 2, 48, 33, "f32", "f16", 512}, {90, 30, 65});
  check({2, 1, 24, 0, "f16", "f32", 512}, {80});
}

TEST_P(SelfAttention, WidthsOfEveryRegisterTile) {
  for (int64_t width : {1, 6, 8, 17, 56, 80, 96, 200, 256, 520})
    check({2, 1, width, 0, "f32", "f32", 512}, {66, 3});
}

TEST_P(SelfAttention, HeadsThatFillARegisterTileBadly) {
  for (int64_t heads : {1, 2, 3, 5, 7, 11, 64})
    check({heads, 1, 8}, {9, 20});
}

TEST_P(SelfAttention, ValuesOfAnotherWidth) {
  for (auto [width, values] : {std::pair{24, 16},
                               {16, 24},
                               {7, 33},
                               {192, 128},
                               {9, 3},
                               {600, 520},
                               {3, 560}})
    check({2, 1, width, 0, "f32", "f32", 512, values}, {66, 3});
  check({4, 2, 40, 70, "bf16", "bf16", 4096, 24}, {200, 66, 2});
}

TEST_P(SelfAttention, Latents) {
  for (auto [width, values] :
       {std::pair{24, 16}, {16, 16}, {7, 3}, {33, 1}, {96, 64}, {576, 512}})
    check({5, 1, width, 0, "f32", "f32", 512, values, true}, {66, 3});
  check({4, 2, 40, 0, "bf16", "bf16", 4096, 24, true}, {1, 65, 20});
  check({3, 1, 40, 70, "f32", "f16", 4096, 33, true}, {200, 66, 2});
  check({2, 1, 16, 513, "f32", "f32", 4096, 8, true}, {1100});
}

// Globals in one block and in several, in one segment and in two, of sequences
// that end before the window does.
TEST_P(SelfAttention, GlobalsBesideAWindow) {
  for (int64_t globals : {1, 3, 64, 66, 130, 600}) {
    Shape shape{4, 2, 24, 70, "f32", "f32", 4096};
    shape.globals = globals;
    check(shape, {200, 66, 2});
    shape.window = 5;
    check(shape, {3, 130, 20});
  }
  Shape longest{2, 1, 16, 100, "bf16", "bf16", 4096};
  longest.globals = 7;
  check(longest, {1100});
  longest.globals = 520;
  check(longest, {5, 1100});
  Shape latent{3, 1, 40, 9, "f32", "f16", 4096, 33, true};
  latent.globals = 2;
  check(latent, {1, 66, 100});
}

// Positions that no sequence of the step has; none may be an address.
TEST_P(SelfAttention, NotesATokenOutOfOrder) {
  Shape shape{1, 1, 16};
  Tensor q = randomTensor(random, elementOf("f32"), {70, 1, 16});
  Tensor lse = randomTensor(random, elementOf("f32"), {70, 1});
  Batch batch = batchOf({70});
  Runner forward = compile(forwardText(shape));
  for (const std::string &text : {gradQueryText(shape), gradKeysText(shape)}) {
    Runner gradient = compile(text);
    for (int32_t position : {-1, 5, 7, 66, 1 << 30, INT32_MIN}) {
      batch.position[6] = position;
      for (const tenon_failure &failure :
           {run(forward, {q, q, q, batch}).failure,
            run(gradient, {q, q, q, q, lse, lse, batch}).failure}) {
        EXPECT_EQ(failure.kind, TENON_FAILURE_ORDER) << position;
        EXPECT_TRUE(failure.row == 6 || failure.row == 7) << failure.row;
      }
    }
  }
}

TEST_P(SelfAttention, NotesTheTokenOfANanScore) {
  Tensor q = randomTensor(random, elementOf("f32"), {40, 1, 16});
  Tensor k = q;
  k.floats[19 * 16] = std::numeric_limits<float>::quiet_NaN();
  Outcome outcome =
      run(compile(forwardText({1, 1, 16})), {q, k, q, batchOf({40})});
  EXPECT_EQ(outcome.failure.kind, TENON_FAILURE_NAN);
  EXPECT_GE(outcome.failure.row, 19);
}

INSTANTIATE_TEST_SUITE_P(Features, SelfAttention,
                         ::testing::ValuesIn(runnableFeatures()));

} // namespace
} // namespace tenon::testing
