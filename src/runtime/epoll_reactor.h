#pragma once
// The reactor on epoll: edge-triggered, each socket registered at most once in its life, on its
// first wait. What is known of a socket's readiness is remembered, so that a drained socket costs
// no failing read.

#include <array>
#include <memory>

#include "base/slab.h"
#include "runtime/reactor.h"

namespace weir {

class EpollReactor final : public Reactor {
 public:
  // Fails when the process has no descriptor left, or the kernel refuses what is needed.
  static Result<std::unique_ptr<EpollReactor>> make(BufferPool& buffers);
  EpollReactor(Fd epoll, Fd wake_event, BufferPool& buffers) noexcept;
  ~EpollReactor() override;

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
  bool can_splice() const noexcept override { return true; }
  IoCount try_splice_in(Socket& socket, Pipe& into, std::size_t bytes_max) noexcept override;
  IoCount try_splice_out(Socket& socket, Pipe& from) noexcept override;
  void shutdown_write(Socket& socket) noexcept override;
  void reset_on_close(Socket& socket) noexcept override;
  void turn(TimePoint until) noexcept override;
  void wake() noexcept override;

 private:
  class EpollSocket;
  static constexpr int kEventsMax = 256;

  void register_once(EpollSocket& socket) noexcept;
  void dispatch(EpollSocket& socket, std::uint32_t events) noexcept;
  void continue_read_side(EpollSocket& socket) noexcept;
  void continue_write_side(EpollSocket& socket) noexcept;
  IoCount note_sent(EpollSocket& socket, IoCount count, std::size_t wanted) noexcept;
  bool receive_now(EpollSocket& socket, ReceiveOperation& operation) noexcept;
  void accept_some(EpollSocket& socket, AcceptOperation& operation) noexcept;
  void end_accept(EpollSocket& socket, int os_error) noexcept;
  bool control(int what, EpollSocket& socket, std::uint32_t events) noexcept;
  void read_clocks() noexcept;

  Fd epoll_;
  Fd wake_event_;
  BufferPool& buffers_;
  Slab<EpollSocket> sockets_;
  EpollSocket* closed_ = nullptr;  // closed in this turn: an event of the batch may still name them
};

}  // namespace weir
