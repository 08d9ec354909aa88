#include "runtime/epoll_reactor.h"

#include <algorithm>
#include <climits>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "runtime/socket_calls.h"

namespace weir {

// What waits in a direction: at most one operation, and how to go on with it.
enum class ReadWait : std::uint8_t { none, poll, receive, accept };
enum class WriteWait : std::uint8_t { none, poll, send, connect };

class EpollReactor::EpollSocket final : public Socket {
 public:
  explicit EpollSocket(Fd fd) noexcept : Socket(std::move(fd)) {}
  void close_fd() noexcept { fd_.close(); }

  ReadWait read_wait = ReadWait::none;
  WriteWait write_wait = WriteWait::none;
  bool registered = false;
  bool readable = true;  // not known to be drained; false is true only while registered
  Operation* reader = nullptr;
  Operation* writer = nullptr;
  union {
    Operation* watch = nullptr;
    EpollSocket* next_closed;  // of a closed one
  };
  bool writable = true;     // not known to be full; false is true only while registered
  bool peer_ended = false;  // a FIN or an error has been seen: reading never blocks again
  bool hung_up = false;     // both directions are over
  bool watch_any = false;   // the watch is for any event, not for a hang-up alone
  int send_error = 0;       // the first errno that a send was told, 0 if none
};

Result<std::unique_ptr<EpollReactor>> EpollReactor::make(BufferPool& buffers) {
  Fd epoll(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll.is_open()) return fail(ErrorKind::descriptors_exhausted, Side::weir, errno);
  Fd wake_event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake_event.is_open()) return fail(ErrorKind::descriptors_exhausted, Side::weir, errno);
  epoll_event event{.events = EPOLLIN | EPOLLET, .data = {.ptr = nullptr}};
  if (::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, wake_event.get(), &event) != 0) {
    return fail(ErrorKind::io, Side::weir, errno);
  }
  return std::make_unique<EpollReactor>(std::move(epoll), std::move(wake_event), buffers);
}

EpollReactor::EpollReactor(Fd epoll, Fd wake_event, BufferPool& buffers) noexcept
    : epoll_(std::move(epoll)), wake_event_(std::move(wake_event)), buffers_(buffers) {
  read_clocks();
}

EpollReactor::~EpollReactor() {
  while (closed_ != nullptr) sockets_.destroy(*std::exchange(closed_, closed_->next_closed));
}

void EpollReactor::read_clocks() noexcept {
  now_ = read_monotonic_clock();
  wall_now_ = read_wall_clock();
}

Result<Socket*> EpollReactor::make_stream_socket(int family) noexcept {
  return &adopt(WEIR_TRY(open_stream_socket(family)));
}

Socket& EpollReactor::adopt(Fd fd) noexcept { return sockets_.make(std::move(fd)); }

void EpollReactor::close(Socket& socket) noexcept {
  auto& closing = static_cast<EpollSocket&>(socket);
  WEIR_ASSERT(closing.reader == nullptr && closing.writer == nullptr && closing.watch == nullptr);
  closing.close_fd();
  closing.next_closed = closed_;
  closed_ = &closing;
}

