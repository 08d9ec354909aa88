#pragma once
// Tunnels: clients and servers of the simulation's TCP listener. A client's first bytes name the
// tunnel; then both sides send what is derived from its number, and end their sides in some order.

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "sim/sim_server.h"

namespace weir::sim {

// Who waits with the second half of its bytes until the other side has ended.
enum class TunnelOrder : std::uint8_t { nobody, server_waits, client_waits };

struct TunnelRecord {
  std::uint64_t id = 0;
  std::string client;
  TunnelOrder order = TunnelOrder::nobody;
  std::size_t up_bytes = 0;
  std::size_t down_bytes = 0;
  TimePoint began{};
  int seen = 0;                  // at servers
  std::uint64_t damaged_by = 0;  // servers that broke it off, a bit each
  bool is_up_whole = false;      // all of the client's bytes and their end came to the server
};

class TunnelLedger {
 public:
  TunnelLedger(Ledger& ledger, const ServerGroup& db) noexcept : ledger_(ledger), db_(db) {}

  // client: as Weir's log has its address.
  TunnelRecord& begin(std::string client);
  // Why Weir ended the tunnel of this client.
  void note_reason(std::string_view client, ErrorKind reason);
  TunnelRecord* find(std::uint64_t id) noexcept;
  Ledger& ledger() noexcept { return ledger_; }

  // The client got everything and an orderly end.
  void finish_whole(TunnelRecord& tunnel);
  // The client got less. is_explained: its own network or manners explain it.
  void finish_broken(TunnelRecord& tunnel, bool is_explained);

  std::size_t tunnels() const noexcept { return tunnels_.size(); }
  std::size_t whole() const noexcept { return whole_; }

 private:
  Ledger& ledger_;
  const ServerGroup& db_;
  std::map<std::string, ErrorKind, std::less<>> reasons_;
  std::deque<TunnelRecord> tunnels_;
  std::size_t whole_ = 0;
};

// One side of a tunnel: what it sends, what it gets, and in which order it ends.
class TunnelSide {
 public:
  TunnelSide(Network& network, End& end) noexcept : network_(network), end_(end) {}

  void send_text(std::string_view text) { out_ += text; }
  // waits: with the second half, and with the end, until the other side has ended.
  void send_pattern(std::uint64_t stream, std::size_t bytes, bool waits);
  void receive_pattern(std::uint64_t stream) noexcept { in_stream_ = stream; }

  // Moves what can be moved now. False: the connection broke.
  bool move();
  bool has_changed_bytes() const noexcept { return has_changed_bytes_; }
  std::uint64_t received() const noexcept { return in_bytes_; }
  bool has_peer_ended() const noexcept { return has_peer_ended_; }
  bool is_over() const noexcept { return has_ended_ && has_peer_ended_; }
  std::string& unread_text() noexcept { return text_; }

 private:
  bool receive_some();
  bool send_some();
  void take(std::string_view bytes);

  Network& network_;
  End& end_;
  std::string out_;
  std::string out_later_;  // once the other side has ended
  bool may_end_ = false;   // nothing comes behind what is there
  bool waits_ = false;
  bool has_ended_ = false;
  bool has_peer_ended_ = false;
  std::uint64_t in_stream_ = 0;  // 0: text
  std::uint64_t in_bytes_ = 0;
  bool has_changed_bytes_ = false;
  std::string text_;
};

class TcpServer final : public SimServer {
 public:
  static constexpr std::uint16_t kPort = 5432;

  TcpServer(TunnelLedger& tunnels, ServerGroup& group, std::size_t index, HostId host) noexcept
      : SimServer(tunnels.ledger(), group, index, host, kPort), tunnels_(tunnels) {}

  // How many of 1000 tunnels it breaks off.
  void set_breaks(std::uint32_t permille) noexcept { breaks_ = permille; }

 private:
  struct Session final : Watcher {
    Session(TcpServer& owner, Network& network, End& its_end) noexcept
        : server(owner), end(its_end), side(network, its_end) {}
    void on_change() noexcept override { server.note(); }

    TcpServer& server;
    End& end;
    TunnelSide side;
    TunnelRecord* tunnel = nullptr;
    bool breaks = false;
  };

  void accept(End& end) override;
  void serve_all() override;
  void forget_all() override { sessions_.clear(); }
  bool serve(Session& session);
  bool read_name(Session& session);

  TunnelLedger& tunnels_;
  std::uint32_t breaks_ = 0;
  std::vector<std::unique_ptr<Session>> sessions_;
};

class TcpClient final : private Watcher {
 public:
  TcpClient(TunnelLedger& tunnels, HostId host, HostId weir, std::uint16_t port);
  TcpClient(const TcpClient&) = delete;
  ~TcpClient() { *is_alive_ = false; }

  void start();
  bool is_over() const noexcept { return is_over_; }

 private:
  void on_change() noexcept override;
  void step();
  void end(bool is_whole);
  bool is_disturbed() const noexcept;

  TunnelLedger& tunnels_;
  Network& network_;
  HostId host_;
  HostId weir_;
  std::uint16_t port_;
  bool gives_up_;  // somewhere on the way
  End* end_ = nullptr;
  TunnelRecord* tunnel_ = nullptr;
  std::unique_ptr<TunnelSide> side_;
  bool is_noted_ = false;
  bool is_over_ = false;
  std::shared_ptr<bool> is_alive_ = std::make_shared<bool>(true);
};

}  // namespace weir::sim
