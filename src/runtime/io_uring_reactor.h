#pragma once
// The reactor on io_uring. The kernel never holds memory of the caller's: it receives into buffers
// of the ring, from which bytes are copied when somebody wants them. Small messages are copied to
// buffers of the ring, too, and leave together at the end of the turn, with the system call that
// waits for the next; big ones are sent by system calls of their own, with a poll when the socket
// is full. So a cancelled operation ends at once; what the kernel still does for it (a receive, a
// poll) stays with the socket, which the next operation finds armed, and which lives until the
// kernel has let go of it.

#include <memory>
#include <vector>

#include "base/intrusive_list.h"
#include "base/slab.h"
#include "runtime/io_ring.h"
#include "runtime/reactor.h"

namespace weir {

class IoUringReactor final : public Reactor {
 public:
  // Fails with the errno of what is missing: ENOSYS or EPERM where io_uring is switched off or
  // filtered, EINVAL before Linux 6.1. The first turn() decides which thread is the worker's.
  // patience: how long, or up to twice as long, the peer of a closed socket may take nothing of
  // what is unsent, before it is reset.
  static Result<std::unique_ptr<IoUringReactor>> make(BufferPool& buffers,
                                                      const RingSizes& sizes = {},
                                                      Duration patience = std::chrono::seconds(30));
  IoUringReactor(std::unique_ptr<IoRing> ring, Fd wake_event, BufferPool& buffers,
                 Duration patience) noexcept;
  ~IoUringReactor() override;

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
  bool is_sending_after_close() const noexcept override {
    return !full_.is_empty() || !closing_.is_empty();
  }
  void turn(TimePoint until) noexcept override;
  void wake() noexcept override;

 private:
  // What the kernel does for a socket, each at most once at a time.
  enum class Job : std::uint8_t { receive, send, poll_read, poll_write, poll_hang_up };
  class RingSocket;
  struct TokenParts {
    RingSocket* socket;
    Job job;
  };

  static RingToken token_of(RingSocket& socket, Job job) noexcept;
  static TokenParts parts_of(RingToken token) noexcept;
  void arm(RingSocket& socket, Job job) noexcept;
  void await_readable(RingSocket& socket) noexcept;
  bool receive_now(RingSocket& socket, ReceiveOperation& operation) noexcept;
  IoCount receive_more(RingSocket& socket, std::span<char> into) noexcept;
  IoCount splice_more(RingSocket& socket, Pipe& into, std::size_t bytes_max) noexcept;
  IoCount put_held(RingSocket& socket, Pipe& into, std::size_t bytes_max) noexcept;
  void release_held(RingSocket& socket) noexcept;
  bool queue_send(RingSocket& socket, std::span<const iovec> parts, std::size_t bytes) noexcept;
  IoCount note_sent(RingSocket& socket, IoCount count, std::size_t wanted) noexcept;
  bool send_unsent(RingSocket& socket) noexcept;
  void end_send(RingSocket& socket) noexcept;
  bool take_back_send(RingSocket& socket) noexcept;
  void release_unsent(RingSocket& socket) noexcept;
  void await_writable(RingSocket& socket) noexcept;
  void settle_sends() noexcept;
  void on_send_failed(RingSocket& socket, int result) noexcept;
  void continue_closing(RingSocket& socket) noexcept;
  void reset_stuck() noexcept;
  void accept_some(RingSocket& socket, AcceptOperation& operation) noexcept;
  void dispatch(const RingCompletion& completion) noexcept;
  void on_received(RingSocket& socket, const RingCompletion& completion) noexcept;
  void on_hang_up(RingSocket& socket, int events) noexcept;
  void continue_read_side(RingSocket& socket) noexcept;
  void continue_write_side(RingSocket& socket, std::uint32_t events) noexcept;
  void read_clocks() noexcept;

  std::unique_ptr<IoRing> ring_;
  Fd wake_event_;
  BufferPool& buffers_;
  Duration patience_;
  Slab<RingSocket> sockets_;
  std::vector<RingSocket*> sending_;         // that do Job::send; each knows its place
  std::vector<RingSocket*> settling_;        // that did, and have to go on
  bool send_is_awaited_ = false;             // by something that goes on when it is over
  std::vector<RingCompletion> completions_;  // of this turn
  IntrusiveList<RingSocket> full_;           // closed, with unsent bytes
  TimePoint stuck_at_{};                     // when they are looked at next
  IntrusiveList<RingSocket> closing_;        // the kernel has not let go of them yet
  IntrusiveList<RingSocket> closed_;         // in this turn: a callback may still be on their stack
};

}  // namespace weir
