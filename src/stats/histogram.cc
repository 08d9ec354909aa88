#include "stats/histogram.h"

#include <algorithm>
#include <cmath>

#include "base/assert.h"

namespace weir::stats {

using buckets::kCount;
using buckets::lower_bound_of;

void HistogramCounts::add(const Histogram& histogram) noexcept {
  for (std::size_t i = 0; i < kCount; ++i) {
    const std::uint64_t count = histogram.buckets_[i].read();
    buckets_[i] += count;
    count_ += count;
  }
  sum_ns_ += histogram.sum_ns_.read();
}

std::uint64_t HistogramCounts::count_at_most(Duration bound) const noexcept {
  std::uint64_t count = 0;
  for (std::size_t i = 0; i + 1 < kCount && lower_bound_of(i + 1) <= bound; ++i) {
    count += buckets_[i];
  }
  return count;
}

Duration HistogramCounts::quantile(double q) const noexcept {
  WEIR_ASSERT(q >= 0 && q <= 1);
  if (count_ == 0) return Duration::zero();
  const auto rank = static_cast<std::uint64_t>(std::ceil(q * static_cast<double>(count_)));
  std::uint64_t left = std::clamp<std::uint64_t>(rank, 1, count_);
  std::size_t bucket = 0;
  while (left > buckets_[bucket]) left -= buckets_[bucket++];
  const Duration lower = lower_bound_of(bucket);
  return bucket + 1 == kCount ? lower : lower + (lower_bound_of(bucket + 1) - lower) / 2;
}

}  // namespace weir::stats
