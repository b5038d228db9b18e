//===- SessionTest.cpp - Calls, their checks and their promises -----------===//

#include "runtime/exec/Trace.h"
#include "tests/runtime/exec/Programs.h"

#include <thread>

namespace tenon::exec {
namespace {

TEST(Session, RunsTheFirstVariantWhoseGuardsHold) {
  auto session = openQuadruple();
  for (int64_t rows : {1, 2, 16, 1}) {
    Call call(rows);
    Status status = call.run(*session);
    ASSERT_TRUE(status.ok()) << status;
    for (size_t i = 0; i < call.y.size(); ++i)
      EXPECT_EQ(call.y[i], 4.0f * i);
    EXPECT_EQ(session->stats().launchesOfLastCall, 2);
  }
}

TEST(Session, KnowsItsPeakWhenItOpens) {
  auto session = openQuadruple();
  EXPECT_EQ(session->stats().arenaBytes, 16 * 32);
  SessionOptions options;
  options.limits = {{"T", 4}};
  EXPECT_EQ(openQuadruple(options)->stats().arenaBytes, 4 * 32);
}

TEST(Session, GivesTheSameBytesOnAnyNumberOfThreads) {
  Call alone(16), together(16);
  ASSERT_TRUE(alone.run(*openQuadruple({}, 1)).ok());
  ASSERT_TRUE(together.run(*openQuadruple({}, 2)).ok());
  EXPECT_EQ(alone.y, together.y);
}

TEST(Session, SaysWhatIsWrongWithACall) {
  auto session = openQuadruple();
  Call call(2);
  int64_t narrow[] = {2, 7}, cube[] = {2, 8, 1}, tall[] = {33, 8};
  int64_t longer[] = {3, 8};
  auto fails = [&](const char *text) {
    return FailsWith(TENON_INVALID_ARGUMENT, text);
  };
  auto expectFailure = [&](auto change, const char *text) {
    Call changed(2);
    change(changed);
    EXPECT_THAT(changed.run(*session), fails(text));
  };
  expectFailure([&](Call &c) { c.argument.shape = narrow; },
                "argument 0 'x' axis 1: expects 8, got 7");
  expectFailure([&](Call &c) { c.argument.shape = cube; },
                "argument 0 'x': expects rank 2, got 3");
  expectFailure([&](Call &c) { c.argument.shape = tall; },
                "argument 0 'x' axis 0: expects T in [1, 32], got 33");
  expectFailure([&](Call &c) { c.argument.element = ElementType::I32; },
                "argument 0 'x': expects elements of type f32, got i32");
  expectFailure([&](Call &c) { c.argument.data = nullptr; },
                "argument 0 'x': expects data, got null");
  expectFailure([&](Call &c) { c.result.shape = longer; },
                "result 0 'y' axis 0: expects T = 2, got 3");
  EXPECT_THAT(session->call("forward", {}, {}),
              fails("entry 'forward': expects 1 arguments, got 0"));
  EXPECT_THAT(session->call("forward", {&call.argument, 1}, {}),
              fails("expects 1 results, got 0"));
  EXPECT_THAT(session->call("backward", {}, {}),
              FailsWith(TENON_NOT_FOUND, "one of the entries forward"));
  EXPECT_THAT(session->call(7, {}, {}), fails("an entry below 1, got 7"));
}

TEST(Session, ListsTheVariantsWhenNoneTakesTheCall) {
  auto session = openQuadruple();
  EXPECT_THAT(Call(17).run(*session),
              FailsWith(TENON_INVALID_ARGUMENT,
                        "decode (T in [1, 1]); prompt (T in [2, 16]); got "
                        "T = 17"));
}

TEST(Session, KeepsToItsLimits) {
  SessionOptions options;
  options.limits = {{"T", 4}};
  auto session = openQuadruple(options);
  EXPECT_TRUE(Call(4).run(*session).ok());
  EXPECT_THAT(Call(5).run(*session),
              FailsWith(TENON_INVALID_ARGUMENT, "T in [1, 4], got 5"));
  options.limits = {{"T", 0}};
  EXPECT_THAT(Call(1).run(*openQuadruple(options)),
              FailsWith(TENON_INVALID_ARGUMENT, "a limit of T in [1, 32]"));
  options.limits = {{"T", -1}};
  EXPECT_EQ(quadruple().open(options).status().code(), TENON_INVALID_ARGUMENT);
}

TEST(Session, RefusesSizesADivisorDoesNotDivide) {
  ProgramBuilder b = quadruple();
  b.program.entries[0].symbols[0].divisor = 2;
  b.program.entries[0].symbols[0].min = 0;
  auto session = b.open();
  ASSERT_TRUE(session.ok()) << session.status();
  EXPECT_TRUE(Call(4).run(**session).ok());
  EXPECT_THAT(Call(3).run(**session),
              FailsWith(TENON_INVALID_ARGUMENT, "T divisible by 2, got 3"));
}

TEST(Session, RefusesABufferThatOutgrowsItsMemory) {
  // The size falls as T grows: what is planned at the limit is too little.
  ProgramBuilder b = quadruple();
  Variant &prompt = b.program.entries[0].variants[1];
  prompt.buffers[1].sizeBytes =
      Expr::binary(Expr::Op::Sub, n(1000), times(sym(0), n(10)));
  auto session = b.open();
  ASSERT_TRUE(session.ok()) << session.status();
  EXPECT_TRUE(Call(16).run(**session).ok());
  EXPECT_THAT(Call(2).run(**session),
              FailsWith(TENON_OUT_OF_RANGE, "at most 840 bytes, got 980"));
}

TEST(Session, RefusesAnArgumentSmallerThanItsBuffer) {
  ProgramBuilder b = quadruple();
  b.program.entries[0].variants[0].buffers[0].sizeBytes = n(33);
  auto session = b.open();
  ASSERT_TRUE(session.ok()) << session.status();
  EXPECT_THAT(Call(1).run(**session),
              FailsWith(TENON_OUT_OF_RANGE, "33 bytes, the caller's has 32"));
}

TEST(Session, CancelsUntilResumed) {
  auto session = openQuadruple();
  std::thread([&] { session->cancel(); }).join();
  EXPECT_EQ(Call(1).run(*session).code(), TENON_CANCELLED);
  EXPECT_EQ(Call(1).run(*session).code(), TENON_CANCELLED);
  session->resume();
  EXPECT_TRUE(Call(1).run(*session).ok());
}

TEST(Session, TracesEveryLaunchAndItsWorkers) {
  auto session = openQuadruple({}, 2);
  Trace trace;
  session->setTrace(&trace);
  session->timeKernels(true);
  ASSERT_TRUE(Call(16).run(*session).ok());
  session->setTrace(nullptr);
  ASSERT_TRUE(Call(16).run(*session).ok());
  ASSERT_EQ(trace.events().size(), 2u);
  const Trace::Launch &event = trace.events()[0];
  EXPECT_EQ(event.tiles, 16u);
  uint32_t tiles = 0;
  for (const hal::WorkerSpan &span : event.workers)
    tiles += span.tiles;
  EXPECT_EQ(tiles, 16u);
  std::string json = trace.toJson();
  EXPECT_NE(json.find("\"name\":\"double_row\""), std::string::npos);
  EXPECT_NE(json.find("\"name\":\"worker 1\""), std::string::npos);
  ASSERT_EQ(session->kernelTimes().size(), 1u);
  EXPECT_EQ(session->kernelTimes()[0].launches, 4);
}

TEST(Trace, EscapesWhatJsonCannotHold) {
  Trace trace;
  trace.add({"a\"b\\c\n", "", 1, 1000, 3500, {}});
  EXPECT_NE(trace.toJson().find("\"name\":\"a\\\"b\\\\c\\u000a\",\"ts\":0.000,"
                                "\"dur\":2.500"),
            std::string::npos)
      << trace.toJson();
  EXPECT_EQ(trace.write("/nonexistent/t.json").code(), TENON_UNAVAILABLE);
}

TEST(LoadedProgram, RefusesKernelsThatAreMissing) {
  ProgramBuilder b = quadruple();
  b.functions[0] = nullptr;
  EXPECT_THAT(b.open().status(),
              FailsWith(TENON_INVALID_ARGUMENT, "'double_row', got null"));
  b.functions.clear();
  EXPECT_THAT(b.open().status(),
              FailsWith(TENON_INVALID_ARGUMENT, "1 kernel functions, got 0"));
}

TEST(LoadedProgram, VerifiesWhatItIsGiven) {
  ProgramBuilder b = quadruple();
  b.program.entries[0].variants[0].body.pop_back();
  EXPECT_EQ(b.open().status().code(), TENON_DATA_LOSS);
}

} // namespace
} // namespace tenon::exec
