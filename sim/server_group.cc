#include "sim/server_group.h"

#include <algorithm>

namespace weir::sim {

void ServerGroup::set_good(std::size_t server, bool is_good) noexcept {
  servers_[server].is_good = is_good;
  if (!is_good) servers_[server].down_since = network_.now();
  mark_bad(server, network_.now());
}

void ServerGroup::mark_bad(std::size_t server, TimePoint until) noexcept {
  servers_[server].last_bad = std::max(servers_[server].last_bad, until);
}

void ServerGroup::note_idle_close(std::size_t server) {
  servers_[server].idle_closes.push_back(network_.now());
}

bool ServerGroup::was_good(std::size_t server, TimePoint since) const noexcept {
  const Server& state = servers_[server];
  return state.is_good && state.last_bad < since &&
         network_.disturbed_at(weir_, state.host) < since;
}

std::size_t ServerGroup::count_bad(TimePoint began, std::uint64_t damaged_by) const noexcept {
  std::size_t bad = 0;
  for (std::size_t i = 0; i < servers_.size(); ++i) {
    const bool has_damaged = (damaged_by >> i & 1) != 0;
    if (has_damaged || !was_good(i, began - kBadNewsLast)) ++bad;
  }
  return bad;
}

std::size_t ServerGroup::count_unsteady(TimePoint began, std::uint64_t damaged_by) const noexcept {
  const auto down = std::ranges::count_if(servers_, [began](const Server& server) {
    return !server.is_good && server.down_since < began;
  });
  return count_bad(began, damaged_by) - static_cast<std::size_t>(down);
}

std::size_t ServerGroup::count_idle_closes(TimePoint began) const noexcept {
  std::size_t count = 0;
  for (const Server& server : servers_) {
    for (const TimePoint time : server.idle_closes) {
      if (time + std::chrono::seconds(1) >= began) ++count;
    }
  }
  return count;
}

}  // namespace weir::sim
