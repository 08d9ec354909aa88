#include "stats/metrics.h"

#include <array>
#include <cstddef>

#include "stats/cells.h"

namespace weir::stats {
namespace {

using enum MetricType;
constexpr auto kNone = MetricUnit::none;
constexpr auto kBytes = MetricUnit::bytes;
constexpr auto kSeconds = MetricUnit::seconds;
constexpr auto kProcess = MetricScope::process;
constexpr auto kWorker = MetricScope::worker;
constexpr auto kListener = MetricScope::listener;
constexpr auto kGroup = MetricScope::group;
constexpr auto kBackend = MetricScope::backend;
constexpr auto kServer = MetricScope::server;
constexpr auto kName = MetricScope::name;

// The order is that of MetricId.
constexpr std::array kMetrics = {
    MetricRow{MetricId::build_info, gauge, kProcess, "weir_build_info", kNone, kNoCell,
              "Always 1; the label `version` says what is running."},
    MetricRow{MetricId::reactor_info, gauge, kProcess, "weir_reactor_info", kNone, kNoCell,
              "Always 1; the label `reactor` says what waits for I/O: epoll or io_uring."},
    MetricRow{MetricId::start_time, gauge, kProcess, "weir_start_time_seconds", kSeconds, kNoCell,
              "When the process started, in seconds since 1970."},
    MetricRow{MetricId::uptime, gauge, kProcess, "weir_uptime_seconds", kSeconds, kNoCell,
              "For how long the process has been running."},
    MetricRow{MetricId::workers, gauge, kProcess, "weir_workers", kNone, kNoCell,
              "Workers of the process."},
    MetricRow{MetricId::descriptors_open, gauge, kProcess, "weir_descriptors_open", kNone, kNoCell,
              "File descriptors that the process holds."},
    MetricRow{MetricId::descriptors_max, gauge, kProcess, "weir_descriptors_max", kNone, kNoCell,
              "File descriptors that the process may hold."},
    MetricRow{MetricId::resident_memory, gauge, kProcess, "weir_resident_memory_bytes", kBytes,
              kNoCell, "Memory of the process that is in RAM."},
    MetricRow{
        MetricId::snapshots_live, gauge, kProcess, "weir_snapshots_live", kNone, kNoCell,
        "Configurations in memory: the one in force, and that before while a change is under way."},
    MetricRow{MetricId::reloads, counter, kProcess, "weir_reloads_total", kNone, kNoCell,
              "Reloads of the configuration that came into force."},
    MetricRow{MetricId::reloads_refused, counter, kProcess, "weir_reloads_refused_total", kNone,
              kNoCell, "Reloads that changed nothing, because the configuration has errors."},
    MetricRow{MetricId::change_pause, gauge, kProcess, "weir_change_pause_seconds", kSeconds,
              kNoCell,
              "The longest that a worker was kept from its loop by the last change of the "
              "configuration."},
    MetricRow{MetricId::stats_objects_refused, counter, kProcess,
              "weir_stats_objects_refused_total", kNone, kNoCell,
              "Listeners, groups, backends and servers that are counted under `(other)`, because "
              "there are "
              "too many."},
    MetricRow{MetricId::errors, counter, kProcess, "weir_errors_total", kNone,
              offsetof(WorkerCells, errors),
              "Errors by side and reason; a reason that never occurred is left out.",
              MetricSplit::side_and_reason},
    MetricRow{MetricId::worker_loop_iterations, counter, kWorker,
              "weir_worker_loop_iterations_total", kNone, offsetof(WorkerCells, loop_iterations),
              "Turns of the worker's event loop."},
    MetricRow{MetricId::worker_busy, counter, kWorker, "weir_worker_busy_seconds_total", kSeconds,
              offsetof(WorkerCells, busy_ns),
              "Time the worker spent working, not waiting for events."},
    MetricRow{MetricId::worker_timers_fired, counter, kWorker, "weir_worker_timers_fired_total",
              kNone, offsetof(WorkerCells, timers_fired), "Timers that expired."},
    MetricRow{MetricId::worker_buffers_in_use, gauge, kWorker, "weir_worker_buffers_in_use", kNone,
              offsetof(WorkerCells, buffers_in_use),
              "Bytes of buffers that the worker has lent out."},
    MetricRow{MetricId::worker_ring_buffers_exhausted, counter, kWorker,
              "weir_worker_ring_buffers_exhausted_total", kNone,
              offsetof(WorkerCells, ring_buffers_exhausted),
              "Times io_uring had no free buffer for what had come or was to be sent, so that a "
              "system call of its own moved it."},
    MetricRow{MetricId::worker_pipes_in_use, gauge, kWorker, "weir_worker_pipes_in_use", kNone,
              offsetof(WorkerCells, pipes_in_use),
              "Pipes through which a long body or a tunnel goes at present."},
    MetricRow{MetricId::worker_pipes_exhausted, counter, kWorker,
              "weir_worker_pipes_exhausted_total", kNone, offsetof(WorkerCells, pipes_exhausted),
              "Times a long body or a tunnel got no pipe, so that its bytes were copied."},
    MetricRow{MetricId::worker_descriptors_exhausted, counter, kWorker,
              "weir_worker_descriptors_exhausted_total", kNone,
              offsetof(WorkerCells, descriptors_exhausted),
              "Times the worker wanted a file descriptor and none was left."},
    MetricRow{MetricId::worker_accept_pauses, counter, kWorker, "weir_worker_accept_pauses_total",
              kNone, offsetof(WorkerCells, accept_pauses),
              "Times the worker stopped accepting connections for a while."},
    MetricRow{MetricId::worker_log_records_dropped, counter, kWorker,
              "weir_worker_log_records_dropped_total", kNone,
              offsetof(WorkerCells, log_records_dropped),
              "Log records lost because the log thread did not keep up."},
    MetricRow{MetricId::worker_log_lines_cut, counter, kWorker, "weir_worker_log_lines_cut_total",
              kNone, offsetof(WorkerCells, log_lines_cut),
              "Lines of a log format with values that were too long."},
    MetricRow{MetricId::worker_connections_open, gauge, kWorker, "weir_worker_connections_open",
              kNone, offsetof(WorkerCells, connections_open),
              "Client connections that the worker serves; workers differ by little."},
    MetricRow{MetricId::worker_connections_passed, counter, kWorker,
              "weir_worker_connections_passed_total", kNone,
              offsetof(WorkerCells, connections_passed),
              "Connections that the worker accepted and passed on to one with fewer."},
    MetricRow{MetricId::worker_body_files, counter, kWorker, "weir_worker_body_files_total", kNone,
              offsetof(WorkerCells, body_files),
              "Bodies that buffer_request or buffer_response put on disk, in whole or in part."},
    MetricRow{MetricId::worker_body_file_written, counter, kWorker,
              "weir_worker_body_file_written_bytes_total", kBytes,
              offsetof(WorkerCells, body_file_bytes_written), "Bytes written to files of bodies."},
    MetricRow{MetricId::worker_body_file_bytes, gauge, kWorker, "weir_worker_body_file_bytes",
              kBytes, offsetof(WorkerCells, body_file_bytes_reserved),
              "Bytes of disk that bodies take.", MetricSplit::none,
              offsetof(WorkerCells, body_file_bytes_freed)},
    MetricRow{MetricId::worker_body_file_failures, counter, kWorker,
              "weir_worker_body_file_failures_total", kNone,
              offsetof(WorkerCells, body_file_failures),
              "Reads and writes of bodies' files that failed."},
    MetricRow{MetricId::listener_connections, counter, kListener, "weir_listener_connections_total",
              kNone, offsetof(ListenerCells, connections), "Connections accepted."},
    MetricRow{MetricId::listener_connections_open, gauge, kListener,
              "weir_listener_connections_open", kNone, offsetof(ListenerCells, connections),
              "Connections that are open.", MetricSplit::none,
              offsetof(ListenerCells, connections_closed)},
    MetricRow{MetricId::listener_connections_refused, counter, kListener,
              "weir_listener_connections_refused_total", kNone,
              offsetof(ListenerCells, connections_refused),
              "Connections closed at once because a limit was reached."},
    MetricRow{MetricId::listener_clients_not_counted, counter, kListener,
              "weir_listener_clients_not_counted_total", kNone,
              offsetof(ListenerCells, clients_not_counted),
              "Connections to which connections_per_client was not applied, because too many "
              "clients are connected to count them all."},
    MetricRow{MetricId::listener_requests, counter, kListener, "weir_listener_requests_total",
              kNone, offsetof(ListenerCells, requests), "Requests received."},
    MetricRow{MetricId::listener_responses, counter, kListener, "weir_listener_responses_total",
              kNone, offsetof(ListenerCells, responses),
              "Responses sent to clients, by class of status.", MetricSplit::status_class},
    MetricRow{MetricId::listener_received, counter, kListener, "weir_listener_received_bytes_total",
              kBytes, offsetof(ListenerCells, bytes_received),
              "Bytes received from clients; of HTTP, those of bodies."},
    MetricRow{MetricId::listener_sent, counter, kListener, "weir_listener_sent_bytes_total", kBytes,
              offsetof(ListenerCells, bytes_sent),
              "Bytes sent to clients; of HTTP, those of bodies."},
    MetricRow{MetricId::listener_request_duration, histogram, kListener,
              "weir_listener_request_duration_seconds", kSeconds,
              offsetof(ListenerCells, request_duration),
              "Time from the first byte of a request to the last byte of its response."},
    MetricRow{MetricId::group_requests, counter, kGroup, "weir_group_requests_total", kNone,
              offsetof(GroupCells, requests), "Requests and tunnels of the group."},
    MetricRow{MetricId::group_responses, counter, kGroup, "weir_group_responses_total", kNone,
              offsetof(GroupCells, responses),
              "Responses sent to the group's clients, by class of status.",
              MetricSplit::status_class},
    MetricRow{MetricId::group_without_key, counter, kGroup, "weir_group_without_key_total", kNone,
              offsetof(GroupCells, without_key),
              "Requests and tunnels whose split_key said nothing, so that chance put them here."},
    MetricRow{MetricId::group_request_duration, histogram, kGroup,
              "weir_group_request_duration_seconds", kSeconds,
              offsetof(GroupCells, request_duration),
              "Time from the first byte of a request to the last byte of its response; how long a "
              "tunnel lasted."},
    MetricRow{MetricId::backend_requests, counter, kBackend, "weir_backend_requests_total", kNone,
              offsetof(BackendCells, requests), "Requests and tunnels routed to the backend."},
    MetricRow{MetricId::backend_attempts, counter, kBackend, "weir_backend_attempts_total", kNone,
              offsetof(BackendCells, attempts),
              "Attempts made for them; one request may make several."},
    MetricRow{MetricId::backend_retries, counter, kBackend, "weir_backend_retries_total", kNone,
              offsetof(BackendCells, retries), "Attempts after the first."},
    MetricRow{
        MetricId::backend_errors, counter, kBackend, "weir_backend_errors_total", kNone,
        offsetof(BackendCells, errors),
        "Requests and tunnels that failed, by reason; a reason that never occurred is left out.",
        MetricSplit::reason},
    MetricRow{MetricId::backend_queued, gauge, kBackend, "weir_backend_queued", kNone, kNoCell,
              "Requests and tunnels that wait because every server is at its maxconn."},
    MetricRow{MetricId::backend_queue_waits, counter, kBackend, "weir_backend_queue_waits_total",
              kNone, offsetof(BackendCells, queue_waits),
              "Requests and tunnels that had to wait for a server."},
    MetricRow{MetricId::backend_keys_missing, counter, kBackend, "weir_backend_keys_missing_total",
              kNone, offsetof(BackendCells, keys_missing),
              "Requests and tunnels without any value that the key of `balance: hash` names; their "
              "server was drawn by chance."},
    MetricRow{MetricId::backend_places_unknown, counter, kBackend,
              "weir_backend_places_unknown_total", kNone, offsetof(BackendCells, places_unknown),
              "Requests and tunnels of clients whose place the geo database does not know; theirs "
              "was drawn by chance."},
    MetricRow{MetricId::backend_subsets_unknown, counter, kBackend,
              "weir_backend_subsets_unknown_total", kNone, offsetof(BackendCells, subsets_unknown),
              "Requests and tunnels that named none of the backend's subsets."},
    MetricRow{MetricId::server_attempts, counter, kServer, "weir_server_attempts_total", kNone,
              offsetof(ServerCells, attempts), "Attempts made with the server."},
    MetricRow{MetricId::server_connects, counter, kServer, "weir_server_connects_total", kNone,
              offsetof(ServerCells, connects), "Connections to the server that were begun."},
    MetricRow{MetricId::server_connect_failures, counter, kServer,
              "weir_server_connect_failures_total", kNone, offsetof(ServerCells, connect_failures),
              "Connections to the server that could not be made."},
    MetricRow{MetricId::server_reuses, counter, kServer, "weir_server_reuses_total", kNone,
              offsetof(ServerCells, reuses), "Attempts on a connection that was open already."},
    MetricRow{MetricId::server_leases, gauge, kServer, "weir_server_leases", kNone, kNoCell,
              "Attempts under way."},
    MetricRow{MetricId::server_responses, counter, kServer, "weir_server_responses_total", kNone,
              offsetof(ServerCells, responses), "Responses of the server, by class of status.",
              MetricSplit::status_class},
    MetricRow{MetricId::server_received, counter, kServer, "weir_server_received_bytes_total",
              kBytes, offsetof(ServerCells, bytes_received), "Bytes received from the server."},
    MetricRow{MetricId::server_sent, counter, kServer, "weir_server_sent_bytes_total", kBytes,
              offsetof(ServerCells, bytes_sent), "Bytes sent to the server."},
    MetricRow{MetricId::server_response_head, histogram, kServer,
              "weir_server_response_head_seconds", kSeconds, offsetof(ServerCells, response_head),
              "Time from the start of an attempt to the response's head."},
    MetricRow{MetricId::server_load_report_failures, counter, kServer,
              "weir_server_load_report_failures_total", kNone, kNoCell,
              "Load reports that did not come in time, could not be read, or had a reading out of "
              "range."},
    MetricRow{MetricId::name_addresses, gauge, kName, "weir_name_addresses", kNone, kNoCell,
              "Addresses that the name stands for."},
    MetricRow{MetricId::name_addresses_left_out, gauge, kName, "weir_name_addresses_left_out",
              kNone, kNoCell, "Addresses of the last answer that are not used: 16 are."},
    MetricRow{MetricId::name_stale, gauge, kName, "weir_name_stale", kNone, kNoCell,
              "1 while the last good addresses are used because the last answer has none."},
    MetricRow{MetricId::name_questions, counter, kName, "weir_name_questions_total", kNone, kNoCell,
              "Questions for the name's addresses."},
    MetricRow{MetricId::name_failures, counter, kName, "weir_name_failures_total", kNone, kNoCell,
              "Questions for which there was no good answer."},
};
static_assert(kMetrics.size() == static_cast<std::size_t>(MetricId::count_));

constexpr bool in_order() {
  for (std::size_t i = 0; i < kMetrics.size(); ++i) {
    if (static_cast<std::size_t>(kMetrics[i].id) != i) return false;
  }
  return true;
}
static_assert(in_order());

struct Section {
  MetricScope scope;
  std::string_view title;
  std::string_view labels;
};

constexpr std::array kSections = {
    Section{kProcess, "Process", ""},
    Section{kWorker, "Workers", "`worker`"},
    Section{kListener, "Listeners", "`listener`"},
    Section{kGroup, "Groups of splits",
            "`listener`, `route` (its number, as `weir ctl routes` has it), `group`"},
    Section{kBackend, "Backends", "`backend`"},
    Section{kServer, "Servers", "`backend`, `server`"},
    Section{kName, "Host names of servers", "`name`"},
};
static_assert(kSections.size() == kMetricScopes);

std::string_view labels_of(MetricSplit split) noexcept {
  switch (split) {
    case MetricSplit::none:
      return "";
    case MetricSplit::status_class:
      return "`class`";
    case MetricSplit::reason:
      return "`reason`";
    case MetricSplit::side_and_reason:
      return "`side`, `reason`";
  }
  return {};
}

void append_row(std::string& out, const MetricRow& row) {
  out.append("| `").append(row.name).append("` | ").append(word_of(row.type)).append(" | ");
  out.append(labels_of(row.split)).append(" | ").append(row.help).append(" |\n");
}

}  // namespace

std::string_view word_of(MetricType type) noexcept {
  switch (type) {
    case counter:
      return "counter";
    case gauge:
      return "gauge";
    case histogram:
      return "histogram";
  }
  return {};
}

std::span<const MetricRow> metric_rows() noexcept { return kMetrics; }

std::string metrics_reference() {
  std::string out =
      "# Metrics\n\n"
      "`GET /metrics` of the admin address, in Prometheus' text format.\n";
  for (const Section& section : kSections) {
    out.append("\n## ").append(section.title).append("\n\n");
    if (!section.labels.empty()) out.append("Labels: ").append(section.labels).append(".\n\n");
    out.append("| name | type | further labels | meaning |\n| --- | --- | --- | --- |\n");
    for (const MetricRow& row : kMetrics) {
      if (row.scope == section.scope) append_row(out, row);
    }
  }
  return out;
}

}  // namespace weir::stats
