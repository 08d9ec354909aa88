#include "base/hash.h"

#include <bit>
#include <cstring>
#include <gtest/gtest.h>
#include <set>
#include <string>

#include "base/random.h"

namespace weir {
namespace {

TEST(Hash, DependsOnBytesLengthAndSeed) {
  const std::string text(100, 'x');
  std::set<std::uint64_t> seen;
  for (std::size_t length = 0; length <= text.size(); ++length) {
    for (std::uint64_t seed = 0; seed < 4; ++seed) {
      seen.insert(hash_bytes(std::string_view(text).substr(0, length), seed));
    }
  }
  EXPECT_EQ(seen.size(), 4 * (text.size() + 1));
  EXPECT_NE(hash_bytes("ab"), hash_bytes(std::string_view("ab\0", 3)));
  EXPECT_EQ(hash_bytes(text, 7), hash_bytes(std::string(text), 7));
}

TEST(Hash, ReadsNothingOutsideTheBytes) {
  std::string first = "<key of twenty bytes>";
  std::string second = "[key of twenty bytes]";
  EXPECT_EQ(hash_bytes(std::string_view(first).substr(1, 19)),
            hash_bytes(std::string_view(second).substr(1, 19)));
}

// Each bit of the input turns about half of the output's 64 bits.
TEST(Hash, EveryBitMatters) {
  Random random(1);
  for (const std::size_t length :
       {std::size_t{1}, std::size_t{8}, std::size_t{16}, std::size_t{40}}) {
    std::string key(length, '\0');
    for (char& byte : key) byte = static_cast<char>(random.below(256));
    const std::uint64_t original = hash_bytes(key);
    int turned = 0;
    for (std::size_t bit = 0; bit < 8 * length; ++bit) {
      key[bit / 8] = static_cast<char>(key[bit / 8] ^ (1 << bit % 8));
      const int here = std::popcount(original ^ hash_bytes(key));
      key[bit / 8] = static_cast<char>(key[bit / 8] ^ (1 << bit % 8));
      EXPECT_GT(here, 8) << "length " << length << " bit " << bit;
      turned += here;
    }
    EXPECT_NEAR(turned / static_cast<double>(8 * length), 32.0, 5.0);
  }
}

// The multiply-and-fold step forgets everything when one factor is zero. Whoever does not know the
// seed must not be able to write that block: with a public constant as factor, all keys that begin
// with its bytes collided under every seed.
TEST(Hash, APublicConstantDoesNotMakeKeysCollideUnderASecretSeed) {
  constexpr std::uint64_t kConstant = 0xe7037ed1a0b428db;
  std::string key(16, '\0');
  std::memcpy(key.data(), &kConstant, sizeof kConstant);
  std::set<std::uint64_t> seen;
  for (int i = 0; i < 100; ++i) {
    key[12] = static_cast<char>(i);
    seen.insert(hash_bytes(key, 0x5eed));
  }
  EXPECT_EQ(seen.size(), 100u);
}

}  // namespace
}  // namespace weir
