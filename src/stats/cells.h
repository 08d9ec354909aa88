#pragma once
// What a worker counts for itself and for each listener, backend and server that it uses: one block
// of cells per object and worker, written by that worker only. kMetrics (stats/metrics.h) says
// under which name each member is shown and what it means. What happens often comes first.

#include "stats/cell.h"
#include "stats/histogram.h"

namespace weir::stats {

inline constexpr std::size_t kCacheLineBytes = 64;

struct alignas(kCacheLineBytes) ListenerCells {
  Cell requests;
  Cell bytes_received;
  Cell bytes_sent;
  StatusCells responses;
  Cell connections;         // accepted
  Cell connections_closed;  // of those; the difference over all workers is what is open
  Cell connections_refused;
  Cell clients_not_counted;
  Histogram request_duration;
};

// Of a group of a split: a part of what its listener counts.
struct alignas(kCacheLineBytes) GroupCells {
  Cell requests;
  Cell without_key;
  StatusCells responses;
  Histogram request_duration;
};

struct alignas(kCacheLineBytes) BackendCells {
  Cell requests;
  Cell attempts;
  Cell retries;
  Cell queue_waits;
  Cell keys_missing;
  Cell places_unknown;
  Cell subsets_unknown;
  ErrorCells errors;
};

struct alignas(kCacheLineBytes) ServerCells {
  Cell attempts;
  Cell bytes_received;  // from the server
  Cell bytes_sent;      // to the server
  StatusCells responses;
  Cell reuses;
  Cell connects;
  Cell connect_failures;
  Histogram response_head;
};

struct alignas(kCacheLineBytes) WorkerCells {
  Cell loop_iterations;
  Cell busy_ns;
  Cell timers_fired;
  Cell buffers_in_use;
  Cell ring_buffers_exhausted;
  Cell pipes_in_use;
  Cell pipes_exhausted;
  Cell descriptors_exhausted;
  Cell accept_pauses;
  Cell log_records_dropped;
  Cell log_lines_cut;
  Cell connections_open;
  Cell connections_passed;
  Cell body_files;
  Cell body_file_bytes_written;
  Cell body_file_bytes_reserved;
  Cell body_file_bytes_freed;  // of those; the difference is what body files take
  Cell body_file_failures;
  SideErrorCells errors;
};

}  // namespace weir::stats
