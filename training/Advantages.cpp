//===- Advantages.cpp - How much better than expected ---------------------===//

#include "training/Advantages.h"

#include <cmath>
#include <numeric>

namespace tenon::training {
namespace {

struct Moments {
  double mean = 0, deviation = 0;
};

template <typename T> Moments momentsOf(std::span<const T> values) {
  auto count = static_cast<double>(values.size());
  double mean = std::accumulate(values.begin(), values.end(), 0.0) / count;
  double squares = 0;
  for (T value : values)
    squares += (value - mean) * (value - mean);
  return {mean, std::sqrt(squares / count)};
}

} // namespace

std::vector<double> groupAdvantages(std::span<const double> rewards,
                                    bool isScaled) {
  auto [mean, deviation] = momentsOf(rewards);
  std::vector<double> made;
  for (double reward : rewards)
    made.push_back((reward - mean) / (isScaled ? deviation + 1e-4 : 1));
  return made;
}

Estimates generalizedAdvantages(double reward, std::span<const float> values,
                                double gamma, double lambda) {
  Estimates made{std::vector<float>(values.size()),
                 std::vector<float>(values.size())};
  double next = 0, advantage = 0; // of the token after
  for (size_t i = values.size(); i-- > 0;) {
    bool isLast = i + 1 == values.size();
    double error = (isLast ? reward : 0) + gamma * next - values[i];
    advantage = error + gamma * lambda * advantage;
    next = values[i];
    made.advantages[i] = static_cast<float>(advantage);
    made.returns[i] = static_cast<float>(advantage + values[i]);
  }
  return made;
}

void whiten(std::span<float> values) {
  if (values.empty())
    return;
  auto [mean, deviation] = momentsOf(std::span<const float>(values));
  for (float &value : values)
    value = static_cast<float>((value - mean) / (deviation + 1e-8));
}

} // namespace tenon::training
