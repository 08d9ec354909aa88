#include "backend/worker_backend.h"

#include <algorithm>
#include <array>
#include <map>

#include "backend/connect_plan.h"
#include "config/difference.h"

namespace weir::backend {

using balance::ServerIndex;

WorkerBackend::WorkerBackend(Worker& worker, std::shared_ptr<Backend> backend,
                             std::uint32_t workers, ServerConnections& connections,
                             WorkerBackend* predecessor)
    : worker_(worker),
      backend_(std::move(backend)),
      cells_(backend_->stats().of(worker.index())),
      choice_(*backend_, balance::WorkerIndex(worker.index()),
              static_cast<std::uint16_t>(workers)) {
  std::map<const Server*, LocalRef<ServerPool>> known;
  if (predecessor != nullptr) {
    for (const auto& pool : predecessor->pools_) known.emplace(&pool->server(), pool);
    wait_queue_ = predecessor->wait_queue_;
  } else {
    wait_queue_ = make_local<WorkerWaitQueue>(backend_->wait_queue(), worker);
  }
  const BackendSettings& settings = backend_->settings();
  PoolSettings pool = settings.pool;
  if (settings.proxy_protocol) pool.requests_max = 1;  // a connection names one client
  for (std::size_t i = 0; i < backend_->size(); ++i) {
    const ServerIndex index = balance::to_server(i);
    const auto found = known.find(&backend_->server(index));
    pools_.push_back(found != known.end()
                         ? found->second
                         : make_local<ServerPool>(worker, backend_->servers()[i], connections));
    if (predecessor != nullptr && found != known.end()) {
      const TimePoint refused_at = predecessor->choice_.refused_at(pools_.back()->index());
      if (refused_at != TimePoint{}) choice_.leave_out(index, refused_at);
    }
    pools_.back()->belong_to(*this, index, pool, workers);
    pools_.back()->adopt_addresses(*choice_.candidates().addresses[i]);
  }
  if (predecessor != nullptr) take_over(*predecessor);
}

void WorkerBackend::take_over(WorkerBackend& predecessor) noexcept {
  const Backend& before = *predecessor.backend_;
  if (before.servers() == backend_->servers() &&
      config::is_equal(before.settings().balance, backend_->settings().balance) &&
      before.placement() == backend_->placement()) {
    choice_.take_position_of(predecessor.choice_);
  }
  for (const auto& pool : predecessor.pools_) {
    if (pool->owner() != &predecessor) continue;
    pool->retire(before.settings().drain_deadline);
    pool->belong_to_nobody();
  }
  predecessor.older_.for_each([this](WorkerBackend& older) { succeed(older); });
  succeed(predecessor);
  // Who waits may have more to choose from.
  wait_queue_->on_slot_free();
}

void WorkerBackend::succeed(WorkerBackend& older) noexcept {
  older.unlink();
  older.successor_ = LocalRef<WorkerBackend>(*this);
  older_.push_back(older);
}

WorkerBackend::~WorkerBackend() {
  unlink();
  for (const auto& pool : pools_) {
    if (pool->owner() == this) pool->belong_to_nobody();
  }
}

void WorkerBackend::retire() noexcept {
  for (const auto& pool : pools_) pool->retire(backend_->settings().drain_deadline);
}

std::shared_ptr<const Candidates> WorkerBackend::adopt(
    std::shared_ptr<const Candidates> candidates) noexcept {
  auto before = choice_.adopt(std::move(candidates));
  for (std::size_t i = 0; i < pools_.size(); ++i) {
    pools_[i]->adopt_addresses(*choice_.candidates().addresses[i]);
    pools_[i]->apply_admin_state(backend_->settings().drain_deadline);
  }
  wait_queue_->on_slot_free();
  return before;
}

Picked WorkerBackend::pick(const PickFor& request,
                           std::span<const LocalRef<ServerPool>> tried) noexcept {
  std::array<ServerIndex, kAttemptsMax> tried_here;
  std::size_t count = 0;
  for (const auto& pool : tried) {
    if (pool->owner() == this) tried_here[count++] = pool->index();
  }
  const ServerIndex index = choice_.pick(request,
                                         {.tried = {tried_here.data(), count},
                                          .random = worker_.random().next(),
                                          .now = worker_.now()},
                                         ServerChoice::Slot::take);
  if (index == ServerIndex::none) return {.lease = {}, .is_full = choice_.are_some_full()};
  return {.lease = ServerLease(pool_of(index), worker_.now())};
}

void WorkerBackend::on_release(ServerIndex index, balance::AttemptEnd end) noexcept {
  choice_.on_release(index, end, worker_.now());
  if (backend_->may_be_full()) wait_queue_->on_slot_free();
}

Task<Result<ServerStream>> WorkerBackend::connect(const ServerLease& lease, ConnectOptions options,
                                                  net::CancelSlot& cancel) {
  ServerPool& pool = lease.pool();
  if (ServerStream stream = pool.open_stream(options.replay, options.port)) {
    pool.cells().reuses.add();
    if (options.reached != nullptr) *options.reached = stream.connection().address;
    co_return stream;
  }
  ConnectPlan plan(*this, lease, options);
  for (;;) {
    Socket* socket = WEIR_CO_TRY(plan.make_socket());
    if (options.reached != nullptr) *options.reached = LocalRef<PoolAddress>(plan.address());
    ServerConnection& connection = pool.make_connection(*socket, plan.address());
    connection.port = pool.port_to_use(options.port);
    cancel.hold(connection.stream);
    auto connected = co_await plan.connect(connection.stream);
    const bool may_go_on = !connected && plan.may_go_on();
    if (connected && !options.first_bytes.empty()) {
      const TimePoint due =
          std::min(worker_.now() + backend_->settings().timeouts.connect, options.due);
      connected = co_await connection.stream.send(options.first_bytes, due);
    }
    cancel.let_go();
    if (connected) co_return pool.open_first_stream(connection);
    pool.close(connection);
    if (!may_go_on) co_return fail(connected.error());
  }
}

void WorkerBackend::close_idle() noexcept {
  for (const auto& pool : pools_) pool->close_idle();
}

}  // namespace weir::backend
