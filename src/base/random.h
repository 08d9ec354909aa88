#pragma once
// Seeded random numbers (xoshiro256**, Blackman and Vigna 2018). One generator a worker; the
// simulation gives the seed, so that a run can be repeated. Not for secrets.

#include <cstdint>

#include "base/hash.h"

namespace weir {

class Random {
 public:
  explicit Random(std::uint64_t seed) noexcept {
    for (auto& word : state_) word = mix64(seed += 0x9e3779b97f4a7c15);
  }

  std::uint64_t next() noexcept {
    const std::uint64_t result = rotate(state_[1] * 5, 7) * 9;
    const std::uint64_t shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = rotate(state_[3], 45);
    return result;
  }

  // Uniform in [0, bound); bound > 0. Lemire's multiplication, whose bias is below 2^-32 for our
  // bounds.
  std::uint32_t below(std::uint32_t bound) noexcept {
    return static_cast<std::uint32_t>(((next() >> 32) * bound) >> 32);
  }

 private:
  static std::uint64_t rotate(std::uint64_t x, int bits) noexcept {
    return (x << bits) | (x >> (64 - bits));
  }
  std::uint64_t state_[4];
};

}  // namespace weir
