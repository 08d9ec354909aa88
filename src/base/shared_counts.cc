#include "base/shared_counts.h"

#include <algorithm>
#include <bit>

#include "base/assert.h"
#include "base/hash.h"

namespace weir {
namespace {

class SpinLock {
 public:
  explicit SpinLock(std::atomic<bool>& flag) noexcept : flag_(flag) {
    while (flag_.exchange(true, std::memory_order_acquire)) {
      while (flag_.load(std::memory_order_relaxed)) {
      }
    }
  }
  SpinLock(const SpinLock&) = delete;
  ~SpinLock() { flag_.store(false, std::memory_order_release); }

 private:
  std::atomic<bool>& flag_;
};

}  // namespace

SharedCounts::SharedCounts(std::size_t keys_max, std::uint64_t seed)
    : mask_(std::bit_ceil(std::max<std::size_t>(keys_max / kEntries, 1)) - 1), seed_(seed) {
  buckets_ = std::make_unique<Bucket[]>(mask_ + 1);
}

SharedCounts::Bucket& SharedCounts::bucket_of(const Key& key) noexcept {
  return buckets_[mix64(mix64(key[0] ^ seed_) ^ key[1]) & mask_];
}

std::pair<SharedCounts::Outcome, SharedCounts::Hold> SharedCounts::try_add(
    const Key& key, std::uint32_t max) noexcept {
  Bucket& bucket = bucket_of(key);
  const SpinLock lock(bucket.is_locked);
  std::size_t place = kEntries;
  for (std::size_t i = 0; i < kEntries; ++i) {
    const std::uint32_t count = bucket.counts[i].load(std::memory_order_acquire);
    if (count == 0) {
      place = i;
      continue;
    }
    if (bucket.keys[i] != key) continue;
    // Meanwhile it can only get less.
    if (count >= max) return {Outcome::at_limit, Hold()};
    place = i;
    break;
  }
  if (place == kEntries) return {Outcome::no_room, Hold()};
  bucket.keys[place] = key;
  bucket.counts[place].fetch_add(1, std::memory_order_relaxed);
  const auto number = static_cast<std::size_t>(&bucket - buckets_.get());
  return {Outcome::counted, Hold(*this, Entry(number * kEntries + place))};
}

void SharedCounts::remove(Entry entry) noexcept {
  const auto number = static_cast<std::size_t>(entry);
  const std::uint32_t before =
      buckets_[number / kEntries].counts[number % kEntries].fetch_sub(1, std::memory_order_release);
  WEIR_ASSERT(before != 0);
}

}  // namespace weir
