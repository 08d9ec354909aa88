#pragma once
// MuxClient: one connection of the simulation's multiplexed protocol, with many requests beside
// each other, each with its own pace.

#include <map>
#include <memory>

#include "sim/ledger.h"
#include "sim/mux_frame.h"
#include "sim/network.h"

namespace weir::sim {

class MuxClient final : private Watcher {
 public:
  MuxClient(Ledger& ledger, HostId host, HostId weir, std::uint16_t port);
  MuxClient(const MuxClient&) = delete;
  ~MuxClient() { *is_alive_ = false; }

  void start();
  bool is_over() const noexcept { return is_over_; }

 private:
  struct Stream {
    std::uint64_t id = 0;
    std::string method;
    std::string body;  // not sent yet
    bool has_ended = false;
    std::size_t window = kFirstWindow;
    bool is_stingy = false;  // opens its window byte by byte
    bool resets = false;     // gives up on the way
    std::uint64_t answer_bytes = 0;
    int status = 0;
    bool is_of_server = false;  // the answer, not Weir's own
    std::uint64_t answer_id = 0;
    std::uint64_t answer_length = 0;
    std::string error_page;
  };

  void on_change() noexcept override { note(Duration(network_.random().below(50'000))); }
  bool chance(std::uint32_t permille) noexcept { return network_.random().below(1000) < permille; }
  void note(Duration delay) noexcept;
  void step();
  void open_streams();
  void open_stream();
  void send_bodies();
  bool flush();
  bool receive();
  void on_frame(const Frame& frame);
  void on_head(Stream& stream, const std::string& text);
  void on_data(Stream& stream, std::uint32_t number, const std::string& data);
  void on_end(std::uint32_t number, Outcome::Kind kind);
  void end_connection();
  bool is_disturbed() const noexcept { return network_.disturbed_at(host_, weir_) >= began_; }

  Network& network_;
  Ledger& ledger_;
  HostId host_;
  HostId weir_;
  std::uint16_t port_;
  std::size_t beside_max_;
  int requests_left_;
  TimePoint began_{};
  End* end_ = nullptr;
  std::uint32_t next_number_ = 1;
  std::map<std::uint32_t, Stream> streams_;
  std::string in_;
  std::string out_;
  bool is_noted_ = false;
  bool is_over_ = false;
  std::shared_ptr<bool> is_alive_ = std::make_shared<bool>(true);
};

}  // namespace weir::sim
