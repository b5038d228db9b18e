//===- SessionTest.cpp - Calls, their checks and their promises -----------===//

#include "tests/runtime/exec/Programs.h"

namespace tenon::exec {
namespace {

using testing::ElementsAre;

/// Calls "forward" of quadruple() with T = rows.
Status callForward(Session &session, int64_t rows, std::vector<float> &y) {
  std::vector<float> x(rows * 8);
  for (size_t i = 0; i < x.size(); ++i)
    x[i] = static_cast<float>(i);
  y.assign(rows * 8, -1);
  int64_t shape[] = {rows, 8};
  TensorView argument = {x.data(), ElementType::F32, shape};
  MutableTensorView result = {y.data(), ElementType::F32, shape};
  return session.call("forward", {&argument, 1}, {&result, 1});
}

TEST(Session, RunsTheFirstVariantWhoseGuardsHold) {
  auto session = quadruple().open();
  ASSERT_TRUE(session.ok()) << session.status();
  std::vector<float> y;
  for (int64_t rows : {1, 2, 16, 1}) {
    Status status = callForward(**session, rows, y);
    ASSERT_TRUE(status.ok()) << status;
    for (size_t i = 0; i < y.size(); ++i)
      EXPECT_EQ(y[i], 4.0f * i);
    EXPECT_EQ((*session)->stats().launchesOfLastCall, 2);
  }
}

TEST(Session, ListsTheVariantsWhenNoneTakesTheCall) {
  auto session = quadruple().open();
  ASSERT_TRUE(session.ok()) << session.status();
  std::vector<float> y;
  EXPECT_THAT(callForward(**session, 17, y),
              FailsWith(TENON_INVALID_ARGUMENT,
                        "decode (T in [1, 1]); prompt (T in [2, 16]); got "
                        "T = 17"));
}

} // namespace
} // namespace tenon::exec
