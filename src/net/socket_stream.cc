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
    case ENOBUFS:
      return make_error(ErrorKind::buffers_exhausted, Side::weir, os_error);
    case ETIMEDOUT:  // the kernel gave up on the peer: keep-alive probes, or retransmissions
      return make_error(client ? ErrorKind::client_reset : ErrorKind::server_reset, side, os_error);
    default:
      return make_error(ErrorKind::io, side, os_error);
  }
}

SocketStream::SocketStream(Worker& worker, Socket& socket, Side side) noexcept
    : worker_(worker),
      socket_(socket),
      side_(side),
      read_(&on_read_complete, &on_read_deadline, *this),
      write_(&on_write_complete, &on_write_deadline, *this),
      watch_(&on_watch),
      abort_(*this) {
  read_.record.stream = this;
  write_.record.stream = this;
  watch_.stream = this;
}

SocketStream::~SocketStream() {
  WEIR_ASSERT(read_.waiter == nullptr && write_.waiter == nullptr);
  stop_watching();
  worker_.reactor().close(socket_);
}

template <class DirectionType>
Error SocketStream::outcome(const DirectionType& direction) const noexcept {
  if (direction.record.os_error() != ECANCELED) {
    return stream_error(direction.record.os_error(), side_);
  }
  if (direction.end_kind != ErrorKind::none) return make_error(direction.end_kind, side_);
  return abort_reason_;
}

template <class DirectionType>
Started SocketStream::begin_wait(DirectionType& direction, Started started, TimePoint deadline,
                                 Waiter& waiter) noexcept {
  if (started == Started::completed) {
    waiter.error = outcome(direction);
    return started;
  }
  direction.end_kind = ErrorKind::none;
  direction.waiter = &waiter;
  direction.deadline.arm(worker_.timers(), deadline);
  return started;
}

template <class DirectionType>
void SocketStream::finish_wait(DirectionType& direction) noexcept {
  direction.deadline.disarm();
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
  return begin_wait(write_, worker_.reactor().start_connect(socket_, address.view(), write_.record),
                    deadline, waiter);
}

Started SocketStream::start_receive(ReceiveBuffer& into, TimePoint deadline,
                                    Waiter& waiter) noexcept {
  if (is_aborted(waiter)) return Started::completed;
  read_.record.buffer = std::move(into.buffer);
  read_.record.filled = into.end;
  receiving_ = &into;
  const Started started = worker_.reactor().start_receive(socket_, read_.record);
  begin_wait(read_, started, deadline, waiter);
  if (started == Started::completed) {
    finish_receive();
    if (waiter.error.kind == ErrorKind::none && read_.record.received == 0) {
      waiter.error = make_error(
          side_ == Side::client ? ErrorKind::client_closed : ErrorKind::server_closed, side_);
    }
  }
  return started;
}

void SocketStream::finish_receive() noexcept {
  ReceiveBuffer& into = *std::exchange(receiving_, nullptr);
  into.buffer = std::move(read_.record.buffer);
  into.end = into.buffer ? read_.record.filled : 0;
  if (!into.buffer) into.begin = 0;
}

Started SocketStream::start_send(std::span<const char> message, TimePoint deadline,
                                 Waiter& waiter) noexcept {
  if (is_aborted(waiter)) return Started::completed;
  write_.record.message = message;
  write_.record.sent = 0;
  return begin_wait(write_, worker_.reactor().start_send(socket_, write_.record), deadline, waiter);
}

Started SocketStream::start_readable(TimePoint deadline, Waiter& waiter) noexcept {
  if (is_aborted(waiter)) return Started::completed;
  return begin_wait(read_, worker_.reactor().start_poll(socket_, Readiness::readable, read_.record),
                    deadline, waiter);
}

Started SocketStream::start_writable(TimePoint deadline, Waiter& waiter) noexcept {
  if (is_aborted(waiter)) return Started::completed;
  return begin_wait(write_,
                    worker_.reactor().start_poll(socket_, Readiness::writable, write_.record),
                    deadline, waiter);
}

void SocketStream::cancel_read() noexcept {
  if (read_.waiter == nullptr) return;
  read_.end_kind = ErrorKind::canceled;
  worker_.reactor().cancel(socket_, read_.record);
}