void EpollReactor::register_once(EpollSocket& socket) noexcept {
  if (socket.registered) return;
  // Fails only for want of kernel memory (ENOMEM, ENOSPC); the timeouts then end what waits.
  socket.registered = control(EPOLL_CTL_ADD, socket, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
}

bool EpollReactor::control(int what, EpollSocket& socket, std::uint32_t events) noexcept {
  epoll_event event{.events = events, .data = {.ptr = &socket}};
  return ::epoll_ctl(epoll_.get(), what, socket.fd(), &event) == 0;
}

// Listening sockets are level-triggered, so that what one turn leaves in the queue is seen in the
// next.
Started EpollReactor::start_accept(Socket& socket, AcceptOperation& operation) noexcept {
  auto& listening = static_cast<EpollSocket&>(socket);
  WEIR_ASSERT(listening.reader == nullptr);
  operation.begin();
  if (!control(EPOLL_CTL_ADD, listening, EPOLLIN)) {
    operation.end(errno);
    return Started::completed;
  }
  listening.reader = &operation;
  listening.read_wait = ReadWait::accept;
  return Started::waiting;
}

// A connection's callback may cancel the operation, and close the listening socket.
void EpollReactor::accept_some(EpollSocket& socket, AcceptOperation& operation) noexcept {
  constexpr int kAtOnceMax = 64;  // others want their turn as well
  for (int i = 0; i < kAtOnceMax; ++i) {
    sockaddr_storage peer;
    Fd connection = accept_connection(socket.fd(), peer);
    if (connection.is_open()) {
      operation.accepted(operation, std::move(connection), peer);
    } else {
      if (errno != EAGAIN) end_accept(socket, errno);
      return;
    }
    if (socket.reader != &operation) return;
    if (i == 0 && !has_queued(socket.fd())) return;  // many come alone
  }
}

// Taken out of epoll, not masked: a hang-up is reported whatever the mask and would spin, and a
// listening socket may be handed to a successor, whose descriptor keeps the registration alive
// after our close.
void EpollReactor::end_accept(EpollSocket& socket, int os_error) noexcept {
  control(EPOLL_CTL_DEL, socket, 0);
  socket.read_wait = ReadWait::none;
  std::exchange(socket.reader, nullptr)->complete(os_error);
}

Started EpollReactor::start_connect(Socket& socket, SocketAddressView address,
                                    Operation& operation) noexcept {
  auto& connecting = static_cast<EpollSocket&>(socket);
  WEIR_ASSERT(connecting.writer == nullptr);
  operation.begin();
  const int os_error = begin_connect(connecting.fd(), address);
  if (os_error != EINPROGRESS) {
    operation.end(os_error);
    return Started::completed;
  }
  connecting.readable = false;
  connecting.writable = false;
  connecting.writer = &operation;
  connecting.write_wait = WriteWait::connect;
  register_once(connecting);
  return Started::waiting;
}

// False: it would block.
bool EpollReactor::receive_now(EpollSocket& socket, ReceiveOperation& operation) noexcept {
  if (!operation.buffer) {
    operation.filled = 0;
    operation.buffer = buffers_.take(operation.buffer_bytes);
    if (!operation.buffer) {
      // Readable means "not known to be drained": who only waits needs no buffer and must not fail.
      if (would_receive_block(socket.fd())) {
        socket.readable = false;
        return false;
      }
      operation.end(ENOBUFS);
      return true;
    }
  }
  const IoCount count = try_receive(socket, operation.buffer.span().subspan(operation.filled));
  if (count.is_would_block()) {
    if (operation.filled == 0) operation.buffer.release();
    return false;
  }
  if (count.is_failure()) {
    operation.end(count.os_error());
    return true;
  }
  operation.received = static_cast<std::uint32_t>(count.bytes());
  operation.filled += operation.received;
  operation.end(0);
  return true;
}

Started EpollReactor::start_receive(Socket& socket, ReceiveOperation& operation) noexcept {
  auto& receiving = static_cast<EpollSocket&>(socket);
  WEIR_ASSERT(receiving.reader == nullptr);
  operation.begin();
  operation.received = 0;
  if (receiving.readable && receive_now(receiving, operation)) return Started::completed;
  if (operation.filled == 0) operation.buffer.release();
  receiving.reader = &operation;
  receiving.read_wait = ReadWait::receive;
  register_once(receiving);
  return Started::waiting;
}

Started EpollReactor::start_send(Socket& socket, SendOperation& operation) noexcept {
  auto& sending = static_cast<EpollSocket&>(socket);
  WEIR_ASSERT(sending.writer == nullptr);
  operation.begin();
  operation.sent = 0;
  if (send_now(*this, sending, operation)) return Started::completed;
  sending.writer = &operation;
  sending.write_wait = WriteWait::send;
  register_once(sending);
  return Started::waiting;
}

Started EpollReactor::start_poll(Socket& socket, Readiness readiness,
                                 Operation& operation) noexcept {
  auto& polled = static_cast<EpollSocket&>(socket);
  operation.begin();
  switch (readiness) {
    case Readiness::readable:
      WEIR_ASSERT(polled.reader == nullptr);
      if (polled.readable && polled.registered) {
        operation.end(0);
        return Started::completed;
      }
      polled.reader = &operation;
      polled.read_wait = ReadWait::poll;
      break;
    case Readiness::writable:
      WEIR_ASSERT(polled.writer == nullptr);
      if (polled.writable) {
        operation.end(0);
        return Started::completed;
      }
      polled.writer = &operation;
      polled.write_wait = WriteWait::poll;
      break;
    case Readiness::hang_up:
      WEIR_ASSERT(polled.watch == nullptr);
      if (polled.hung_up) {
        operation.end(0);
        return Started::completed;
      }
      polled.watch = &operation;
      polled.watch_any = false;
      break;
    case Readiness::any_event:
      WEIR_ASSERT(polled.watch == nullptr);
      if (polled.readable) {
        operation.end(0);
        return Started::completed;
      }
      polled.watch = &operation;
      polled.watch_any = true;
      break;
  }
  register_once(polled);
  return Started::waiting;
}

void EpollReactor::cancel(Socket& socket, Operation& operation) noexcept {
  auto& canceled = static_cast<EpollSocket&>(socket);
  if (canceled.reader == &operation) {
    if (canceled.read_wait == ReadWait::accept) return end_accept(canceled, ECANCELED);
    canceled.reader = nullptr;
    canceled.read_wait = ReadWait::none;
  } else if (canceled.writer == &operation) {
    canceled.writer = nullptr;
    canceled.write_wait = WriteWait::none;
  } else if (canceled.watch == &operation) {
    canceled.watch = nullptr;
  } else {
    return;
  }
  operation.complete(ECANCELED);
}

IoCount EpollReactor::try_receive(Socket& socket, std::span<char> into) noexcept {
  auto& receiving = static_cast<EpollSocket&>(socket);
  // An empty read would be taken for the end of the stream.
  WEIR_ASSERT(!into.empty());
  if (!receiving.readable && receiving.registered) return IoCount::would_block();
  const IoCount count = receive_some(receiving.fd(), into);
  if (count.is_would_block()) receiving.readable = false;
  if (count.is_would_block() || count.is_failure()) return count;
  if (count.bytes() == 0) {
    receiving.peer_ended = true;
    return end_of_stream(receiving.send_error);
  }
  // A short read has drained the socket; what comes later makes a new edge. A FIN that was seen
  // already makes none, so it must still be read.
  if (count.bytes() < into.size()) receiving.readable = receiving.peer_ended;
  return count;
}

IoCount EpollReactor::try_send(Socket& socket, std::span<const iovec> parts) noexcept {
  auto& sending = static_cast<EpollSocket&>(socket);
  if (!sending.writable && sending.registered) return IoCount::would_block();
  std::size_t bytes = 0;
  for (const iovec& part : parts) bytes += part.iov_len;
  return note_sent(sending, send_some(sending.fd(), parts), bytes);
}

// A short send has filled the socket, and makes an edge when there is room.
IoCount EpollReactor::note_sent(EpollSocket& socket, IoCount count, std::size_t wanted) noexcept {
  if (count.is_failure()) {
    if (socket.send_error == 0) socket.send_error = count.os_error();
  } else {
    socket.writable = !count.is_would_block() && count.bytes() >= wanted;
  }
  return count;
}

// Only would-block says that the socket is drained: fewer bytes than asked for may be all that the
// pipe has slots for.
IoCount EpollReactor::try_splice_in(Socket& socket, Pipe& into, std::size_t bytes_max) noexcept {
  auto& receiving = static_cast<EpollSocket&>(socket);
  WEIR_ASSERT(into.held() == 0);
  if (!receiving.readable && receiving.registered) return IoCount::would_block();
  const IoCount count = splice_in(receiving.fd(), into, bytes_max);
  if (count.is_would_block()) receiving.readable = false;
  if (count.is_would_block() || count.is_failure()) return count;
  if (count.bytes() != 0) return count;
  receiving.peer_ended = true;
  return end_of_stream(receiving.send_error);
}

IoCount EpollReactor::try_splice_out(Socket& socket, Pipe& from) noexcept {
  auto& sending = static_cast<EpollSocket&>(socket);
  if (!sending.writable && sending.registered) return IoCount::would_block();
  // A signal makes a splice short as well (splice(2)), and no edge follows: none is too short.
  return note_sent(sending, splice_out(sending.fd(), from), 0);
}

void EpollReactor::shutdown_write(Socket& socket) noexcept { ::shutdown(socket.fd(), SHUT_WR); }

void EpollReactor::reset_on_close(Socket& socket) noexcept { linger_for_nothing(socket.fd()); }

void EpollReactor::continue_read_side(EpollSocket& socket) noexcept {
  Operation& operation = *socket.reader;
  switch (socket.read_wait) {
    case ReadWait::none:
      return;
    case ReadWait::poll:
      operation.end(0);
      break;
    case ReadWait::receive:
      if (!receive_now(socket, static_cast<ReceiveOperation&>(operation))) return;
      break;
    case ReadWait::accept:
      accept_some(socket, static_cast<AcceptOperation&>(operation));
      return;
  }
  socket.reader = nullptr;
  socket.read_wait = ReadWait::none;
  operation.complete(operation.os_error());
}

void EpollReactor::continue_write_side(EpollSocket& socket) noexcept {
  Operation& operation = *socket.writer;
  switch (socket.write_wait) {
    case WriteWait::none:
      return;
    case WriteWait::poll:
      operation.end(0);
      break;
    case WriteWait::send:
      if (!send_now(*this, socket, static_cast<SendOperation&>(operation))) return;
      break;
    case WriteWait::connect:
      operation.end(end_connect(
          socket.fd(), (socket.peer_ended ? EPOLLRDHUP : 0U) | (socket.hung_up ? EPOLLHUP : 0U)));
      break;
  }
  socket.writer = nullptr;
  socket.write_wait = WriteWait::none;
  operation.complete(operation.os_error());
}

void EpollReactor::dispatch(EpollSocket& socket, std::uint32_t events) noexcept {
  if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) socket.peer_ended = true;
  if ((events & (EPOLLHUP | EPOLLERR)) != 0) socket.hung_up = true;
  if ((events & EPOLLIN) != 0 || socket.peer_ended) socket.readable = true;
  if ((events & EPOLLOUT) != 0 || socket.hung_up) socket.writable = true;

  // Each callback may close the socket; a closed one is kept until the end of the turn.
  if (socket.watch != nullptr && (socket.hung_up || (socket.watch_any && socket.readable))) {
    std::exchange(socket.watch, nullptr)->complete(0);
  }
  if (socket.readable && socket.reader != nullptr) continue_read_side(socket);
  if (socket.writable && socket.writer != nullptr) continue_write_side(socket);
}

