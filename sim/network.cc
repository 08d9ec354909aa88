#include "sim/network.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace weir::sim {

using namespace std::chrono_literals;

namespace {

constexpr Duration kRetransmitAfter = 200ms;
constexpr Duration kRetransmitAfterMax = 30s;
constexpr int kRetransmissionsMax = 12;
constexpr Duration kSynAgainAfter = 1s;
constexpr int kSynsMax = 6;

enum class PieceKind : std::uint8_t { data, fin, reset };

struct Piece {
  PieceKind kind;
  TimePoint arrival;
  std::string bytes;
};

// One direction.
struct Pipe {
  std::string unsent;  // taken from the sender, not on the wire
  std::deque<Piece> flight;
  std::size_t flight_bytes = 0;
  std::string arrived;  // not read yet
  bool fin_wanted = false;
  bool fin_sent = false;
  bool fin_arrived = false;
  bool is_cut_off = false;  // broken: nothing more is sent
  bool arrival_is_scheduled = false;
  bool pump_is_scheduled = false;
  int retransmissions = 0;
  TimePoint wire_free_at{};
  std::size_t send_max = 0;
  std::size_t receive_max = 0;
  std::uint32_t piece_max = 0;

  void break_off() noexcept {
    is_cut_off = true;
    unsent.clear();
    flight.clear();
    flight_bytes = 0;
  }
  std::size_t room() const noexcept {
    const std::size_t held = unsent.size() + flight_bytes;
    return held < send_max ? send_max - held : 0;
  }
  // A socket is not called writable for the sake of a few bytes.
  bool has_ample_room() const noexcept { return room() * 4 >= send_max; }
  std::size_t window() const noexcept {
    const std::size_t held = arrived.size() + flight_bytes;
    return held < receive_max ? receive_max - held : 0;
  }
  // A receiver does not open its window for the sake of a few bytes either (RFC 9293 3.8.6.2).
  bool may_send() const noexcept { return window() * 4 >= std::min(receive_max, unsent.size()); }
};

}  // namespace

struct Connection {
  Connection(Network& owner, std::uint64_t id, HostId from, HostId to, std::uint16_t to_port)
      : network(owner), number(id), port(to_port), ends{End(*this, 0, from), End(*this, 1, to)} {}

  End& other(const End& end) noexcept { return ends[1 - end.side_]; }
  Pipe& outgoing(const End& end) noexcept { return pipes[end.side_]; }
  Pipe& incoming(const End& end) noexcept { return pipes[1 - end.side_]; }

  Network& network;
  std::uint64_t number;
  std::uint16_t port;
  bool is_established = false;     // the listener's kernel has answered
  Listening* queued_in = nullptr;  // until it is accepted
  std::array<End, 2> ends;
  std::array<Pipe, 2> pipes;  // [0] from ends[0] to ends[1]
};

bool End::is_readable() const noexcept {
  const Pipe& pipe = connection_.incoming(*this);
  return !pipe.arrived.empty() || pipe.fin_arrived || error_ != 0;
}

bool End::is_writable() const noexcept {
  return error_ != 0 || write_shut_ ||
         (phase_ == Phase::open && connection_.outgoing(*this).has_ample_room());
}

bool End::is_hung_up() const noexcept {
  return error_ != 0 || (write_shut_ && connection_.incoming(*this).fin_arrived);
}

IoCount End::receive(std::span<char> into) noexcept {
  WEIR_ASSERT(!closed_ && !into.empty());
  Pipe& pipe = connection_.incoming(*this);
  if (!pipe.arrived.empty()) {
    const std::size_t count = std::min(into.size(), pipe.arrived.size());
    std::memcpy(into.data(), pipe.arrived.data(), count);
    pipe.arrived.erase(0, count);
    connection_.network.pump(connection_, 1 - side_);
    return IoCount::of(count);
  }
  if (error_ != 0) return IoCount::failed(error_);
  return pipe.fin_arrived ? IoCount::of(0) : IoCount::would_block();
}

