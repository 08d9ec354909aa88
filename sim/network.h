#pragma once
// The simulated network and its clock: hosts, listening sockets and TCP connections between them,
// all driven by one queue of events. Whatever is left to chance is drawn from one seed, so a run
// can be repeated. A connection is two pipes of bytes; what a real network does to packets (loss,
// congestion, a cut cable) comes to later arrival here, or to none, as TCP shows it to its users.

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <netinet/in.h>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "base/random.h"
#include "base/time.h"
#include "runtime/reactor.h"
#include "sim/trace.h"

namespace weir::sim {

enum class HostId : std::uint32_t {};

struct LinkSettings {
  Duration latency = std::chrono::microseconds(100);  // one way, at least
  Duration jitter = std::chrono::microseconds(100);   // at most so much more
  std::uint64_t bytes_per_second = std::uint64_t{1} << 30;
  std::uint32_t loss_permille = 0;  // of pieces that have to be sent again
};

// Told whenever something about a connection's end or a listening socket may have changed. Takes
// note of it, and touches neither network nor sockets from within the call.
class Watcher {
 public:
  virtual void on_change() noexcept = 0;

 protected:
  ~Watcher() = default;
};

class Network;
struct Connection;

// One end of a connection, as its host's kernel shows it. Its user closes it (close, reset or
// vanish) and does not touch it afterwards.
class End {
 public:
  enum class Phase : std::uint8_t { connecting, open, failed };

  Phase phase() const noexcept { return phase_; }
  // errno of what ended the connection or kept it from being made; 0 if nothing did.
  int error() const noexcept { return error_; }
  bool is_readable() const noexcept;
  bool is_writable() const noexcept;
  // Both directions are over: a reset, or the peer's end after our own.
  bool is_hung_up() const noexcept;
  const sockaddr_in& peer() const noexcept { return peer_; }

  // What came before a reset can still be read (as on Linux); then the error is told each time.
  IoCount receive(std::span<char> into) noexcept;
  IoCount send(std::span<const char> bytes) noexcept;
  void shutdown_write() noexcept;
  // A FIN behind what was sent; a reset if something was not read.
  void close() noexcept;
  void reset() noexcept;
  // Gone without a word: the peer is left with a half-open connection.
  void vanish() noexcept;
  // Nobody watches until this is set; nullptr ends it.
  void watch(Watcher* watcher) noexcept { watcher_ = watcher; }

 private:
  friend class Network;
  friend struct Connection;
  End(Connection& connection, int side, HostId host) noexcept
      : connection_(connection), side_(side), host_(host) {}

  Connection& connection_;
  int side_;  // 0 connected, 1 accepted
  HostId host_;
  sockaddr_in peer_{};
  Watcher* watcher_ = nullptr;
  Phase phase_ = Phase::connecting;
  int error_ = 0;
  bool write_shut_ = false;
  bool closed_ = false;    // by its user
  bool vanished_ = false;  // its host does not answer for it any more
};

// A listening socket; one of several on the same address (SO_REUSEPORT) gets a connection by lot.
class Listening {
 public:
  // nullptr: nobody waits.
  End* accept() noexcept;
  bool has_waiting() const noexcept { return !queue_.empty(); }
  std::size_t waiting() const noexcept { return queue_.size(); }
  // Resets what is queued.
  void close() noexcept;
  void watch(Watcher* watcher) noexcept { watcher_ = watcher; }

 private:
  friend class Network;
  Network* network_ = nullptr;
  HostId host_{};
  std::uint16_t port_ = 0;
  std::size_t backlog_ = 0;
  std::deque<std::uint64_t> queue_;  // numbers of connections
  Watcher* watcher_ = nullptr;
  bool closed_ = false;
};

// How a host's kernel treats its sockets when the host or the process on it dies.
enum class Crash : std::uint8_t {
  process,  // the kernel closes what was open; connections are refused
  power,    // nothing answers until revive(); then old connections are reset
};

class Network {
 public:
  // Descriptors of the simulation are far beyond those of the process: closing one closes nothing.
  static constexpr int kFirstDescriptor = 1 << 28;

