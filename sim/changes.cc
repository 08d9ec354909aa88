#include "sim/changes.h"

#include <algorithm>

#include "app/compile.h"
#include "config/difference.h"
#include "config/node.h"

namespace weir::sim {

using namespace std::chrono_literals;
using backend::AdminState;
using proxy::BackendIndex;

namespace {

// Of servers, where connections are refused.
constexpr std::uint16_t kNobodysPort = 1;

}  // namespace

class Changes::Order final : public Message {
 public:
  Order(Changes& changes, SimWorker& worker) noexcept : changes_(changes), worker_(worker) {}
  void deliver() noexcept override { changes_.carry_out(worker_); }

 private:
  Changes& changes_;
  SimWorker& worker_;
};

Changes::Changes(Ledger& ledger, Groups groups, HostId weir, Draft& draft)
    : ledger_(ledger),
      network_(ledger.network()),
      groups_(groups),
      weir_(weir),
      draft_(draft),
      log_(std::make_shared<const proxy::AccessLogFile>(0u)),
      snapshot_(std::make_shared<const proxy::Snapshot>()) {}

Changes::~Changes() = default;

void Changes::serve(const Checks::Workers& workers, proxy::ProxyShared& shared, Checks& checks) {
  workers_ = &workers;
  shared_ = &shared;
  checks_ = &checks;
  auto first = std::make_shared<proxy::Snapshot>(compile(nullptr, settings_));
  if (!draft_.has_extra_listener()) ledger_.note_unserved(kExtraPort, kNever);
  open_addresses(settings_, *first);
  for (const auto& backend : first->backends) offer(*backend);
  http_backends_ = draft_.http_backends();
  groups_.web.use(http_backends_);
  groups_.db.use({"db"});
  snapshot_ = std::move(first);
  checks_->begin_change(snapshot_);
  not_carried_out_ = workers.size();
  for (const auto& worker : workers) carry_out(*worker);
  settle();
}

void Changes::plan(int count, Duration span) {
  for (int i = 0; i < count; ++i) {
    network_.after(Duration(random().below(1000) * (span.count() / 1000)), [this] { begin(); });
  }
}

// One after the other.
void Changes::begin() {
  if (is_closed_) return;
  if (is_under_way()) return network_.after(1ms, [this] { begin(); });
  if (chance(400)) return change_server();
  draft_.change();
  reload();
}

proxy::Snapshot Changes::compile(const app::Settings* before, app::Settings& settings) {
  config::Problems problems;
  const config::Document document = config::parse_document("simulation", draft_.print(), problems);
  settings = app::load_settings(document, problems);
  if (problems.has_errors()) ledger_.violate(config::print(problems, document));
  if (before == nullptr) return app::compile(settings, shared_->registry);
  const app::InForce in_force{.settings = *before, .snapshot = *snapshot_};
  return app::compile(settings, shared_->registry, &in_force);
}

void Changes::reload() {
  WEIR_ASSERT(!is_under_way());
  app::Settings next;
  auto snapshot = std::make_shared<proxy::Snapshot>(compile(&settings_, next));
  for (const auto& change : config::find_differences(settings_, next)) {
    network_.trace().line(network_.now(), "weir reloads {}: {} -> {}", change.path, change.before,
                          change.after);
  }
  open_addresses(next, *snapshot);
  note_drains(*snapshot);
  for (const auto& backend : snapshot->backends) {
    const auto& known = snapshot_->backends;
    if (std::ranges::find(known, backend) == known.end()) offer(*backend);
  }
  http_backends_ = draft_.http_backends();
  groups_.web.use(http_backends_);
  for (const auto& backend : snapshot->backends) backend->adopt_servers(TimePoint::min());
  settings_ = std::move(next);
  before_ = std::exchange(snapshot_, std::move(snapshot));
  changed_ = BackendIndex::none;
  give_orders();
}

void Changes::change_server() {
  const auto place = random().below(static_cast<std::uint32_t>(snapshot_->backends.size()));
  backend::Backend& backend = *snapshot_->backends[place];
  const auto index = balance::to_server(random().below(static_cast<std::uint32_t>(backend.size())));
  backend::Server& server = backend.server(index);
  if (chance(250)) {
    change_addresses(server);
  } else if (chance(400)) {
    server.set_weight(chance(100) ? 0 : 1 + random().below(5));
  } else {
    server.set_admin_state(chance(500)   ? AdminState::ready
                           : chance(500) ? AdminState::draining
                                         : AdminState::disabled);
  }
  network_.trace().line(network_.now(), "{} has weight {} and state {}", server.full_name(),
                        server.weight(), static_cast<int>(server.admin_state()));
  if (server.admin_state() == AdminState::draining) {
    group_of(backend).note_drain(network_.now() + backend.settings().drain_deadline);
  }
  changed_ = BackendIndex(place);
  candidates_ = backend.renew_candidates(TimePoint::min());
  offer(backend);
  give_orders();
}

// As if the server had a name, which stands for something else now.
void Changes::change_addresses(backend::Server& server) {
  backend::ServerAddresses addresses;
  if (chance(200)) {
    addresses.problem = "it does not resolve";
  } else {
    const net::Address& own = server.address().address;
    addresses.list.push_back(own);
    addresses.list.back().set_port(kNobodysPort);
    if (chance(300)) addresses.list.clear();
    addresses.list.insert(addresses.list.begin() + (chance(500) ? 0 : std::ssize(addresses.list)),
                          own);
  }
  network_.trace().line(network_.now(), "{} has {} addresses", server.full_name(),
                        addresses.list.size());
  server.set_addresses(std::make_shared<const backend::ServerAddresses>(std::move(addresses)));
}

// An address that is open already keeps its sockets.
void Changes::open_addresses(const app::Settings& settings, proxy::Snapshot& snapshot) {
  std::map<std::uint16_t, proxy::SocketsId> addresses;
  for (std::size_t i = 0; i < snapshot.listeners.size(); ++i) {
    proxy::ServedListener& served = snapshot.listeners[i];
    auto listener = std::make_shared<proxy::Listener>(*served.listener);
    listener->access_log = log_;
    const std::uint16_t port = settings.listeners[i].address->port();
    served.listener = std::move(listener);
    if (const auto known = addresses_.find(port); known != addresses_.end()) {
      addresses.insert(*known);
    } else {
      NewSockets& sockets = new_sockets_.emplace_back();
      sockets.id = proxy::SocketsId(next_sockets_++);
      sockets.port = port;
      for (std::size_t worker = 0; worker < workers_->size(); ++worker) {
        sockets.listening.push_back(&network_.listen(weir_, port, 4 + random().below(60)));
      }
      addresses.emplace(port, sockets.id);
      ledger_.note_unserved(port, network_.now());
    }
    served.sockets = {addresses.at(port)};
  }
  for (const auto& [port, id] : addresses_) {
    if (addresses.contains(port)) continue;
    ledger_.note_unserved(port, kNever);
    groups_.web.use_for_good(http_backends_);
  }
  addresses_ = std::move(addresses);
}

// What is under way on servers that are to go may be cut.
void Changes::note_drains(const proxy::Snapshot& next) {
  for (const auto& backend : snapshot_->backends) {
    bool has_lost_some = false;
    const auto same = std::ranges::find(next.backends, backend->name(),
                                        [](const auto& other) { return other->name(); });
    for (const auto& server : backend->servers()) {
      if (same == next.backends.end()) {
        has_lost_some = true;
        break;
      }
      const auto& servers = (*same)->servers();
      if (std::ranges::find(servers, server) == servers.end()) has_lost_some = true;
    }
    if (!has_lost_some) continue;
    group_of(*backend).note_drain(network_.now() + backend->settings().drain_deadline);
  }
}

void Changes::offer(const backend::Backend& backend) {
  ServerGroup& group = group_of(backend);
  std::vector<OfferedServer> offered;
  const auto candidates = backend.candidates();
  for (std::size_t i = 0; i < backend.size(); ++i) {
    const auto& server = backend.servers()[i];
    if (candidates->specs[i].weight == 0 || server->admin_state() != AdminState::ready) continue;
    if (!candidates->addresses[i]->problem.empty()) continue;
    const auto& address =
        *reinterpret_cast<const sockaddr_in*>(server->address().address.view().address);
    offered.push_back({.number = checks_->number_of(server),
                       .member = group.member_at(network_.host_of(address)),
                       .is_limited = backend.settings().servers[i].maxconn.has_value()});
  }
  group.offer(backend.name(), backend.settings().retry.attempts, std::move(offered));
}

void Changes::give_orders() {
  checks_->begin_change(snapshot_);
  for (const auto& worker : *workers_) {
    orders_.push_back(std::make_unique<Order>(*this, *worker));
    worker->worker->post(*orders_.back());
    if (chance(300)) worker->free_at += Duration(random().below(20'000'000));
  }
  not_carried_out_ = orders_.size();
}

void Changes::carry_out(SimWorker& worker) {
  --not_carried_out_;
  const std::uint32_t index = worker.worker->index();
  network_.trace().line(network_.now(), "worker {} takes the change over", index);
  if (changed_ != BackendIndex::none) {
    left_over_.push_back(worker.proxy->backend(changed_)->adopt(candidates_));
    return;
  }
  std::vector<proxy::WorkerSocket> sockets;
  for (const NewSockets& made : new_sockets_) {
    sockets.push_back({.sockets = made.id,
                       .port = made.port,
                       .socket = &worker.reactor->adopt(*made.listening[index])});
  }
  left_over_.push_back(worker.proxy->install(snapshot_, sockets));
}

void Changes::settle() {
  if (not_carried_out_ != 0 || (orders_.empty() && left_over_.empty())) return;
  if (!orders_.empty()) ++made_;
  orders_.clear();
  new_sockets_.clear();
  candidates_.reset();
  left_over_.clear();
  if (!before_.expired()) ledger_.violate("an old snapshot is left");
  groups_.web.settle();
  groups_.db.settle();
  checks_->end_change(*snapshot_);
  network_.trace().line(network_.now(), "the change is in force");
}

}  // namespace weir::sim