void EpollReactor::turn(TimePoint until) noexcept {
  int wait_ms = -1;
  if (until != kNever) {
    // now_ is when the last turn began: what its callbacks took must not be waited once more.
    if (until > now_) read_clocks();
    // Never too early, so that a turn has something to do; timers have ticks of 1 ms as well.
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - now_).count();
    wait_ms = static_cast<int>(std::clamp<std::int64_t>(left, 0, INT_MAX));
  }
  std::array<epoll_event, kEventsMax> events;
  const int count = ::epoll_wait(epoll_.get(), events.data(), kEventsMax, wait_ms);
  read_clocks();
  for (int i = 0; i < count; ++i) {
    auto* socket = static_cast<EpollSocket*>(events[i].data.ptr);
    if (socket == nullptr) {
      std::uint64_t ignored;
      const ssize_t read = ::read(wake_event_.get(), &ignored, sizeof ignored);
      static_cast<void>(read);
    } else if (socket->fd() >= 0) {
      dispatch(*socket, events[i].events);
    }
  }
  while (closed_ != nullptr) sockets_.destroy(*std::exchange(closed_, closed_->next_closed));
}

void EpollReactor::wake() noexcept {
  const std::uint64_t one = 1;
  const ssize_t written = ::write(wake_event_.get(), &one, sizeof one);
  static_cast<void>(written);
}

}  // namespace weir
