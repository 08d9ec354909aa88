#include "app/live_configuration.h"

#include <algorithm>
#include <fmt/format.h>
#include <poll.h>

#include "app/compile.h"
#include "app/explain.h"
#include "app/route_text.h"
#include "app/settings_change.h"
#include "config/text.h"

namespace weir::app {
namespace {

using admin::Answered;
using admin::Refusal;
using backend::AdminState;
using config::quote;
using proxy::BackendIndex;

// For names that nobody has asked for yet: what resolves at all mostly does so much sooner.
constexpr Duration kFirstAnswersWait = 2s;
// More than workers need to accept who has connected to an address that goes.
constexpr auto kClosedWithin = std::chrono::seconds(2);

std::unexpected<Refusal> refuse(std::uint16_t status, std::string reason, std::string message) {
  return std::unexpected(Refusal{status, std::move(reason), std::move(message)});
}

std::unexpected<Refusal> refuse_closed() {
  return refuse(503, "shutting_down", "Weir is stopping");
}

// Whether an address takes IPv6 alone, because the same port of IPv4 is listened on as well.
bool has_ipv4_twin(const net::Address& address, const Settings& settings) {
  if (address.family() != AF_INET6 || !address.is_wildcard() || address.port() == 0) return false;
  net::Address twin;
  twin.set_port(address.port());
  return std::ranges::any_of(settings.listeners, [&](const auto& listener) {
    return std::ranges::any_of(addresses_of(listener),
                               [&](const auto& one) { return *one == twin; });
  });
}

// What two addresses have in common if one may keep the other from being had: a wildcard takes its
// port from all.
std::string place_of(const net::Address& address) {
  return address.is_unix() ? address.to_string() : std::to_string(address.port());
}

// What the kernel may not have. The error is a sentence.
std::expected<void, std::string> check_tcp(const Settings& settings) {
  for (const auto& listener : settings.listeners) {
    const auto checked = net::check_available(listener.tcp);
    if (!checked) return std::unexpected("listener " + *listener.name + ": " + checked.error());
  }
  for (const auto& backend : settings.backends) {
    const auto checked = net::check_available(backend.tcp);
    if (!checked) return std::unexpected("backend " + *backend.name + ": " + checked.error());
  }
  return {};
}

discovery::Resolver::Names names_of(const Settings& settings) {
  discovery::Resolver::Names names;
  for (const BackendEntry& backend : settings.backends) {
    for (const backend::ServerSettings& server : backend.servers) {
      if (server.address.is_name()) names.insert(server.address.host);
    }
  }
  return names;
}

backend::ServerAddresses resolved_addresses(const net::ServerAddress& address,
                                            const discovery::NameAnswer& answer) {
  if (answer.health == discovery::NameHealth::unasked) return backend::initial_addresses(address);
  backend::ServerAddresses addresses{.list = answer.addresses, .problem = {}};
  for (net::Address& at : addresses.list) at.set_port(address.address.port());
  if (addresses.list.empty()) {
    addresses.problem = fmt::format("{} does not resolve ({})", address.host, answer.problem);
  }
  return addresses;
}

// Weights, states or addresses of a backend's servers have changed.
class Adoption final : public WorkerOrder {
 public:
  Adoption(BackendIndex place, std::shared_ptr<const backend::Candidates> candidates) noexcept
      : place_(place), candidates_(std::move(candidates)) {}

  std::shared_ptr<const void> run(WorkerThread& worker) noexcept override {
    return worker.proxy().backend(place_)->adopt(candidates_);
  }

 private:
  BackendIndex place_;
  std::shared_ptr<const backend::Candidates> candidates_;
};

// What the first worker would pick.
class FirstWorker final : public PickSource, private WorkerOrder {
 public:
  explicit FirstWorker(std::span<const std::unique_ptr<WorkerThread>> workers) noexcept
      : first_(workers.first(1)) {}