  Network(std::uint64_t seed, Trace& trace) noexcept;
  Network(const Network&) = delete;
  ~Network();

  TimePoint now() const noexcept { return now_; }
  Random& random() noexcept { return random_; }
  Trace& trace() noexcept { return trace_; }

  // Events happen in the order of their time, then of their being asked for.
  void at(TimePoint time, std::function<void()> event);
  void after(Duration delay, std::function<void()> event) { at(now_ + delay, std::move(event)); }
  // kNever: nothing is left to happen.
  TimePoint next_event() const noexcept;
  // Lets the time come; no event may be due before it.
  void advance(TimePoint to) noexcept;
  // Runs the next event, which has to be due.
  void run_event();

  HostId add_host(std::string name);
  const std::string& name_of(HostId host) const noexcept { return hosts_[index(host)].name; }
  // Where the host's sockets are.
  sockaddr_in address_of(HostId host, std::uint16_t port) const noexcept;
  HostId host_of(const sockaddr_in& address) const noexcept;

  Listening& listen(HostId host, std::uint16_t port, std::size_t backlog);
  End& connect(HostId from, const sockaddr_in& to);

  void set_link(HostId a, HostId b, const LinkSettings& settings);
  // Nothing arrives before `until`.
  void clog(HostId a, HostId b, TimePoint until);
  // Nothing arrives at all, nor is an answer sent, before `until`.
  void cut(HostId a, HostId b, TimePoint until);
  // When the link last lost, held up or cut something; the past if never.
  TimePoint disturbed_at(HostId a, HostId b) const noexcept;

  void crash(HostId host, Crash crash);
  void revive(HostId host);

  // A number for an accepted end, by which any of its host's reactors may adopt it, once.
  int lend(End& end) noexcept;
  End& adopt(int descriptor) noexcept;

  // Ends of connections from here to there that have been made and are not closed here.
  std::size_t open_ends(HostId from, HostId to) const noexcept;
  // Ends that this host's users have not closed.
  std::size_t open_ends(HostId host) const noexcept;

 private:
  friend class End;
  friend class Listening;
  struct Event {
    TimePoint time;
    std::uint64_t sequence;
    std::function<void()> run;
    bool operator<(const Event& other) const noexcept {
      return std::tie(other.time, other.sequence) < std::tie(time, sequence);
    }
  };
  struct Host {
    std::string name;
    bool is_silent = false;
  };
  struct Link {
    LinkSettings settings;
    TimePoint clogged_until{};
    TimePoint cut_until{};
    TimePoint disturbed_at{};
  };

  static std::size_t index(HostId host) noexcept { return static_cast<std::size_t>(host); }
  Link& link(HostId a, HostId b) noexcept;
  bool is_path_up(HostId a, HostId b) noexcept;
  Connection* find(std::uint64_t number) noexcept;
  TimePoint arrival(HostId from, HostId to, std::size_t bytes) noexcept;
  void on_syn(std::uint64_t number, int tries);
  void retry_syn(Connection& connection, int tries);
  void on_connect_answer(std::uint64_t number, int error);
  void pump(Connection& connection, int direction);
  void schedule_arrival(Connection& connection, int direction);
  void on_arrival(std::uint64_t number, int direction);
  void deliver(Connection& connection, int direction);
  void send_reset(Connection& connection, int from_side);
  void break_end(End& end, int error);
  void forget_if_over(Connection& connection);
  static void tell(Watcher* watcher) noexcept {
    if (watcher != nullptr) watcher->on_change();
  }

  Random random_;
  Trace& trace_;
  TimePoint now_;
  std::uint64_t next_sequence_ = 0;
  std::vector<Event> events_;  // a heap
  std::vector<Host> hosts_;
  std::map<std::pair<std::size_t, std::size_t>, Link> links_;
  std::vector<std::unique_ptr<Listening>> listening_;
  std::uint64_t next_number_ = 1;
  std::map<std::uint64_t, std::unique_ptr<Connection>> connections_;
  std::map<int, End*> lent_;  // by descriptor
  int next_descriptor_ = kFirstDescriptor;
};

}  // namespace weir::sim
