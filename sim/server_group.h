#pragma once
// ServerGroup: the servers of one backend as far as requests depend on them: which of them could
// have answered, and since when.

#include <cstdint>
#include <vector>

#include "sim/network.h"

namespace weir::sim {

class ServerGroup {
 public:
  ServerGroup(Network& network, HostId weir) noexcept : network_(network), weir_(weir) {}

  void add(HostId host) { servers_.push_back({.host = host}); }
  std::size_t size() const noexcept { return servers_.size(); }

  // Down, or up again.
  void set_good(std::size_t server, bool is_good) noexcept;
  // Not good until then.
  void mark_bad(std::size_t server, TimePoint until) noexcept;
  // Closed a connection at rest without a word.
  void note_idle_close(std::size_t server);

  // How many servers may have failed whatever began then: those that were not good at some time
  // since, or of which Weir might still think ill, and those in `damaged_by` (a bit each).
  std::size_t count_bad(TimePoint began, std::uint64_t damaged_by) const noexcept;
  // Those of them that may have taken a connection all the same: not down since before.
  std::size_t count_unsteady(TimePoint began, std::uint64_t damaged_by) const noexcept;
  // Connections that ended about when Weir may have taken them out of its pool.
  std::size_t count_idle_closes(TimePoint began) const noexcept;

 private:
  bool was_good(std::size_t server, TimePoint since) const noexcept;

  // A connect that was begun in vain, and the pause after it.
  static constexpr Duration kBadNewsLast = std::chrono::seconds(3);

  struct Server {
    HostId host{};
    bool is_good = true;  // up, accepting and reading
    TimePoint last_bad{};
    TimePoint down_since{};
    std::vector<TimePoint> idle_closes = {};
  };

  Network& network_;
  HostId weir_;
  std::vector<Server> servers_;
};

}  // namespace weir::sim
