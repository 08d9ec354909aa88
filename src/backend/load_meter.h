#pragma once
// LoadMeter: makes the scores of one generation of a backend, for the algorithms that go by them:
// what the servers' counters did since the last look and what the servers report become
// ServerReadings, and these become scores. Rates and averages are of the last seconds, what is
// older counting for 1/e after 5 s. The control thread.

#include <memory>
#include <vector>

#include "backend/backend.h"
#include "backend/load_report.h"
#include "balance/readings.h"

namespace weir::backend {

// What a server is known to have said, and how far away it is.
struct ReportedLoad {
  LoadReport report = {};
  std::optional<double> round_trip_ms = {};
};

class LoadMeter {
 public:
  // Of a backend whose algorithm goes by scores. What the meter of the generation before has of
  // servers that both have is taken from it, and what it has learned if the algorithm is the same;
  // it is not used any more.
  explicit LoadMeter(std::shared_ptr<Backend> backend, LoadMeter* predecessor = nullptr);

  const std::shared_ptr<Backend>& backend() const noexcept { return backend_; }

  // Looks at a server; `now` never goes back.
  void read(balance::ServerIndex server, const ReportedLoad& reported, TimePoint now);
  // Makes the scores of what has been read last, which the pickers use from now on.
  void publish(TimePoint now);
  // As read last.
  const balance::ServerReadings& readings(balance::ServerIndex server) const noexcept {
    return readings_[balance::to_number(server)];
  }

 private:
  // A mean that forgets.
  class Mean {
   public:
    void fade(double factor) noexcept {
      sum_ *= factor;
      weight_ *= factor;
    }
    void add(double sum, double weight) noexcept {
      sum_ += sum;
      weight_ += weight;
    }
    // nullopt: all of it is forgotten.
    std::optional<double> value() const noexcept;

   private:
    double sum_ = 0;
    double weight_ = 0;
  };
  // Sums since the start.
  struct Counts {
    std::uint64_t bytes = 0;
    std::uint64_t responses = 0;
    std::uint64_t response_ns = 0;
    std::uint64_t failures = 0;  // of responses and connects
    std::uint64_t connect_failures = 0;
  };
  struct Measured {
    Counts counts;
    std::optional<TimePoint> at;
    Mean megabits;                                   // a second
    Mean response_ms;                                // a response
    Mean failures;                                   // a response or failed connect
    std::optional<balance::ScoreForecast> forecast;  // if the algorithm goes by one
  };

  static Counts counts_of(const Server& server) noexcept;
  static void measure(Measured& measured, const Counts& counts, TimePoint now) noexcept;

  std::shared_ptr<Backend> backend_;
  std::unique_ptr<balance::Scorer> scorer_;
  std::vector<Measured> measured_;                 // by server
  std::vector<balance::ServerReadings> readings_;  // likewise
};

}  // namespace weir::backend
