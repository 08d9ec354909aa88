#include "sim/sim_reactor.h"

#include <algorithm>
#include <cerrno>

namespace weir::sim {
namespace {

constexpr Duration kWallAhead = std::chrono::hours(24 * 365 * 56);

}  // namespace

class SimReactor::SimSocket final : public Socket, public Watcher {
 public:
  explicit SimSocket(SimReactor& owner) noexcept : Socket(Fd()), reactor(owner) {}
  void on_change() noexcept override { reactor.mark(*this); }

  Pending* pending_of(const Operation& operation) noexcept {
    for (Pending* pending : {&reader, &writer, &watch}) {
      if (pending->operation == &operation) return pending;
    }
    return nullptr;
  }

  SimReactor& reactor;
  End* end = nullptr;              // of a connection, once there is one
  Listening* listening = nullptr;  // or else
  Pending reader;
  Pending writer;
  Pending watch;
  bool is_marked = false;
  bool is_closed = false;
  bool resets_on_close = false;
};

SimReactor::SimReactor(Network& network, HostId host, BufferPool& buffers, std::uint64_t seed,
                       const ReactorHabits& habits, std::size_t descriptors_max)
    : network_(network),
      host_(host),
      buffers_(buffers),
      random_(seed),
      habits_(habits),
      descriptors_max_(descriptors_max) {
  read_clocks();
}

SimReactor::~SimReactor() {
  for (SimSocket* socket : closed_) sockets_.destroy(*socket);
}

void SimReactor::read_clocks() noexcept {
  now_ = network_.now();
  wall_now_ = WallTime(now_.time_since_epoch() + kWallAhead);
}

TimePoint SimReactor::due() const noexcept {
  return is_told_ || is_woken_ || !marked_.empty() ? network_.now() : until_;
}

std::size_t SimReactor::open_sockets() const noexcept { return sockets_.live() - closed_.size(); }

// How much of what could be moved is.
std::size_t SimReactor::some_of(std::size_t bytes) noexcept {
  if (bytes <= 1 || !chance(habits_.short_count)) return bytes;
  return chance(200) ? 1 : 1 + random_.below(static_cast<std::uint32_t>(bytes));
}

void SimReactor::mark(SimSocket& socket) noexcept {
  if (std::exchange(socket.is_marked, true)) return;
  marked_.push_back(&socket);
}

Result<Socket*> SimReactor::make_stream_socket(int family) noexcept {
  if (family != AF_INET) return fail(ErrorKind::io, Side::weir, EAFNOSUPPORT);
  if (open_sockets() >= descriptors_max_) {
    return fail(ErrorKind::descriptors_exhausted, Side::weir, EMFILE);
  }
  ++unconnected_;
  return &sockets_.make(*this);
}

Socket& SimReactor::adopt(Listening& listening) {
  SimSocket& socket = sockets_.make(*this);
  socket.listening = &listening;
  socket.listening->watch(&socket);
  return socket;
}

Socket& SimReactor::adopt(Fd fd) noexcept {
  SimSocket& socket = sockets_.make(*this);
  socket.end = &network_.adopt(fd.release());
  socket.end->watch(&socket);
  return socket;
}

void SimReactor::close(Socket& socket) noexcept {
  auto& closing = static_cast<SimSocket&>(socket);
  WEIR_ASSERT(closing.reader.operation == nullptr && closing.writer.operation == nullptr &&
              closing.watch.operation == nullptr);
  if (closing.end == nullptr && closing.listening == nullptr) --unconnected_;
  if (closing.listening != nullptr) closing.listening->close();
  if (closing.end != nullptr) closing.resets_on_close ? closing.end->reset() : closing.end->close();
  closing.end = nullptr;
  closing.is_closed = true;
  closed_.push_back(&closing);
  is_woken_ = true;  // for the end of the turn that forgets it
}

Started SimReactor::begin(SimSocket& socket, Pending& pending, Want want,
                          Operation& operation) noexcept {
  WEIR_ASSERT(pending.operation == nullptr);
  operation.begin();
  pending = {&operation, want, false};
  if (chance(habits_.late_start) || !try_complete(socket, pending)) {
    mark(socket);
    return Started::waiting;
  }
  pending = {};
  return Started::completed;
}

Started SimReactor::start_accept(Socket& socket, AcceptOperation& operation) noexcept {
  auto& listening = static_cast<SimSocket&>(socket);
  WEIR_ASSERT(listening.reader.operation == nullptr);
  operation.begin();
  listening.reader = {&operation, Want::accept, false};
  mark(listening);
  return Started::waiting;
}

Started SimReactor::start_connect(Socket& socket, SocketAddressView address,
                                  Operation& operation) noexcept {
  auto& connecting = static_cast<SimSocket&>(socket);
  WEIR_ASSERT(connecting.end == nullptr);
  --unconnected_;
  connecting.end = &network_.connect(host_, *reinterpret_cast<const sockaddr_in*>(address.address));
  connecting.end->watch(&connecting);
  return begin(connecting, connecting.writer, Want::connect, operation);
}

Started SimReactor::start_receive(Socket& socket, ReceiveOperation& operation) noexcept {
  auto& receiving = static_cast<SimSocket&>(socket);
  operation.received = 0;
  const Started started = begin(receiving, receiving.reader, Want::receive, operation);
  if (started == Started::waiting && operation.filled == 0) operation.buffer.release();
  return started;
}

Started SimReactor::start_send(Socket& socket, SendOperation& operation) noexcept {
  auto& sending = static_cast<SimSocket&>(socket);
  operation.sent = 0;
  return begin(sending, sending.writer, Want::send, operation);
}

Started SimReactor::start_poll(Socket& socket, Readiness readiness, Operation& operation) noexcept {
  auto& polled = static_cast<SimSocket&>(socket);
  switch (readiness) {
    case Readiness::readable:
      return begin(polled, polled.reader, Want::readable, operation);
    case Readiness::writable:
      return begin(polled, polled.writer, Want::writable, operation);
    case Readiness::hang_up:
      return begin(polled, polled.watch, Want::hang_up, operation);
    case Readiness::any_event:
      break;
  }
  return begin(polled, polled.watch, Want::any_event, operation);
}

// Accepts and watches end at once, as they do in every reactor: whoever lets go of them may close
// the socket in the next line.
void SimReactor::cancel(Socket& socket, Operation& operation) noexcept {
  auto& canceled = static_cast<SimSocket&>(socket);
  Pending* pending = canceled.pending_of(operation);
  if (pending == nullptr || pending->is_canceled) return;
  const bool may_be_late = pending != &canceled.watch && pending->want != Want::accept;
  if (may_be_late && chance(habits_.late_cancel)) {
    pending->is_canceled = true;
    return mark(canceled);
  }
  *pending = {};
  operation.complete(ECANCELED);
}

IoCount SimReactor::try_receive(Socket& socket, std::span<char> into) noexcept {
  auto& receiving = static_cast<SimSocket&>(socket);
  WEIR_ASSERT(!into.empty());
  if (receiving.end == nullptr || chance(habits_.spurious)) return IoCount::would_block();
  return receiving.end->receive(into.first(some_of(into.size())));
}

IoCount SimReactor::try_send(Socket& socket, std::span<const iovec> parts) noexcept {
  auto& sending = static_cast<SimSocket&>(socket);
  if (sending.end == nullptr || chance(habits_.spurious)) return IoCount::would_block();
  std::size_t total = 0;
  for (const iovec& part : parts) total += part.iov_len;
  const std::size_t limit = some_of(total);
  std::size_t sent = 0;
  for (const iovec& part : parts) {
    const std::size_t wanted = std::min(part.iov_len, limit - sent);
    if (wanted == 0) continue;
    const IoCount count = sending.end->send({static_cast<const char*>(part.iov_base), wanted});
    if (count.is_failure() || count.is_would_block()) return sent == 0 ? count : IoCount::of(sent);
    sent += count.bytes();
    if (count.bytes() < wanted) break;
  }
  return IoCount::of(sent);
}

void SimReactor::shutdown_write(Socket& socket) noexcept {
  if (End* end = static_cast<SimSocket&>(socket).end) end->shutdown_write();
}

void SimReactor::reset_on_close(Socket& socket) noexcept {
  static_cast<SimSocket&>(socket).resets_on_close = true;
}

// False: it would block.
bool SimReactor::receive_now(SimSocket& socket, ReceiveOperation& operation) noexcept {
  if (!socket.end->is_readable()) return false;
  if (!operation.buffer) {
    operation.filled = 0;
    operation.buffer = buffers_.take(operation.buffer_bytes);
    if (!operation.buffer) {
      operation.end(ENOBUFS);
      return true;
    }
  }
  const auto room = operation.buffer.span().subspan(operation.filled);
  const IoCount count = socket.end->receive(room.first(some_of(room.size())));
  if (count.is_failure()) {
    operation.end(count.os_error());
    return true;
  }
  operation.received = static_cast<std::uint32_t>(count.bytes());
  operation.filled += operation.received;
  operation.end(0);
  return true;
}

// False: not all is sent yet.
bool SimReactor::send_now(SimSocket& socket, SendOperation& operation) noexcept {
  const auto rest = operation.message.subspan(operation.sent);
  const IoCount count = socket.end->send(rest.first(some_of(rest.size())));
  if (count.is_would_block()) return false;
  if (count.is_failure()) {
    operation.end(count.os_error());
    return true;
  }
  operation.sent += count.bytes();
  if (operation.sent < operation.message.size()) return false;
  operation.end(0);
  return true;
}

bool SimReactor::connect_now(SimSocket& socket, Operation& operation) noexcept {
  if (socket.end->phase() == End::Phase::connecting) return false;
  operation.end(socket.end->phase() == End::Phase::failed ? socket.end->error() : 0);
  return true;
}

bool SimReactor::is_ready(const SimSocket& socket, Want want) noexcept {
  const End& end = *socket.end;
  switch (want) {
    case Want::readable:
      return end.is_readable();
    case Want::writable:
      return end.is_writable();
    case Want::hang_up:
      return end.is_hung_up();
    case Want::any_event:
      return end.is_readable() || end.is_hung_up();
    case Want::none:
    case Want::accept:
    case Want::connect:
    case Want::receive:
    case Want::send:
      break;
  }
  return false;
}

// True: the operation has ended, and nobody has been told.
bool SimReactor::try_complete(SimSocket& socket, Pending& pending) noexcept {
  switch (pending.want) {
    case Want::connect:
      return connect_now(socket, *pending.operation);
    case Want::receive:
      return receive_now(socket, static_cast<ReceiveOperation&>(*pending.operation));
    case Want::send:
      return send_now(socket, static_cast<SendOperation&>(*pending.operation));
    case Want::hang_up:
      break;
    case Want::readable:
    case Want::writable:
    case Want::any_event:
      if (!chance(habits_.spurious)) break;
      pending.operation->end(0);
      return true;
    case Want::none:
    case Want::accept:
      return false;
  }
  if (!is_ready(socket, pending.want)) return false;
  pending.operation->end(0);
  return true;
}

void SimReactor::accept_some(SimSocket& socket) noexcept {
  for (int at_once = 1 + static_cast<int>(random_.below(8)); at_once > 0; --at_once) {
    if (socket.reader.want != Want::accept || !socket.listening->has_waiting()) return;
    auto& operation = static_cast<AcceptOperation&>(*socket.reader.operation);
    if (open_sockets() >= descriptors_max_) {
      socket.reader = {};
      return operation.complete(EMFILE);
    }
    End* end = socket.listening->accept();
    sockaddr_storage peer{};
    reinterpret_cast<sockaddr_in&>(peer) = end->peer();
    operation.accepted(operation, Fd(network_.lend(*end)), peer);
  }
  if (socket.reader.want == Want::accept) mark(socket);
}

void SimReactor::continue_pending(SimSocket& socket, Pending& pending) noexcept {
  if (pending.operation == nullptr) return;
  if (pending.want == Want::accept) return accept_some(socket);
  Operation& operation = *pending.operation;
  // What is ready when the cancel comes is done all the same, now and then.
  const bool is_canceled = pending.is_canceled && !chance(300);
  if (!is_canceled && !try_complete(socket, pending)) {
    const bool has_room = pending.want == Want::send && socket.end->is_writable();
    if (pending.is_canceled || has_room) mark(socket);
    return;
  }
  pending = {};
  operation.complete(is_canceled ? ECANCELED : operation.os_error());
}

void SimReactor::dispatch(SimSocket& socket) noexcept {
  socket.is_marked = false;
  if (chance(habits_.late_completion)) return mark(socket);
  std::array<Pending*, 3> order = {&socket.watch, &socket.reader, &socket.writer};
  if (chance(500)) std::swap(order[1], order[2]);
  for (Pending* pending : order) {
    if (socket.is_closed) return;
    continue_pending(socket, *pending);
  }
}

void SimReactor::turn(TimePoint until) noexcept {
  read_clocks();
  until_ = until;
  std::vector<SimSocket*> turn;
  turn.swap(marked_);
  for (std::size_t i = turn.size(); i > 1; --i) {
    std::swap(turn[i - 1], turn[random_.below(static_cast<std::uint32_t>(i))]);
  }
  // Timers that callbacks and messages arm are known to the next turn.
  is_woken_ = std::exchange(is_told_, false) || !turn.empty() || until <= now_;
  for (SimSocket* socket : turn) {
    if (!socket->is_closed) dispatch(*socket);
  }
  std::erase_if(marked_, [](const SimSocket* socket) { return socket->is_closed; });
  for (SimSocket* socket : closed_) sockets_.destroy(*socket);
  closed_.clear();
}

}  // namespace weir::sim
