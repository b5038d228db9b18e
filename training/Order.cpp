//===- Order.cpp - A permutation by a seed --------------------------------===//

#include "training/Order.h"

#include <bit>

namespace tenon::training {

uint64_t mix(uint64_t bits) {
  uint64_t z = bits + 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

uint64_t permute(uint64_t index, uint64_t count, uint64_t seed) {
  constexpr int kRounds = 4;
  int half = count > 1 ? (std::bit_width(count - 1) + 1) / 2 : 1;
  uint64_t mask = (uint64_t{1} << half) - 1;
  do {
    uint64_t left = index >> half, right = index & mask;
    for (int round = 0; round < kRounds; ++round) {
      uint64_t next = left ^ (mix(seed ^ mix(right + round)) & mask);
      left = right;
      right = next;
    }
    index = left << half | right;
  } while (index >= count);
  return index;
}

} // namespace tenon::training
