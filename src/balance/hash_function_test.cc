#include "balance/hash_function.h"

#include <gtest/gtest.h>
#include <string>

#include "base/hash.h"

namespace weir::balance {
namespace {

constexpr std::string_view kFox = "The quick brown fox jumps over the lazy dog";

// From the test suites of the algorithms themselves.
TEST(HashKey, GivesTheReferenceValuesOfEveryFunction) {
  const struct {
    HashFunction function;
    std::string_view key;
    std::uint64_t hash;
  } rows[] = {
      {HashFunction::xxh64, "", 0xef46db3751d8e999},
      {HashFunction::xxh64, "a", 0xd24ec4f1a98c6e5b},
      {HashFunction::xxh64, "abc", 0x44bc2cf5ad770999},
      {HashFunction::xxh64, kFox, 0x0b242d361fda71bc},
      {HashFunction::murmur3, "", 0},
      {HashFunction::murmur3, "hello", 0xcbd8a7b341bd9b02},
      {HashFunction::murmur3, "hello, world", 0x342fac623a5ebc8e},
      {HashFunction::murmur3, kFox, 0xe34bbc7bbc071b6c},
      {HashFunction::fnv1a, "", 0xcbf29ce484222325},
      {HashFunction::fnv1a, "a", 0xaf63dc4c8601ec8c},
      {HashFunction::fnv1a, "foobar", 0x85944171f73967e8},
      {HashFunction::md5, "", 0x04b2008fd98c1dd4},
      {HashFunction::md5, "abc", 0xb04fd23c98500190},
      {HashFunction::wyhash, kFox, hash_bytes(kFox)},
  };
  for (const auto& row : rows) {
    EXPECT_EQ(hash_key(row.function, row.key), row.hash)
        << static_cast<int>(row.function) << " of '" << row.key << "'";
  }
}

// Whatever the length, the last byte counts, and nothing behind it does.
TEST(HashKey, TakesEveryByteAndNoOther) {
  const std::string text(100, 'x');
  for (const auto& [name, function] : names_of(HashFunction{})) {
    for (std::size_t length = 1; length < text.size(); ++length) {
      std::string changed = text;
      changed[length - 1] = 'y';
      const std::uint64_t hash = hash_key(function, std::string_view(text).substr(0, length));
      EXPECT_NE(hash, hash_key(function, std::string_view(changed).substr(0, length))) << name;
      changed = text;
      changed[length] = 'y';
      EXPECT_EQ(hash, hash_key(function, std::string_view(changed).substr(0, length))) << name;
    }
  }
}

}  // namespace
}  // namespace weir::balance
