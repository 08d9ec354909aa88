#include "sim/server_group.h"

#include <algorithm>
#include <utility>

namespace weir::sim {

std::size_t ServerGroup::member_at(HostId host) const noexcept {
  const auto found = std::ranges::find(servers_, host, &Server::host);
  WEIR_ASSERT(found != servers_.end());
  return static_cast<std::size_t>(found - servers_.begin());
}

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

void ServerGroup::offer(const std::string& backend, std::uint32_t attempts,
                        std::vector<OfferedServer> servers) {
  attempts_most_ = std::max(attempts_most_, attempts);
  offers_.push_back({.backend = backend, .attempts = attempts, .servers = std::move(servers)});
}

void ServerGroup::use(const std::vector<std::string>& backends) {
  uses_.push_back({.backends = backends});
}

void ServerGroup::use_for_good(const std::vector<std::string>& backends) {
  uses_.push_back({.backends = backends, .is_for_good = true});
}

void ServerGroup::settle() noexcept {
  const TimePoint now = network_.now();
  for (auto newer = offers_.rbegin(); newer != offers_.rend(); ++newer) {
    for (auto older = std::next(newer); older != offers_.rend(); ++older) {
      if (older->backend == newer->backend) older->until = std::min(older->until, now);
    }
  }
  bool is_newest = true;
  for (auto use = uses_.rbegin(); use != uses_.rend(); ++use) {
    if (use->is_for_good) continue;
    if (!std::exchange(is_newest, false)) use->until = std::min(use->until, now);
  }
  for (Drain& drain : drains_) drain.settled = std::min(drain.settled, now);
}

// Whoever began on a backend stays with it, whatever becomes of it.
bool ServerGroup::may_meet(const Offer& offer, TimePoint began) const noexcept {
  const auto includes = [&](const Use& use) {
    return std::ranges::find(use.backends, offer.backend) != use.backends.end();
  };
  return offer.until >= began && std::ranges::any_of(uses_, [&](const Use& use) {
           return includes(use) && use.until >= began;
         });
}

Prospects ServerGroup::prospects(TimePoint began, std::uint64_t damaged_by) const {
  Prospects prospects;
  std::set<std::uint64_t> bad;
  for (const Offer& offer : offers_) {
    if (!may_meet(offer, began)) continue;
    bool has_good = false;
    for (const OfferedServer& server : offer.servers) {
      const bool has_damaged = (damaged_by >> server.member & 1) != 0;
      const Server& state = servers_[server.member];
      if (server.is_limited) prospects.has_limits = true;
      if (!has_damaged && was_good(server.member, began - kBadNewsLast)) {
        if (!server.is_limited) has_good = true;
        continue;
      }
      const bool is_down_since_before = !state.is_good && state.down_since < began;
      if (bad.insert(server.number).second && !is_down_since_before) ++prospects.unsteady;
    }
    prospects.is_covered = prospects.is_covered && has_good;
    prospects.was_empty = prospects.was_empty || offer.servers.empty();
    prospects.attempts = std::min(prospects.attempts, offer.attempts);
  }
  prospects.bad = bad.size();
  prospects.was_cut = std::ranges::any_of(drains_, [&](const Drain& drain) {
    return began <= drain.settled && network_.now() >= drain.cut_from;
  });
  return prospects;
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
