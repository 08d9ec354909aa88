#pragma once
// Ledger: what every client asked for, what every server saw and did, and whether the two fit
// together. It knows which faults could have touched a request, so that what no fault explains is
// a mistake of Weir.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "sim/network.h"
#include "sim/server_group.h"

namespace weir::sim {

enum class Replayable : std::uint8_t { no, yes };

struct RequestRecord {
  std::uint64_t id = 0;
  std::string method;
  Replayable replayable = Replayable::no;  // idempotent, without a body
  bool is_idempotent = false;
  TimePoint began{};
  int seen = 0;                      // how many servers read its whole head
  std::uint64_t damaged_by = 0;      // servers that treated it badly, a bit each
  bool is_response_damaged = false;  // after the response had begun
  bool is_over = false;
};

// How a request ended, as its client saw it.
struct Outcome {
  enum class Kind : std::uint8_t {
    answered,   // a whole and right response of a server
    refused,    // a whole response of Weir's own
    broken,     // the connection ended first
    abandoned,  // the client itself gave up, or did what Weir may punish
  };
  Kind kind = Kind::abandoned;
  int status = 0;
  std::string reason = {};    // word of the error page
  bool has_begun = false;     // of broken: the response had
  bool is_explained = false;  // the client's network, or its earlier answers, explain it
};

class Ledger {
 public:
  // web: the servers that requests go to.
  Ledger(Network& network, const ServerGroup& web) noexcept : network_(network), web_(web) {}

  Network& network() noexcept { return network_; }

  // What was found to be wrong first; empty: nothing.
  const std::string& violation() const noexcept { return violation_; }
  void violate(std::string text);

  // Weir is stopping: it takes no new connection, and ends those at rest.
  void begin_stopping() noexcept { is_stopping_ = true; }
  bool is_stopping() const noexcept { return is_stopping_; }
  // It ends whatever is left.
  void begin_cutting() noexcept { is_cutting_ = true; }
  bool is_cutting() const noexcept { return is_cutting_; }
  // Weir has less than it needs: anything may be refused or broken, though nothing be mixed up.
  void begin_scarcity() noexcept { is_scarce_ = true; }
  bool is_scarce() const noexcept { return is_scarce_; }

  // Nobody listens on the port, or may do so no more, before that time.
  void note_unserved(std::uint16_t port, TimePoint until) { unserved_[port] = until; }
  bool was_served(std::uint16_t port, TimePoint since) const noexcept {
    const auto found = unserved_.find(port);
    return found == unserved_.end() || found->second < since;
  }

  RequestRecord& begin(std::string_view method, bool has_body);
  RequestRecord& of(std::uint64_t id) noexcept;
  bool has(std::uint64_t id) const noexcept { return id >= 1 && id <= requests_.size(); }
  // A server has read the head.
  void see(std::uint64_t id, std::size_t server);
  void damage(std::uint64_t id, std::size_t server, bool has_response_begun);
  void finish(RequestRecord& request, const Outcome& outcome);

  std::size_t open_requests() const noexcept { return open_; }
  std::size_t answered() const noexcept { return answered_; }
  std::size_t refused() const noexcept { return refused_; }
  std::size_t broken() const noexcept { return broken_; }
  std::size_t requests() const noexcept { return requests_.size(); }

 private:
  Prospects prospects_of(const RequestRecord& request) const {
    return web_.prospects(request.began, request.damaged_by);
  }
  bool is_failure_explained(const RequestRecord& request, const Outcome& outcome) const;
  void judge_refusal(const RequestRecord& request, const Outcome& outcome);
  void judge_break(const RequestRecord& request, const Outcome& outcome);

  Network& network_;
  const ServerGroup& web_;
  std::deque<RequestRecord> requests_;
  std::string violation_;
  std::map<std::uint16_t, TimePoint> unserved_;  // ports, and until when
  bool is_stopping_ = false;
  bool is_cutting_ = false;
  bool is_scarce_ = false;
  std::size_t open_ = 0;
  std::size_t answered_ = 0;
  std::size_t refused_ = 0;
  std::size_t broken_ = 0;
};

}  // namespace weir::sim