IoCount SocketStream::try_receive(std::span<char> into) noexcept {
  if (abort_reason_.kind != ErrorKind::none) return IoCount::failed(ECANCELED);
  return worker_.reactor().try_receive(socket_, into);
}

IoCount SocketStream::try_send(std::span<const iovec> parts) noexcept {
  if (abort_reason_.kind != ErrorKind::none) return IoCount::failed(ECANCELED);
  return worker_.reactor().try_send(socket_, parts);
}

void SocketStream::on_read_complete(Operation& operation) noexcept {
  SocketStream& self = *static_cast<decltype(read_)::Owned&>(operation).stream;
  Waiter& waiter = *self.read_.waiter;
  self.finish_wait(self.read_);
  if (self.receiving_ != nullptr) {
    self.finish_receive();
    if (waiter.error.kind == ErrorKind::none && self.read_.record.received == 0) {
      waiter.error = make_error(
          self.side_ == Side::client ? ErrorKind::client_closed : ErrorKind::server_closed,
          self.side_);
    }
  }
  waiter.call_back();
}

void SocketStream::on_write_complete(Operation& operation) noexcept {
  SocketStream& self = *static_cast<decltype(write_)::Owned&>(operation).stream;
  Waiter& waiter = *self.write_.waiter;
  self.finish_wait(self.write_);
  waiter.call_back();
}

void SocketStream::on_read_deadline(Timer& timer) noexcept {
  SocketStream& self = static_cast<decltype(read_)::Alarm&>(timer).stream;
  self.read_.end_kind = ErrorKind::timeout;
  self.worker_.reactor().cancel(self.socket_, self.read_.record);
}

void SocketStream::on_write_deadline(Timer& timer) noexcept {
  SocketStream& self = static_cast<decltype(write_)::Alarm&>(timer).stream;
  self.write_.end_kind = ErrorKind::timeout;
  self.worker_.reactor().cancel(self.socket_, self.write_.record);
}

void SocketStream::watch_hang_up(Waiter& waiter) noexcept {
  WEIR_ASSERT(watch_.waiter == nullptr);
  watch_.waiter = &waiter;
  watch_.readiness = Readiness::hang_up;
  const Started started = worker_.reactor().start_poll(socket_, watch_.readiness, watch_);
  if (started == Started::completed) on_watch(watch_);
}

Started SocketStream::watch_rest(Waiter& waiter) noexcept {
  WEIR_ASSERT(watch_.waiter == nullptr);
  watch_.readiness = Readiness::any_event;
  const Started started = worker_.reactor().start_poll(socket_, watch_.readiness, watch_);
  if (started == Started::waiting) watch_.waiter = &waiter;
  return started;
}

void SocketStream::stop_watching() noexcept {
  watch_.waiter = nullptr;
  if (watch_.is_pending()) worker_.reactor().cancel(socket_, watch_);
}

void SocketStream::on_watch(Operation& operation) noexcept {
  auto& watch = static_cast<Watch&>(operation);
  Waiter* waiter = std::exchange(watch.waiter, nullptr);
  if (waiter == nullptr) return;
  waiter->error = watch.readiness == Readiness::hang_up
                      ? stream_error(ECONNRESET, watch.stream->side_)
                      : Error();
  waiter->call_back();
}

void SocketStream::abort(Error reason) noexcept {
  if (abort_reason_.kind != ErrorKind::none) return;
  abort_reason_ = reason;
  if (read_.waiter != nullptr || write_.waiter != nullptr) worker_.defer(abort_);
}

// Whoever is called back may destroy the stream, so one direction a turn.
void SocketStream::end_waits() noexcept {
  if (read_.waiter != nullptr) {
    if (write_.waiter != nullptr) worker_.defer(abort_);
    worker_.reactor().cancel(socket_, read_.record);
  } else if (write_.waiter != nullptr) {
    worker_.reactor().cancel(socket_, write_.record);
  }
}

void SocketStream::shutdown_write() noexcept { worker_.reactor().shutdown_write(socket_); }

void SocketStream::reset_on_close() noexcept { worker_.reactor().reset_on_close(socket_); }

}  // namespace weir::net
