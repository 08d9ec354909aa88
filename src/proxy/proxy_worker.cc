#include "proxy/proxy_worker.h"

#include "proxy/worker_listener.h"

namespace weir::proxy {

ClientConnection::ClientConnection(ProxyWorker& owner, WorkerListener& accepting, Socket& socket,
                                   const net::Address& address) noexcept
    : worker(owner),
      listener(accepting),
      peer(address),
      stream(owner.worker(), socket, Side::client),
      accepted_at(owner.worker().now()) {}

void ClientConnection::abort(Error reason) noexcept {
  stream.abort(reason);
  server_side.cancel(reason);
}

ProxyWorker::EndIdle::EndIdle(ProxyWorker& owner) noexcept
    : Deferred([](Deferred& self) noexcept { static_cast<EndIdle&>(self).proxy.end_idle(); }),
      proxy(owner) {}

ProxyWorker::ProxyWorker(Worker& worker, std::uint32_t workers,
                         std::shared_ptr<const Snapshot> snapshot, stats::Registry& registry,
                         LogRing& access_log)
    : worker_(worker),
      snapshot_(std::move(snapshot)),
      cells_(registry.worker(worker.index())),
      access_log_(access_log),
      end_idle_(*this) {
  static constexpr http1::HeadLimits kResponseLimits;
  for (const auto& backend : snapshot_->backends) {
    backends_.push_back(
        std::make_unique<backend::WorkerBackend>(worker, backend, workers, kResponseLimits));
  }
}

ProxyWorker::~ProxyWorker() { WEIR_ASSERT(connections_.live() == 0); }

void ProxyWorker::listen(const Listener& listener, Serve serve, std::uint16_t port, Socket& socket,
                         std::uint32_t connections_max) {
  listeners_.push_back(
      std::make_unique<WorkerListener>(*this, listener, serve, port, socket, connections_max));
  listeners_.back()->start();
}

void ProxyWorker::start_connection(WorkerListener& listener, Fd fd,
                                   const sockaddr_storage& peer) noexcept {
  Socket& socket = worker_.reactor().adopt(std::move(fd));
  ClientConnection& connection = connections_.make(*this, listener, socket, net::Address(peer));
  open_.push_back(connection);
  scope_.spawn(listener.serve(), std::ref(connection));
}

void ProxyWorker::end_connection(ClientConnection& connection) noexcept {
  connection.listener.cells().connections_closed.add();
  connections_.destroy(connection);
  for (auto& listener : listeners_) listener->on_room();
}

void ProxyWorker::drain() noexcept {
  if (draining_) return;
  draining_ = true;
  for (auto& listener : listeners_) listener->stop();
  for (auto& backend : backends_) backend->close_idle();
  worker_.defer(end_idle_);
}

void ProxyWorker::end_idle() noexcept {
  if (--end_idle_.turns_left > 0) return worker_.defer(end_idle_);
  open_.for_each([](ClientConnection& connection) {
    if (connection.phase == ClientConnection::Phase::idle) {
      connection.abort(make_error(ErrorKind::shutting_down, Side::weir));
    }
  });
}

void ProxyWorker::abort_all() noexcept {
  drain();
  open_.for_each([](ClientConnection& connection) {
    connection.abort(make_error(ErrorKind::shutting_down, Side::weir));
  });
}

bool ProxyWorker::is_drained() const noexcept {
  if (!draining_ || scope_.running() != 0) return false;
  for (const auto& listener : listeners_) {
    if (!listener->is_stopped()) return false;
  }
  return true;
}

void ProxyWorker::log_access(const Listener& listener, const stats::AccessRecord& record) noexcept {
  const std::atomic<bool>* full = listener.access_log_full;
  if (full != nullptr && full->load(std::memory_order_relaxed)) {
    return cells_.log_records_dropped.add();
  }
  // The first bytes say which of the log thread's files the line belongs to.
  const std::uint32_t file = listener.access_log_index;
  const std::span<char> room = access_log_.try_reserve(sizeof file + stats::kAccessRecordBytesMax);
  if (room.empty()) return cells_.log_records_dropped.add();
  std::memcpy(room.data(), &file, sizeof file);
  access_log_.commit(sizeof file + stats::encode(record, room.subspan(sizeof file)));
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

}  // namespace weir::proxy
