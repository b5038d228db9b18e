//===- Order.h - A permutation by a seed ------------------------*- C++ -*-===//

#ifndef TENON_TRAINING_ORDER_H
#define TENON_TRAINING_ORDER_H

#include <cstdint>

namespace tenon::training {

/// Spreads 64 bits over 64 bits, one to one.
/// Source: Steele, Lea and Flood 2014, figure 5 (SplitMix64).
uint64_t mix(uint64_t bits);

/// The place of `index` in a permutation of [0, count) that `seed` chooses.
/// Takes no memory: a Feistel network over the next even power of two, walked
/// until it lands below `count`.
/// Source: Black and Rogaway 2002, "Ciphers with arbitrary finite domains".
uint64_t permute(uint64_t index, uint64_t count, uint64_t seed);

} // namespace tenon::training
#endif // TENON_TRAINING_ORDER_H
