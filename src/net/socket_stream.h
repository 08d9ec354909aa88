#pragma once
// SocketStream: a ByteStream on a connected TCP or unix socket of a worker's reactor.

#include <algorithm>

#include "net/address.h"
#include "net/byte_stream.h"
#include "runtime/worker.h"

namespace weir::net {

namespace detail {

// One direction of a SocketStream: its operation's record, who waits, and until when.
template <class Record>
struct StreamDirection : Record {
  using Record::Record;
  Waiter* waiter = nullptr;
  TimePoint deadline = kNever;
  ErrorKind end_kind = ErrorKind::none;  // why it was cancelled
};

struct StreamWatch : Operation {
  using Operation::Operation;
  Waiter* waiter = nullptr;
};

}  // namespace detail

// What it is made of are its bases, so that it is found from each of them without a pointer: there
// is one for every connection, whether anything happens on it or not.
class SocketStream final : public ByteStream,
                           private Timer,
                           private Deferred,
                           private detail::StreamWatch,
                           private detail::StreamDirection<ReceiveOperation>,
                           private detail::StreamDirection<SendOperation> {
 public:
  // Takes the socket over, which belongs to the worker's reactor, and closes it when destroyed.
  // Nothing may wait for the stream then.
  SocketStream(Worker& worker, Socket& socket, Side side) noexcept;
  SocketStream(const SocketStream&) = delete;
  ~SocketStream() override;

  // Connects a socket that is not connected yet.
  Started start_connect(const Address& address, TimePoint deadline, Waiter& waiter) noexcept;
  auto connect(const Address& address, TimePoint deadline) noexcept {
    return Wait([this, &address, deadline](Waiter& waiter) noexcept {
      return start_connect(address, deadline, waiter);
    });
  }

  Started start_receive(ReceiveBuffer& into, TimePoint deadline, Waiter& waiter) noexcept override;
  Started start_send(std::span<const char> message, TimePoint deadline,
                     Waiter& waiter) noexcept override;
  Started start_readable(TimePoint deadline, Waiter& waiter) noexcept override;
  Started start_writable(TimePoint deadline, Waiter& waiter) noexcept override;
  void cancel_read() noexcept override;
  IoCount try_receive(std::span<char> into) noexcept override;
  IoCount try_send(std::span<const iovec> parts) noexcept override;
  bool can_splice() const noexcept override { return worker_.reactor().can_splice(); }
  IoCount try_splice_in(Pipe& into, std::size_t bytes_max) noexcept override;
  IoCount try_splice_out(Pipe& from) noexcept override;
  void watch_hang_up(Waiter& waiter) noexcept override;
  Started watch_rest(Waiter& waiter) noexcept override;
  void stop_watching() noexcept override;
  void abort(Error reason) noexcept override;
  void shutdown_write() noexcept override;
  void reset_on_close() noexcept override;
  Side side() const noexcept override { return side_; }

  const Socket& socket() const noexcept { return socket_; }

 private:
  using Watch = detail::StreamWatch;
  using Read = detail::StreamDirection<ReceiveOperation>;
  using Write = detail::StreamDirection<SendOperation>;

  Read& read() noexcept { return *this; }
  Write& write() noexcept { return *this; }
  Watch& watch() noexcept { return *this; }

  template <class Direction>
  Started begin_wait(Direction& direction, Started started, TimePoint deadline,
                     Waiter& waiter) noexcept;
  template <class Direction>
  void finish_wait(Direction& direction) noexcept;
  template <class Direction>
  Error outcome(const Direction& direction) const noexcept;
  template <class Direction>
  void end_late(Direction& direction) noexcept;
  void arm_deadline() noexcept {
    arm(worker_.timers(), std::min(read().deadline, write().deadline));
  }
  bool is_aborted(Waiter& waiter) const noexcept;
  void finish_receive(Waiter& waiter) noexcept;

  static void on_read_complete(Operation& operation) noexcept;
  static void on_write_complete(Operation& operation) noexcept;
  static void on_deadline(Timer& timer) noexcept;
  static void on_abort(Deferred& deferred) noexcept;
  static void on_watch(Operation& operation) noexcept;

  Side side_;
  Readiness watched_for_ = Readiness::hang_up;
  Error abort_reason_;
  Worker& worker_;
  Socket& socket_;
  ReceiveBuffer* receiving_ = nullptr;
};

}  // namespace weir::net
