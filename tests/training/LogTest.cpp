//===- LogTest.cpp - The log of a run, and its curve ----------------------===//

#include "training/Log.h"
#include "tests/support/TempFolder.h"
#include "training/Curve.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

namespace tenon::training {
namespace {
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

std::string read(const std::string &path) {
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

TEST(Log, DropsWhatIsRepeated) {
  tests::TempFolder folder;
  folder.add("log.jsonl", "{\"step\":1,\"loss\":3.5}\n"
                          "{\"step\":2,\"loss\":2.5}\n"
                          "{\"step\":2,\"validation_loss\":2.75}\n"
                          "{\"step\":3,\"loss\":1.5}\n"
                          "{\"step\":4,\"lo");
  std::string path = folder.path("log.jsonl");
  {
    StatusOr<Log> log = Log::open(path, 2);
    ASSERT_TRUE(log.ok()) << log.status().message();
    EXPECT_THAT(log->history().training,
                ElementsAre(Pair(1, 3.5), Pair(2, 2.5)));
    EXPECT_THAT(log->history().validation, ElementsAre(Pair(2, 2.75)));
    ASSERT_TRUE(log->add("{\"step\":3,\"loss\":1.25}").ok());
  }
  EXPECT_EQ(read(path), "{\"step\":1,\"loss\":3.5}\n"
                        "{\"step\":2,\"loss\":2.5}\n"
                        "{\"step\":2,\"validation_loss\":2.75}\n"
                        "{\"step\":3,\"loss\":1.25}\n");
}

TEST(Log, SaysWhyItCannotBeWritten) {
  StatusOr<Log> log = Log::open("/nowhere/log.jsonl", 0);
  EXPECT_EQ(log.status().code(), TENON_UNAVAILABLE);
  EXPECT_THAT(log.status().message(), HasSubstr("/nowhere/log.jsonl"));
}

TEST(Curve, DrawsBothLosses) {
  LossHistory losses;
  losses.training = {{1, 4.0}, {50, 2.0}, {100, 1.0}};
  losses.validation = {{50, 2.5}};
  std::string svg = drawCurve(losses, "a < b");
  EXPECT_THAT(svg, HasSubstr("a &lt; b"));
  // The first loss is the highest, at the top; the last one at the bottom.
  EXPECT_THAT(svg, HasSubstr("points=\"67.2,40 "));
  EXPECT_THAT(svg, HasSubstr("780,405"));
  EXPECT_THAT(drawCurve({}, "empty"), HasSubstr("</svg>"));
}

} // namespace
} // namespace tenon::training
