#pragma once
// SimReactor: the reactor contract over the simulated network. It never waits: who runs the
// simulation turns it when due() says so. What the contract leaves open is drawn by lot: whether an
// operation completes at once or later, how much a call moves, readiness without a cause, a cancel
// that comes too late.

#include <vector>

#include "base/slab.h"
#include "runtime/reactor.h"
#include "sim/network.h"

namespace weir::sim {

// How often, of 1000, a reactor makes use of a freedom that the contract gives it.
struct ReactorHabits {
  std::uint32_t late_start = 200;       // completes in a later turn what it could at once
  std::uint32_t late_completion = 100;  // leaves a socket that is ready for a later turn
  std::uint32_t late_cancel = 300;      // of receives, sends, connects and polls for readiness
  std::uint32_t spurious = 20;          // ready for nothing, or "not now" for no reason
  std::uint32_t short_count = 300;      // moves less than it could, down to one byte
};

class SimReactor final : public Reactor {
 public:
  // descriptors_max: sockets that may be open at a time.
  SimReactor(Network& network, HostId host, BufferPool& buffers, std::uint64_t seed,
             const ReactorHabits& habits, std::size_t descriptors_max = SIZE_MAX);
  ~SimReactor() override;

  // A socket that accepts what comes to a port of the host.
  Socket& listen(std::uint16_t port, std::size_t backlog) {
    return adopt(network_.listen(host_, port, backlog));
  }
  Socket& adopt(Listening& listening);
  // When a turn has something to do: now, at the time the last one was given, or kNever.
  TimePoint due() const noexcept;
  // Sockets made or accepted, and not closed.
  std::size_t open_sockets() const noexcept;
  // Those of them that were never connected.
  std::size_t unconnected_sockets() const noexcept { return unconnected_; }

  Result<Socket*> make_stream_socket(int family) noexcept override;
  Socket& adopt(Fd fd) noexcept override;
  void close(Socket& socket) noexcept override;
  Started start_accept(Socket& socket, AcceptOperation& operation) noexcept override;
  Started start_connect(Socket& socket, SocketAddressView address,
                        Operation& operation) noexcept override;
  Started start_receive(Socket& socket, ReceiveOperation& operation) noexcept override;
  Started start_send(Socket& socket, SendOperation& operation) noexcept override;
  Started start_poll(Socket& socket, Readiness readiness, Operation& operation) noexcept override;
  void cancel(Socket& socket, Operation& operation) noexcept override;
  IoCount try_receive(Socket& socket, std::span<char> into) noexcept override;
  IoCount try_send(Socket& socket, std::span<const iovec> parts) noexcept override;
  void shutdown_write(Socket& socket) noexcept override;
  void reset_on_close(Socket& socket) noexcept override;
  void turn(TimePoint until) noexcept override;
  void wake() noexcept override { is_told_ = true; }

 private:
  class SimSocket;
  enum class Want : std::uint8_t {
    none,
    accept,
    connect,
    receive,
    send,
    readable,
    writable,
    hang_up,
    any_event
  };
  // At most one operation of a kind: reading (or accepting), writing (or connecting), watching.
  struct Pending {
    Operation* operation = nullptr;
    Want want = Want::none;
    bool is_canceled = false;
  };

  bool chance(std::uint32_t permille) noexcept { return random_.below(1000) < permille; }
  std::size_t some_of(std::size_t bytes) noexcept;
  void read_clocks() noexcept;
  void mark(SimSocket& socket) noexcept;
  Started begin(SimSocket& socket, Pending& pending, Want want, Operation& operation) noexcept;
  bool try_complete(SimSocket& socket, Pending& pending) noexcept;
  bool is_ready(const SimSocket& socket, Want want) noexcept;
  bool receive_now(SimSocket& socket, ReceiveOperation& operation) noexcept;
  bool send_now(SimSocket& socket, SendOperation& operation) noexcept;
  bool connect_now(SimSocket& socket, Operation& operation) noexcept;
  void accept_some(SimSocket& socket) noexcept;
  void dispatch(SimSocket& socket) noexcept;
  void continue_pending(SimSocket& socket, Pending& pending) noexcept;

  Network& network_;
  HostId host_;
  BufferPool& buffers_;
  Random random_;
  ReactorHabits habits_;
  std::size_t descriptors_max_;
  Slab<SimSocket> sockets_;
  std::vector<SimSocket*> marked_;  // something may have happened
  std::vector<SimSocket*> closed_;  // in this turn
  std::size_t unconnected_ = 0;
  TimePoint until_{};
  bool is_told_ = true;    // by wake()
  bool is_woken_ = false;  // for one more turn
};

}  // namespace weir::sim