  backend::ExplainedPick explain_pick(BackendIndex backend,
                                      const backend::PickFor& request) override {
    backend_ = backend;
    request_ = request;
    run_on_every_worker(first_, *this);
    return std::move(pick_);
  }

 private:
  std::shared_ptr<const void> run(WorkerThread& worker) noexcept override {
    pick_ = worker.proxy().backend(backend_)->explain_pick(request_);
    return nullptr;
  }

  std::span<const std::unique_ptr<WorkerThread>> first_;
  BackendIndex backend_ = BackendIndex::none;
  backend::PickFor request_;
  backend::ExplainedPick pick_;
};

}  // namespace

// A snapshot comes into force.
class LiveConfiguration::Installation final : public WorkerOrder {
 public:
  Installation(std::shared_ptr<const proxy::Snapshot> snapshot, OpenAddresses& addresses) noexcept
      : snapshot_(std::move(snapshot)), addresses_(addresses) {}

  std::shared_ptr<const void> run(WorkerThread& worker) noexcept override {
    std::vector<NewSocket> sockets;
    for (OpenAddress& address : addresses_) {
      if (address.not_taken.empty()) continue;
      sockets.push_back({.sockets = address.id,
                         .port = address.address.port(),
                         .fd = std::move(address.not_taken[worker.index()])});
    }
    return worker.install(snapshot_, std::move(sockets));
  }

