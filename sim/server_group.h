#pragma once
// ServerGroup: the hosts that can answer the same requests, as far as requests depend on them:
// which of them could have answered, since when, and which of them Weir was to choose from.

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "sim/network.h"

namespace weir::sim {

// A server that Weir may pick. number: the same as long as it is the same server to Weir.
struct OfferedServer {
  std::uint64_t number = 0;
  std::size_t member = 0;   // its host's place in the group
  bool is_limited = false;  // so that requests may have to wait for it
};

// What a request that began at some time may have met with.
struct Prospects {
  std::size_t bad = 0;       // servers that may have failed it
  std::size_t unsteady = 0;  // those of them that may have taken a connection all the same
  bool is_covered = true;    // a good one, for which nobody has to wait, was always there
  bool has_limits = false;   // it may have had to wait for some
  bool was_empty = false;    // at some time there was nobody to be picked
  bool was_cut = false;      // it may have been on a server that was drained for too long
  std::uint32_t attempts = UINT32_MAX;  // that it had at least
};

class ServerGroup {
 public:
  ServerGroup(Network& network, HostId weir) noexcept : network_(network), weir_(weir) {}

  void add(HostId host) { servers_.push_back({.host = host}); }
  std::size_t member_at(HostId host) const noexcept;

  // Down, or up again.
  void set_good(std::size_t server, bool is_good) noexcept;
  // Not good until then.
  void mark_bad(std::size_t server, TimePoint until) noexcept;
  // Closed a connection at rest without a word.
  void note_idle_close(std::size_t server);

  // From now on Weir may pick these for the backend, and until settle() those before.
  void offer(const std::string& backend, std::uint32_t attempts,
             std::vector<OfferedServer> servers);
  // From now on requests may come to these backends, and until settle() to those before.
  void use(const std::vector<std::string>& backends);
  // Connections of a listener that is gone may come to them for as long as they live.
  void use_for_good(const std::vector<std::string>& backends);
  // What is under way on some server may be cut from then on.
  void note_drain(TimePoint cut_from) { drains_.push_back({cut_from}); }
  // The change is in force everywhere.
  void settle() noexcept;

  // damaged_by: servers that treated the request badly, a bit each.
  Prospects prospects(TimePoint began, std::uint64_t damaged_by) const;
  // That any request has had at most.
  std::uint32_t attempts_most() const noexcept { return attempts_most_; }
  // Connections that ended about when Weir may have taken them out of its pool.
  std::size_t count_idle_closes(TimePoint began) const noexcept;

 private:
  // A connect that was begun in vain, and the pause after it.
  static constexpr Duration kBadNewsLast = std::chrono::seconds(3);

  struct Server {
    HostId host{};
    bool is_good = true;  // up, accepting and reading
    TimePoint last_bad{};
    TimePoint down_since{};
    std::vector<TimePoint> idle_closes = {};
  };
  struct Offer {
    std::string backend;
    std::uint32_t attempts;
    std::vector<OfferedServer> servers;
    TimePoint until = kNever;
  };
  struct Use {
    std::vector<std::string> backends;
    TimePoint until = kNever;
    bool is_for_good = false;
  };
  struct Drain {
    TimePoint cut_from;
    TimePoint settled = kNever;
  };

  bool was_good(std::size_t server, TimePoint since) const noexcept;
  bool may_meet(const Offer& offer, TimePoint began) const noexcept;

  Network& network_;
  HostId weir_;
  std::vector<Server> servers_;
  std::vector<Offer> offers_;
  std::vector<Use> uses_;
  std::vector<Drain> drains_;
  std::uint32_t attempts_most_ = 0;
};

}  // namespace weir::sim
