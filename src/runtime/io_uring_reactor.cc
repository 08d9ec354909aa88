#include "runtime/io_uring_reactor.h"

#include <algorithm>
#include <array>
#include <climits>
#include <cstring>
#include <optional>
#include <poll.h>
#include <sys/eventfd.h>

#include "runtime/socket_calls.h"

namespace weir {
namespace {

// A token is the address of a socket with the job in its lowest bits; this is no job.
constexpr std::uint64_t kJobBits = 7;
constexpr RingToken kWakeToken{kJobBits};

timespec time_left(TimePoint now, TimePoint until) noexcept {
  const Duration left = std::max(until - now, Duration::zero());
  return {.tv_sec = static_cast<time_t>(left.count() / 1'000'000'000),
          .tv_nsec = static_cast<long>(left.count() % 1'000'000'000)};
}

}  // namespace

// What waits in a direction: at most one operation, and how to go on with it.
enum class ReadWait : std::uint8_t { none, poll, receive, accept };
enum class WriteWait : std::uint8_t { none, poll, send, connect };

class alignas(8) IoUringReactor::RingSocket final : public Socket, public Link {
 public:
  explicit RingSocket(Fd fd) noexcept : Socket(std::move(fd)) {}
  void close_fd() noexcept { fd_.close(); }

  bool does(Job job) const noexcept { return (jobs_ & bit(job)) != 0; }
  void begin(Job job) noexcept { jobs_ |= bit(job); }
  void end(Job job) noexcept { jobs_ &= ~bit(job); }
  bool does_nothing() const noexcept { return jobs_ == 0; }

  std::size_t held() const noexcept { return held_end - held_begin; }
  bool has_unsent() const noexcept { return unsent_end != 0; }
  // A receive or a look at the socket would find bytes, an end or an error, as far as is known.
  bool has_something() const noexcept {
    return held() != 0 || receive_error != 0 || peer_ended || (readable && !does(Job::receive));
  }

  Operation* reader = nullptr;
  Operation* writer = nullptr;
  Operation* watch = nullptr;
  ReadWait read_wait = ReadWait::none;
  WriteWait write_wait = WriteWait::none;
  bool watch_any = false;  // the watch is for any event, not for a hang-up alone
  bool is_closing = false;

  // Bytes in a buffer of the ring that nobody has taken yet: [held_begin, held_end).
  std::uint16_t held_buffer = 0;
  std::uint16_t held_begin = 0;
  std::uint16_t held_end = 0;
  // Bytes that try_send() took and the socket not yet: [unsent_begin, unsent_end) of an outgoing
  // buffer of the ring. They are the kernel's to send while it does Job::send.
  std::uint16_t unsent_buffer = 0;
  std::uint16_t unsent_begin = 0;
  std::uint16_t unsent_end = 0;
  std::uint16_t sending_at = 0;  // its place in sending_; there is a buffer of the ring for each
  bool shutdown_when_sent = false;
  bool resets = false;         // on close: what is unsent then is dropped
  bool readable = false;       // the kernel has more, as far as is known
  bool was_waited_on = false;  // from then on, what is not known to be there need not be asked for
  bool reads_much = false;     // more is expected than a buffer of the ring holds
  bool is_socket = true;       // what is watched for a library may be another descriptor
  bool writable = true;        // not known to be full
  bool peer_ended = false;     // the end has been received
  bool hung_up = false;        // both directions are over
  union {
    int receive_error = 0;  // that the kernel told while nobody wanted it
    int untaken;            // of a closed one: how much was, when it was looked at
  };
  int send_error = 0;  // the first errno that a send was told; EPIPE after our own end

 private:
  static std::uint8_t bit(Job job) noexcept {
    return static_cast<std::uint8_t>(1U << static_cast<unsigned>(job));
  }
  std::uint8_t jobs_ = 0;
};

Result<std::unique_ptr<IoUringReactor>> IoUringReactor::make(BufferPool& buffers,
                                                             const RingSizes& sizes,
                                                             Duration patience) {
  auto ring = WEIR_TRY(IoRing::make(sizes));
  Fd wake_event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake_event.is_open()) return fail(ErrorKind::descriptors_exhausted, Side::weir, errno);
  return std::make_unique<IoUringReactor>(std::move(ring), std::move(wake_event), buffers,
                                          patience);
}

IoUringReactor::IoUringReactor(std::unique_ptr<IoRing> ring, Fd wake_event, BufferPool& buffers,
                               Duration patience) noexcept
    : ring_(std::move(ring)),
      wake_event_(std::move(wake_event)),
      buffers_(buffers),
      patience_(patience) {
  // Each write completes it anew, whatever was written before: the count is never read.
  ring_->poll_always(wake_event_.get(), POLLIN, kWakeToken);
  read_clocks();
}

IoUringReactor::~IoUringReactor() {
  full_.splice_to(closed_);
  closing_.splice_to(closed_);
  while (!closed_.is_empty()) {
    RingSocket& socket = closed_.pop_front();
    // Nobody shall take a part of a message for all of it.
    if (socket.has_unsent()) linger_for_nothing(socket.fd());
    sockets_.destroy(socket);
  }
}

void IoUringReactor::read_clocks() noexcept {
  now_ = read_monotonic_clock();
  wall_now_ = read_wall_clock();
}

Result<Socket*> IoUringReactor::make_stream_socket(int family) noexcept {
  return &adopt(WEIR_TRY(open_stream_socket(family)));
}

Socket& IoUringReactor::adopt(Fd fd) noexcept { return sockets_.make(std::move(fd)); }

// What the kernel does for a socket keeps it open, so it has to end first: the peer shall be told
// now, and nobody shall be queued at a listening socket from now on. The completions come later.
void IoUringReactor::close(Socket& socket) noexcept {
  auto& closing = static_cast<RingSocket&>(socket);
  WEIR_ASSERT(closing.reader == nullptr && closing.writer == nullptr && closing.watch == nullptr);
  release_held(closing);
  closing.is_closing = true;
  closing.untaken = INT_MAX;
  closing_.push_back(closing);
  if (closing.has_unsent()) send_unsent(closing);
  for (const Job job : {Job::receive, Job::poll_read, Job::poll_write, Job::poll_hang_up}) {
    if (closing.does(job)) ring_->cancel(token_of(closing, job));
  }
  if (!closing.does_nothing()) ring_->flush();
  continue_closing(closing);
}

// A socket that is too full for what try_send() took stays open until that has left, or its peer
// has taken nothing for too long; unless it shall be reset.
void IoUringReactor::continue_closing(RingSocket& socket) noexcept {
  if (socket.does(Job::send)) {
    send_is_awaited_ = true;
    return;
  }
  if (socket.has_unsent() && !socket.resets) {
    if (socket.does(Job::poll_write)) return;
    if (!send_unsent(socket)) {
      if (full_.is_empty()) stuck_at_ = now_ + patience_;
      socket.unlink();
      full_.push_back(socket);
      return arm(socket, Job::poll_write);
    }
  }
  if (socket.has_unsent()) release_unsent(socket);
  socket.close_fd();
  socket.unlink();
  (socket.does_nothing() ? closed_ : closing_).push_back(socket);
}

// Who has taken something since the last look has until the next.
void IoUringReactor::reset_stuck() noexcept {
  if (full_.is_empty() || now_ < stuck_at_) return;
  stuck_at_ = now_ + patience_;
  full_.for_each([this](RingSocket& socket) {
    const int before = std::exchange(socket.untaken, count_untaken(socket.fd()));
    if (socket.untaken < before) return;
    reset_on_close(socket);
    ring_->cancel(token_of(socket, Job::poll_write));
    continue_closing(socket);
  });
}

RingToken IoUringReactor::token_of(RingSocket& socket, Job job) noexcept {
  return RingToken{reinterpret_cast<std::uintptr_t>(&socket) | static_cast<std::uint64_t>(job)};
}

IoUringReactor::TokenParts IoUringReactor::parts_of(RingToken token) noexcept {
  const auto value = static_cast<std::uint64_t>(token);
  // NOLINTNEXTLINE(performance-no-int-to-ptr): the kernel gives back what it was given.
  return {reinterpret_cast<RingSocket*>(value & ~kJobBits),
          Job{static_cast<std::uint8_t>(value & kJobBits)}};
}

void IoUringReactor::arm(RingSocket& socket, Job job) noexcept {
  if (socket.does(job)) return;
  socket.begin(job);
  const RingToken token = token_of(socket, job);
  switch (job) {
    case Job::receive:
      // A socket that nobody has waited on yet may well have something; one that was emptied not.
      ring_->receive(socket.fd(),
                     std::exchange(socket.was_waited_on, true) ? IoRing::Attempt::when_readable
                                                               : IoRing::Attempt::at_once,
                     token);
      return;
    case Job::send:
      socket.sending_at = static_cast<std::uint16_t>(sending_.size());
      sending_.push_back(&socket);
      return ring_->send(socket.fd(), socket.unsent_buffer, socket.unsent_end, token);
    case Job::poll_read:
      return ring_->poll(socket.fd(), POLLIN, token);
    case Job::poll_write:
      return ring_->poll(socket.fd(), POLLOUT, token);
    case Job::poll_hang_up:
      // For good: besides a hang-up, this reports the peer's end alone, and whatever wakes later.
      return ring_->poll_always(socket.fd(), POLLHUP | POLLERR, token);
  }
}

// Small messages come with the completion. Where more is expected than a buffer of the ring holds,
// a poll tells, and a system call puts the bytes where they belong.
void IoUringReactor::await_readable(RingSocket& socket) noexcept {
  const bool is_polled = socket.reads_much || !socket.is_socket;
  arm(socket, is_polled && !socket.does(Job::receive) ? Job::poll_read : Job::receive);
}

Started IoUringReactor::start_accept(Socket& socket, AcceptOperation& operation) noexcept {
  auto& listening = static_cast<RingSocket&>(socket);
  WEIR_ASSERT(listening.reader == nullptr);
  operation.begin();
  listening.reader = &operation;
  listening.read_wait = ReadWait::accept;
  arm(listening, Job::poll_read);
  return Started::waiting;
}

// Accepted by system calls and not by the ring: it would take all that are queued, also those above
// a limit of connections or of descriptors, and would not tell who they are.
// A connection's callback may cancel the operation, and close the listening socket.
void IoUringReactor::accept_some(RingSocket& socket, AcceptOperation& operation) noexcept {
  constexpr int kAtOnceMax = 64;  // others want their turn as well
  for (int i = 0; i < kAtOnceMax; ++i) {
    sockaddr_storage peer;
    Fd connection = accept_connection(socket.fd(), peer);
    if (!connection.is_open()) {
      if (errno == EAGAIN) break;
      return std::exchange(socket.reader, nullptr)->complete(errno);
    }
    operation.accepted(operation, std::move(connection), peer);
    if (socket.reader != &operation) return;
    if (i == 0 && !has_queued(socket.fd())) break;  // many come alone
  }
  arm(socket, Job::poll_read);
}

Started IoUringReactor::start_connect(Socket& socket, SocketAddressView address,
                                      Operation& operation) noexcept {
  auto& connecting = static_cast<RingSocket&>(socket);
  WEIR_ASSERT(connecting.writer == nullptr);
  operation.begin();
  const int os_error = begin_connect(connecting.fd(), address);
  if (os_error != EINPROGRESS) {
    operation.end(os_error);
    return Started::completed;
  }
  connecting.writable = false;
  connecting.writer = &operation;
  connecting.write_wait = WriteWait::connect;
  arm(connecting, Job::poll_write);
  return Started::waiting;
}

// False: it would block.
bool IoUringReactor::receive_now(RingSocket& socket, ReceiveOperation& operation) noexcept {
  if (!operation.buffer) {
    operation.filled = 0;
    operation.buffer = buffers_.take(operation.buffer_bytes);
    if (!operation.buffer) {
      // That something is there may be a guess: who only waits needs no buffer and must not fail.
      const bool is_guess = socket.held() == 0 && socket.receive_error == 0 && !socket.peer_ended;
      if (is_guess && would_receive_block(socket.fd())) {
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

Started IoUringReactor::start_receive(Socket& socket, ReceiveOperation& operation) noexcept {
  auto& receiving = static_cast<RingSocket&>(socket);
  WEIR_ASSERT(receiving.reader == nullptr);
  operation.begin();
  operation.received = 0;
  if (receiving.has_something() && receive_now(receiving, operation)) return Started::completed;
  if (operation.filled == 0) operation.buffer.release();
  receiving.reader = &operation;
  receiving.read_wait = ReadWait::receive;
  await_readable(receiving);
  return Started::waiting;
}

Started IoUringReactor::start_send(Socket& socket, SendOperation& operation) noexcept {
  auto& sending = static_cast<RingSocket&>(socket);
  WEIR_ASSERT(sending.writer == nullptr);
  operation.begin();
  operation.sent = 0;
  if (send_now(*this, sending, operation)) return Started::completed;
  sending.writer = &operation;
  sending.write_wait = WriteWait::send;
  await_writable(sending);
  return Started::waiting;
}

Started IoUringReactor::start_poll(Socket& socket, Readiness readiness,
                                   Operation& operation) noexcept {
  auto& polled = static_cast<RingSocket&>(socket);
  operation.begin();
  bool is_over = false;
  switch (readiness) {
    case Readiness::readable:
      WEIR_ASSERT(polled.reader == nullptr);
      if (is_over = polled.has_something(); is_over) break;
      polled.reader = &operation;
      polled.read_wait = ReadWait::poll;
      await_readable(polled);
      break;
    case Readiness::writable:
      WEIR_ASSERT(polled.writer == nullptr);
      if (is_over = polled.writable; is_over) break;
      polled.writer = &operation;
      polled.write_wait = WriteWait::poll;
      await_writable(polled);
      break;
    case Readiness::hang_up:
      WEIR_ASSERT(polled.watch == nullptr);
      if (is_over = polled.hung_up; is_over) break;
      polled.watch = &operation;
      polled.watch_any = false;
      arm(polled, Job::poll_hang_up);
      break;
    case Readiness::any_event:
      WEIR_ASSERT(polled.watch == nullptr);
      if (is_over = polled.has_something(); is_over) break;
      polled.watch = &operation;
      polled.watch_any = true;
      await_readable(polled);
      break;
  }
  if (!is_over) return Started::waiting;
  operation.end(0);
  return Started::completed;
}

void IoUringReactor::cancel(Socket& socket, Operation& operation) noexcept {
  auto& canceled = static_cast<RingSocket&>(socket);
  for (Operation** waiting : {&canceled.reader, &canceled.writer, &canceled.watch}) {
    if (*waiting != &operation) continue;
    *waiting = nullptr;
    return operation.complete(ECANCELED);
  }
}

IoCount IoUringReactor::try_receive(Socket& socket, std::span<char> into) noexcept {
  auto& receiving = static_cast<RingSocket&>(socket);
  // An empty read would be taken for the end of the stream.
  WEIR_ASSERT(!into.empty());
  if (receiving.held() == 0) return receive_more(receiving, into);
  const std::size_t count = std::min(receiving.held(), into.size());
  std::memcpy(into.data(), ring_->buffer(receiving.held_buffer).data() + receiving.held_begin,
              count);
  receiving.held_begin += static_cast<std::uint16_t>(count);
  if (receiving.held() == 0) release_held(receiving);
  if (count == into.size() || !receiving.readable) return IoCount::of(count);
  const IoCount more = receive_more(receiving, into.subspan(count));
  if (more.is_failure()) receiving.receive_error = more.os_error();
  return IoCount::of(count + (more.is_failure() || more.is_would_block() ? 0 : more.bytes()));
}

// Behind what is held.
IoCount IoUringReactor::receive_more(RingSocket& socket, std::span<char> into) noexcept {
  if (socket.receive_error != 0) return IoCount::failed(std::exchange(socket.receive_error, 0));
  if (!socket.peer_ended) {
    // Bytes that the kernel may have received into the ring come first.
    if (socket.does(Job::receive)) return IoCount::would_block();
    if (!socket.readable && socket.was_waited_on) return IoCount::would_block();
    const IoCount count = receive_some(socket.fd(), into);
    if (count.is_would_block()) socket.readable = false;
    if (count.is_would_block() || count.is_failure()) return count;
    // A short read has emptied the socket.
    socket.readable = count.bytes() == into.size();
    if (count.bytes() > IoRing::kBufferBytes) socket.reads_much = true;
    socket.peer_ended = count.bytes() == 0;
    if (!socket.peer_ended) return count;
  }
  return end_of_stream(socket.send_error);
}

void IoUringReactor::release_held(RingSocket& socket) noexcept {
  if (socket.held_end != 0) ring_->give_back(socket.held_buffer);
  socket.held_begin = socket.held_end = 0;
}

IoCount IoUringReactor::try_send(Socket& socket, std::span<const iovec> parts) noexcept {
  auto& sending = static_cast<RingSocket&>(socket);
  std::size_t bytes = 0;
  for (const iovec& part : parts) bytes += part.iov_len;
  if (queue_send(sending, parts, bytes)) return IoCount::of(bytes);
  if (sending.has_unsent() && !send_unsent(sending)) return IoCount::would_block();
  if (sending.send_error != 0) return IoCount::failed(sending.send_error);
  if (!sending.writable && sending.does(Job::poll_write)) return IoCount::would_block();
  return note_sent(sending, send_some(sending.fd(), parts), bytes);
}

// A short send has filled the socket: a small message behind it would be queued for nothing.
IoCount IoUringReactor::note_sent(RingSocket& socket, IoCount count, std::size_t wanted) noexcept {
  if (count.is_failure()) {
    if (socket.send_error == 0) socket.send_error = count.os_error();
  } else {
    socket.writable = !count.is_would_block() && count.bytes() >= wanted;
  }
  return count;
}

// A small message leaves at the end of the turn, and in one piece with what follows it until then.
bool IoUringReactor::queue_send(RingSocket& socket, std::span<const iovec> parts,
                                std::size_t bytes) noexcept {
  const std::size_t end = socket.unsent_end + bytes;
  if (!socket.writable || socket.send_error != 0 || bytes == 0 || end > IoRing::kBufferBytes) {
    return false;
  }
  if (socket.has_unsent()) {
    if (!ring_->change_send(socket.unsent_buffer, static_cast<unsigned>(end))) return false;
  } else {
    const std::optional<std::uint16_t> buffer = ring_->take_outgoing();
    if (!buffer) {
      ++ring_buffers_exhausted_;
      return false;
    }
    socket.unsent_buffer = *buffer;
  }
  char* to = ring_->outgoing(socket.unsent_buffer).data() + socket.unsent_end;
  for (const iovec& part : parts) {
    std::memcpy(to, part.iov_base, part.iov_len);
    to += part.iov_len;
  }
  socket.unsent_end = static_cast<std::uint16_t>(end);
  arm(socket, Job::send);
  return true;
}

IoCount IoUringReactor::try_splice_in(Socket& socket, Pipe& into, std::size_t bytes_max) noexcept {
  auto& receiving = static_cast<RingSocket&>(socket);
  WEIR_ASSERT(into.held() == 0);
  if (receiving.held() != 0) return put_held(receiving, into, bytes_max);
  return splice_more(receiving, into, bytes_max);
}

// Bytes that came in a buffer of the ring are copied: a few, and only the first ones.
IoCount IoUringReactor::put_held(RingSocket& socket, Pipe& into, std::size_t bytes_max) noexcept {
  const std::size_t wanted = std::min(socket.held(), bytes_max);
  const IoCount count =
      copy_in(ring_->buffer(socket.held_buffer).subspan(socket.held_begin, wanted), into);
  if (count.is_failure() || count.is_would_block()) return count;
  socket.held_begin += static_cast<std::uint16_t>(count.bytes());
  if (socket.held() == 0) release_held(socket);
  return count;
}

// As receive_more(), but only would-block says that the socket is empty: fewer bytes than asked for
// may be all that the pipe has slots for.
IoCount IoUringReactor::splice_more(RingSocket& socket, Pipe& into,
                                    std::size_t bytes_max) noexcept {
  if (socket.receive_error != 0) return IoCount::failed(std::exchange(socket.receive_error, 0));
  if (socket.peer_ended) return end_of_stream(socket.send_error);
  if (socket.does(Job::receive)) return IoCount::would_block();
  if (!socket.readable && socket.was_waited_on) return IoCount::would_block();
  const IoCount count = splice_in(socket.fd(), into, bytes_max);
  socket.readable = !count.is_would_block();
  if (count.is_would_block() || count.is_failure()) return count;
  if (count.bytes() > IoRing::kBufferBytes) socket.reads_much = true;
  socket.peer_ended = count.bytes() == 0;
  return socket.peer_ended ? end_of_stream(socket.send_error) : count;
}

IoCount IoUringReactor::try_splice_out(Socket& socket, Pipe& from) noexcept {
  auto& sending = static_cast<RingSocket&>(socket);
  // What is unsent goes first, and what a pipe holds follows at once.
  if (sending.has_unsent() && !send_unsent(sending)) return IoCount::would_block();
  if (sending.send_error != 0) return IoCount::failed(sending.send_error);
  if (!sending.writable && sending.does(Job::poll_write)) return IoCount::would_block();
  const std::size_t bytes = from.held();
  return note_sent(sending, splice_out(sending.fd(), from), bytes);
}

void IoUringReactor::end_send(RingSocket& socket) noexcept {
  WEIR_ASSERT(sending_[socket.sending_at] == &socket);
  sending_.back()->sending_at = socket.sending_at;
  sending_[socket.sending_at] = sending_.back();
  sending_.pop_back();
  socket.end(Job::send);
}

// False: the kernel has it already.
bool IoUringReactor::take_back_send(RingSocket& socket) noexcept {
  if (!socket.does(Job::send)) return true;
  if (!ring_->withdraw_send(socket.unsent_buffer)) return false;
  end_send(socket);
  return true;
}

// Sends what is unsent without waiting for the end of the turn. True: nothing is left.
bool IoUringReactor::send_unsent(RingSocket& socket) noexcept {
  if (!take_back_send(socket)) {
    socket.writable = false;  // until it is settled
    return false;
  }
  const iovec rest{ring_->outgoing(socket.unsent_buffer).data() + socket.unsent_begin,
                   static_cast<std::size_t>(socket.unsent_end - socket.unsent_begin)};
  const IoCount count = note_sent(socket, send_some(socket.fd(), {&rest, 1}), rest.iov_len);
  const bool is_part = !count.is_failure() && !socket.writable;
  if (!is_part) {
    release_unsent(socket);
  } else if (!count.is_would_block()) {
    socket.unsent_begin += static_cast<std::uint16_t>(count.bytes());
  }
  return !is_part;
}

void IoUringReactor::release_unsent(RingSocket& socket) noexcept {
  ring_->give_back_outgoing(socket.unsent_buffer);
  socket.unsent_begin = socket.unsent_end = 0;
  if (std::exchange(socket.shutdown_when_sent, false)) {
    if (socket.send_error == 0) socket.send_error = EPIPE;
    ::shutdown(socket.fd(), SHUT_WR);
  }
}

void IoUringReactor::await_writable(RingSocket& socket) noexcept {
  if (socket.does(Job::send)) {
    send_is_awaited_ = true;
  } else {
    arm(socket, Job::poll_write);
  }
}

// on_send_failed() has seen what failed. If the kernel has taken all that was queued before the
// last enter(), the others have been sent; what it had no memory for is queued still.
void IoUringReactor::settle_sends() noexcept {
  if (ring_->has_submitted_all()) {
    send_is_awaited_ = false;
    for (RingSocket* socket : sending_) {
      socket->end(Job::send);
      socket->writable = true;
      release_unsent(*socket);
      settling_.push_back(socket);
    }
    sending_.clear();
  }
  for (RingSocket* socket : settling_) {
    if (socket->is_closing) {
      continue_closing(*socket);
    } else if (socket->has_unsent()) {
      await_writable(*socket);
    } else if (socket->writer != nullptr) {
      continue_write_side(*socket, 0);
    }
  }
  settling_.clear();
}

void IoUringReactor::on_send_failed(RingSocket& socket, int result) noexcept {
  WEIR_ASSERT(socket.does(Job::send));
  end_send(socket);
  settling_.push_back(&socket);
  if (result >= 0 || result == -EAGAIN || result == -EINTR) {
    socket.unsent_begin += static_cast<std::uint16_t>(std::max(result, 0));
    socket.writable = false;
  } else {
    if (socket.send_error == 0) socket.send_error = -result;
    release_unsent(socket);
  }
}

void IoUringReactor::shutdown_write(Socket& socket) noexcept {
  auto& ending = static_cast<RingSocket&>(socket);
  if (ending.has_unsent() && !send_unsent(ending)) {
    ending.shutdown_when_sent = true;
    return await_writable(ending);
  }
  if (ending.send_error == 0) ending.send_error = EPIPE;
  ::shutdown(socket.fd(), SHUT_WR);
}

void IoUringReactor::reset_on_close(Socket& socket) noexcept {
  static_cast<RingSocket&>(socket).resets = true;
  linger_for_nothing(socket.fd());
}

void IoUringReactor::continue_read_side(RingSocket& socket) noexcept {
  // Each callback may close the socket; a closed one is kept until the end of the turn.
  if (socket.watch != nullptr && socket.watch_any)
    std::exchange(socket.watch, nullptr)->complete(0);
  if (socket.reader == nullptr) return;
  Operation& operation = *socket.reader;
  switch (socket.read_wait) {
    case ReadWait::none:
      return;
    case ReadWait::poll:
      operation.end(0);
      break;
    case ReadWait::receive:
      if (!receive_now(socket, static_cast<ReceiveOperation&>(operation))) {
        return await_readable(socket);
      }
      break;
    case ReadWait::accept:
      return accept_some(socket, static_cast<AcceptOperation&>(operation));
  }
  socket.reader = nullptr;
  operation.complete(operation.os_error());
}

void IoUringReactor::continue_write_side(RingSocket& socket, std::uint32_t events) noexcept {
  socket.writable = true;
  if (socket.has_unsent() && !send_unsent(socket)) return await_writable(socket);
  if (socket.writer == nullptr) return;
  Operation& operation = *socket.writer;
  switch (socket.write_wait) {
    case WriteWait::none:
      return;
    case WriteWait::poll:
      operation.end(0);
      break;
    case WriteWait::send:
      if (!send_now(*this, socket, static_cast<SendOperation&>(operation))) {
        return await_writable(socket);
      }
      break;
    case WriteWait::connect:
      operation.end(end_connect(socket.fd(), events));
      break;
  }
  socket.writer = nullptr;
  operation.complete(operation.os_error());
}

void IoUringReactor::on_received(RingSocket& socket, const RingCompletion& completion) noexcept {
  const int result = completion.result;
  socket.readable = false;
  if (result > 0) {
    socket.held_buffer = completion.buffer;
    socket.held_begin = 0;
    socket.held_end = static_cast<std::uint16_t>(result);
    socket.readable = completion.more_to_receive || result == int{IoRing::kBufferBytes};
  } else if (result == 0) {
    socket.peer_ended = true;
  } else if (result == -ENOBUFS) {
    ++ring_buffers_exhausted_;
    socket.readable = true;
  } else if (result != -EAGAIN && result != -EINTR) {
    socket.receive_error = -result;
  }
}

void IoUringReactor::on_hang_up(RingSocket& socket, int events) noexcept {
  if (events >= 0 && (events & (POLLHUP | POLLERR)) != 0) socket.hung_up = true;
  if (socket.watch == nullptr || socket.watch_any) return;
  if (socket.hung_up) {
    std::exchange(socket.watch, nullptr)->complete(0);
  } else {
    arm(socket, Job::poll_hang_up);
  }
}

void IoUringReactor::dispatch(const RingCompletion& completion) noexcept {
  if (completion.token == RingToken::none) return;
  if (completion.token == kWakeToken) {
    if (!completion.goes_on) ring_->poll_always(wake_event_.get(), POLLIN, kWakeToken);
    return;
  }
  const auto parts = parts_of(completion.token);
  RingSocket& socket = *parts.socket;
  const Job job = parts.job;
  if (job == Job::send) return;  // seen before all others
  if (!completion.goes_on) socket.end(job);
  if (completion.has_buffer && (socket.is_closing || completion.result <= 0)) {
    ring_->give_back(completion.buffer);
  }
  if (socket.is_closing) return continue_closing(socket);
  switch (job) {
    case Job::receive:
      if (completion.result == -ENOTSOCK) {
        socket.is_socket = false;
        return await_readable(socket);
      }
      on_received(socket, completion);
      return continue_read_side(socket);
    case Job::poll_read:
      // A receive in the kernel sees it as well, and comes first.
      if (socket.does(Job::receive)) return;
      socket.readable = true;
      socket.reads_much = false;  // unless it proves true again
      return continue_read_side(socket);
    case Job::send:
      return;
    case Job::poll_write:
      return continue_write_side(socket, static_cast<std::uint32_t>(completion.result));
    case Job::poll_hang_up:
      return on_hang_up(socket, completion.result);
  }
}

void IoUringReactor::turn(TimePoint until) noexcept {
  if (send_is_awaited_) until = now_;
  if (!full_.is_empty()) until = std::min(until, stuck_at_);
  timespec wait{};
  if (until != kNever) {
    // now_ is when the last turn began: what its callbacks took must not be waited once more.
    if (until > now_) read_clocks();
    wait = time_left(now_, until);
  }
  ring_->enter(until != kNever ? &wait : nullptr);
  read_clocks();
  // Those that come meanwhile have the next turn: timers and messages want theirs.
  completions_.clear();
  ring_->take_completions(completions_);
  for (const RingCompletion& completion : completions_) {
    const auto [socket, job] = parts_of(completion.token);
    if (job == Job::send) on_send_failed(*socket, completion.result);
  }
  settle_sends();
  for (const RingCompletion& completion : completions_) dispatch(completion);
  reset_stuck();
  while (!closed_.is_empty()) sockets_.destroy(closed_.pop_front());
}

void IoUringReactor::wake() noexcept {
  const std::uint64_t one = 1;
  const ssize_t written = ::write(wake_event_.get(), &one, sizeof one);
  static_cast<void>(written);
}

}  // namespace weir
