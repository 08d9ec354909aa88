#pragma once
// What one worker knows of how long the servers of a backend take: an average for each, in
// milliseconds, that a single slow response does not spoil and that no failure improves.
//
// Three averages. ewma: each sample moves it by `alpha` of the difference. window: the mean of the
// last `samples`. peak (Finagle's Peak EWMA): a slower sample is believed at once, and all of them
// fade with `decay`, so that a server that was slow is tried again.

#include <cstdint>
#include <optional>
#include <vector>

#include "balance/server.h"
#include "base/time.h"

namespace weir::balance {

enum class Averaging : std::uint8_t { ewma, window, peak };

struct ResponseTimesOptions {
  Averaging averaging = Averaging::ewma;
  double alpha = 0.2;                         // ewma: over 0 to 1
  std::uint32_t samples = 100;                // window: at least 1
  Duration decay = std::chrono::seconds(10);  // peak: over 0; to 1/e of the time
  // A sample counts at most so many times the average, until three in a row exceed that.
  std::optional<double> spike_limit = {};
};

// Nothing but the constructor and the copies allocate.
class ResponseTimes {
 public:
  ResponseTimes(const ResponseTimesOptions& options, std::size_t servers);

  // Time never goes back.
  void add(ServerIndex server, Duration took, TimePoint now) noexcept;
  // A failure counts as long as it lasted, but at least twice the average: a server that refuses
  // quickly is not a fast one.
  void add_failure(ServerIndex server, Duration lasted, TimePoint now) noexcept;

  // Whether something is known of it: a sample of the last 30 seconds, which a peak needs not.
  bool is_known(ServerIndex server, TimePoint now) const noexcept;
  // Of a server that is known: the average in milliseconds divided by scale(now), which is the same
  // for all servers, so that they compare without it.
  double unscaled(ServerIndex server) const noexcept { return averages_[to_number(server)]; }
  double scale(TimePoint now) const noexcept;

 private:
  struct Record {
    TimePoint sampled_at = TimePoint::min();  // never
    std::uint32_t samples = 0;                // in the window
    std::uint32_t next = 0;                   // place in the window
    std::uint8_t spikes = 0;                  // in a row
  };
  double without_spike(Record& record, double average, double sample) const noexcept;
  void store(ServerIndex server, double sample, TimePoint now) noexcept;
  void store_in_window(ServerIndex server, double sample) noexcept;
  void store_peak(ServerIndex server, double sample, TimePoint now) noexcept;
  void rebase(TimePoint now) noexcept;

  ResponseTimesOptions options_;
  std::vector<double> averages_;  // contiguous: picks read all of them
  std::vector<Record> records_;
  std::vector<float> windows_;  // one after the other
  std::vector<double> window_sums_;
  double typical_ = 0;   // over all servers
  TimePoint base_ = {};  // peak: when the scale is 1
};

}  // namespace weir::balance
