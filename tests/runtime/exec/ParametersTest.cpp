//===- ParametersTest.cpp - Weights: bound, prepared once, shared ---------===//

#include "tests/runtime/exec/Programs.h"

namespace tenon::exec {
namespace {

int preparations = 0;

/// packed[i] = 10 * weight[i]; dims (count).
void pack(const tenon_frame *frame, uint32_t) {
  ++preparations;
  for (int64_t i = 0; i < frame->dims[0]; ++i)
    static_cast<int32_t *>(frame->buffers[1])[i] =
        10 * static_cast<const int32_t *>(frame->buffers[0])[i];
}

/// "prepare" packs the parameter w i32[4] into `packed`; "read" gives it out.
ProgramBuilder packedWeights() {
  ProgramBuilder b;
  preparations = 0;
  uint32_t kernel = b.kernel("pack", pack, 2, 1);
  b.program.parameters.push_back({"w", "blk.0.w", ElementType::I32, {4}});
  b.program.prepared = {{"spare", 100}, {"packed", 16}};
  Entry &prepare = b.entry("prepare");
  Variant &once = prepare.variants.emplace_back();
  once.buffers = {buffer(BufferKind::Parameter, 0, n(16)),
                  buffer(BufferKind::Prepared, 1, n(16)),
                  buffer(BufferKind::Temporary, 0, n(16))};
  once.body = {launch(kernel, {0, 2}, {n(4)}, n(1)),
               host(Opcode::Copy, {2, 1}, {n(16)}), host(Opcode::Return)};
  liveThroughout(once);
  Entry &read = b.entry("read");
  read.results = {{"w", {ElementType::I32, {n(4)}}}};
  Variant &variant = read.variants.emplace_back();
  variant.buffers = {buffer(BufferKind::Prepared, 1, n(16)),
                     buffer(BufferKind::Result, 0, n(16))};
  variant.body = {host(Opcode::Copy, {0, 1}, {n(16)}), host(Opcode::Return)};
  liveThroughout(variant);
  return b;
}

std::vector<int32_t> read(Session &session) {
  std::vector<int32_t> values(4);
  int64_t shape[] = {4};
  MutableTensorView result = {values.data(), ElementType::I32, shape};
  Status status = session.call("read", {}, {&result, 1});
  EXPECT_TRUE(status.ok()) << status;
  return values;
}

constexpr int32_t kWeights[] = {1, 2, 3, 4};
constexpr int64_t kShape[] = {4};

ParameterLookup give(TensorView view) {
  return [=](const base::Parameter &) -> StatusOr<TensorView> { return view; };
}

TEST(Parameters, ArePreparedOnceWhenASessionOpens) {
  auto weights = std::make_shared<int>(0);
  ParameterLookup lookup = [weights](const base::Parameter &parameter) {
    EXPECT_EQ(parameter.source, "blk.0.w");
    return StatusOr<TensorView>(TensorView{kWeights, ElementType::I32, kShape});
  };
  auto session = packedWeights().open({}, std::move(lookup));
  ASSERT_TRUE(session.ok()) << session.status();
  EXPECT_THAT(read(**session), testing::ElementsAre(10, 20, 30, 40));
  EXPECT_THAT(read(**session), testing::ElementsAre(10, 20, 30, 40));
  EXPECT_EQ(preparations, 1);
  // No entry reads the parameter itself: the session let go of its file.
  EXPECT_EQ(weights.use_count(), 1);
  EXPECT_EQ((*session)->stats().preparedBytes, 128 + 64);
  EXPECT_EQ((*session)->preparedBytes().size(), 192u);
}

TEST(Parameters, ArePreparedForAllSessionsThatShareThem) {
  ProgramBuilder builder = packedWeights();
  auto first = builder.open({}, give({kWeights, ElementType::I32, kShape}));
  ASSERT_TRUE(first.ok()) << first.status();
  SessionOptions options;
  options.prepared = (*first)->preparedMemory();
  first->reset();
  auto second = builder.open(options);
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_THAT(read(**second), testing::ElementsAre(10, 20, 30, 40));
  EXPECT_EQ(preparations, 1);
}

TEST(Parameters, AreCheckedByNameTypeAndShape) {
  ProgramBuilder builder = packedWeights();
  auto failure = [&](ParameterLookup lookup) {
    return builder.open({}, std::move(lookup)).status();
  };
  EXPECT_THAT(
      failure(nullptr),
      FailsWith(TENON_NOT_FOUND, "parameter 'w' ('blk.0.w'): expects weights"));
  EXPECT_THAT(failure(give({kWeights, ElementType::F32, kShape})),
              FailsWith(TENON_INVALID_ARGUMENT,
                        "parameter 'w' ('blk.0.w'): expects elements of type "
                        "i32, got f32"));
  int64_t wrong[] = {2, 2};
  EXPECT_THAT(
      failure(give({kWeights, ElementType::I32, wrong})),
      FailsWith(TENON_INVALID_ARGUMENT, "expects shape [4], got [2, 2]"));
  EXPECT_THAT(failure(give({nullptr, ElementType::I32, kShape})),
              FailsWith(TENON_INVALID_ARGUMENT, "expects data, got null"));
  EXPECT_THAT(failure([](const base::Parameter &) -> StatusOr<TensorView> {
                return notFound("no such tensor");
              }),
              FailsWith(TENON_NOT_FOUND, "'blk.0.w'): no such tensor"));
}

TEST(Parameters, LeavePrepareToTheOpening) {
  auto session =
      packedWeights().open({}, give({kWeights, ElementType::I32, kShape}));
  ASSERT_TRUE(session.ok()) << session.status();
  EXPECT_THAT((*session)->call("prepare", {}, {}),
              FailsWith(TENON_INVALID_ARGUMENT, "only when a session opens"));
}

TEST(Parameters, ThatAnEntryReadsStayBound) {
  ProgramBuilder builder = packedWeights();
  Variant &variant = builder.program.entries[1].variants[0];
  variant.buffers[0] = buffer(BufferKind::Parameter, 0, n(16));
  auto weights = std::make_shared<std::vector<int32_t>>(4, 5);
  auto session = builder.open({}, [weights](const base::Parameter &) {
    return StatusOr<TensorView>(
        TensorView{weights->data(), ElementType::I32, kShape});
  });
  ASSERT_TRUE(session.ok()) << session.status();
  EXPECT_EQ(weights.use_count(), 2);
  EXPECT_THAT(read(**session), testing::ElementsAre(5, 5, 5, 5));
}

TEST(Constants, AreAlignedAndReadAtTheirOffset) {
  ProgramBuilder builder = packedWeights();
  builder.program.entries.erase(builder.program.entries.begin());
  builder.program.constants.assign(128, '\0');
  builder.program.constants[64] = 9;
  Variant &variant = builder.program.entries[0].variants[0];
  variant.buffers[0] = buffer(BufferKind::Constant, 64, n(16));
  auto session = builder.open();
  ASSERT_TRUE(session.ok()) << session.status();
  EXPECT_THAT(read(**session), testing::ElementsAre(9, 0, 0, 0));
  auto address = reinterpret_cast<uintptr_t>((*session)->program().constants());
  EXPECT_EQ(address % 64, 0u);
}

TEST(States, KeepTheirBytesBetweenCallsAndTheirSizeInEvery) {
  ProgramBuilder builder = packedWeights();
  builder.program.entries.erase(builder.program.entries.begin());
  builder.program.states.push_back({"cache", ElementType::I32, 16});
  Variant &variant = builder.program.entries[0].variants[0];
  variant.buffers[0] = buffer(BufferKind::State, 0, n(32));
  SessionOptions options;
  options.pageBlocks = 1;
  options.pages = 2;
  auto session = builder.open(options);
  ASSERT_TRUE(session.ok()) << session.status();
  EXPECT_EQ((*session)->stats().stateBytes, 64);
  EXPECT_THAT(read(**session), testing::ElementsAre(0, 0, 0, 0));
  options.pages = 1; // 16 bytes, the program wants 32
  auto small = builder.open(options);
  ASSERT_TRUE(small.ok()) << small.status();
  int32_t values[4];
  MutableTensorView result = {values, ElementType::I32, kShape};
  EXPECT_THAT((*small)->call("read", {}, {&result, 1}),
              FailsWith(TENON_OUT_OF_RANGE, "at most 16 bytes, got 32"));
  options.pages = INT64_MAX;
  EXPECT_EQ(builder.open(options).status().code(), TENON_RESOURCE_EXHAUSTED);
}

TEST(States, OfTensorsBeginAsZerosOrAsTheirWeight) {
  ProgramBuilder builder = packedWeights();
  builder.program.entries.erase(builder.program.entries.begin());
  builder.program.states.push_back({"steps", ElementType::I32, 0, "", {4}});
  builder.program.states.push_back({"w", ElementType::I32, 0, "file.w", {4}});
  Variant &variant = builder.program.entries[0].variants[0];
  variant.buffers[0] = buffer(BufferKind::State, 1, n(16));
  std::vector<int32_t> weight = {1, 2, 3, 4};
  std::string asked;
  auto lookup = [&](const base::Parameter &parameter) -> StatusOr<TensorView> {
    asked = parameter.source;
    return TensorView{weight.data(), ElementType::I32, kShape};
  };
  auto session = builder.open({}, lookup);
  ASSERT_TRUE(session.ok()) << session.status();
  EXPECT_EQ(asked, "file.w");
  EXPECT_THAT(read(**session), testing::ElementsAre(1, 2, 3, 4));
  auto steps = (*session)->state("steps");
  ASSERT_TRUE(steps.ok()) << steps.status();
  EXPECT_EQ(static_cast<int32_t *>(steps->data)[3], 0);
  // A copy: the weight stays as it is, and what the host writes is read.
  static_cast<int32_t *>((*session)->state("w")->data)[0] = 9;
  EXPECT_EQ(weight[0], 1);
  EXPECT_THAT(read(**session), testing::ElementsAre(9, 2, 3, 4));
  EXPECT_EQ((*session)->state("v").status().code(), TENON_NOT_FOUND);
  EXPECT_EQ(builder.open().status().code(), TENON_NOT_FOUND);
  SessionOptions options;
  options.withoutWeights = true;
  session = builder.open(options);
  ASSERT_TRUE(session.ok()) << session.status();
  EXPECT_THAT(read(**session), testing::ElementsAre(0, 0, 0, 0));
}

} // namespace
} // namespace tenon::exec
