#pragma once
// Reactor: where I/O meets time, one for each worker. Three implementations: epoll, io_uring, and
// the simulation. All calls but wake() are made on the worker's thread.
//
// Two kinds of operation. *Submitted* ones (accept, connect, receive, send, poll) have a completion
// record, an Operation, that belongs to the reactor from start until completion; there is at most
// one a direction and socket. Starting one either completes it at once (the call says so, nothing
// is called back) or later, by calling it back once. Cancelling is asking: the completion still
// comes, perhaps later. *Immediate* ones (try_…) never block and have no record.

#include <cerrno>
#include <cstdint>
#include <span>
#include <sys/socket.h>
#include <sys/uio.h>

#include "base/buffer_pool.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/result.h"
#include "base/time.h"
#include "runtime/pipe_pool.h"

namespace weir {

struct SocketAddressView {
  const sockaddr* address;
  socklen_t length;
};

enum class Started : std::uint8_t { waiting, completed };

// The record of one submitted operation. Owned by whoever starts it, who must not destroy or reuse
// it while it is pending.
class Operation {
 public:
  using Callback = void (*)(Operation&) noexcept;
  explicit Operation(Callback callback) noexcept : callback_(callback) {}
  Operation(const Operation&) = delete;
  Operation& operator=(const Operation&) = delete;
  ~Operation() { WEIR_ASSERT(!pending_); }

  bool is_pending() const noexcept { return pending_; }
  // After completion: 0 or an errno; ECANCELED when it was cancelled.
  int os_error() const noexcept { return os_error_; }

  // For reactors only.
  void begin() noexcept {
    WEIR_ASSERT(!pending_);
    pending_ = true;
    os_error_ = 0;
  }
  void end(int os_error) noexcept {
    pending_ = false;
    os_error_ = os_error;
  }
  void complete(int os_error) noexcept {
    end(os_error);
    callback_(*this);
  }

 private:
  Callback callback_;
  int os_error_ = 0;
  bool pending_ = false;
};

// Reads up to the free rest of `buffer` behind `filled`, which must not be empty; without a buffer
// the reactor takes one of `buffer_bytes` when there are bytes to put in. A buffer with nothing in
// it is given back while waiting, so that waiting costs none. At the end of the stream
// received == 0. ENOBUFS when no buffer is left.
class ReceiveOperation : public Operation {
 public:
  using Operation::Operation;
  Buffer buffer;
  std::uint32_t filled = 0;
  std::uint32_t buffer_bytes = 16 * 1024;
  std::uint32_t received = 0;
};

// Sends a whole small message, which must stay in place until completion. `sent` counts what went
// out, also of a message that failed or was cancelled.
class SendOperation : public Operation {
 public:
  using Operation::Operation;
  std::span<const char> message;
  std::size_t sent = 0;
};

// Calls back once for each connection; goes on until it is cancelled or fails.
class AcceptOperation : public Operation {
 public:
  // peer is valid during the call only.
  using Accepted = void (*)(AcceptOperation&, Fd connection, const sockaddr_storage& peer) noexcept;
  AcceptOperation(Accepted on_accepted, Callback on_end) noexcept
      : Operation(on_end), accepted(on_accepted) {}
  const Accepted accepted;
};

// What a poll waits for. Readable and writable may come when a try_ call still finds nothing, so
// the answer to would-block is to poll again. A hang-up is the end of both directions: a reset, or
// the peer's end after our own; its end alone is not one.
// `any_event` completes on whatever happens to a socket that is at rest, perhaps without a cause;
// it and hang_up share one place, beside a reader's and a writer's.
enum class Readiness : std::uint8_t { readable, writable, hang_up, any_event };

// What an immediate call came to: a count, "not now", or an errno. A receive of zero bytes is the
// end.
class IoCount {
 public:
  static IoCount of(std::size_t bytes) noexcept {
    return IoCount(static_cast<std::int64_t>(bytes));
  }
  static IoCount failed(int os_error) noexcept { return IoCount(-std::int64_t{os_error}); }
  static IoCount would_block() noexcept { return failed(EAGAIN); }

