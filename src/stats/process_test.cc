#include "stats/process.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include "base/fd.h"

namespace weir::stats {
namespace {

using namespace std::chrono_literals;

double value_of(const std::vector<Sample>& samples, MetricId id) {
  for (const Sample& sample : samples) {
    if (sample.id == id) return sample.value;
  }
  ADD_FAILURE() << "no sample " << static_cast<int>(id);
  return -1;
}

std::vector<Sample> samples_at(WallTime now) {
  std::vector<Sample> samples;
  append_process_samples(
      {.version = "1.2.3", .started = WallTime{1000s}, .workers = 4, .reactor = "epoll"}, now,
      samples);
  return samples;
}

TEST(ProcessSamples, SayWhatIsRunningSinceWhen) {
  const auto samples = samples_at(WallTime{1002500ms});
  EXPECT_EQ(samples[0].labels, "version=\"1.2.3\"");
  EXPECT_EQ(value_of(samples, MetricId::build_info), 1);
  EXPECT_EQ(samples[1].labels, "reactor=\"epoll\"");
  EXPECT_EQ(value_of(samples, MetricId::reactor_info), 1);
  EXPECT_EQ(value_of(samples, MetricId::start_time), 1000);
  EXPECT_EQ(value_of(samples, MetricId::uptime), 2.5);
  EXPECT_EQ(value_of(samples, MetricId::workers), 4);
  EXPECT_GT(value_of(samples, MetricId::resident_memory), 100'000);
  EXPECT_GT(value_of(samples, MetricId::descriptors_max), 0);
}

TEST(ProcessSamples, UptimeIsNotNegativeWhenTheClockWasSetBack) {
  EXPECT_EQ(value_of(samples_at(WallTime{999s}), MetricId::uptime), 0);
}

TEST(ProcessSamples, CountOpenDescriptors) {
  const double before = value_of(samples_at(WallTime{}), MetricId::descriptors_open);
  const Fd one(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  EXPECT_EQ(value_of(samples_at(WallTime{}), MetricId::descriptors_open), before + 1);
}

}  // namespace
}  // namespace weir::stats
