//===- Advantages.h - How much better than expected -------------*- C++ -*-===//

#ifndef TENON_TRAINING_ADVANTAGES_H
#define TENON_TRAINING_ADVANTAGES_H

#include <span>
#include <vector>

namespace tenon::training {

/// Rewards of one prompt's completions less their mean, and divided by their
/// deviation plus 1e-4 where `isScaled`. Equal rewards have none.
/// Source: Shao et al. 2024, "DeepSeekMath", section 4.1 (scaled); Liu et al.
/// 2025, "Understanding R1-Zero-like training" (not).
std::vector<double> groupAdvantages(std::span<const double> rewards,
                                    bool isScaled);

struct Estimates {
  std::vector<float> advantages, returns; // by token
};

/// Generalised advantage estimation over one completion, whose `reward` comes
/// with its last token; after that nothing is expected.
/// Source: Schulman et al. 2016, "High-dimensional continuous control using
/// generalized advantage estimation", equation 16.
Estimates generalizedAdvantages(double reward, std::span<const float> values,
                                double gamma, double lambda);

/// Subtracts the mean and divides by the deviation plus 1e-8.
void whiten(std::span<float> values);

} // namespace tenon::training
#endif // TENON_TRAINING_ADVANTAGES_H
