#pragma once
// SocketStream: a ByteStream on a connected TCP or unix socket of a worker's reactor.

#include "net/address.h"
#include "net/byte_stream.h"
#include "runtime/worker.h"

namespace weir::net {

class SocketStream final : public ByteStream {
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
  void watch_hang_up(Waiter& waiter) noexcept override;
  Started watch_rest(Waiter& waiter) noexcept override;
  void stop_watching() noexcept override;
  void abort(Error reason) noexcept override;
  void shutdown_write() noexcept override;
  void reset_on_close() noexcept override;
  Side side() const noexcept override { return side_; }

  const Socket& socket() const noexcept { return socket_; }

 private:
  // One direction: its operation's record, who waits, and until when.
  template <class Record>
  struct Direction {
    Direction(Operation::Callback on_complete, Timer::Callback on_deadline, SocketStream& owner)
        : record(on_complete), deadline(on_deadline, owner) {}
    struct Alarm : Timer {
      Alarm(Timer::Callback callback, SocketStream& owner) noexcept
          : Timer(callback), stream(owner) {}
      SocketStream& stream;
    };
    struct Owned : Record {
      using Record::Record;
      SocketStream* stream = nullptr;
    };
    Owned record;
    Alarm deadline;
    Waiter* waiter = nullptr;
    ErrorKind end_kind = ErrorKind::none;  // why it was cancelled
  };
  struct Abort : Deferred {
    explicit Abort(SocketStream& owner) noexcept : Deferred(&on_turn), stream(owner) {}
    static void on_turn(Deferred& self) noexcept { static_cast<Abort&>(self).stream.end_waits(); }
    SocketStream& stream;
  };

  template <class DirectionType>
  Started begin_wait(DirectionType& direction, Started started, TimePoint deadline,
                     Waiter& waiter) noexcept;
  template <class DirectionType>
  void finish_wait(DirectionType& direction) noexcept;
  template <class DirectionType>
  Error outcome(const DirectionType& direction) const noexcept;
  bool is_aborted(Waiter& waiter) const noexcept;
  void end_waits() noexcept;
  void finish_receive() noexcept;

  static void on_read_complete(Operation& operation) noexcept;
  static void on_write_complete(Operation& operation) noexcept;
  static void on_read_deadline(Timer& timer) noexcept;
  static void on_write_deadline(Timer& timer) noexcept;
  static void on_watch(Operation& operation) noexcept;

  Worker& worker_;
  Socket& socket_;
  Side side_;
  Error abort_reason_;
  Direction<ReceiveOperation> read_;
  Direction<SendOperation> write_;
  ReceiveBuffer* receiving_ = nullptr;
  struct Watch : Operation {
    using Operation::Operation;
    Waiter* waiter = nullptr;
    SocketStream* stream = nullptr;
    Readiness readiness = Readiness::hang_up;
  } watch_;
  Abort abort_;
};

}  // namespace weir::net
