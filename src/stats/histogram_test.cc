#include "stats/histogram.h"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <vector>

#include "base/random.h"

namespace weir::stats {
namespace {

using namespace std::chrono_literals;

HistogramCounts counts_of(const Histogram& histogram) {
  HistogramCounts counts;
  counts.add(histogram);
  return counts;
}

// Spread over all magnitudes from 1 us to 1 h.
Duration random_duration(Random& random) {
  constexpr std::int64_t kMax = Duration{1h}.count();
  const auto ns = static_cast<std::int64_t>(random.next() >> (22 + random.below(32)));
  return Duration{std::clamp<std::int64_t>(ns, 1000, kMax)};
}

TEST(HistogramBuckets, AreInOrderWithoutGapsAndAtMostAnEighthWide) {
  for (std::size_t i = 1; i + 1 < buckets::kCount; ++i) {
    const Duration lower = buckets::lower_bound_of(i);
    const Duration upper = buckets::lower_bound_of(i + 1);
    ASSERT_LT(lower, upper);
    ASSERT_LE((upper - lower) * 8, lower) << i;
    ASSERT_EQ(buckets::index_of(lower), i);
    ASSERT_EQ(buckets::index_of(upper - 1ns), i);
  }
}

TEST(HistogramBuckets, CoverOneMicrosecondToOneHourAndCatchTheRest) {
  EXPECT_GT(buckets::index_of(1us), 0u);
  EXPECT_LT(buckets::index_of(1h), buckets::kCount - 1);
  EXPECT_EQ(buckets::index_of(-1s), 0u);
  EXPECT_EQ(buckets::index_of(0ns), 0u);
  EXPECT_EQ(buckets::index_of(511ns), 0u);
  EXPECT_EQ(buckets::index_of(Duration::max()), buckets::kCount - 1);
}

TEST(Histogram, CountsAndSums) {
  Histogram histogram;
  histogram.record(2ms);
  histogram.record(3ms);
  histogram.record(-1ms);
  const HistogramCounts counts = counts_of(histogram);
  EXPECT_EQ(counts.count(), 3u);
  EXPECT_EQ(counts.sum(), Duration{5ms});
}

TEST(Histogram, HasNoQuantileWithoutRecords) {
  EXPECT_EQ(counts_of(Histogram{}).quantile(0.5), Duration::zero());
}

TEST(Histogram, QuantilesAreOffByAtMostASixteenth) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    Random random(seed);
    Histogram histogram;
    std::vector<Duration> all(1 + random.below(2000));
    for (Duration& duration : all) histogram.record(duration = random_duration(random));
    std::ranges::sort(all);
    const HistogramCounts counts = counts_of(histogram);
    for (const double q : {0.0, 0.01, 0.5, 0.9, 0.95, 0.99, 1.0}) {
      const auto rank = static_cast<std::size_t>(std::ceil(q * static_cast<double>(all.size())));
      const Duration exact = all[std::max<std::size_t>(rank, 1) - 1];
      const Duration error = counts.quantile(q) - exact;
      ASSERT_LE(std::abs(error.count()), exact.count() / 16 + 1) << "seed " << seed << " q " << q;
    }
  }
}

TEST(Histogram, NeverCountsARecordBelowABoundThatItExceeds) {
  Random random(5);
  for (int i = 0; i < 5000; ++i) {
    Histogram histogram;
    const Duration recorded = random_duration(random);
    const Duration bound = random_duration(random);
    histogram.record(recorded);
    const std::uint64_t below = counts_of(histogram).count_at_most(bound);
    if (recorded > bound) {
      ASSERT_EQ(below, 0u);
    }
    if (recorded + recorded / 8 < bound) {
      ASSERT_EQ(below, 1u);
    }
  }
}

TEST(Histogram, MergesAsIfOneHadRecordedAll) {
  Random random(9);
  Histogram a;
  Histogram b;
  Histogram both;
  for (int i = 0; i < 1000; ++i) {
    const Duration duration = random_duration(random);
    (i % 3 == 0 ? a : b).record(duration);
    both.record(duration);
  }
  HistogramCounts merged = counts_of(a);
  merged.add(b);
  const HistogramCounts expected = counts_of(both);
  EXPECT_EQ(merged.count(), expected.count());
  EXPECT_EQ(merged.sum(), expected.sum());
  for (const double q : {0.1, 0.5, 0.9}) EXPECT_EQ(merged.quantile(q), expected.quantile(q));
}

}  // namespace
}  // namespace weir::stats