 private:
  std::shared_ptr<const proxy::Snapshot> snapshot_;
  OpenAddresses& addresses_;
};

LiveConfiguration::LiveConfiguration(Settings settings, std::string file, stats::Registry& registry,
                                     AccessLogWriter& access_log)
    : file_(std::move(file)),
      registry_(registry),
      access_log_(access_log),
      settings_(std::move(settings)),
      snapshot_(std::make_shared<const proxy::Snapshot>()) {}

std::expected<void, std::string> LiveConfiguration::prepare() {
  auto snapshot = std::make_shared<proxy::Snapshot>(compile(settings_, registry_));
  if (auto checked = check_tcp(settings_); !checked) return checked;
  if (auto opened = open_logs(settings_, *snapshot); !opened) return opened;
  auto addresses = open_addresses(settings_, *snapshot);
  if (!addresses) return std::unexpected(std::move(addresses.error()));
  addresses_ = std::move(*addresses);
  snapshot_ = std::move(snapshot);
  return {};
}

void LiveConfiguration::serve(std::span<const std::unique_ptr<WorkerThread>> workers,
                              discovery::Resolver* resolver) {
  const std::lock_guard changing(changing_);
  workers_ = workers;
  resolver_ = resolver;
  const auto first = snapshot();
  if (resolver_ != nullptr) {
    resolver_->follow(names_of(settings_), settings_.resolver);
    resolver_->await_answers(kFirstAnswersWait);
    for (const auto& backend : first->backends) {
      if (renew_addresses(*backend)) backend->renew_candidates(TimePoint::min());
    }
  }
  publish(first, std::exchange(addresses_, {}));
}

void LiveConfiguration::close() {
  const std::lock_guard changing(changing_);
  closed_ = true;
}

std::shared_ptr<const proxy::Snapshot> LiveConfiguration::snapshot() const {
  const std::lock_guard lock(mutex_);
  return snapshot_;
}

Duration LiveConfiguration::shutdown_timeout() const {
  const std::lock_guard changing(changing_);
  return settings_.timeouts.shutdown;
}

net::Address LiveConfiguration::first_address() const {
  const std::lock_guard changing(changing_);
  return addresses_.front().address;
}

std::expected<void, std::string> LiveConfiguration::open_logs(const Settings& next,
                                                              proxy::Snapshot& snapshot) {
  for (std::size_t i = 0; i < next.listeners.size(); ++i) {
    const proxy::AccessLogSettings& log = next.listeners[i].access_log;
    if (log.format.kind == proxy::LogFormat::Kind::off) continue;
    auto file = access_log_.open(log);
    if (!file) return std::unexpected(std::move(file.error()));
    // Nobody else has the listener yet.
    auto listener = std::make_shared<proxy::Listener>(*snapshot.listeners[i].listener);
    listener->access_log = std::move(*file);
    snapshot.listeners[i].listener = std::move(listener);
  }
  return {};
}

// An address that is open already keeps its sockets, whatever listens there from now on.
std::expected<LiveConfiguration::OpenAddresses, std::string> LiveConfiguration::open_addresses(
    const Settings& next, proxy::Snapshot& snapshot) {
  const auto key_of = [](const OpenAddress& open) {
    const bool is_any = open.configured.port() == 0 && !open.configured.is_unix();
    return std::pair(open.configured.to_string() + (is_any ? " of " + open.listener : ""),
                     open.options.ipv6_only);
  };
  std::multimap<std::pair<std::string, bool>, const OpenAddress*> open;
  for (const OpenAddress& known : addresses_) open.emplace(key_of(known), &known);
  OpenAddresses addresses;
  for (std::size_t i = 0; i < next.listeners.size(); ++i) {
    const std::string& name = *next.listeners[i].name;
    for (const auto& address : addresses_of(next.listeners[i])) {
      OpenAddress& taken = addresses.emplace_back(OpenAddress{
          .id = {},
          .listener = name,
          .configured = *address,
          .options = {.ipv6_only = has_ipv4_twin(*address, next), .tcp = next.listeners[i].tcp},
          .address = {},
          .not_taken = {}});
      if (const auto known = open.extract(key_of(taken))) {
        taken.id = known.mapped()->id;
        taken.address = known.mapped()->address;
      } else {
        auto sockets = open_sockets(taken);
        if (!sockets) return std::unexpected("listener " + name + ": " + sockets.error());
        taken.id = proxy::SocketsId(next_sockets_++);
        taken.address = sockets->address;
        taken.not_taken = std::move(sockets->sockets);
      }
      snapshot.listeners[i].sockets.push_back(taken.id);
    }
  }
  return addresses;
}

std::expected<net::ListeningSockets, std::string> LiveConfiguration::open_sockets(
    const OpenAddress& wanted) {
  constexpr int kPauseMs = 10;
  for (;;) {
    auto sockets =
        net::open_listening_sockets(wanted.configured, registry_.workers(), wanted.options);
    if (sockets) return sockets;
    if (const OpenAddress* other = find_in_the_way(wanted.configured)) {
      return std::unexpected(fmt::format(
          "cannot listen on {}: {} is open {} IPv4, which only opening it anew can change; leave "
          "it out of one reload and write it in the next",
          wanted.configured.to_string(), other->address.to_string(),
          other->options.ipv6_only ? "without" : "with"));
    }
    const auto closing = closing_.find(place_of(wanted.configured));
    if (closing == closing_.end() || std::chrono::steady_clock::now() > closing->second) {
      return sockets;
    }
    ::poll(nullptr, 0, kPauseMs);
  }
}

// An open wildcard of IPv6 with the same port, of which another share of IPv4 is wanted.
const LiveConfiguration::OpenAddress* LiveConfiguration::find_in_the_way(
    const net::Address& address) const {
  if (!address.is_wildcard()) return nullptr;
  const auto found = std::ranges::find_if(addresses_, [&](const OpenAddress& open) {
    return open.address.family() == AF_INET6 && open.address.is_wildcard() &&
           open.address.port() == address.port();
  });
  return found == addresses_.end() ? nullptr : &*found;
}

void LiveConfiguration::note_closing(const OpenAddresses& kept) {
  const auto now = std::chrono::steady_clock::now();
  std::erase_if(closing_, [now](const auto& closing) { return closing.second < now; });
  for (const OpenAddress& address : addresses_) {
    if (std::ranges::find(kept, address.id, &OpenAddress::id) != kept.end()) continue;
    closing_[place_of(address.address)] = now + kClosedWithin;
  }
}

// Gives servers the addresses that their names stand for now. True: the backend's workers do not
// know all of them yet.
bool LiveConfiguration::renew_addresses(backend::Backend& backend) const {
  const auto candidates = backend.candidates();
  bool is_news = false;
  for (std::size_t i = 0; i < backend.size(); ++i) {
    backend::Server& server = backend.server(balance::to_server(i));
    if (!server.address().is_name() || resolver_ == nullptr) continue;
    const auto answer = resolver_->find_answer(server.address().host);
    if (answer == nullptr) continue;
    backend::ServerAddresses addresses = resolved_addresses(server.address(), *answer);
    if (addresses != *server.addresses()) {
      server.set_addresses(std::make_shared<const backend::ServerAddresses>(std::move(addresses)));
    }
    is_news = is_news || candidates->addresses[i] != server.addresses();
  }
  return is_news;
}

std::vector<std::string> LiveConfiguration::adopt_names() {
  const std::lock_guard changing(changing_);
  if (closed_) return {};
  const auto current = snapshot();
  for (std::size_t i = 0; i < current->backends.size(); ++i) {
    if (renew_addresses(*current->backends[i])) publish_candidates(BackendIndex(i));
  }
  return resolver_->take_news();
}

// New names are asked for before anything depends on them; old ones are followed until then.
LiveConfiguration::Change LiveConfiguration::apply(Settings next) {
  if (resolver_ == nullptr) return put_into_force(std::move(next));
  const auto wanted = names_of(next);
  auto followed = names_of(settings_);
  followed.insert(wanted.begin(), wanted.end());
  const bool are_some_old = followed.size() != wanted.size();
  resolver_->follow(std::move(followed), next.resolver);
  resolver_->await_answers(kFirstAnswersWait);
  auto applied = put_into_force(std::move(next));
  if (!applied || are_some_old) resolver_->follow(names_of(settings_), settings_.resolver);
  return applied;
}

LiveConfiguration::Change LiveConfiguration::put_into_force(Settings next) {
  const auto current = snapshot();
  const InForce before{.settings = settings_, .snapshot = *current};
  auto snapshot = std::make_shared<proxy::Snapshot>(compile(next, registry_, &before));
  if (const auto checked = check_tcp(next); !checked) {
    return refuse(422, "cannot_set_tcp", checked.error());
  }
  if (const auto opened = open_logs(next, *snapshot); !opened) {
    return refuse(422, "cannot_open_log", opened.error());
  }
  auto addresses = open_addresses(next, *snapshot);
  if (!addresses) return refuse(422, "cannot_listen", addresses.error());
  for (std::size_t i = 0; i < snapshot->backends.size(); ++i) {
    backend::Backend& backend = *snapshot->backends[i];
    const bool is_in_force =
        std::ranges::find(current->backends, snapshot->backends[i]) != current->backends.end();
    if (is_in_force) continue;
    const TimePoint now = std::chrono::steady_clock::now();
    const bool may_ramp = backend.adopt_servers(now);
    if (renew_addresses(backend) || may_ramp) backend.renew_candidates(now);
  }
  settings_ = std::move(next);
  publish(std::move(snapshot), std::move(*addresses));
  return {};
}

void LiveConfiguration::publish(std::shared_ptr<const proxy::Snapshot> snapshot,
                                OpenAddresses addresses) {
  Installation installation(snapshot, addresses);
  const Duration pause = run_on_every_worker(workers_, installation);
  for (OpenAddress& address : addresses) address.not_taken.clear();
  note_closing(addresses);
  addresses_ = std::move(addresses);
  const std::lock_guard lock(mutex_);
  std::erase_if(live_, [](const auto& old) { return old.expired(); });
  live_.emplace_back(snapshot);
  snapshot_ = std::move(snapshot);
  longest_pause_ = pause;
}

void LiveConfiguration::publish_candidates(BackendIndex place) {
  const auto current = snapshot();
  backend::Backend& backend = *current->backends[static_cast<std::size_t>(place)];
  const auto candidates = backend.renew_candidates(std::chrono::steady_clock::now());
  Adoption adoption(place, candidates);
  const Duration pause = run_on_every_worker(workers_, adoption);
  const std::lock_guard lock(mutex_);
  longest_pause_ = pause;
}

bool LiveConfiguration::is_some_ramping() const {
  const auto current = snapshot();
  return std::ranges::any_of(current->backends, [](const auto& backend) {
    return backend->settings().slow_start && backend->candidates()->is_ramping;
  });
}

void LiveConfiguration::renew_ramps() {
  const std::lock_guard changing(changing_);
  if (closed_) return;
  const auto current = snapshot();
  const TimePoint now = std::chrono::steady_clock::now();
  for (std::size_t i = 0; i < current->backends.size(); ++i) {
    const backend::Backend& backend = *current->backends[i];
    if (!backend.candidates()->is_ramping || !backend.has_ramped(now)) continue;
    publish_candidates(BackendIndex(i));
  }
}

Answered<BackendIndex> LiveConfiguration::find_backend(const std::string& name) const {
  const auto current = snapshot();
  config::Nearest nearest(name);
  for (std::size_t i = 0; i < current->backends.size(); ++i) {
    if (current->backends[i]->name() == name) return BackendIndex(i);
    nearest.consider(current->backends[i]->name());
  }
  return refuse(404, "unknown_backend",
                fmt::format("no backend {}{}", quote(name), nearest.hint()));
}

Answered<balance::ServerIndex> LiveConfiguration::find_server(const backend::Backend& backend,
                                                              const std::string& name) const {
  config::Nearest nearest(name);
  for (std::size_t i = 0; i < backend.size(); ++i) {
    const std::string& known = backend.server(balance::to_server(i)).name();
    if (known == name) return balance::to_server(i);
    nearest.consider(known);
  }
  return refuse(404, "unknown_server",
                fmt::format("no server {} in backend {}{}", quote(name), quote(backend.name()),
                            nearest.hint()));
}

Answered<void> LiveConfiguration::change_server(const std::string& backend,
                                                const std::string& server,
                                                const admin::ServerChange& change) {
  const std::lock_guard changing(changing_);
  if (closed_) return refuse_closed();
  const auto place = find_backend(backend);
  if (!place) return std::unexpected(place.error());
  const auto current = snapshot();
  const backend::Backend& found = *current->backends[static_cast<std::size_t>(*place)];
  const auto index = find_server(found, server);
  if (!index) return std::unexpected(index.error());
  if (change.weight) found.server(*index).set_weight(*change.weight);
  if (change.state) found.server(*index).set_admin_state(*change.state);
  publish_candidates(*place);
  return {};
}

Answered<void> LiveConfiguration::add_server(const std::string& backend,
                                             const backend::ServerSettings& server) {
  const std::lock_guard changing(changing_);
  if (closed_) return refuse_closed();
  const auto place = find_backend(backend);
  if (!place) return std::unexpected(place.error());
  Settings next = settings_;
  auto& servers = next.backends[static_cast<std::size_t>(*place)].servers;
  if (std::ranges::any_of(servers,
                          [&](const auto& known) { return *known.name == *server.name; })) {
    return refuse(
        409, "duplicate_server",
        fmt::format("backend {} has a server {} already", quote(backend), quote(*server.name)));
  }
  if (servers.size() >= balance::kServersMax) {
    return refuse(409, "too_many_servers",
                  fmt::format("backend {} has {} servers already", quote(backend), servers.size()));
  }
  servers.push_back(server);
  const auto applied = apply(std::move(next));
  if (applied) added_.insert(backend + "/" + *server.name);
  return applied;
}

Answered<void> LiveConfiguration::remove_server(const std::string& backend,
                                                const std::string& server) {
  const std::lock_guard changing(changing_);
  if (closed_) return refuse_closed();
  const auto place = find_backend(backend);
  if (!place) return std::unexpected(place.error());
  const auto index = find_server(*snapshot()->backends[static_cast<std::size_t>(*place)], server);
  if (!index) return std::unexpected(index.error());
  Settings next = settings_;
  auto& servers = next.backends[static_cast<std::size_t>(*place)].servers;
  if (servers.size() == 1) {
    return refuse(409, "last_server",
                  fmt::format("{} is the last server of backend {}; disable it instead",
                              quote(server), quote(backend)));
  }
  servers.erase(servers.begin() + static_cast<std::ptrdiff_t>(balance::to_number(*index)));
  const auto applied = apply(std::move(next));
  if (applied) added_.erase(backend + "/" + server);
  return applied;
}

Answered<void> LiveConfiguration::change_split(const std::string& listener, std::size_t route,
                                               const admin::SplitChange& change) {
  const std::lock_guard changing(changing_);
  if (closed_) return refuse_closed();
  Settings next = settings_;
  LiveRoutes routes = routes_;
  if (auto changed = routes.change_split(next, listener, route, change); !changed) return changed;
  auto applied = apply(std::move(next));
  if (applied) routes_ = std::move(routes);
  return applied;
}

Answered<admin::ReloadReport> LiveConfiguration::reload() {
  const std::lock_guard changing(changing_);
  if (closed_) return refuse_closed();
  if (file_.empty()) {
    return refuse(409, "no_file", "Weir was started without a configuration file");
  }
  const auto count_refused = [this] {
    const std::lock_guard lock(mutex_);
    ++reloads_refused_;
  };
  config::Problems problems;
  const config::Document document = config::load_document(file_, problems);
  Settings next = load_settings(document, problems);
  if (problems.has_errors()) {
    count_refused();
    return refuse(422, "bad_configuration", config::print(problems, document));
  }
  admin::ReloadReport report;
  report.warnings = keep_process_settings(next, settings_);
  LiveRoutes routes = routes_;
  std::ranges::move(routes.keep_weights(next), std::back_inserter(report.warnings));
  report.changes = print_changes(settings_, next);
  if (!problems.is_empty()) report.warnings.push_back(config::print(problems, document));
  if (const auto applied = apply(std::move(next)); !applied) {
    count_refused();
    return std::unexpected(applied.error());
  }
  std::ranges::move(kept_weights(), std::back_inserter(report.warnings));
  std::ranges::move(access_log_.reopen(), std::back_inserter(report.warnings));
  added_.clear();
  routes_ = std::move(routes);
  const std::lock_guard lock(mutex_);
  ++reloads_;
  return report;
}

// Weights that differ from those of the file, because the API set them.
std::vector<std::string> LiveConfiguration::kept_weights() const {
  std::vector<std::string> kept;
  const auto current = snapshot();
  for (const auto& backend : current->backends) {
    for (const auto& server : backend->servers()) {
      if (server->weight() == server->weight_configured()) continue;
      kept.push_back(fmt::format("server {} keeps the weight {} that was set at run time",
                                 server->full_name(), server->weight()));
    }
  }
  return kept;
}

// By listener.
std::vector<std::vector<net::Address>> LiveConfiguration::real_addresses() const {
  std::vector<std::vector<net::Address>> real;
  auto open = addresses_.begin();
  for (const auto& listener : settings_.listeners) {
    auto& addresses = real.emplace_back();
    for (std::size_t i = 0; i < addresses_of(listener).size(); ++i) {
      addresses.push_back(open++->address);
    }
  }
  return real;
}

std::vector<admin::ListenerState> LiveConfiguration::listeners() {
  const std::lock_guard changing(changing_);
  const auto current = snapshot();
  std::vector<admin::ListenerState> states;
  const auto addresses_by_listener = real_addresses();
  auto real = addresses_by_listener.begin();
  for (std::size_t i = 0; i < current->listeners.size(); ++i) {
    const proxy::Listener& listener = *current->listeners[i].listener;
    std::vector<std::string> addresses;
    for (const net::Address& address : *real++) addresses.push_back(address.to_string());
    states.push_back({.name = listener.name,
                      .addresses = std::move(addresses),
                      .protocol = std::string(name_of(listener.protocol)),
                      .connections_open = stats::connections_open(*listener.stats),
                      .connections = listener.stats->sum(&stats::ListenerCells::connections),
                      .requests = listener.stats->sum(&stats::ListenerCells::requests)});
  }
  return states;
}

std::vector<admin::RouteState> LiveConfiguration::routes() {
  const std::lock_guard changing(changing_);
  return routes_.states(settings_, *snapshot());
}

std::optional<admin::ResolvedState> LiveConfiguration::resolved_state_of(
    const backend::Server& server) const {
  if (!server.address().is_name()) return std::nullopt;
  admin::ResolvedState state;
  for (const net::Address& address : server.addresses()->list) {
    state.addresses.push_back(address.to_string());
  }
  const auto answer =
      resolver_ == nullptr ? nullptr : resolver_->find_answer(server.address().host);
  if (answer == nullptr) return state;
  const Duration left = answer->good_until - std::chrono::steady_clock::now();
  state.ttl_left = std::max(left, Duration::zero());
  state.error = answer->problem;
  return state;
}

admin::ServerState LiveConfiguration::state_of(const backend::Backend& backend,
                                               balance::ServerIndex index) const {
  const backend::Server& server = backend.server(index);
  admin::ServerState state{
      .backend = backend.name(),
      .name = server.name(),
      .address = server.address().to_string(),
      .resolved = resolved_state_of(server),
      .weight = server.weight(),
      .weight_configured = server.weight_configured(),
      .is_backup = backend.is_backup(index),
      .maxconn = std::nullopt,
      .state = server.admin_state(),
      .reason = {},
      .leases = server.leases(),
      .score = backend.find_score(index),
      .attempts = server.stats().sum(&stats::ServerCells::attempts),
      .connect_failures = server.stats().sum(&stats::ServerCells::connect_failures),
      .is_added = added_.contains(server.full_name())};
  if (server.maxconn() != 0) state.maxconn = server.maxconn();
  if (state.state == AdminState::draining) {
    state.reason = state.leases == 0 ? "drained" : "draining";
  } else if (state.state == AdminState::disabled) {
    state.reason = "disabled";
  } else if (!server.addresses()->problem.empty()) {
    state.reason = server.addresses()->problem;
  } else if (state.weight == 0) {
    state.reason = "weight 0";
  } else if (!server.has_free_slot()) {
    state.reason = "at its maxconn";
  }
  return state;
}

admin::BackendState LiveConfiguration::state_of(const backend::Backend& backend) const {
  const balance::PickerEntry& algorithm = balance::picker_of(backend.settings().balance);
  admin::BackendState state{
      .name = backend.name(),
      .balance = std::string(algorithm.name),
      .method = algorithm.method == balance::Method::is_static ? "static" : "dynamic",
      .requests = backend.stats().sum(&stats::BackendCells::requests),
      .attempts = backend.stats().sum(&stats::BackendCells::attempts),
      .retries = backend.stats().sum(&stats::BackendCells::retries),
      .queued = backend.wait_queue().waiting(),
      .servers = {}};
  for (std::size_t i = 0; i < backend.size(); ++i) {
    state.servers.push_back(state_of(backend, balance::to_server(i)));
  }
  return state;
}

std::vector<admin::BackendState> LiveConfiguration::backends() {
  const std::lock_guard changing(changing_);
  std::vector<admin::BackendState> states;
  const auto current = snapshot();
  for (const auto& backend : current->backends) states.push_back(state_of(*backend));
  return states;
}

Answered<admin::BackendState> LiveConfiguration::backend(const std::string& name) {
  const std::lock_guard changing(changing_);
  const auto place = find_backend(name);
  if (!place) return std::unexpected(place.error());
  return state_of(*snapshot()->backends[static_cast<std::size_t>(*place)]);
}

Answered<admin::ServerState> LiveConfiguration::server(const std::string& backend,
                                                       const std::string& name) {
  const std::lock_guard changing(changing_);
  const auto place = find_backend(backend);
  if (!place) return std::unexpected(place.error());
  const auto current = snapshot();
  const backend::Backend& found = *current->backends[static_cast<std::size_t>(*place)];
  const auto index = find_server(found, name);
  if (!index) return std::unexpected(index.error());
  return state_of(found, *index);
}

std::vector<admin::WorkerState> LiveConfiguration::workers() {
  std::vector<admin::WorkerState> states;
  for (const auto& worker : workers_) {
    const stats::WorkerCells& cells = registry_.worker(worker->index());
    states.push_back({.index = worker->index(),
                      .connections_open = worker->connections_open(),
                      .busy_seconds = static_cast<double>(cells.busy_ns.read()) / 1e9,
                      .loop_iterations = cells.loop_iterations.read(),
                      .is_stuck = worker->is_stuck()});
  }
  return states;
}

Answered<admin::Explanation> LiveConfiguration::explain(const admin::ExplainQuestion& question) {
  const std::lock_guard changing(changing_);
  if (closed_) return refuse_closed();
  const auto current = snapshot();
  FirstWorker first(workers_);
  const auto addresses = real_addresses();
  const auto explanation = app::explain({.settings = settings_,
                                         .file = file_,
                                         .snapshot = *current,
                                         .addresses = addresses,
                                         .picks = first,
                                         .resolver = resolver_,
                                         .workers = registry_.workers()},
                                        {.method = question.method,
                                         .url = question.url,
                                         .from = question.from,
                                         .fields = question.fields,
                                         .listener = question.listener});
  if (!explanation) return refuse(400, "bad_question", explanation.error());
  return admin::Explanation{.text = explanation->text, .is_served = explanation->is_served};
}

void LiveConfiguration::append_name_samples(std::vector<stats::Sample>& samples) const {
  if (resolver_ == nullptr) return;
  using enum stats::MetricId;
  for (const auto& [name, answer] : resolver_->answers()) {
    const std::string labels = stats::name_labels(name);
    const auto add = [&](stats::MetricId id, auto value) {
      samples.push_back({id, labels, static_cast<double>(value)});
    };
    add(name_addresses, answer->addresses.size());
    add(name_addresses_left_out, answer->left_out);
    add(name_stale, answer->health == discovery::NameHealth::outlived ? 1 : 0);
    add(name_questions, answer->questions);
    add(name_failures, answer->failures);
  }
}

void LiveConfiguration::append_samples(std::vector<stats::Sample>& samples) const {
  const std::lock_guard lock(mutex_);
  std::erase_if(live_, [](const auto& old) { return old.expired(); });
  using enum stats::MetricId;
  samples.push_back({snapshots_live, {}, static_cast<double>(live_.size())});
  samples.push_back({reloads, {}, static_cast<double>(reloads_)});
  samples.push_back({reloads_refused, {}, static_cast<double>(reloads_refused_)});
  samples.push_back({change_pause, {}, std::chrono::duration<double>(longest_pause_).count()});
  append_name_samples(samples);
  for (const auto& backend : snapshot_->backends) {
    samples.push_back({backend_queued, stats::backend_labels(backend->name()),
                       static_cast<double>(backend->wait_queue().waiting())});
    for (const auto& server : backend->servers()) {
      samples.push_back({server_leases, stats::server_labels(backend->name(), server->name()),
                         static_cast<double>(server->leases())});
    }
  }
}

}  // namespace weir::app
