#include "net/socket_stream.h"

#include <cerrno>

namespace weir::net {

Error stream_error(int os_error, Side side) noexcept {
  const bool client = side == Side::client;
  switch (os_error) {
    case 0:
      return {};
    case ECONNRESET:
    case EPIPE:
      return make_error(client ? ErrorKind::client_reset : ErrorKind::server_reset, side, os_error);
    case ECONNREFUSED:
    case ENOENT:  // a unix socket nobody made
      return make_error(ErrorKind::connect_refused, side, os_error);
    case EADDRNOTAVAIL:  // no local port is left
      return make_error(ErrorKind::io, Side::weir, os_error);
    case ECANCELED:  // the stream was aborted; who waits for it is told why
      return make_error(ErrorKind::canceled, side);
    case ENOBUFS:
      return make_error(ErrorKind::buffers_exhausted, Side::weir, os_error);
    case ETIMEDOUT:  // the kernel gave up on the peer: keep-alive probes, or retransmissions
      return make_error(client ? ErrorKind::client_reset : ErrorKind::server_reset, side, os_error);
    default:
      return make_error(ErrorKind::io, side, os_error);
  }
}

SocketStream::SocketStream(Worker& worker, Socket& socket, Side side) noexcept
    : Timer(&on_deadline),
      Deferred(&on_abort),
      Watch(&on_watch),
      Read(&on_read_complete),
      Write(&on_write_complete),
      side_(side),
      worker_(worker),
      socket_(socket) {}

SocketStream::~SocketStream() {
  WEIR_ASSERT(read().waiter == nullptr && write().waiter == nullptr);
  stop_watching();
  worker_.reactor().close(socket_);
}

template <class Direction>
Error SocketStream::outcome(const Direction& direction) const noexcept {
  if (direction.os_error() == 0) return {};
  if (direction.os_error() != ECANCELED) return stream_error(direction.os_error(), side_);
  if (direction.end_kind != ErrorKind::none) return make_error(direction.end_kind, side_);
  return abort_reason_;
}

template <class Direction>
Started SocketStream::begin_wait(Direction& direction, Started started, TimePoint deadline,
                                 Waiter& waiter) noexcept {
  if (started == Started::completed) {
    waiter.error = outcome(direction);
    return started;
  }
  direction.end_kind = ErrorKind::none;
  direction.waiter = &waiter;
  direction.deadline = deadline;
  arm_deadline();
  return started;
}

template <class Direction>
void SocketStream::finish_wait(Direction& direction) noexcept {
  direction.deadline = kNever;
  arm_deadline();
  Waiter* waiter = std::exchange(direction.waiter, nullptr);
  WEIR_ASSERT(waiter != nullptr);
  waiter->error = outcome(direction);
}

bool SocketStream::is_aborted(Waiter& waiter) const noexcept {
  if (abort_reason_.kind == ErrorKind::none) return false;
  waiter.error = abort_reason_;
  return true;
}

Started SocketStream::start_connect(const Address& address, TimePoint deadline,
                                    Waiter& waiter) noexcept {
  if (is_aborted(waiter)) return Started::completed;
  return begin_wait(write(), worker_.reactor().start_connect(socket_, address.view(), write()),
                    deadline, waiter);
}

Started SocketStream::start_receive(ReceiveBuffer& into, TimePoint deadline,
                                    Waiter& waiter) noexcept {
  if (is_aborted(waiter)) return Started::completed;
  read().buffer = std::move(into.buffer);
  read().filled = into.end;
  receiving_ = &into;
  const Started started = worker_.reactor().start_receive(socket_, read());
  begin_wait(read(), started, deadline, waiter);
  if (started == Started::completed) finish_receive(waiter);
  return started;
}

void SocketStream::finish_receive(Waiter& waiter) noexcept {
  ReceiveBuffer& into = *std::exchange(receiving_, nullptr);
  into.buffer = std::move(read().buffer);
  into.end = into.buffer ? read().filled : 0;
  if (!into.buffer) into.begin = 0;
  if (waiter.error.kind == ErrorKind::none && read().received == 0) {
    waiter.error = make_error(
        side_ == Side::client ? ErrorKind::client_closed : ErrorKind::server_closed, side_);
  }
}

Started SocketStream::start_send(std::span<const char> message, TimePoint deadline,
                                 Waiter& waiter) noexcept {
  if (is_aborted(waiter)) return Started::completed;
  write().message = message;
  write().sent = 0;
  return begin_wait(write(), worker_.reactor().start_send(socket_, write()), deadline, waiter);
}

Started SocketStream::start_readable(TimePoint deadline, Waiter& waiter) noexcept {
  if (is_aborted(waiter)) return Started::completed;
  return begin_wait(read(), worker_.reactor().start_poll(socket_, Readiness::readable, read()),
                    deadline, waiter);
}

Started SocketStream::start_writable(TimePoint deadline, Waiter& waiter) noexcept {
  if (is_aborted(waiter)) return Started::completed;
  return begin_wait(write(), worker_.reactor().start_poll(socket_, Readiness::writable, write()),
                    deadline, waiter);
}

void SocketStream::cancel_read() noexcept {
  if (read().waiter == nullptr) return;
  read().end_kind = ErrorKind::canceled;
  worker_.reactor().cancel(socket_, read());
}

IoCount SocketStream::try_receive(std::span<char> into) noexcept {
  if (abort_reason_.kind != ErrorKind::none) return IoCount::failed(ECANCELED);
  return worker_.reactor().try_receive(socket_, into);
}

IoCount SocketStream::try_send(std::span<const iovec> parts) noexcept {
  if (abort_reason_.kind != ErrorKind::none) return IoCount::failed(ECANCELED);
  return worker_.reactor().try_send(socket_, parts);
}

IoCount SocketStream::try_splice_in(Pipe& into, std::size_t bytes_max) noexcept {
  if (abort_reason_.kind != ErrorKind::none) return IoCount::failed(ECANCELED);
  return worker_.reactor().try_splice_in(socket_, into, bytes_max);
}

IoCount SocketStream::try_splice_out(Pipe& from) noexcept {
  if (abort_reason_.kind != ErrorKind::none) return IoCount::failed(ECANCELED);
  return worker_.reactor().try_splice_out(socket_, from);
}

void SocketStream::on_read_complete(Operation& operation) noexcept {
  auto& self = static_cast<SocketStream&>(static_cast<Read&>(operation));
  Waiter& waiter = *self.read().waiter;
  self.finish_wait(self.read());
  if (self.receiving_ != nullptr) self.finish_receive(waiter);
  waiter.call_back();
}

void SocketStream::on_write_complete(Operation& operation) noexcept {
  auto& self = static_cast<SocketStream&>(static_cast<Write&>(operation));
  Waiter& waiter = *self.write().waiter;
  self.finish_wait(self.write());
  waiter.call_back();
}

void SocketStream::on_deadline(Timer& timer) noexcept {
  auto& self = static_cast<SocketStream&>(timer);
  if (self.read().deadline <= self.write().deadline) {
    self.end_late(self.read());
  } else {
    self.end_late(self.write());
  }
}

// Whoever is called back may destroy the stream, so the other direction's deadline comes first.
template <class Direction>
void SocketStream::end_late(Direction& direction) noexcept {
  direction.deadline = kNever;
  arm_deadline();
  direction.end_kind = ErrorKind::timeout;
  worker_.reactor().cancel(socket_, direction);
}

void SocketStream::watch_hang_up(Waiter& waiter) noexcept {
  WEIR_ASSERT(watch().waiter == nullptr);
  watch().waiter = &waiter;
  watched_for_ = Readiness::hang_up;
  const Started started = worker_.reactor().start_poll(socket_, watched_for_, watch());
  if (started == Started::completed) on_watch(watch());
}

Started SocketStream::watch_rest(Waiter& waiter) noexcept {
  WEIR_ASSERT(watch().waiter == nullptr);
  watched_for_ = Readiness::any_event;
  const Started started = worker_.reactor().start_poll(socket_, watched_for_, watch());
  if (started == Started::waiting) watch().waiter = &waiter;
  return started;
}

void SocketStream::stop_watching() noexcept {
  watch().waiter = nullptr;
  if (watch().is_pending()) worker_.reactor().cancel(socket_, watch());
}

void SocketStream::on_watch(Operation& operation) noexcept {
  auto& self = static_cast<SocketStream&>(static_cast<Watch&>(operation));
  Waiter* waiter = std::exchange(self.watch().waiter, nullptr);
  if (waiter == nullptr) return;
  waiter->error =
      self.watched_for_ == Readiness::hang_up ? stream_error(ECONNRESET, self.side_) : Error();
  waiter->call_back();
}

void SocketStream::abort(Error reason) noexcept {
  if (abort_reason_.kind != ErrorKind::none) return;
  abort_reason_ = reason;
  if (read().waiter != nullptr || write().waiter != nullptr) worker_.defer(*this);
}

// Whoever is called back may destroy the stream, so one direction a turn.
void SocketStream::on_abort(Deferred& deferred) noexcept {
  auto& self = static_cast<SocketStream&>(deferred);
  if (self.read().waiter != nullptr) {
    if (self.write().waiter != nullptr) self.worker_.defer(self);
    self.worker_.reactor().cancel(self.socket_, self.read());
  } else if (self.write().waiter != nullptr) {
    self.worker_.reactor().cancel(self.socket_, self.write());
  }
}

void SocketStream::shutdown_write() noexcept { worker_.reactor().shutdown_write(socket_); }

void SocketStream::reset_on_close() noexcept { worker_.reactor().reset_on_close(socket_); }

}  // namespace weir::net
