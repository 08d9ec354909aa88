#include "balance/readings.h"

#include <algorithm>
#include <array>
#include <limits>
#include <vector>

#include "balance/pickers.h"
#include "balance/weight_tuner.h"

namespace weir::balance {
namespace {

constexpr double kPercent = 0.01;

// Sums weighted readings as far as they are known.
class WeightedSum {
 public:
  void add(std::optional<double> reading, double weight) {
    weights_ += weight;
    if (!reading) return;
    known_ += weight;
    sum_ += weight * *reading;
  }
  // What the sum would be if what is not known were as the rest on average; nullopt if nothing is
  // known.
  std::optional<double> sum() const {
    if (known_ <= 0) return std::nullopt;
    return sum_ * weights_ / known_;
  }
  std::optional<double> mean() const {
    if (known_ <= 0) return std::nullopt;
    return sum_ / known_;
  }

 private:
  double weights_ = 0;
  double known_ = 0;
  double sum_ = 0;
};

float to_score(std::optional<double> score) {
  return score ? static_cast<float>(*score) : std::numeric_limits<float>::quiet_NaN();
}

class BandwidthScorer final : public Scorer {
 public:
  void score(std::span<const ServerReadings> servers, TimePoint, std::span<float> out) override {
    for (std::size_t i = 0; i < servers.size(); ++i) out[i] = to_score(servers[i].mbps);
  }
};

class ResourceScorer final : public Scorer {
 public:
  explicit ResourceScorer(const ResourceSettings& settings) : settings_(settings) {}

  void score(std::span<const ServerReadings> servers, TimePoint, std::span<float> out) override {
    for (std::size_t i = 0; i < servers.size(); ++i) {
      WeightedSum load;
      load.add(servers[i].cpu, settings_.cpu);
      load.add(servers[i].memory, settings_.memory);
      load.add(servers[i].disk, settings_.disk);
      const double connections =
          settings_.connections * servers[i].connections / settings_.connections_scale;
      out[i] = to_score(load.sum().transform([&](double sum) { return sum + connections; }));
    }
  }

 private:
  ResourceSettings settings_;
};

// What most of the servers have of something without a natural limit.
struct Largest {
  explicit Largest(std::span<const ServerReadings> servers) {
    for (const ServerReadings& server : servers) {
      connections = std::max(connections, server.connections);
      response_ms = std::max(response_ms, server.response_ms.value_or(0));
      queue = std::max(queue, server.queue.value_or(0));
    }
  }
  double connections = 0;
  double response_ms = 0;
  double queue = 0;
};

std::optional<double> share_of(std::optional<double> value, double largest) {
  return value.transform([&](double v) { return largest > 0 ? std::min(1.0, v / largest) : 0; });
}

std::optional<double> share_of_percent(std::optional<double> percent) {
  return percent.transform([](double p) { return p * kPercent; });
}

class AdaptiveScorer final : public Scorer {
 public:
  explicit AdaptiveScorer(const AdaptiveSettings& settings)
      : settings_(settings),
        tuner_({settings.connections, settings.errors, settings.cpu, settings.memory, settings.disk,
                settings.queue}) {}

  void score(std::span<const ServerReadings> servers, TimePoint now,
             std::span<float> out) override {
    const Largest largest(servers);
    if (settings_.self_tune) learn(servers, largest, now);
    const std::vector<double> weights = tuner_.weights();
    for (std::size_t i = 0; i < servers.size(); ++i) {
      const Shares shares = shares_of(servers[i], largest);
      WeightedSum badness;
      badness.add(share_of(servers[i].response_ms, largest.response_ms), settings_.response_time);
      for (std::size_t at = 0; at < shares.size(); ++at) badness.add(shares[at], weights[at]);
      out[i] = to_score(badness.mean());
    }
  }

 private:
  using Shares = std::array<std::optional<double>, 6>;

