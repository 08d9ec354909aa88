#pragma once
// HttpServer: a server of the simulation on a host of its own. It speaks real HTTP/1.1; how well it
// behaves is drawn by lot for each request.

#include <memory>
#include <vector>

#include "sim/message_reader.h"
#include "sim/sim_server.h"

namespace weir::sim {

// How often, of 1000 requests or connections, a server misbehaves.
struct ServerHabits {
  std::uint32_t misbehave = 0;   // one of the ways to damage a request
  std::uint32_t slow = 100;      // answers late, but in time
  std::uint32_t idle_close = 0;  // closes a connection that rests, without a word
  Duration pause_max = std::chrono::seconds(2);
};

class HttpServer final : public SimServer {
 public:
  static constexpr std::uint16_t kPort = 8080;

  HttpServer(Ledger& ledger, ServerGroup& group, std::size_t index, HostId host) noexcept
      : SimServer(ledger, group, index, host, kPort) {}

  void set_habits(const ServerHabits& habits) noexcept { habits_ = habits; }

 private:
  enum class Manner : std::uint8_t {
    answer,
    close_early,  // before a byte of the response
    reset_early,
    cut_head,
    garbage,
    cut_body,
    reset_body,
    silent,
  };
  struct Session final : Watcher {
    Session(HttpServer& owner, End& its_end) noexcept : server(owner), end(&its_end) {}
    void on_change() noexcept override { server.note(); }

    HttpServer& server;
    End* end;
    MessageReader reader{MessageReader::Kind::request};
    std::string out;
    std::uint64_t id = 0;
    std::string method;
    Manner manner = Manner::answer;
    std::uint64_t body_bytes = 0;
    TimePoint not_before{};  // rests until then
    bool is_answered = true;
    bool has_spoken = false;  // said something to this request
    bool closes_after = false;
    bool resets_after = false;
    bool is_mute = false;
  };

  void accept(End& end) override;
  void serve_all() override;
  void forget_all() override;
  // False: the session is over.
  bool serve(Session& session);
  bool read(Session& session);
  bool on_head(Session& session);
  void on_body(Session& session);
  void on_request_end(Session& session);
  void answer(Session& session);
  void write_answer(Session& session);
  std::string head_of(const Session& session, std::size_t bytes, std::string_view framing);
  bool write(Session& session);
  Manner draw_manner();

  ServerHabits habits_;
  std::vector<std::unique_ptr<Session>> sessions_;
};

}  // namespace weir::sim
