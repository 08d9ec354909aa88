#pragma once
// What one pick considered, for somebody who asks why. The picker itself tells the recorder while
// it picks, so that a record cannot differ from the decision; with or without one it picks the
// same.

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "balance/server.h"

namespace weir::balance {

enum class PickVerdict : std::uint8_t {
  chosen,
  excluded,  // in PickInput::excluded
  tried,     // in PickInput::tried, and not excluded
  behind,    // allowed, but another one is better
};

struct ConsideredServer {
  ServerIndex server;
  PickVerdict verdict;
  // What the algorithm went by: attempts in flight for the weight, a cost or a score, or the place
  // in the cycle, from 0. None if that was chance, and for servers that were left out.
  std::optional<double> score;
};

// One thread at a time. A server that another pick would meet may be missing: a pick stops when it
// knows. When it finds nobody, all servers of its table are there.
class PickRecorder {
 public:
  // Of a backend with this many servers. The only allocation.
  explicit PickRecorder(std::size_t servers) : told_(servers) { considered_.reserve(servers); }

  // Each server once, in the order in which they were met.
  std::span<const ConsideredServer> considered() const WEIR_LIFETIMEBOUND { return considered_; }

  // For pickers. Of what it is told of a server, the first counts: a server that is left out may be
  // met again and again.
  //
  // Not inlined: most picks have no recorder, and pay for the registers that this would need.
  [[gnu::noinline]] void on_considered(ServerIndex server, PickVerdict verdict,
                                       std::optional<double> score) noexcept {
    if (server == ServerIndex::none || told_.contains(server)) return;
    told_.insert(server);
    considered_.push_back({server, verdict, score});
  }

 private:
  ServerSet told_;
  std::vector<ConsideredServer> considered_;
};

}  // namespace weir::balance