IoCount End::send(std::span<const char> bytes) noexcept {
  WEIR_ASSERT(!closed_);
  if (error_ != 0) return IoCount::failed(error_);
  if (write_shut_) return IoCount::failed(EPIPE);
  if (phase_ != Phase::open) return IoCount::would_block();
  Pipe& pipe = connection_.outgoing(*this);
  const std::size_t count = std::min(bytes.size(), pipe.room());
  if (count == 0 && !bytes.empty()) return IoCount::would_block();
  pipe.unsent.append(bytes.data(), count);
  connection_.network.pump(connection_, side_);
  return IoCount::of(count);
}

void End::shutdown_write() noexcept {
  if (write_shut_ || error_ != 0) return;
  write_shut_ = true;
  connection_.outgoing(*this).fin_wanted = true;
  connection_.network.pump(connection_, side_);
}

void End::close() noexcept {
  WEIR_ASSERT(!closed_);
  if (!connection_.incoming(*this).arrived.empty()) return reset();
  shutdown_write();
  watcher_ = nullptr;
  closed_ = true;
  connection_.network.forget_if_over(connection_);
}

void End::reset() noexcept {
  WEIR_ASSERT(!closed_);
  watcher_ = nullptr;
  closed_ = true;
  if (error_ == 0 && phase_ == Phase::open) connection_.network.send_reset(connection_, side_);
  connection_.network.forget_if_over(connection_);
}

void End::vanish() noexcept {
  WEIR_ASSERT(!closed_);
  watcher_ = nullptr;
  closed_ = true;
  vanished_ = true;
  connection_.outgoing(*this).break_off();
  connection_.incoming(*this).arrived.clear();
  connection_.network.forget_if_over(connection_);
}

End* Listening::accept() noexcept {
  if (queue_.empty()) return nullptr;
  Connection& connection = *network_->find(queue_.front());
  queue_.pop_front();
  connection.queued_in = nullptr;
  return &connection.ends[1];
}

void Listening::close() noexcept {
  closed_ = true;
  watcher_ = nullptr;
  while (!queue_.empty()) accept()->reset();
}

Network::Network(std::uint64_t seed, Trace& trace) noexcept
    : random_(seed), trace_(trace), now_(1h) {}

Network::~Network() = default;

void Network::at(TimePoint time, std::function<void()> event) {
  events_.push_back({std::max(time, now_), next_sequence_++, std::move(event)});
  std::push_heap(events_.begin(), events_.end());
}

TimePoint Network::next_event() const noexcept {
  return events_.empty() ? kNever : events_.front().time;
}

void Network::advance(TimePoint to) noexcept {
  WEIR_ASSERT(to >= now_ && to <= next_event());
  now_ = to;
}

void Network::run_event() {
  WEIR_ASSERT(next_event() <= now_);
  std::pop_heap(events_.begin(), events_.end());
  const Event event = std::move(events_.back());
  events_.pop_back();
  event.run();
}

HostId Network::add_host(std::string name) {
  hosts_.push_back({std::move(name)});
  return HostId(hosts_.size() - 1);
}

// 10.x.y.z, with the host's number from 1.
sockaddr_in Network::address_of(HostId host, std::uint16_t port) const noexcept {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl((10u << 24) + static_cast<std::uint32_t>(index(host)) + 1);
  return address;
}

HostId Network::host_of(const sockaddr_in& address) const noexcept {
  const auto host = HostId(ntohl(address.sin_addr.s_addr) - (10u << 24) - 1);
  WEIR_ASSERT(index(host) < hosts_.size());
  return host;
}

Listening& Network::listen(HostId host, std::uint16_t port, std::size_t backlog) {
  listening_.push_back(std::make_unique<Listening>());
  Listening& listening = *listening_.back();
  listening.network_ = this;
  listening.host_ = host;
  listening.port_ = port;
  listening.backlog_ = backlog;
  return listening;
}

Network::Link& Network::link(HostId a, HostId b) noexcept {
  return links_[std::minmax(index(a), index(b))];
}

void Network::set_link(HostId a, HostId b, const LinkSettings& settings) {
  link(a, b).settings = settings;
}

