#pragma once
// ByteStream: bytes in order both ways: TCP and unix sockets, later TLS, and the simulation's. One
// task or object reads and one writes at a time. Errors name the side the stream is on; a deadline
// that passed is ErrorKind::timeout, which the caller, who knows what was awaited, makes more
// exact.

#include <coroutine>
#include <span>
#include <sys/uio.h>

#include "base/error.h"
#include "base/result.h"
#include "base/time.h"
#include "net/abortable.h"
#include "runtime/reactor.h"

namespace weir::net {

// Who waits for a stream. Called back at most once for each wait that did not complete at once; may
// destroy the stream from within the call.
class Waiter {
 public:
  using Callback = void (*)(Waiter&) noexcept;
  explicit Waiter(Callback callback) noexcept : callback_(callback) {}
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;

  // After the wait; kind none if what was waited for has come.
  Error error;

  void call_back() noexcept { callback_(*this); }

 private:
  Callback callback_;
};

// Awaits what start(waiter) begins: a Started (…)(Waiter&).
template <class Start>
class Wait : private Waiter {
 public:
  explicit Wait(Start start) noexcept : Waiter(&on_done), start_(start) {}
  bool await_ready() noexcept { return start_(static_cast<Waiter&>(*this)) == Started::completed; }
  void await_suspend(std::coroutine_handle<> task) noexcept { task_ = task; }
  Result<void> await_resume() const noexcept {
    if (error.kind != ErrorKind::none) return fail(error);
    return {};
  }

 private:
  static void on_done(Waiter& self) noexcept { static_cast<Wait&>(self).task_.resume(); }
  Start start_;
  std::coroutine_handle<> task_;
};

// Bytes received but not yet used up: [begin, end) of a borrowed buffer.
struct ReceiveBuffer {
  Buffer buffer;
  std::uint32_t begin = 0;
  std::uint32_t end = 0;

  std::string_view bytes() const noexcept { return {buffer.data() + begin, end - begin}; }
  std::size_t size() const noexcept { return end - begin; }
  void consume(std::size_t count) noexcept {
    WEIR_ASSERT(count <= size());
    begin += static_cast<std::uint32_t>(count);
  }
  void release() noexcept {
    buffer.release();
    begin = end = 0;
  }
  void take(ReceiveBuffer& from) noexcept {
    buffer = std::move(from.buffer);
    begin = std::exchange(from.begin, 0);
    end = std::exchange(from.end, 0);
  }
};

class ByteStream : public Abortable {
 public:
  virtual ~ByteStream() = default;

  // Submitted. Each says completed (the waiter's error is set, nothing is called back) or waiting.
  // Receives behind `into.end`; takes a buffer if there is none, when bytes have come. At the end
  // of the stream the error is client_closed or server_closed.
  virtual Started start_receive(ReceiveBuffer& into, TimePoint deadline,
                                Waiter& waiter) noexcept = 0;
  // Sends the whole message, which must stay in place.
  virtual Started start_send(std::span<const char> message, TimePoint deadline,
                             Waiter& waiter) noexcept = 0;
  virtual Started start_readable(TimePoint deadline, Waiter& waiter) noexcept = 0;
  virtual Started start_writable(TimePoint deadline, Waiter& waiter) noexcept = 0;
  // Whoever waits for reading, if anybody does, is called back with ErrorKind::canceled.
  virtual void cancel_read() noexcept = 0;

  // Immediate. A received count of 0 is the end of the stream.
  virtual IoCount try_receive(std::span<char> into) noexcept = 0;
  virtual IoCount try_send(std::span<const iovec> parts) noexcept = 0;

  // Whether bytes can go between this stream and a pipe as they are: a socket's can.
  virtual bool can_splice() const noexcept { return false; }
  // Immediate, for those that can; as the reactor's calls of these names.
  virtual IoCount try_splice_in(Pipe&, std::size_t) noexcept { return IoCount::failed(EOPNOTSUPP); }
  virtual IoCount try_splice_out(Pipe&) noexcept { return IoCount::failed(EOPNOTSUPP); }

  // Calls back once when the peer reset the connection (error client_reset or server_reset).
  virtual void watch_hang_up(Waiter& waiter) noexcept = 0;
  // For a stream at rest: calls back once when anything happens to it. Completed: something has
  // already, perhaps; try_receive() tells.
  virtual Started watch_rest(Waiter& waiter) noexcept = 0;
  virtual void stop_watching() noexcept = 0;

  // Ends what waits and all that is tried later with `reason`. Calls nobody back from within the
  // call.
  void abort(Error reason) noexcept override = 0;
  virtual void shutdown_write() noexcept = 0;
  // The close that follows is a reset.
  virtual void reset_on_close() noexcept = 0;

  virtual Side side() const noexcept = 0;

  auto receive(ReceiveBuffer& into, TimePoint deadline) noexcept {
    return Wait([this, &into, deadline](Waiter& waiter) noexcept {
      return start_receive(into, deadline, waiter);
    });
  }
  auto send(std::span<const char> message, TimePoint deadline) noexcept {
    return Wait([this, message, deadline](Waiter& waiter) noexcept {
      return start_send(message, deadline, waiter);
    });
  }
  auto readable(TimePoint deadline) noexcept {
    return Wait(
        [this, deadline](Waiter& waiter) noexcept { return start_readable(deadline, waiter); });
  }
  auto writable(TimePoint deadline) noexcept {
    return Wait(
        [this, deadline](Waiter& waiter) noexcept { return start_writable(deadline, waiter); });
  }
};

// The error of a stream on this side for an errno of its socket.
Error stream_error(int os_error, Side side) noexcept;

}  // namespace weir::net
