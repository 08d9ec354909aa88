#pragma once
// The settings of the algorithms that go by scores: what the scores are made of (readings.h), and
// what is done with them (lowest_score.h).

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include "balance/score_forecast.h"

namespace weir::balance {

enum class ScoreChoice : std::uint8_t { lowest, weighted };
constexpr auto names_of(ScoreChoice) {
  return std::to_array<std::pair<std::string_view, ScoreChoice>>(
      {{"lowest", ScoreChoice::lowest}, {"weighted", ScoreChoice::weighted}});
}
template <class V>
void describe_choose(V& v, ScoreChoice& choose) {
  v.field("choose", choose,
          "lowest: the server with the lowest score. weighted: by chance, more often the lower it "
          "is.");
}
template <class V>
void describe_forecast(V& v, std::optional<ForecastSettings>& forecast) {
  v.field("forecast", forecast, "Goes by what the scores are expected to be.");
}

struct LeastBandwidthSettings {
  ScoreChoice choose = ScoreChoice::lowest;
  std::optional<ForecastSettings> forecast = {};
};
template <class V>
void describe(V& v, LeastBandwidthSettings& s) {
  describe_choose(v, s.choose);
  describe_forecast(v, s.forecast);
}

struct ResourceSettings {
  double cpu = 0.4;
  double memory = 0.3;
  double disk = 0.2;
  double connections = 0.1;
  double connections_scale = 1000;
  ScoreChoice choose = ScoreChoice::lowest;
  std::optional<ForecastSettings> forecast = {};
};
template <class V>
void describe(V& v, ResourceSettings& s) {
  v.field("cpu", s.cpu, "What a percent of CPU in use counts.").range(0.0, 100.0);
  v.field("memory", s.memory, "What a percent of memory in use counts.").range(0.0, 100.0);
  v.field("disk", s.disk, "What a percent of disk time in use counts.").range(0.0, 100.0);
  v.field("connections", s.connections, "What `connections_scale` requests in flight count.")
      .range(0.0, 100.0);
  v.field("connections_scale", s.connections_scale, "See `connections`.").range(1.0, 1'000'000.0);
  describe_choose(v, s.choose);
  describe_forecast(v, s.forecast);
}

struct AdaptiveSettings {
  double connections = 0.25;
  double response_time = 0.25;
  double errors = 0.2;
  double cpu = 0.15;
  double memory = 0.05;
  double disk = 0.05;
  double queue = 0.05;
  bool self_tune = false;
  ScoreChoice choose = ScoreChoice::lowest;
  std::optional<ForecastSettings> forecast = {};
};
template <class V>
void describe(V& v, AdaptiveSettings& s) {
  v.field("connections", s.connections,
          "What requests in flight count: their share of `maxconn`, or of the most on any server.")
      .range(0.0, 100.0);
  v.field("response_time", s.response_time,
          "What the response time counts: its share of the longest of any server.")
      .range(0.0, 100.0);
  v.field("errors", s.errors, "What the share of failed responses counts.").range(0.0, 100.0);
  v.field("cpu", s.cpu, "What the share of CPU in use counts.").range(0.0, 100.0);
  v.field("memory", s.memory, "What the share of memory in use counts.").range(0.0, 100.0);
  v.field("disk", s.disk, "What the share of disk time in use counts.").range(0.0, 100.0);
  v.field("queue", s.queue,
          "What the requests that wait in the server count: their share of the most in any.")
      .range(0.0, 100.0);
  v.field("self_tune", s.self_tune,
          "Whether the weights of readings follow how well each explains the response time.");
  describe_choose(v, s.choose);
  describe_forecast(v, s.forecast);
}

struct UtilizationSettings {
  double max_utilization = 0.8;
  ScoreChoice choose = ScoreChoice::weighted;
  std::optional<ForecastSettings> forecast = {};
};
template <class V>
void describe(V& v, UtilizationSettings& s) {
  v.field("max_utilization", s.max_utilization, "The utilization at which a server is full.")
      .range(0.01, 1.0);
  describe_choose(v, s.choose);
  describe_forecast(v, s.forecast);
}

}  // namespace weir::balance