  bool is_would_block() const noexcept { return value_ == -EAGAIN; }
  bool is_failure() const noexcept { return value_ < 0 && value_ != -EAGAIN; }
  int os_error() const noexcept { return static_cast<int>(-value_); }
  std::size_t bytes() const noexcept {
    WEIR_ASSERT(value_ >= 0);
    return static_cast<std::size_t>(value_);
  }

 private:
  explicit IoCount(std::int64_t value) noexcept : value_(value) {}
  std::int64_t value_;
};

// A socket known to a reactor; made by it, and gone with close().
class Socket {
 public:
  int fd() const noexcept { return fd_.get(); }

 protected:
  explicit Socket(Fd fd) noexcept : fd_(std::move(fd)) {}
  ~Socket() = default;
  Fd fd_;
};

class Reactor {
 public:
  virtual ~Reactor() = default;

  // The time at which the present turn of the loop began.
  TimePoint now() const noexcept { return now_; }
  WallTime wall_now() const noexcept { return wall_now_; }
  // How often the reactor had no buffer of its own for what had come or was to be sent, and took a
  // longer way.
  std::uint64_t ring_buffers_exhausted() const noexcept { return ring_buffers_exhausted_; }

  // A non-blocking, close-on-exec stream socket of AF_INET, AF_INET6 or AF_UNIX.
  virtual Result<Socket*> make_stream_socket(int family) noexcept = 0;
  // Takes over a non-blocking socket that is connected or listening already. A connected one must
  // have no other descriptor, in this process or another.
  virtual Socket& adopt(Fd fd) noexcept = 0;
  // Closes the socket. No operation of it may be pending.
  virtual void close(Socket& socket) noexcept = 0;

  virtual Started start_accept(Socket& socket, AcceptOperation& operation) noexcept = 0;
  virtual Started start_connect(Socket& socket, SocketAddressView address,
                                Operation& operation) noexcept = 0;
  virtual Started start_receive(Socket& socket, ReceiveOperation& operation) noexcept = 0;
  virtual Started start_send(Socket& socket, SendOperation& operation) noexcept = 0;
  virtual Started start_poll(Socket& socket, Readiness readiness,
                             Operation& operation) noexcept = 0;
  // Ends a pending operation with ECANCELED: at once, from within the call, or by a later
  // completion; an accept, and a poll for a hang-up or for any event, always at once.
  virtual void cancel(Socket& socket, Operation& operation) noexcept = 0;

  // `into` must not be empty. After would-block, ask again when a poll has completed. Bytes that a
  // send took, this or a submitted one, may leave as late as the next turn() begins, and the errno
  // that this comes to is told to the next send or receive; a shutdown or a close does not overtake
  // them.
  virtual IoCount try_receive(Socket& socket, std::span<char> into) noexcept = 0;
  virtual IoCount try_send(Socket& socket, std::span<const iovec> parts) noexcept = 0;
  // Whether its sockets are the kernel's, so that bytes can go between them and pipes.
  virtual bool can_splice() const noexcept { return false; }
  // As the two above, where it can: moves up to `bytes_max` bytes into a pipe, which must be empty,
  // or as many as the socket takes of those that a pipe holds, of which there must be some. So
  // would-block is always the socket's.
  virtual IoCount try_splice_in(Socket&, Pipe&, std::size_t) noexcept {
    return IoCount::failed(EOPNOTSUPP);
  }
  virtual IoCount try_splice_out(Socket&, Pipe&) noexcept { return IoCount::failed(EOPNOTSUPP); }
  virtual void shutdown_write(Socket& socket) noexcept = 0;
  // Makes the close that follows send a reset (RFC 9293 3.10.7) instead of a FIN.
  virtual void reset_on_close(Socket& socket) noexcept = 0;
  // Whether bytes of closed sockets may be unsent still: turns let them leave, the reactor's end
  // loses them. It comes to an end, however little the peers read.
  virtual bool is_sending_after_close() const noexcept { return false; }

  // One turn: waits until something completes, wake() was called, or `until` has come; then calls
  // back all that completed.
  virtual void turn(TimePoint until) noexcept = 0;
  // Ends the present or next wait. Any thread.
  virtual void wake() noexcept = 0;

 protected:
  TimePoint now_{};
  WallTime wall_now_{};
  std::uint64_t ring_buffers_exhausted_ = 0;
};

}  // namespace weir
