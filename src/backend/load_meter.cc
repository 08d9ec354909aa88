#include "backend/load_meter.h"

#include <cmath>
#include <map>
#include <utility>

#include "config/difference.h"

namespace weir::backend {
namespace {

using Seconds = std::chrono::duration<double>;

constexpr Seconds kMemory{5};
// What is left of a response after half a minute: it says nothing any more of one that is asked for
// now.
constexpr double kForgotten = 1e-3;

}  // namespace

std::optional<double> LoadMeter::Mean::value() const noexcept {
  if (weight_ < kForgotten) return std::nullopt;
  return sum_ / weight_;
}

LoadMeter::LoadMeter(std::shared_ptr<Backend> backend, LoadMeter* predecessor)
    : backend_(std::move(backend)), measured_(backend_->size()), readings_(backend_->size()) {
  const balance::BalanceSettings& algorithm = backend_->settings().balance;
  const bool is_same = predecessor != nullptr &&
                       config::is_equal(predecessor->backend_->settings().balance, algorithm);
  scorer_ = is_same ? std::move(predecessor->scorer_) : balance::make_scorer(algorithm);
  WEIR_ASSERT(scorer_ != nullptr);
  std::map<const Server*, Measured*> known;
  if (predecessor != nullptr) {
    for (std::size_t i = 0; i < predecessor->measured_.size(); ++i) {
      known.emplace(predecessor->backend_->servers()[i].get(), &predecessor->measured_[i]);
    }
  }
  const balance::ForecastSettings* const forecast =
      balance::forecast_of(backend_->settings().balance);
  for (std::size_t i = 0; i < measured_.size(); ++i) {
    Measured& measured = measured_[i];
    const auto found = known.find(backend_->servers()[i].get());
    if (found != known.end()) measured = std::move(*found->second);
    if (forecast == nullptr) {
      measured.forecast.reset();
    } else if (!measured.forecast || measured.forecast->settings() != *forecast) {
      measured.forecast.emplace(*forecast);
    }
  }
}

LoadMeter::Counts LoadMeter::counts_of(const Server& server) noexcept {
  constexpr std::size_t kServerErrors = 4;  // 5xx
  Counts counts;
  const stats::ServerStats& stats = server.stats();
  for (std::size_t worker = 0; worker < stats.workers(); ++worker) {
    const stats::ServerCells& cells = stats.of(worker);
    counts.bytes += cells.bytes_received.read() + cells.bytes_sent.read();
    for (const stats::Cell& responses : cells.responses.classes) {
      counts.responses += responses.read();
    }
    counts.response_ns += cells.response_head.sum_ns();
    counts.connect_failures += cells.connect_failures.read();
    counts.failures +=
        cells.responses.classes[kServerErrors].read() + cells.connect_failures.read();
  }
  return counts;
}

void LoadMeter::measure(Measured& measured, const Counts& counts, TimePoint now) noexcept {
  constexpr double kMegabitsOfByte = 8e-6;
  constexpr double kMsOfNs = 1e-6;
  const Counts before = std::exchange(measured.counts, counts);
  const std::optional<TimePoint> at = std::exchange(measured.at, now);
  if (!at || now <= *at) return;
  const auto since = [](std::uint64_t count, std::uint64_t start) {
    return static_cast<double>(count - start);
  };
  const Seconds elapsed = now - *at;
  for (Mean* mean : {&measured.megabits, &measured.response_ms, &measured.failures}) {
    mean->fade(std::exp(-elapsed / kMemory));
  }
  const double responses = since(counts.responses, before.responses);
  measured.megabits.add(since(counts.bytes, before.bytes) * kMegabitsOfByte, elapsed.count());
  measured.response_ms.add(since(counts.response_ns, before.response_ns) * kMsOfNs, responses);
  measured.failures.add(since(counts.failures, before.failures),
                        responses + since(counts.connect_failures, before.connect_failures));
}

void LoadMeter::read(balance::ServerIndex index, const ReportedLoad& reported, TimePoint now) {
  const std::size_t i = balance::to_number(index);
  const Server& server = backend_->server(index);
  Measured& measured = measured_[i];
  measure(measured, counts_of(server), now);
  readings_[i] = {.cpu = reported.report.cpu,
                  .memory = reported.report.memory,
                  .disk = reported.report.disk,
                  .queue = reported.report.queue,
                  .utilization = reported.report.utilization,
                  .response_ms = measured.response_ms.value(),
                  .round_trip_ms = reported.round_trip_ms,
                  .connections = static_cast<double>(server.leases()),
                  .connections_max = static_cast<double>(server.maxconn()),
                  .mbps = measured.megabits.value().value_or(0),
                  .error_share = measured.failures.value().value_or(0),
                  .capacity_scaler = backend_->settings().servers[i].capacity_scaler};
}

void LoadMeter::publish(TimePoint now) {
  std::vector<float> scores(readings_.size());
  scorer_->score(readings_, now, scores);
  for (std::size_t i = 0; i < scores.size(); ++i) {
    if (auto& forecast = measured_[i].forecast) scores[i] = forecast->expect(scores[i], now);
  }
  backend_->set_scores(scores);
}

}  // namespace weir::backend
