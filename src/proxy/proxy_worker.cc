#include "proxy/proxy_worker.h"

#include <algorithm>
#include <ctime>
#include <map>

#include "proxy/proxy_header.h"
#include "proxy/worker_listener.h"

namespace weir::proxy {

ClientConnection::ClientConnection(ProxyWorker& owner, WorkerListener& accepting, Socket& socket,
                                   const net::PeerAddress& address) noexcept
    : worker(owner),
      listener(accepting),
      accepted_by(accepting.use()),
      peer(address),
      stream(owner.worker(), socket, Side::client),
      accepted_at(owner.worker().now()) {}

ClientConnection::~ClientConnection() = default;

bool ClientConnection::is_ending() const noexcept {
  return worker.is_draining() || listener->is_stopping() ||
         listener->listener().protocol != accepted_by->listener->protocol;
}

void ClientConnection::abort(Error reason) noexcept {
  stream.abort(reason);
  server_side.cancel(reason);
}

ProxyWorker::EndIdle::EndIdle(ProxyWorker& owner) noexcept
    : Deferred([](Deferred& self) noexcept { static_cast<EndIdle&>(self).proxy.end_idle(); }),
      proxy(owner) {}

// A just accepted connection on its way to the worker that is to serve it.
class ProxyWorker::PassedConnection final : public Message {
 public:
  PassedConnection(ProxyWorker& from, ProxyWorker& to, const WorkerListener& listener, Fd fd,
                   const net::PeerAddress& peer)
      : from_(&from),
        to_(&to),
        sockets_(listener.sockets()),
        listener_(listener.use()->listener),
        fd_(std::move(fd)),
        peer_(peer) {}

  void deliver() noexcept override {
    std::unique_ptr<PassedConnection> self(this);
    if (WorkerListener* listener = to_->find_listener(sockets_)) {
      return to_->start_connection(*listener, std::move(fd_), peer_);
    }
    // A reload is under way, and the listener is not here yet, or no more: back to where it is.
    WorkerLoads& loads = to_->shared_.loads;
    const std::uint32_t here = to_->worker_.index();
    loads.leave(here);
    if (from_ != to_ && loads.try_join(from_->worker_.index())) {
      to_ = from_;
      return to_->worker_.post(*self.release());
    }
    stats::ListenerCells& cells = listener_->stats->of(here);
    cells.connections_closed.add();
    cells.connections_refused.add();
    Reactor& reactor = to_->worker_.reactor();
    reactor.close(reactor.adopt(std::move(fd_)));
  }

