#include "proxy/worker_listener.h"

#include <cerrno>

#include "net/listening_socket.h"

namespace weir::proxy {
namespace {

// How long accepting rests at most, for nobody tells this worker when there is room: when the
// process has no descriptor left, and when a limit of connections that all workers share is
// reached.
constexpr Duration kDescriptorsRest = std::chrono::milliseconds(100);
constexpr Duration kConnectionsRest = std::chrono::milliseconds(20);

}  // namespace

WorkerListener::Accept::Accept(WorkerListener& owner) noexcept
    : AcceptOperation(
          [](AcceptOperation& self, Fd connection, const sockaddr_storage& peer) noexcept {
            static_cast<Accept&>(self).listener.on_accepted(std::move(connection), peer);
          },
          [](Operation& self) noexcept {
            static_cast<Accept&>(self).listener.on_accept_end(self.os_error());
          }),
      listener(owner) {}

WorkerListener::Retry::Retry(WorkerListener& owner) noexcept
    : Timer([](Timer& self) noexcept { static_cast<Retry&>(self).listener.on_room(); }),
      listener(owner) {}

WorkerListener::Stop::Stop(WorkerListener& owner) noexcept
    : Deferred([](Deferred& self) noexcept {
        static_cast<Stop&>(self).listener.stop_when_queue_is_empty();
      }),
      listener(owner) {}

WorkerListener::WorkerListener(ProxyWorker& worker, SocketsId sockets, std::uint16_t port,
                               Socket& socket) noexcept
    : worker_(worker),
      sockets_(sockets),
      port_(port),
      socket_(&socket),
      accept_(*this),
      retry_(*this),
      stop_(*this) {}

WorkerListener::~WorkerListener() {
  if (socket_ != nullptr) close();
}

void WorkerListener::serve(const ServedListener& served) {
  use_ = make_local<ListenerUse>(served.listener, worker_.worker().index());
  router_ = served.router;
  route_backends_.clear();
  for (const BackendIndex backend : served.route_backends) {
    route_backends_.push_back(worker_.backend(backend));
  }
}

void WorkerListener::start() noexcept {
  paused_ = false;
  const Started started = worker_.worker().reactor().start_accept(*socket_, accept_);
  if (started == Started::completed) on_accept_end(accept_.os_error());
}

void WorkerListener::stop() noexcept {
  if (stopping_) return;
  stopping_ = true;
  accepted_this_turn_ = true;
  net::hold_off_new_connections(socket_->fd());
  worker_.worker().defer(stop_);
}

// A whole turn of the reactor lies between two calls, and a listening socket with a queue is
// reported in it.
void WorkerListener::stop_when_queue_is_empty() noexcept {
  if (!accepted_this_turn_ || paused_) return close();
  accepted_this_turn_ = false;
  worker_.worker().defer(stop_);
}

void WorkerListener::close() noexcept {
  paused_ = false;
  retry_.disarm();
  Reactor& reactor = worker_.worker().reactor();
  if (accept_.is_pending()) reactor.cancel(*socket_, accept_);
  reactor.close(*std::exchange(socket_, nullptr));
}

bool WorkerListener::has_room() const noexcept {
  if (!worker_.has_room()) return false;
  const std::uint32_t maxconn = listener().maxconn;
  if (maxconn == 0) return true;
  const stats::ListenerStats& stats = *listener().stats;
  return stats.sum(&stats::ListenerCells::connections) -
             stats.sum(&stats::ListenerCells::connections_closed) <
         maxconn;
}

void WorkerListener::on_accepted(Fd connection, const sockaddr_storage& peer) noexcept {
  use_->cells.connections.add();
  accepted_this_turn_ = true;
  worker_.place_connection(*this, std::move(connection), peer);
  if (!has_room()) pause(kConnectionsRest);
}

void WorkerListener::on_accept_end(int os_error) noexcept {
  if (os_error == ECANCELED) return;
  worker_.cells().descriptors_exhausted.add();
  pause(kDescriptorsRest);
}

void WorkerListener::pause(Duration rest) noexcept {
  if (paused_) return;
  paused_ = true;
  worker_.cells().accept_pauses.add();
  if (accept_.is_pending()) worker_.worker().reactor().cancel(*socket_, accept_);
  retry_.arm(worker_.worker().timers(), worker_.worker().now() + rest);
}

void WorkerListener::resume() noexcept {
  if (!has_room()) {
    return retry_.arm(worker_.worker().timers(), worker_.worker().now() + kConnectionsRest);
  }
  retry_.disarm();
  start();
}

}  // namespace weir::proxy
