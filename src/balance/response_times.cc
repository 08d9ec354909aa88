#include "balance/response_times.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>

namespace weir::balance {
namespace {

using Milliseconds = std::chrono::duration<double, std::milli>;

constexpr Duration kKnownFor = std::chrono::seconds(30);
constexpr std::uint8_t kSpikesBelieved = 3;
constexpr double kFailureFactor = 2;
// Failures cannot drive an average further.
constexpr double kTimeMax = Milliseconds(std::chrono::hours(1)).count();
constexpr double kTypicalAlpha = 0.01;
// The scale stays far within what a double holds.
constexpr double kDecaysMax = 200;

double milliseconds(Duration duration) noexcept {
  return std::clamp(Milliseconds(duration).count(), 0.0, kTimeMax);
}

}  // namespace

ResponseTimes::ResponseTimes(const ResponseTimesOptions& options, std::size_t servers)
    : options_(options), averages_(servers), records_(servers) {
  if (options.averaging != Averaging::window) return;
  windows_.resize(servers * options.samples);
  window_sums_.resize(servers);
}

void ResponseTimes::add(ServerIndex server, Duration took, TimePoint now) noexcept {
  Record& record = records_[to_number(server)];
  double sample = milliseconds(took);
  if (is_known(server, now)) sample = without_spike(record, unscaled(server), sample);
  store(server, sample, now);
}

void ResponseTimes::add_failure(ServerIndex server, Duration lasted, TimePoint now) noexcept {
  // The first thing known of a server may be that it fails.
  const double average = is_known(server, now) ? unscaled(server) * scale(now) : typical_;
  const double sample = std::max(milliseconds(lasted), kFailureFactor * average);
  store(server, std::min(sample, kTimeMax), now);
}

bool ResponseTimes::is_known(ServerIndex server, TimePoint now) const noexcept {
  const TimePoint sampled_at = records_[to_number(server)].sampled_at;
  if (sampled_at == TimePoint::min()) return false;
  return options_.averaging == Averaging::peak || now - sampled_at < kKnownFor;
}

double ResponseTimes::scale(TimePoint now) const noexcept {
  if (options_.averaging != Averaging::peak) return 1;
  return std::exp(-(Milliseconds(now - base_) / Milliseconds(options_.decay)));
}

double ResponseTimes::without_spike(Record& record, double average, double sample) const noexcept {
  if (!options_.spike_limit || sample <= *options_.spike_limit * average) {
    record.spikes = 0;
    return sample;
  }
  record.spikes = std::min<std::uint8_t>(record.spikes + 1, kSpikesBelieved);
  return record.spikes == kSpikesBelieved ? sample : *options_.spike_limit * average;
}

void ResponseTimes::store(ServerIndex server, double sample, TimePoint now) noexcept {
  const std::size_t number = to_number(server);
  const bool was_known = is_known(server, now);
  typical_ = typical_ == 0 ? sample : std::lerp(typical_, sample, kTypicalAlpha);
  switch (options_.averaging) {
    case Averaging::ewma:
      averages_[number] = was_known ? std::lerp(averages_[number], sample, options_.alpha) : sample;
      break;
    case Averaging::window:
      if (!was_known) records_[number].samples = 0;
      store_in_window(server, sample);
      break;
    case Averaging::peak:
      store_peak(server, sample, now);
      break;
  }
  records_[number].sampled_at = now;
}

void ResponseTimes::store_in_window(ServerIndex server, double sample) noexcept {
  const std::size_t number = to_number(server);
  Record& record = records_[number];
  const auto window = std::span(windows_).subspan(number * options_.samples, options_.samples);
  double& sum = window_sums_[number];
  if (record.samples == 0) {
    record.next = 0;
    sum = 0;
  }
  float& place = window[record.next];
  if (record.samples == options_.samples) sum -= place;
  place = static_cast<float>(sample);
  sum += place;
  record.samples = std::min(record.samples + 1, options_.samples);
  if (++record.next == options_.samples) {
    record.next = 0;
    sum = std::accumulate(window.begin(), window.end(), 0.0);  // Without what rounding left behind.
  }
  averages_[number] = sum / record.samples;
}

void ResponseTimes::store_peak(ServerIndex server, double sample, TimePoint now) noexcept {
  rebase(now);
  const std::size_t number = to_number(server);
  const TimePoint sampled_at = records_[number].sampled_at;
  double kept = 0;
  if (sampled_at != TimePoint::min()) {
    kept = std::exp(-(Milliseconds(now - sampled_at) / Milliseconds(options_.decay)));
  }
  const double faded = averages_[number] * scale(now);
  averages_[number] = std::max(sample, faded + (sample * (1 - kept))) / scale(now);
}

// All fade together, so that nothing is stored but what each would be at one time, the base; moved
// on before the scale gets too small to divide by.
void ResponseTimes::rebase(TimePoint now) noexcept {
  if (base_ == TimePoint{}) base_ = now;
  if (now - base_ < kDecaysMax * Milliseconds(options_.decay)) return;
  const double faded = scale(now);
  for (double& average : averages_) average *= faded;
  base_ = now;
}

}  // namespace weir::balance