 private:
  ProxyWorker* from_;
  ProxyWorker* to_;
  SocketsId sockets_;
  std::shared_ptr<const Listener> listener_;
  Fd fd_;
  net::PeerAddress peer_;
};

ProxyWorker::ProxyWorker(Worker& worker, ProxyShared& shared, LogRing& access_log,
                         const Protocols& protocols, std::uint32_t connections_max)
    : worker_(worker),
      shared_(shared),
      cells_(shared.registry.worker(worker.index())),
      body_files_(worker, shared.file_jobs, cells_),
      access_log_(access_log),
      protocols_(protocols),
      connections_max_(connections_max),
      snapshot_(std::make_shared<const Snapshot>()),
      end_idle_(*this) {
  shared.proxies[worker.index()] = this;
}

ProxyWorker::~ProxyWorker() { WEIR_ASSERT(connections_.live() == 0 && body_files_.live() == 0); }

std::shared_ptr<const Snapshot> ProxyWorker::install(std::shared_ptr<const Snapshot> snapshot,
                                                     std::span<const WorkerSocket> sockets) {
  WEIR_ASSERT(!draining_);
  take_over_backends(*snapshot);
  snapshot_.swap(snapshot);
  take_over_listeners(sockets);
  return snapshot;
}

void ProxyWorker::take_over_backends(const Snapshot& next) {
  std::vector<LocalRef<backend::WorkerBackend>> taken;
  taken.reserve(next.backends.size());
  for (std::size_t i = 0; i < next.backends.size(); ++i) {
    const BackendIndex place = next.predecessors[i];
    LocalRef<backend::WorkerBackend> before;
    if (place != BackendIndex::none) {
      before = std::move(backends_[static_cast<std::size_t>(place)]);
    }
    if (before && &before->backend() == next.backends[i].get()) {
      taken.push_back(std::move(before));
      continue;
    }
    taken.push_back(
        make_local<backend::WorkerBackend>(worker_, next.backends[i], shared_.registry.workers(),
                                           protocols_.server_connections, before.get()));
  }
  for (const auto& gone : backends_) {
    if (gone) gone->retire();
  }
  backends_ = std::move(taken);
}

void ProxyWorker::take_over_listeners(std::span<const WorkerSocket> sockets) {
  std::map<SocketsId, LocalRef<WorkerListener>> before;
  for (auto& listener : std::exchange(listeners_, {})) {
    if (!listener->is_stopped()) before.emplace(listener->sockets(), listener);
  }
  for (const ServedListener& served : snapshot_->listeners) {
    for (const SocketsId id : served.sockets) {
      if (const auto known = before.extract(id)) {
        WorkerListener& listener = *listeners_.emplace_back(known.mapped());
        if (listener.listener().protocol != served.listener->protocol) end_idle_soon();
        listener.serve(served);
        continue;
      }
      const auto socket = std::ranges::find(sockets, id, &WorkerSocket::sockets);
      WEIR_ASSERT(socket != sockets.end());
      listeners_.push_back(make_local<WorkerListener>(*this, id, socket->port, *socket->socket));
      listeners_.back()->serve(served);
      listeners_.back()->start();
    }
  }
  for (const auto& [sockets_id, gone] : before) {
    gone->stop();
    listeners_.push_back(gone);
    end_idle_soon();
  }
}

WorkerListener* ProxyWorker::find_listener(SocketsId sockets) noexcept {
  for (const auto& listener : listeners_) {
    if (listener->sockets() == sockets) return listener.get();
  }
  return nullptr;
}

void ProxyWorker::place_connection(WorkerListener& listener, Fd fd,
                                   const sockaddr_storage& peer) noexcept {
  const std::uint32_t self = worker_.index();
  std::uint32_t chosen = self;
  // What a listener that goes has accepted stays: others may know it no more.
  if (draining_ || listener.is_stopping()) {
    static_cast<void>(shared_.loads.try_join(self));
  } else {
    chosen = shared_.loads.place(self);
  }
  if (chosen == self) return start_connection(listener, std::move(fd), net::PeerAddress(peer));
  cells_.connections_passed.add();
  ProxyWorker& other = *shared_.proxies[chosen];
  auto passed = std::make_unique<PassedConnection>(*this, other, listener, std::move(fd),
                                                   net::PeerAddress(peer));
  other.worker_.post(*passed.release());
}

void ProxyWorker::start_connection(WorkerListener& listener, Fd fd,
                                   const net::PeerAddress& peer) noexcept {
  Socket& socket = worker_.reactor().adopt(std::move(fd));
  ClientConnection& connection = connections_.make(*this, listener, socket, peer);
  open_.push_back(connection);
  // Another worker, which is a little behind, may have passed it on.
  if (aborted_) connection.abort(make_error(ErrorKind::shutting_down, Side::weir));
  scope_.spawn(protocols_.serve_of(listener.listener()), std::ref(connection));
}

void ProxyWorker::end_connection(ClientConnection& connection) noexcept {
  connection.accepted_by->cells.connections_closed.add();
  connections_.destroy(connection);
  shared_.loads.leave(worker_.index());
  if (listeners_paused_ == 0) return;
  for (const auto& listener : listeners_) listener->on_room();
}

void ProxyWorker::drain() noexcept {
  if (draining_) return;
  draining_ = true;
  for (const auto& listener : listeners_) listener->stop();
  for (const auto& backend : backends_) backend->close_idle();
  end_idle_soon();
}

void ProxyWorker::end_idle_soon() noexcept {
  end_idle_.turns_left = 2;
  if (!end_idle_.is_linked()) worker_.defer(end_idle_);
}

void ProxyWorker::end_idle() noexcept {
  if (--end_idle_.turns_left > 0) return worker_.defer(end_idle_);
  open_.for_each([](ClientConnection& connection) {
    // Its task lingers then: a request on its way must not reset the answers that went before.
    if (connection.phase == ClientConnection::Phase::idle && connection.is_ending()) {
      connection.stream.cancel_read();
    }
  });
}

void ProxyWorker::abort_all() noexcept {
  drain();
  aborted_ = true;
  for (const auto& listener : listeners_) listener->abort();
  open_.for_each([](ClientConnection& connection) {
    connection.abort(make_error(ErrorKind::shutting_down, Side::weir));
  });
}

bool ProxyWorker::is_drained() noexcept {
  if (!draining_ || scope_.running() != 0) return false;
  for (const auto& listener : listeners_) {
    if (!listener->is_stopped()) return false;
  }
  for (const auto& backend : backends_) backend->close_idle();
  if (protocols_.server_connections.live() != 0 || body_files_.live() != 0) return false;
  // What a client has been promised may be on its way out; not for longer than exchanges may take.
  if (!aborted_ && worker_.reactor().is_sending_after_close()) return false;
  // Others may be passing a connection here at this moment.
  return shared_.loads.try_close(worker_.index());
}

// The first bytes of a record say which of the log thread's files it belongs to.
using LogFileIndex = decltype(AccessLogFile::index);

// Empty: there is no room, and that is counted.
std::span<char> ProxyWorker::reserve_log_record(const Listener& listener,
                                                std::size_t bytes) noexcept {
  const LogFileIndex file = listener.access_log->index;
  std::span<char> room;
  if (!listener.access_log->full.load(std::memory_order_relaxed)) {
    room = access_log_.try_reserve(sizeof file + bytes);
  }
  if (room.empty()) {
    cells_.log_records_dropped.add();
    return {};
  }
  std::memcpy(room.data(), &file, sizeof file);
  return room.subspan(sizeof file);
}

void ProxyWorker::log_access(const Listener& listener, const stats::AccessRecord& record) noexcept {
  const std::span<char> room = reserve_log_record(listener, stats::kAccessRecordBytesMax);
  if (!room.empty()) access_log_.commit(sizeof(LogFileIndex) + stats::encode(record, room));
}

void ProxyWorker::log_line(const ValueSource& source) noexcept {
  const Listener& listener = *source.listener_use.listener;
  const std::span<char> room = reserve_log_record(listener, kLogLineBytesMax);
  if (room.empty()) return;
  const Template::Line line = listener.log_line->write_line(source, room.first<kLogLineBytesMax>());
  if (line.is_cut) cells_.log_lines_cut.add();
  access_log_.commit(sizeof(LogFileIndex) + line.bytes);
}

std::string_view ProxyWorker::http_date() noexcept {
  const auto now = std::chrono::floor<std::chrono::seconds>(worker_.reactor().wall_now());
  const std::int64_t second = now.time_since_epoch().count();
  if (second != date_second_) {
    date_second_ = second;
    http::write_date(now, date_);
  }
  return {date_.data(), date_.size()};
}

// localtime_r(3) takes a lock of the process. A locale is never set, so month names are English.
std::string_view ProxyWorker::local_time() noexcept {
  const auto now = std::chrono::floor<std::chrono::seconds>(worker_.reactor().wall_now());
  const std::time_t second = now.time_since_epoch().count();
  if (second != local_second_) {
    local_second_ = second;
    std::tm local;
    ::localtime_r(&second, &local);
    local_time_bytes_ =
        std::strftime(local_time_.data(), local_time_.size(), "%d/%b/%Y:%H:%M:%S %z", &local);
  }
  return {local_time_.data(), local_time_bytes_};
}

}  // namespace weir::proxy
