#pragma once
// MuxServer: a server of the simulation that speaks the multiplexed protocol: it answers many
// streams beside each other, piece by piece. How well it behaves is drawn by lot for each request.

#include <map>
#include <memory>
#include <vector>

#include "sim/http_server.h"
#include "sim/mux_frame.h"

namespace weir::sim {

class MuxServer final : public SimServer {
 public:
  // streams_max: that it allows on a connection at a time.
  MuxServer(Ledger& ledger, ServerGroup& group, std::size_t index, HostId host,
            std::uint16_t streams_max) noexcept
      : SimServer(ledger, group, index, host, mux_port(streams_max)), streams_max_(streams_max) {}

  void set_habits(const ServerHabits& habits) noexcept { habits_ = habits; }

 private:
  enum class Manner : std::uint8_t {
    answer,
    answer_early,  // before the request's end
    reset_early,   // the stream, before its answer
    reset_body,    // within
    silent,
    cut,  // the connection, with all its streams
  };
  struct Stream {
    std::uint64_t id = 0;
    std::string method;
    std::uint64_t body_length = 0;  // of the request, as its fields say
    std::uint64_t body_bytes = 0;
    Manner manner = Manner::answer;
    bool is_stingy = false;  // opens its window byte by byte
    bool has_request = false;
    bool is_due = false;  // to be answered, at that time
    TimePoint due_at{};
    bool is_answering = false;
    std::string out;  // of the answer's body
    std::string trailers;
    std::size_t window = kFirstWindow;
    bool is_over = false;
  };
  struct Session final : Watcher {
    Session(MuxServer& owner, End& its_end) noexcept : server(owner), end(&its_end) {}
    void on_change() noexcept override { server.note(); }

    MuxServer& server;
    End* end;
    std::string in;
    std::string out;
    std::map<std::uint32_t, Stream> streams;
    std::uint32_t next_sent = 0;
    std::vector<std::uint64_t> answered;  // at least in part
    bool is_to_be_cut = false;
  };

  void accept(End& end) override;
  void serve_all() override;
  void forget_all() override;
  // False: the session is over.
  bool serve(Session& session);
  bool receive(Session& session);
  void on_frame(Session& session, const Frame& frame);
  void on_head(Session& session, const Frame& frame);
  void on_data(Session& session, const Frame& frame, Stream& stream);
  void on_request_end(Session& session, Stream& stream);
  void plan_answer(Stream& stream);
  void answer(Session& session, std::uint32_t number, Stream& stream);
  void send_pieces(Session& session);
  void send_piece(Session& session, std::uint32_t number, Stream& stream);
  bool flush(Session& session);
  bool rest(Session& session);
  void cut(Session& session);
  void damage_all(const Session& session);

  std::uint16_t streams_max_;
  ServerHabits habits_;
  std::vector<std::unique_ptr<Session>> sessions_;
};

}  // namespace weir::sim