void Network::clog(HostId a, HostId b, TimePoint until) {
  Link& clogged = link(a, b);
  clogged.clogged_until = std::max(clogged.clogged_until, until);
  clogged.disturbed_at = std::max(clogged.disturbed_at, until);
}

void Network::cut(HostId a, HostId b, TimePoint until) {
  Link& severed = link(a, b);
  severed.cut_until = std::max(severed.cut_until, until);
  severed.disturbed_at = std::max(severed.disturbed_at, until);
}

TimePoint Network::disturbed_at(HostId a, HostId b) const noexcept {
  const auto found = links_.find(std::minmax(index(a), index(b)));
  return found == links_.end() ? TimePoint{} : found->second.disturbed_at;
}

bool Network::is_path_up(HostId a, HostId b) noexcept {
  return !hosts_[index(a)].is_silent && !hosts_[index(b)].is_silent && now_ >= link(a, b).cut_until;
}

Connection* Network::find(std::uint64_t number) noexcept {
  const auto found = connections_.find(number);
  return found == connections_.end() ? nullptr : found->second.get();
}

// When something that leaves now is there.
TimePoint Network::arrival(HostId from, HostId to, std::size_t bytes) noexcept {
  Link& path = link(from, to);
  const auto& settings = path.settings;
  TimePoint time = now_ + settings.latency;
  if (settings.jitter.count() > 0) {
    time += Duration(random_.below(static_cast<std::uint32_t>(settings.jitter.count())));
  }
  time += Duration(static_cast<std::int64_t>(bytes * 1'000'000'000 / settings.bytes_per_second));
  if (random_.below(1000) < settings.loss_permille) {
    time += kRetransmitAfter;
    path.disturbed_at = std::max(path.disturbed_at, time);
  }
  return std::max(time, path.clogged_until);
}

End& Network::connect(HostId from, const sockaddr_in& to) {
  const HostId host = host_of(to);
  const std::uint64_t number = next_number_++;
  auto& connection = connections_[number];
  connection = std::make_unique<Connection>(*this, number, from, host, ntohs(to.sin_port));
  for (Pipe& pipe : connection->pipes) {
    pipe.send_max = std::size_t{1} << (10 + random_.below(8));
    pipe.receive_max = std::size_t{1} << (10 + random_.below(8));
    constexpr std::array<std::uint32_t, 4> kPieces = {100, 1460, 16384, 65536};
    pipe.piece_max = kPieces[random_.below(kPieces.size())];
  }
  connection->ends[0].peer_ = to;
  connection->ends[1].peer_ =
      address_of(from, static_cast<std::uint16_t>(20'000 + number % 40'000));
  trace_.line(now_, "{} connects to {} as #{}", name_of(from), name_of(host), number);
  at(arrival(from, host, 0), [this, number] { on_syn(number, 1); });
  return connection->ends[0];
}

void Network::retry_syn(Connection& connection, int tries) {
  const std::uint64_t number = connection.number;
  Link& path = link(connection.ends[0].host_, connection.ends[1].host_);
  path.disturbed_at = std::max(path.disturbed_at, now_);
  if (tries >= kSynsMax) return on_connect_answer(number, ETIMEDOUT);
  after(kSynAgainAfter * (1 << (tries - 1)), [this, number, tries] { on_syn(number, tries + 1); });
}

void Network::on_syn(std::uint64_t number, int tries) {
  Connection* connection = find(number);
  if (connection == nullptr) return;
  End& client = connection->ends[0];
  End& server = connection->ends[1];
  if (client.closed_) {
    server.closed_ = true;
    return forget_if_over(*connection);
  }
  if (!is_path_up(client.host_, server.host_)) return retry_syn(*connection, tries);
  std::vector<Listening*> there;
  for (const auto& listening : listening_) {
    const bool fits = listening->host_ == server.host_ && listening->port_ == connection->port;
    if (fits && !listening->closed_) there.push_back(listening.get());
  }
  const TimePoint answer = arrival(server.host_, client.host_, 0);
  if (there.empty()) {
    server.closed_ = true;
    return at(answer, [this, number] { on_connect_answer(number, ECONNREFUSED); });
  }
  Listening& chosen = *there[random_.below(static_cast<std::uint32_t>(there.size()))];
  if (chosen.queue_.size() >= chosen.backlog_) return retry_syn(*connection, tries);
  connection->is_established = true;
  connection->queued_in = &chosen;
  server.phase_ = End::Phase::open;
  chosen.queue_.push_back(number);
  at(answer, [this, number] { on_connect_answer(number, 0); });
  tell(chosen.watcher_);
}

void Network::on_connect_answer(std::uint64_t number, int error) {
  Connection* connection = find(number);
  if (connection == nullptr) return;
  End& client = connection->ends[0];
  if (client.phase_ != End::Phase::connecting) return;
  trace_.line(now_, "#{} is answered with errno {}", number, error);
  if (client.closed_) {
    // A handshake that is answered for nobody is answered with a reset.
    if (connection->is_established && !client.vanished_) send_reset(*connection, 0);
    return forget_if_over(*connection);
  }
  if (error != 0) {
    connection->ends[1].closed_ = true;
    client.phase_ = End::Phase::failed;
    client.error_ = error;
  } else {
    client.phase_ = End::Phase::open;
    pump(*connection, 0);
  }
  tell(client.watcher_);
}

// Puts on the wire what the receiver has room for.
void Network::pump(Connection& connection, int direction) {
  Pipe& pipe = connection.pipes[direction];
  const End& from = connection.ends[direction];
  const End& to = connection.ends[1 - direction];
  if (pipe.is_cut_off || from.phase_ != End::Phase::open) return;
  while (!pipe.unsent.empty() && pipe.may_send()) {
    const std::size_t count = std::min(
        {pipe.unsent.size(), pipe.window(), std::size_t{1} + random_.below(pipe.piece_max)});
    pipe.wire_free_at = std::max(pipe.wire_free_at, arrival(from.host_, to.host_, count));
    pipe.flight.push_back({PieceKind::data, pipe.wire_free_at, pipe.unsent.substr(0, count)});
    pipe.unsent.erase(0, count);
    pipe.flight_bytes += count;
  }
  if (pipe.unsent.empty() && pipe.fin_wanted && !pipe.fin_sent) {
    pipe.fin_sent = true;
    pipe.wire_free_at = std::max(pipe.wire_free_at, arrival(from.host_, to.host_, 0));
    pipe.flight.push_back({PieceKind::fin, pipe.wire_free_at, {}});
  }
  schedule_arrival(connection, direction);
}

void Network::schedule_arrival(Connection& connection, int direction) {
  Pipe& pipe = connection.pipes[direction];
  if (pipe.arrival_is_scheduled || pipe.flight.empty()) return;
  pipe.arrival_is_scheduled = true;
  at(pipe.flight.front().arrival,
     [this, number = connection.number, direction] { on_arrival(number, direction); });
}

void Network::on_arrival(std::uint64_t number, int direction) {
  Connection* connection = find(number);
  if (connection == nullptr) return;
  Pipe& pipe = connection->pipes[direction];
  pipe.arrival_is_scheduled = false;
  End& from = connection->ends[direction];
  const End& to = connection->ends[1 - direction];
  if (!pipe.flight.empty() && pipe.flight.front().arrival <= now_) {
    if (is_path_up(from.host_, to.host_) && !to.vanished_) {
      pipe.retransmissions = 0;
      deliver(*connection, direction);
    } else if (++pipe.retransmissions > kRetransmissionsMax) {
      break_end(from, ETIMEDOUT);
    } else {
      const Duration wait = kRetransmitAfter * (1 << std::min(pipe.retransmissions, 10));
      pipe.flight.front().arrival = now_ + std::min(wait, kRetransmitAfterMax);
    }
  }
  schedule_arrival(*connection, direction);
  forget_if_over(*connection);
}

void Network::deliver(Connection& connection, int direction) {
  Pipe& pipe = connection.pipes[direction];
  End& from = connection.ends[direction];
  End& to = connection.ends[1 - direction];
  Piece piece = std::move(pipe.flight.front());
  pipe.flight.pop_front();
  pipe.flight_bytes -= piece.bytes.size();
  switch (piece.kind) {
    case PieceKind::reset:
      break_end(to, ECONNRESET);
      return;
    case PieceKind::fin:
      pipe.fin_arrived = true;
      break;
    case PieceKind::data:
      if (to.closed_) {
        pipe.break_off();
        send_reset(connection, to.side_);
        return;
      }
      pipe.arrived += piece.bytes;
      break;
  }
  tell(to.watcher_);
  tell(from.watcher_);  // there is room again
}

// From the kernel of this side's host: ends both directions when it arrives.
void Network::send_reset(Connection& connection, int from_side) {
  Pipe& pipe = connection.pipes[from_side];
  const End& from = connection.ends[from_side];
  const End& to = connection.ends[1 - from_side];
  pipe.unsent.clear();
  pipe.fin_sent = true;
  const TimePoint time = std::max(pipe.wire_free_at, arrival(from.host_, to.host_, 0));
  pipe.wire_free_at = time;
  pipe.flight.push_back({PieceKind::reset, time, {}});
  schedule_arrival(connection, from_side);
}

void Network::break_end(End& end, int error) {
  Connection& connection = end.connection_;
  connection.outgoing(end).break_off();
  connection.incoming(end).break_off();
  if (end.error_ == 0) end.error_ = error;
  tell(end.watcher_);
}

// Once neither side's user holds it and nothing is on its way.
void Network::forget_if_over(Connection& connection) {
  const End& client = connection.ends[0];
  const End& server = connection.ends[1];
  if (!client.closed_ || !server.closed_) return;
  for (const Pipe& pipe : connection.pipes) {
    const bool is_still = pipe.unsent.empty() && pipe.flight.empty();
    if (!pipe.is_cut_off && !is_still) return;
  }
  connections_.erase(connection.number);
}

void Network::crash(HostId host, Crash crash) {
  for (const auto& listening : listening_) {
    if (listening->host_ != host || listening->closed_) continue;
    listening->closed_ = true;
    listening->watcher_ = nullptr;
    while (!listening->queue_.empty()) listening->accept();
  }
  std::vector<End*> open;
  for (const auto& [number, connection] : connections_) {
    for (End& end : connection->ends) {
      const bool is_made = end.side_ == 0 || connection->is_established;
      if (end.host_ == host && !end.closed_ && is_made) open.push_back(&end);
    }
  }
  for (End* end : open) crash == Crash::power ? end->vanish() : end->close();
  hosts_[index(host)].is_silent = crash == Crash::power;
}

void Network::revive(HostId host) {
  hosts_[index(host)].is_silent = false;
  for (const auto& [number, connection] : connections_) {
    for (End& end : connection->ends) {
      if (end.host_ == host) end.vanished_ = false;
    }
  }
}

std::size_t Network::open_ends(HostId from, HostId to) const noexcept {
  std::size_t count = 0;
  for (const auto& [number, connection] : connections_) {
    const auto& [near, far] = connection->ends;
    const bool is_open = near.phase_ != End::Phase::failed && !near.closed_;
    if (near.host_ == from && far.host_ == to && is_open) ++count;
  }
  return count;
}

std::size_t Network::open_ends(HostId host) const noexcept {
  std::size_t count = 0;
  for (const auto& [number, connection] : connections_) {
    for (const End& end : connection->ends) {
      const bool is_made = end.side_ == 0 || (connection->is_established && !connection->queued_in);
      if (end.host_ == host && !end.closed_ && is_made) ++count;
    }
  }
  return count;
}

int Network::lend(End& end) noexcept {
  const int descriptor = next_descriptor_++;
  lent_.emplace(descriptor, &end);
  return descriptor;
}

End& Network::adopt(int descriptor) noexcept {
  const auto lent = lent_.extract(descriptor);
  WEIR_ASSERT(lent);
  return *lent.mapped();
}

}  // namespace weir::sim
