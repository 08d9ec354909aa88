#pragma once
// Writes all metrics in Prometheus' text exposition format 0.0.4.

#include <span>
#include <string>
#include <string_view>

#include "stats/metrics.h"
#include "stats/registry.h"

namespace weir::stats {

inline constexpr std::string_view kPrometheusContentType =
    "text/plain; version=0.0.4; charset=utf-8";

// A value that is state and not a count (leases, memory): its owner reads it when somebody asks.
struct Sample {
  MetricId id;
  std::string labels;  // made by listener_labels() and its like; empty for none
  double value;        // finite; seconds, bytes or a number, as the metric's unit says
};

// Appends every family that has a series, in the order of MetricId. Not on a worker: takes as long
// as there are objects, and the registry's lock for a part of that.
void render_prometheus(const Registry& registry, std::span<const Sample> samples, std::string& out);

}  // namespace weir::stats
