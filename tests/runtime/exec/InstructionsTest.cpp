//===- InstructionsTest.cpp - Loops, loads, emits, copies, failures -------===//

#include "tests/runtime/exec/Programs.h"

namespace tenon::exec {
namespace {

using testing::ElementsAre;

/// x[0] += 1; fails by INDEX at row 5 when x[0] reaches dims[0].
void increment(const tenon_frame *frame, uint32_t) {
  auto *x = static_cast<int32_t *>(frame->buffers[0]);
  if (++*x != frame->dims[0])
    return;
  frame->failure->location = 1;
  frame->failure->row = 5;
  frame->failure->value = *x;
  frame->failure->kind = TENON_FAILURE_INDEX;
}

/// Entry "main": argument start i32[2], result end i32[2], a temporary i32[2]
/// (buffer 2), one register; the body is the test's.
ProgramBuilder programOf(std::vector<Instruction> body, int64_t bytes = 8) {
  ProgramBuilder b;
  uint32_t kernel = b.kernel("increment", increment, 1, 1);
  b.program.kernels[kernel].locations = {{"tn.add", "A.cpp:1"},
                                         {"tn.gather", "B.cpp:2"}};
  Entry &entry = b.entry("main");
  base::TensorType type = {ElementType::I32, {n(2)}};
  entry.arguments = {{"start", type}};
  entry.results = {{"end", type}};
  Variant &variant = entry.variants.emplace_back();
  variant.name = "any";
  variant.registerCount = 2;
  variant.buffers = {
      buffer(BufferKind::Argument, 0, n(8), ElementType::I32),
      buffer(BufferKind::Result, 0, n(8), ElementType::I32),
      buffer(BufferKind::Temporary, 0, n(bytes), ElementType::I32)};
  variant.body = std::move(body);
  liveThroughout(variant);
  return b;
}

struct Outcome {
  Status status;
  std::vector<int32_t> end = {-1, -1};
  std::vector<int32_t> emitted;
  int64_t launches = 0;
};

/// Runs "main" from {start, 7}; the sink asks to stop after `emits`.
Outcome run(const ProgramBuilder &builder, int32_t start, size_t emits = 100) {
  Outcome outcome;
  auto session = builder.open();
  outcome.status = session.status();
  if (!session.ok())
    return outcome;
  (*session)->setSink([&](std::span<const int32_t> values) {
    outcome.emitted.insert(outcome.emitted.end(), values.begin(), values.end());
    return outcome.emitted.size() >= emits;
  });
  int32_t begin[] = {start, 7};
  int64_t shape[] = {2};
  TensorView argument = {begin, ElementType::I32, shape};
  MutableTensorView result = {outcome.end.data(), ElementType::I32, shape};
  outcome.status = (*session)->call("main", {&argument, 1}, {&result, 1});
  outcome.launches = (*session)->stats().launchesOfLastCall;
  return outcome;
}

/// Counts buffer 2 up to 10, emitting each number; `r1` is the sink's wish.
std::vector<Instruction> countToTen() {
  Expr done = Expr::binary(Expr::Op::Max, reg(1),
                           Expr::binary(Expr::Op::Equal, reg(0), n(10)));
  return {host(Opcode::Copy, {0, 2}, {n(8)}),
          launch(0, {2}, {n(-1)}, n(1)), // 1: the loop
          host(Opcode::Emit, {2}, {n(1)}, 1),
          host(Opcode::Load, {2}, {n(0)}, 0),
          host(Opcode::BranchIf, {}, {done}, 0, 6),
          host(Opcode::Branch, {}, {}, 0, 1),
          host(Opcode::Copy, {2, 1}, {n(8)}),
          host(Opcode::Return)};
}

TEST(Instructions, LoopUntilAValueOfTheDevice) {
  Outcome outcome = run(programOf(countToTen()), 6);
  ASSERT_TRUE(outcome.status.ok()) << outcome.status;
  EXPECT_THAT(outcome.end, ElementsAre(10, 7));
  EXPECT_THAT(outcome.emitted, ElementsAre(7, 8, 9, 10));
  EXPECT_EQ(outcome.launches, 4);
}

TEST(Instructions, StopWhereTheSinkAsks) {
  Outcome outcome = run(programOf(countToTen()), 0, /*emits=*/3);
  ASSERT_TRUE(outcome.status.ok()) << outcome.status;
  EXPECT_THAT(outcome.emitted, ElementsAre(1, 2, 3));
  EXPECT_THAT(outcome.end, ElementsAre(3, 7));
}

TEST(Instructions, NameTheFailureOfAKernel) {
  std::vector<Instruction> body = countToTen();
  body[1].exprs[0] = n(8);
  Outcome outcome = run(programOf(body), 4);
  EXPECT_THAT(outcome.status,
              FailsWith(TENON_OUT_OF_RANGE,
                        "entry 'main': variant 'any' instruction 1: tn.gather "
                        "at B.cpp:2: row 5 has index 8, which is outside its "
                        "axis"));
  EXPECT_EQ(outcome.launches, 4); // and nothing after it
}

TEST(Instructions, LoadBothWidthsOfIntegers) {
  ProgramBuilder b = programOf(
      {host(Opcode::Load, {0}, {n(1)}, 0), host(Opcode::Load, {2}, {n(0)}, 1),
       host(Opcode::BranchIf, {}, {reg(1)}, 0, 4),
       host(Opcode::Copy, {0, 1}, {n(8)}), host(Opcode::Return)});
  b.program.entries[0].variants[0].buffers[2].element = ElementType::I64;
  EXPECT_THAT(run(b, 3).end, ElementsAre(3, 7)); // the arena is zero
}

TEST(Instructions, StoreAnElement) {
  ProgramBuilder b = programOf(
      {host(Opcode::Copy, {0, 2}, {n(8)}), host(Opcode::Load, {2}, {n(1)}, 0),
       host(Opcode::Store, {2}, {n(0), reg(0)}),
       host(Opcode::Store, {2}, {n(1), n(-2)}),
       host(Opcode::Copy, {2, 1}, {n(8)}), host(Opcode::Return)});
  EXPECT_THAT(run(b, 3).end, ElementsAre(7, -2));
}

TEST(Instructions, LoadAndStoreBooleans) {
  ProgramBuilder b =
      programOf({host(Opcode::Store, {2}, {n(5), n(1)}),
                 host(Opcode::Load, {2}, {n(5)}, 0),
                 host(Opcode::Emit, {0}, {reg(0)}, 1), host(Opcode::Return)});
  b.program.entries[0].variants[0].buffers[2].element = ElementType::Bool;
  EXPECT_THAT(run(b, 3).emitted, ElementsAre(3));
}

TEST(Instructions, SkipLaunchesOfNoTiles) {
  Outcome outcome =
      run(programOf({launch(0, {2}, {n(1)}, n(0)), host(Opcode::Return)}), 0);
  EXPECT_TRUE(outcome.status.ok()) << outcome.status;
  EXPECT_EQ(outcome.launches, 0);
}

struct BadCase {
  const char *name;
  const char *message;
  Instruction instruction;
};
class OutOfRange : public testing::TestWithParam<BadCase> {};

TEST_P(OutOfRange, IsRefusedWhenItHappens) {
  Outcome outcome =
      run(programOf({GetParam().instruction, host(Opcode::Return)}), 0);
  EXPECT_THAT(outcome.status,
              FailsWith(TENON_OUT_OF_RANGE, GetParam().message));
}

const Expr kHuge = n(INT64_MAX);
const Expr kOverflow = Expr::binary(Expr::Op::Mul, kHuge, kHuge);
INSTANTIATE_TEST_SUITE_P(
    Instructions, OutOfRange,
    testing::Values(BadCase{"Copy", "copy at most 8 bytes, got 9",
                            host(Opcode::Copy, {0, 2}, {n(9)})},
                    BadCase{"CopyNegative", "copy at most 8 bytes, got -1",
                            host(Opcode::Copy, {0, 2}, {n(-1)})},
                    BadCase{"CopyOverflow", "a copy's size overflows",
                            host(Opcode::Copy, {0, 2}, {kOverflow})},
                    BadCase{"Load", "an element below 2, got 2",
                            host(Opcode::Load, {2}, {n(2)})},
                    BadCase{"LoadNegative", "an element below 2, got -1",
                            host(Opcode::Load, {2}, {n(-1)})},
                    BadCase{"LoadOverflow", "an element's index overflows",
                            host(Opcode::Load, {2}, {kOverflow})},
                    BadCase{"Store", "an element below 2, got 2",
                            host(Opcode::Store, {2}, {n(2), n(1)})},
                    BadCase{"StoreOverflow", "a stored value overflows",
                            host(Opcode::Store, {2}, {n(0), kOverflow})},
                    BadCase{"Emit", "emit at most 2 elements, got 3",
                            host(Opcode::Emit, {2}, {n(3)})},
                    BadCase{"EmitOverflow", "an emit's count overflows",
                            host(Opcode::Emit, {2}, {kOverflow})},
                    BadCase{"Set", "a register's value overflows",
                            host(Opcode::Set, {}, {kOverflow})},
                    BadCase{"Branch", "a branch's condition overflows",
                            host(Opcode::BranchIf, {}, {kOverflow}, 0, 1)},
                    BadCase{"Tiles",
                            "a tile count in [0, 2^32), got 4294967296",
                            launch(0, {2}, {n(1)}, n(int64_t{1} << 32))},
                    BadCase{"TilesOverflow", "a tile count overflows",
                            launch(0, {2}, {n(1)}, kOverflow)},
                    BadCase{"Dims", "a kernel's dimension overflows",
                            launch(0, {2}, {kOverflow}, n(1))}),
    [](const auto &info) { return std::string(info.param.name); });

TEST(Instructions, RefuseTemporariesTooLargeToPlan) {
  EXPECT_EQ(run(programOf({host(Opcode::Return)}, -1), 0).status.code(),
            TENON_OUT_OF_RANGE);
  EXPECT_EQ(
      run(programOf({host(Opcode::Return)}, int64_t{1} << 61), 0).status.code(),
      TENON_RESOURCE_EXHAUSTED);
}

} // namespace
} // namespace tenon::exec
