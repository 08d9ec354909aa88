#pragma once
// The scores of the algorithms that go by PickInput::scores, made of what is known of each server:
// its load report and what Weir itself measures. Control thread.

#include <memory>
#include <optional>
#include <span>

#include "balance/score_forecast.h"
#include "base/time.h"

namespace weir::balance {

struct BalanceSettings;

// nullopt: not reported, or not measured yet.
struct ServerReadings {
  std::optional<double> cpu = {};            // percent, 0 to 100
  std::optional<double> memory = {};         // percent in use
  std::optional<double> disk = {};           // percent of the time in use
  std::optional<double> queue = {};          // requests that wait in the server
  std::optional<double> utilization = {};    // 0 to 1; as long as none is reported, that of the CPU
  std::optional<double> response_ms = {};    // average
  std::optional<double> round_trip_ms = {};  // of the network, average
  double connections = 0;                    // leases
  double connections_max = 0;                // maxconn; 0: no limit
  double mbps = 0;                           // both ways
  double error_share = 0;                    // of the last responses and failed attempts, 0 to 1
  double capacity_scaler = 1;                // what part of its capacity may be used, 0 to 1
};

class Scorer {
 public:
  virtual ~Scorer() = default;

  // The score of each server, by its number, for its picker. `out` is as long as `servers`, which
  // are the same from call to call; `now` never goes back. Allocates.
  virtual void score(std::span<const ServerReadings> servers, TimePoint now,
                     std::span<float> out) = 0;
};

// Null if the algorithm goes by no scores.
std::unique_ptr<Scorer> make_scorer(const BalanceSettings& settings);

// By what is expected the algorithm goes; nullptr: by what is.
const ForecastSettings* forecast_of(const BalanceSettings& settings) noexcept;

// Whether the scores need load reports, can do with them, or are made of what Weir measures alone.
enum class ReportUse : std::uint8_t { none, optional, required };
ReportUse report_use_of(const BalanceSettings& settings);

}  // namespace weir::balance
