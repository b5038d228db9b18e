//===- StackedWeightsTest.cpp - Experts' weights as one tensor ------------===//

#include "runtime/io/StackedWeights.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>

namespace tenon::io {
namespace {
using base::ElementType;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// Tensors of bytes that name them.
class Tensors {
public:
  void add(const std::string &name, std::vector<int64_t> shape, uint8_t value) {
    int64_t count = 1;
    for (int64_t extent : shape)
      count *= extent;
    bytes.push_back(std::vector<uint8_t>(count, value));
    list.push_back(
        {name, ElementType::I8, std::move(shape), 0, 0, bytes.back()});
  }
  std::vector<TensorEntry> list;

private:
  std::deque<std::vector<uint8_t>> bytes;
};

TEST(StackedWeights, PartsBecomeOne) {
  Tensors tensors;
  tensors.add("model.embed.weight", {2}, 9);
  for (uint8_t e : {10, 2, 0, 1, 3, 4, 5, 6, 7, 8, 9})
    tensors.add("l.0.mlp.experts." + std::to_string(e) + ".up.weight", {2, 1},
                e);
  tensors.add("l.0.mlp.shared_experts.up.weight", {1}, 7);
  auto built = stackExperts(tensors.list, "file");
  ASSERT_TRUE(built.ok()) << built.status();
  ASSERT_EQ(tensors.list.size(), 3u);
  const TensorEntry &stack = tensors.list[1];
  EXPECT_EQ(stack.name, "l.0.mlp.experts.#.up.weight");
  EXPECT_THAT(stack.shape, ElementsAre(11, 2, 1));
  for (uint8_t e = 0; e < 11; ++e) { // in the order of numbers, not of texts
    EXPECT_EQ(stack.data[2 * e], e);
    EXPECT_EQ(stack.data[2 * e + 1], e);
  }
  EXPECT_TRUE(isStackName(stack.name));
  EXPECT_FALSE(isStackName("l.0.mlp.experts.3.up.weight"));
  EXPECT_EQ(expertName(stack.name, 10), "l.0.mlp.experts.10.up.weight");
}

TEST(StackedWeights, PartsAreChecked) {
  auto messageOf = [](std::vector<int> numbers, int64_t extent) {
    Tensors tensors;
    for (int e : numbers)
      tensors.add("experts.x.mlp.experts." + std::to_string(e) + ".up",
                  {e == numbers.back() ? extent : 3}, 1);
    return stackExperts(tensors.list, "file").status().message();
  };
  EXPECT_THAT(messageOf({0, 2}, 3), HasSubstr("each of 3 experts, got 2"));
  EXPECT_THAT(messageOf({0, 1}, 4), HasSubstr("got i8 [4]"));
  EXPECT_EQ(messageOf({0, 1}, 3), "");
}

} // namespace
} // namespace tenon::io
