#include "proxy/worker_listener.h"

#include <algorithm>
#include <cerrno>

#include "net/listening_socket.h"

namespace weir::proxy {
namespace {

// How long accepting rests at most, for nobody tells this worker when there is room: when the
// process has no descriptor left, and when a limit of connections that all workers share is
// reached.
constexpr Duration kDescriptorsRest = std::chrono::milliseconds(100);
constexpr Duration kConnectionsRest = std::chrono::milliseconds(20);

// From the moment on in which no new connection can begin, this is how long a client may take to
// complete the handshake of one that has begun: for it, the connection is there before it is here.
constexpr Duration kHandshakesWithin = std::chrono::milliseconds(200);

// Null: there are none.
LocalRef<FilterUse> use_of(const std::shared_ptr<const FilterChain>& chain) {
  if (chain == nullptr) return {};
  return make_local<FilterUse>(chain);
}

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

WorkerListener::HandshakesOver::HandshakesOver(WorkerListener& owner) noexcept
    : Timer([](Timer& self) noexcept { static_cast<HandshakesOver&>(self).listener.stop_soon(); }),
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
      handshakes_over_(*this),
      stop_(*this) {}

WorkerListener::~WorkerListener() {
  if (socket_ != nullptr) close();
}

void WorkerListener::serve(const ServedListener& served) {
  // It was opened with those that are in force first.
  if (use_ && listener().tcp != served.listener->tcp) {
    net::set_options(socket_->fd(), served.listener->tcp);
  }
  use_ = make_local<ListenerUse>(served.listener, port_, worker_.worker().index());
  router_ = served.router;
  route_timeouts_ = served.route_timeouts;
  route_backends_.clear();
  for (const BackendIndex backend : served.route_backends) {
    route_backends_.push_back(backend == BackendIndex::none ? LocalRef<backend::WorkerBackend>()
                                                            : worker_.backend(backend));
  }
  route_filters_.clear();
  for (const auto& chain : served.route_filters) route_filters_.push_back(use_of(chain));
  splits_.clear();
  for (const auto& split : served.splits) splits_.push_back(view_of(split));
}

WorkerSplit WorkerListener::view_of(const std::shared_ptr<const Split>& split) const {
  WorkerSplit view{.route = split->route, .split = split, .groups = {}};
  for (const SplitGroup& group : split->groups) {
    WorkerGroup& view_of_group = view.groups.emplace_back();
    view_of_group.use = make_local<GroupUse>(group, worker_.worker().index());
    view_of_group.backend = worker_.backend(group.backend);
    view_of_group.filters = use_of(group.filters);
  }
  return view;
}

const WorkerSplit* WorkerListener::find_split(RouteIndex route) const noexcept {
  const auto found = std::ranges::lower_bound(splits_, route, {}, &WorkerSplit::route);
  return found != splits_.end() && found->route == route ? &*found : nullptr;
}

void WorkerListener::end_pause() noexcept {
  if (!std::exchange(paused_, false)) return;
  worker_.count_paused(-1);
}

void WorkerListener::start() noexcept {
  end_pause();
  const Started started = worker_.worker().reactor().start_accept(*socket_, accept_);
  if (started == Started::completed) on_accept_end(accept_.os_error());
}

void WorkerListener::stop() noexcept {
  if (stopping_) return;
  stopping_ = true;
  net::hold_off_new_connections(socket_->fd());
  handshakes_over_.arm(worker_.worker().timers(), worker_.worker().now() + kHandshakesWithin);
}

void WorkerListener::stop_soon() noexcept {
  accepted_this_turn_ = true;
  worker_.worker().defer(stop_);
}

// A whole turn of the reactor lies between two calls, and a listening socket with a queue is
// reported in it.
void WorkerListener::stop_when_queue_is_empty() noexcept {
  if (paused_) {
    // Who waits for room has been accepted by the kernel, and is let in when there is some.
    return handshakes_over_.arm(worker_.worker().timers(),
                                worker_.worker().now() + kConnectionsRest);
  }
  if (!accepted_this_turn_) return close();
  accepted_this_turn_ = false;
  worker_.worker().defer(stop_);
}

void WorkerListener::abort() noexcept {
  if (is_stopped()) return;
  stopping_ = true;
  stop_.unlink();
  close();
}

void WorkerListener::close() noexcept {
  end_pause();
  retry_.disarm();
  handshakes_over_.disarm();
  Reactor& reactor = worker_.worker().reactor();
  if (accept_.is_pending()) reactor.cancel(*socket_, accept_);
  reactor.close(*std::exchange(socket_, nullptr));
}

bool WorkerListener::has_room() const noexcept {
  if (!worker_.has_room()) return false;
  const std::uint32_t maxconn = listener().maxconn;
  return maxconn == 0 || stats::connections_open(*listener().stats) < maxconn;
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
  worker_.count_paused(1);
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
