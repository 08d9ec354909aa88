#pragma once
// HttpClient: one client connection of the simulation with its requests, from connecting to the
// close. How it behaves is drawn by lot once.

#include <deque>
#include <memory>

#include "sim/ledger.h"
#include "sim/message_reader.h"
#include "sim/network.h"

namespace weir::sim {

enum class ClientManner : std::uint8_t {
  orderly,     // one request after the other
  pipelining,  // several at once
  dripping,    // byte by byte
  slow,        // takes the answers slowly
  ending,      // shuts its side behind the last request, and reads on
  aborting,    // closes, resets or vanishes at some point
  stalling,    // stands still for longer than Weir waits
};
inline constexpr std::uint32_t kClientManners = 7;

class HttpClient final : private Watcher {
 public:
  HttpClient(Network& network, Ledger& ledger, HostId host, HostId weir, std::uint16_t port);
  HttpClient(const HttpClient&) = delete;
  ~HttpClient();

  void start();
  bool is_over() const noexcept { return is_over_; }

 private:
  void on_change() noexcept override { note(); }
  void note() noexcept;
  void wake_in(Duration delay);
  bool chance(std::uint32_t permille) noexcept { return network_.random().below(1000) < permille; }
  void step();
  void add_request();
  void add_some_requests();
  bool send_some();
  bool receive_some();
  void read_answers();
  void on_head();
  void on_body();
  void on_answer_end();
  void on_connection_end();
  void give_up();
  void finish_all(Outcome::Kind kind);
  bool is_disturbed() const noexcept;
  bool is_misbehaving() const noexcept {
    return manner_ == ClientManner::aborting || manner_ == ClientManner::stalling;
  }

  Network& network_;
  Ledger& ledger_;
  HostId host_;
  HostId weir_;
  std::uint16_t port_;
  ClientManner manner_;
  End* end_ = nullptr;
  TimePoint began_{};
  int requests_left_;
  std::string out_;
  std::size_t moved_ = 0;      // bytes sent and received
  std::size_t moved_max_ = 0;  // of an aborting or stalling client: the point where it does
  std::deque<std::uint64_t> awaited_;
  std::uint64_t answered_last_ = 0;  // 0: none
  std::size_t bytes_behind_ = 0;     // of requests behind the first that is awaited, at least
  MessageReader reader_{MessageReader::Kind::response};
  std::uint64_t body_bytes_ = 0;
  std::string error_page_;
  bool is_last_answer_ = false;  // nothing comes after it
  bool has_said_end_ = false;
  bool has_stalled_ = false;
  bool is_noted_ = false;
  bool is_over_ = false;
  std::shared_ptr<bool> is_alive_ = std::make_shared<bool>(true);
};

}  // namespace weir::sim
