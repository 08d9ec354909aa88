#include "backend/server_pool.h"

#include <algorithm>

#include "backend/worker_backend.h"

namespace weir::backend {
namespace {

// port 0: all of them are to the same one.
ServerConnection* find_first(IntrusiveList<ServerConnection>& connections, std::uint16_t port) {
  if (connections.is_empty()) return nullptr;
  if (port == 0) return &connections.front();
  ServerConnection* found = nullptr;
  connections.for_each([&](ServerConnection& connection) {
    if (found == nullptr && connection.port == port) found = &connection;
  });
  return found;
}

}  // namespace

ServerConnection::ServerConnection(ServerPool& owner, Socket& socket,
                                   std::uint32_t streams_max) noexcept
    : pool(owner),
      stream(owner.worker(), socket, Side::server),
      idle_limit_(*this),
      streams_max_(streams_max) {}

ServerConnection::IdleLimit::IdleLimit(ServerConnection& owner) noexcept
    : Timer([](Timer& self) noexcept {
        ServerConnection& connection = static_cast<IdleLimit&>(self).connection;
        connection.pool.lose(connection);
      }),
      connection(owner) {}

ServerPool::DrainLimit::DrainLimit(ServerPool& owner) noexcept
    : Timer([](Timer& self) noexcept { static_cast<DrainLimit&>(self).pool.cut_uses(); }),
      pool(owner) {}

ServerPool::ServerPool(Worker& worker, std::shared_ptr<Server> server,
                       ServerConnections& connections)
    : worker_(worker),
      server_(std::move(server)),
      cells_(server_->stats().of(worker.index())),
      backend_cells_(server_->backend_stats().of(worker.index())),
      connections_(connections),
      turn_(worker.index()),  // so that workers do not all begin with the first one
      drain_limit_(*this) {}

void ServerPool::belong_to(WorkerBackend& owner, balance::ServerIndex index,
                           const PoolSettings& settings, std::uint32_t workers) noexcept {
  owner_ = &owner;
  wait_queue_ = owner.backend().shared_wait_queue();
  index_ = index;
  // The limit is the process's; a worker's share of it is at least one unless there is none.
  idle_max_ = (settings.idle_max + workers - 1) / workers;
  idle_timeout_ = settings.idle_timeout;
  streams_max_ = settings.requests_max.value_or(0);
  const BackendSettings& of_backend = owner.backend().settings();
  const auto& own_source = *of_backend.servers[balance::to_number(index)].source_address;
  const auto& source = own_source ? own_source : *of_backend.source_address;
  if (source != source_ || of_backend.tcp != tcp_) {
    source_ = source;
    tcp_ = of_backend.tcp;
    renew_addresses();
  }
  close_used_up();
  close_surplus();
}

Result<Socket*> ServerPool::make_socket(const net::Address& address) noexcept {
  const auto socket = worker_.reactor().make_stream_socket(address.family());
  if (!socket || address.is_unix()) return socket;
  net::set_options((*socket)->fd(), tcp_);
  if (!source_) return socket;
  const int os_error = net::bind_source((*socket)->fd(), *source_);
  if (os_error == 0) return socket;
  worker_.reactor().close(**socket);
  cells_.connects.add();
  cells_.connect_failures.add();
  return fail(ErrorKind::source_address_unavailable, Side::weir, os_error);
}

void ServerPool::retire(Duration drain_deadline) noexcept {
  is_retired_ = true;
  close_idle();
  limit_drain(drain_deadline);
}

void ServerPool::adopt_addresses(const ServerAddresses& addresses) {
  WEIR_ASSERT(addresses.list.size() <= net::kServerAddressesMax);
  const auto is_at = [](const LocalRef<PoolAddress>& known, const net::Address& address) {
    return known->address == address;
  };
  if (std::ranges::equal(addresses_, addresses.list, is_at)) return;
  const auto before = std::exchange(addresses_, {});
  ++addresses_version_;
  for (const auto& known : before) known->is_gone = true;
  for (const net::Address& address : addresses.list) {
    const auto known = std::ranges::find(before, address, [](const auto& k) { return k->address; });
    addresses_.push_back(known != before.end() ? *known : make_local<PoolAddress>(address));
    addresses_.back()->is_gone = false;
  }
  close_gone();
}

// Connections that were opened as the settings were end with what they are used for.
void ServerPool::renew_addresses() {
  for (LocalRef<PoolAddress>& known : addresses_) {
    auto renewed = make_local<PoolAddress>(known->address);
    known->is_gone = true;
    known = std::move(renewed);
  }
  ++addresses_version_;
  close_gone();
}

void ServerPool::apply_admin_state(Duration drain_deadline) noexcept {
  const AdminState state = server_->admin_state();
  if (state != AdminState::ready) close_idle();
  if (state != AdminState::draining) return drain_limit_.disarm();
  limit_drain(drain_deadline);
}

// A drain that goes on keeps the limit that it began with.
void ServerPool::limit_drain(Duration deadline) noexcept {
  if (drain_limit_.is_armed()) return;
  drain_limit_.arm(worker_.timers(), worker_.now() + deadline);
}

void ServerPool::cut_uses() noexcept {
  uses_.for_each([](LeaseUse& use) {
    use.unlink();
    use.work_.cancel(make_error(ErrorKind::server_drained, Side::weir));
  });
}

ServerConnection& ServerPool::make_connection(Socket& socket, PoolAddress& address) {
  ServerConnection& connection = connections_.make(*this, socket);
  connection.address = LocalRef<PoolAddress>(address);
  return connection;
}

// One that is in use before one at rest, so that few are enough.
ServerConnection* ServerPool::find_usable(Replay replay, std::uint16_t port) noexcept {
  constexpr Duration kSurelyAlive = std::chrono::seconds(1);
  const auto is_good_enough = [&](const ServerConnection* connection) {
    return connection != nullptr &&
           (replay == Replay::possible || worker_.now() - connection->used_at <= kSurelyAlive);
  };
  ServerConnection* const with_room = find_first(with_room_, port);
  if (is_good_enough(with_room)) return with_room;
  ServerConnection* const at_rest = find_first(idle_, port);
  return is_good_enough(at_rest) ? at_rest : nullptr;
}

ServerStream ServerPool::open_stream(Replay replay, std::uint16_t port) noexcept {
  ServerConnection* connection = find_usable(replay, port_to_use(port));
  if (connection == nullptr) return {};
  take_out(*connection);
  return open_stream_on(*connection);
}

ServerStream ServerPool::open_first_stream(ServerConnection& connection) noexcept {
  connection.used_at = worker_.now();
  return open_stream_on(connection);
}

ServerStream ServerPool::open_stream_on(ServerConnection& connection) noexcept {
  net::ServerSideStream& http = connection.open_stream();
  ++connection.streams_open_;
  ++connection.streams_begun_;
  if (connection.has_room() && may_go_on(connection)) with_room_.push_front(connection);
  return {connection, http};
}

void ServerPool::close_stream(ServerConnection& connection, net::ServerSideStream& stream,
                              Ended ended) noexcept {
  connection.unlink();
  connection.close_stream(stream, ended);
  --connection.streams_open_;
  if (ended == Ended::well) connection.used_at = worker_.now();
  const bool goes_on = may_go_on(connection);
  if (connection.streams_open_ == 0) {
    const bool is_wanted = !is_retired_ && server_->admin_state() == AdminState::ready;
    return goes_on && is_wanted ? rest(connection) : close(connection);
  }
  if (goes_on) with_room_.push_front(connection);
}

bool ServerPool::may_go_on(const ServerConnection& connection) const noexcept {
  const bool is_used_up = streams_max_ != 0 && connection.streams_begun_ >= streams_max_;
  return !is_used_up && !connection.address->is_gone && connection.may_go_on();
}

void ServerPool::rest(ServerConnection& connection) noexcept {
  if (idle_max_ == 0 || !connection.try_rest()) return close(connection);
  idle_.push_front(connection);
  ++idle_count_;
  connection.idle_limit_.arm(worker_.timers(), worker_.now() + idle_timeout_);
  close_surplus();
}

void ServerPool::take_out(ServerConnection& connection) noexcept {
  connection.unlink();
  if (connection.streams_open_ != 0) return;
  --idle_count_;
  connection.idle_limit_.disarm();
}

void ServerPool::lose(ServerConnection& connection) noexcept {
  const bool is_in_use = connection.streams_open_ != 0;
  take_out(connection);
  if (!is_in_use) close(connection);
}

void ServerPool::close_used_up() noexcept {
  if (streams_max_ == 0) return;
  idle_.for_each([this](ServerConnection& connection) {
    if (connection.streams_begun() >= streams_max_) lose(connection);
  });
}

void ServerPool::close_gone() noexcept {
  with_room_.for_each([](ServerConnection& connection) {
    if (connection.address->is_gone) connection.unlink();
  });
  idle_.for_each([this](ServerConnection& connection) {
    if (connection.address->is_gone) lose(connection);
  });
}

void ServerPool::close_surplus() noexcept {
  while (idle_count_ > idle_max_) {
    ServerConnection& oldest = idle_.back();
    take_out(oldest);
    close(oldest);
  }
}

void ServerPool::close_idle() noexcept {
  while (!idle_.is_empty()) {
    ServerConnection& connection = idle_.front();
    take_out(connection);
    close(connection);
  }
}

void ServerLease::on_response(Duration after) const noexcept {
  if (WorkerBackend* owner = pool_->owner()) owner->on_response(pool_->index(), after);
}

void ServerLease::release() noexcept {
  if (!pool_) return;
  pool_->server().end_lease();
  if (WorkerBackend* owner = pool_->owner()) {
    const Duration lasted = owner->worker().now() - began_;
    owner->on_release(pool_->index(), {.lasted = lasted, .outcome = outcome_});
  } else {
    // The backend may be gone from this worker only, while on another one somebody waits.
    pool_->wait_queue_->on_slot_free();
  }
  pool_.reset();
}

}  // namespace weir::backend
