#pragma once
// A pool of servers under open-loop load, balanced by the pickers' own code: requests arrive at
// random, whatever the servers do; each brings some work, and each server has four slots that work
// on one request each, first come, first served. There is no network and no reactor here: events in
// the order of their simulated times.
//
// A request that waits for a slot for 100 mean service times fails. What a server has when it goes
// down is picked again, on another one.

#include <cstdint>
#include <optional>
#include <vector>

#include "balance/pickers.h"

namespace weir::sim {

struct PooledServer {
  std::uint32_t weight = 1;
  double speed = 1;  // the work that a slot does in a mean service time
};

struct PoolOptions {
  balance::BalanceSettings settings = {};
  std::vector<PooledServer> servers = {};
  std::optional<std::size_t> flapping =
      {};                            // of the servers the one that is down 2 s of every 10 s
  std::uint16_t workers = 8;         // each with a state of its own; requests come at random
  std::uint32_t leases_max = 0;      // of each server, then requests wait in Weir; 0: no limit
  double load = 0.7;                 // the work that arrives, by what the servers can do
  std::uint32_t requests = 400'000;  // the first tenth is not measured
  std::uint64_t seed = 1;            // the same requests arrive under every algorithm
};

struct PoolResult {
  // Response times, in mean service times on a server of speed 1; 0 < p50 <= p99 <= p999.
  double p50 = 0;
  double p99 = 0;
  double p999 = 0;
  std::uint32_t ended = 0;  // all requests, the failed ones among them
  double failed = 0;        // share of the requests that are measured
  // What the fullest server has in flight for its weight, by what all have for theirs.
  double imbalance = 0;
  // Requests in flight on a server less its fair share, which is its weight's part of all in
  // flight: the mean distance of a server, the fullest server's excess, and the largest seen.
  double distance = 0;
  double excess = 0;
  double excess_max = 0;
  std::vector<double> shares;  // of all picks, by server
};

// Deterministic.
PoolResult simulate_pool(const PoolOptions& options);

}  // namespace weir::sim
