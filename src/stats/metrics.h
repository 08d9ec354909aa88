#pragma once
// The table of all metrics: what Prometheus is told and docs/reference/metrics.md is made from.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace weir::stats {

enum class MetricId : std::uint8_t {
  build_info,
  reactor_info,
  start_time,
  uptime,
  workers,
  descriptors_open,
  descriptors_max,
  resident_memory,
  snapshots_live,
  reloads,
  reloads_refused,
  change_pause,
  stats_objects_refused,
  errors,
  worker_loop_iterations,
  worker_busy,
  worker_timers_fired,
  worker_buffers_in_use,
  worker_ring_buffers_exhausted,
  worker_pipes_in_use,
  worker_pipes_exhausted,
  worker_descriptors_exhausted,
  worker_accept_pauses,
  worker_log_records_dropped,
  worker_log_lines_cut,
  worker_connections_open,
  worker_connections_passed,
  worker_body_files,
  worker_body_file_written,
  worker_body_file_bytes,
  worker_body_file_failures,
  listener_connections,
  listener_connections_open,
  listener_connections_refused,
  listener_clients_not_counted,
  listener_requests,
  listener_responses,
  listener_received,
  listener_sent,
  listener_request_duration,
  group_requests,
  group_responses,
  group_without_key,
  group_request_duration,
  backend_requests,
  backend_attempts,
  backend_retries,
  backend_errors,
  backend_queued,
  backend_queue_waits,
  backend_keys_missing,
  backend_places_unknown,
  backend_subsets_unknown,
  server_attempts,
  server_connects,
  server_connect_failures,
  server_reuses,
  server_leases,
  server_responses,
  server_received,
  server_sent,
  server_response_head,
  server_load_report_failures,
  name_addresses,
  name_addresses_left_out,
  name_stale,
  name_questions,
  name_failures,
  count_,
};

enum class MetricType : std::uint8_t { counter, gauge, histogram };

// As Prometheus writes it.
std::string_view word_of(MetricType type) noexcept;

// What a metric is counted for; gives the labels of its series. `process` sums over the workers.
enum class MetricScope : std::uint8_t { process, worker, listener, group, backend, server, name };
inline constexpr std::size_t kMetricScopes = 7;

// How the cells of one metric and object become several series: by one more label, or two. Series
// by reason that are 0 are left out, or each backend would have dozens of them.
enum class MetricSplit : std::uint8_t { none, status_class, reason, side_and_reason };

// Counters and gauges of seconds are cells of nanoseconds.
enum class MetricUnit : std::uint8_t { none, bytes, seconds };

inline constexpr std::uint16_t kNoCell = 0xffff;

// One row for each metric. Text lives for ever.
struct MetricRow {
  MetricId id;
  MetricType type;
  MetricScope scope;
  std::string_view name;
  MetricUnit unit;
  std::uint16_t
      cell;  // offset of the first cell in the scope's struct; kNoCell: a sample (registry.h)
  std::string_view help;
  MetricSplit split = MetricSplit::none;
  std::uint16_t subtracted = kNoCell;  // offset of a cell that is taken off
};

// All rows, in the order of MetricId.
std::span<const MetricRow> metric_rows() noexcept;

// docs/reference/metrics.md: Markdown, a section for each scope.
std::string metrics_reference();

}  // namespace weir::stats
