#pragma once
// SharedCounts: how many of something each key has at present, over all threads: connections of a
// client. Capacity is fixed: keys live in buckets of a few entries, each with a lock that is held
// for a bounded handful of instructions when one is added; whoever takes one away holds none. An
// entry whose count is 0 is free.

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

namespace weir {

class SharedCounts {
 public:
  using Key = std::array<std::uint64_t, 2>;
  enum class Entry : std::uint32_t { none = 0xffffffff };
  enum class Outcome : std::uint8_t { counted, at_limit, no_room };
  class Hold;

  // keys_max is rounded up to a power of two, at least one bucket. seed: secret from whoever
  // chooses keys.
  SharedCounts(std::size_t keys_max, std::uint64_t seed);
  SharedCounts(const SharedCounts&) = delete;

  // One more of the key, unless it has `max` already. no_room: it is not counted, because the
  // key's bucket is full of others. Any thread.
  std::pair<Outcome, Hold> try_add(const Key& key, std::uint32_t max) noexcept;

 private:
  static constexpr std::size_t kEntries = 8;
  struct alignas(64) Bucket {
    std::atomic<bool> is_locked{false};
    std::array<std::atomic<std::uint32_t>, kEntries> counts{};
    std::array<Key, kEntries> keys{};  // written under the lock
  };
  Bucket& bucket_of(const Key& key) noexcept;
  void remove(Entry entry) noexcept;

  std::unique_ptr<Bucket[]> buckets_;
  std::uint64_t mask_;
  std::uint64_t seed_;
};

// One that is counted, until this goes out of scope.
class SharedCounts::Hold {
 public:
  Hold() = default;
  Hold(Hold&& other) noexcept
      : counts_(std::exchange(other.counts_, nullptr)), entry_(other.entry_) {}
  Hold& operator=(Hold&& other) noexcept {
    std::swap(counts_, other.counts_);
    std::swap(entry_, other.entry_);
    return *this;
  }
  ~Hold() {
    if (counts_ != nullptr) counts_->remove(entry_);
  }

 private:
  friend class SharedCounts;
  Hold(SharedCounts& counts, Entry entry) noexcept : counts_(&counts), entry_(entry) {}

  SharedCounts* counts_ = nullptr;
  Entry entry_ = Entry::none;
};

}  // namespace weir