  // In the order of the tuner.
  static Shares shares_of(const ServerReadings& server, const Largest& largest) {
    const double connections_max =
        server.connections_max > 0 ? server.connections_max : largest.connections;
    return {share_of(server.connections, connections_max),
            server.error_share,
            share_of_percent(server.cpu),
            share_of_percent(server.memory),
            share_of_percent(server.disk),
            share_of(server.queue, largest.queue)};
  }
  void learn(std::span<const ServerReadings> servers, const Largest& largest, TimePoint now) {
    tuner_.fade(now);
    for (const ServerReadings& server : servers) {
      if (server.response_ms) tuner_.learn(shares_of(server, largest), *server.response_ms);
    }
  }

  AdaptiveSettings settings_;
  WeightTuner tuner_;
};

class UtilizationScorer final : public Scorer {
 public:
  explicit UtilizationScorer(const UtilizationSettings& settings) : settings_(settings) {}

  void score(std::span<const ServerReadings> servers, TimePoint, std::span<float> out) override {
    for (std::size_t i = 0; i < servers.size(); ++i) {
      const double capacity = settings_.max_utilization * servers[i].capacity_scaler;
      if (capacity <= 0) {
        out[i] = std::numeric_limits<float>::infinity();
        continue;
      }
      const auto utilization =
          servers[i].utilization.or_else([&] { return share_of_percent(servers[i].cpu); });
      out[i] = to_score(utilization.transform([&](double used) { return used / capacity; }));
    }
  }

 private:
  UtilizationSettings settings_;
};

// What is not known of a server is as that of the others on average.
class Mean {
 public:
  void add(std::optional<double> value) {
    if (!value) return;
    sum_ += *value;
    ++count_;
  }
  double of_known() const { return count_ == 0 ? 0 : sum_ / count_; }

 private:
  double sum_ = 0;
  int count_ = 0;
};

class SlownessScorer final : public Scorer {
 public:
  explicit SlownessScorer(const LeastTimeSettings& settings) : settings_(settings) {}

  void score(std::span<const ServerReadings> servers, TimePoint, std::span<float> out) override {
    Mean cpu;
    Mean round_trip;
    for (const ServerReadings& server : servers) {
      cpu.add(server.cpu);
      round_trip.add(server.round_trip_ms);
    }
    for (std::size_t i = 0; i < servers.size(); ++i) {
      const double trips = round_trip.of_known() <= 0 || !servers[i].round_trip_ms
                               ? 1
                               : *servers[i].round_trip_ms / round_trip.of_known();
      out[i] =
          static_cast<float>(settings_.cpu * kPercent * servers[i].cpu.value_or(cpu.of_known()) +
                             settings_.round_trip * trips);
    }
  }

 private:
  LeastTimeSettings settings_;
};

}  // namespace

std::unique_ptr<Scorer> make_scorer(const BalanceSettings& settings) {
  if (settings.least_bandwidth) return std::make_unique<BandwidthScorer>();
  if (settings.resource) return std::make_unique<ResourceScorer>(*settings.resource);
  if (settings.adaptive) return std::make_unique<AdaptiveScorer>(*settings.adaptive);
  if (settings.utilization) return std::make_unique<UtilizationScorer>(*settings.utilization);
  const auto& least_time = settings.least_time;
  if (least_time && (least_time->cpu > 0 || least_time->round_trip > 0)) {
    return std::make_unique<SlownessScorer>(*least_time);
  }
  return nullptr;
}

const ForecastSettings* forecast_of(const BalanceSettings& settings) noexcept {
  const auto of = [](const auto& algorithm) -> const ForecastSettings* {
    return algorithm && algorithm->forecast ? &*algorithm->forecast : nullptr;
  };
  for (const ForecastSettings* found : {of(settings.least_bandwidth), of(settings.resource),
                                        of(settings.adaptive), of(settings.utilization)}) {
    if (found != nullptr) return found;
  }
  return nullptr;
}

ReportUse report_use_of(const BalanceSettings& settings) {
  if (settings.resource || settings.utilization) return ReportUse::required;
  const auto& least_time = settings.least_time;
  const bool may_use =
      settings.adaptive || (least_time && (least_time->cpu > 0 || least_time->round_trip > 0));
  return may_use ? ReportUse::optional : ReportUse::none;
}

}  // namespace weir::balance
