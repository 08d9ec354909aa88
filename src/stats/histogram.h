#pragma once
// Histogram of durations with bounded relative error: log-linear buckets as in HdrHistogram (Tene),
// 8 to each power of two of nanoseconds, so that a bucket is at most 12.5 % wide. 512 ns to 73 min;
// what is below or above falls into a bucket of its own. One thread records, any thread reads.

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "base/time.h"
#include "stats/cell.h"

namespace weir::stats {

namespace buckets {
inline constexpr int kSubBits = 3;
inline constexpr std::size_t kSubs = 1 << kSubBits;
inline constexpr int kExponentMin = 9;   // the first octave starts at 2^9 ns = 512 ns
inline constexpr int kExponentMax = 41;  // the last ends at 2^42 ns = 4,398 s
inline constexpr std::size_t kCount = (kExponentMax - kExponentMin + 1) * kSubs + 2;

// The bucket of a duration; a negative one counts as 0.
constexpr std::size_t index_of(Duration duration) noexcept {
  const auto ns = static_cast<std::uint64_t>(duration.count() > 0 ? duration.count() : 0);
  const int exponent = std::bit_width(ns) - 1;
  if (exponent < kExponentMin) return 0;
  if (exponent > kExponentMax) return kCount - 1;
  const std::size_t octave = static_cast<std::size_t>(exponent - kExponentMin);
  const std::size_t sub = (ns >> (exponent - kSubBits)) & (kSubs - 1);
  return 1 + octave * kSubs + sub;
}

// The smallest duration of a bucket.
constexpr Duration lower_bound_of(std::size_t bucket) noexcept {
  if (bucket == 0) return Duration::zero();
  const std::size_t octave = (bucket - 1) / kSubs;
  const std::size_t sub = (bucket - 1) % kSubs;
  const auto shift = static_cast<int>(octave) + kExponentMin - kSubBits;
  return Duration{static_cast<Duration::rep>((kSubs + sub) << shift)};
}
}  // namespace buckets

// The owner's side: a fixed block of cells.
class Histogram {
 public:
  // Owner only.
  void record(Duration duration) noexcept {
    buckets_[buckets::index_of(duration)].add();
    if (duration > Duration::zero()) sum_ns_.add(static_cast<std::uint64_t>(duration.count()));
  }
  // Of all durations. Any thread.
  std::uint64_t sum_ns() const noexcept { return sum_ns_.read(); }

 private:
  friend class HistogramCounts;
  std::array<Cell, buckets::kCount> buckets_;
  Cell sum_ns_;
};

// The reader's side: what several histograms hold together at one moment.
class HistogramCounts {
 public:
  void add(const Histogram& histogram) noexcept;

  std::uint64_t count() const noexcept { return count_; }
  Duration sum() const noexcept { return Duration{static_cast<Duration::rep>(sum_ns_)}; }

  // How many are certainly at most `bound`: one that shares a bucket with the bound is not counted,
  // so durations never look shorter than they were.
  std::uint64_t count_at_most(Duration bound) const noexcept;

  // The q-quantile (0 to 1), off by at most 1/16 within the range of the buckets; 0 if empty.
  Duration quantile(double q) const noexcept;

 private:
  std::array<std::uint64_t, buckets::kCount> buckets_{};
  std::uint64_t count_ = 0;
  std::uint64_t sum_ns_ = 0;
};

}  // namespace weir::stats
