#include "app/compile.h"

#include <algorithm>
#include <fmt/format.h>
#include <map>

#include "app/compile_filters.h"
#include "balance/readings.h"
#include "config/difference.h"
#include "config/reader.h"
#include "config/text.h"
#include "protocol/http/characters.h"
#include "proxy/pick_for.h"

namespace weir::app {
namespace {

using config::Located;
using config::Problems;
using config::quote;

// Reports every name that was there before.
class Names {
 public:
  Names(std::string_view kind, Problems& problems) : kind_(kind), problems_(problems) {}

  void add(const Located<std::string>& name) {
    const auto [first, is_new] = first_.try_emplace(*name, name.position);
    if (is_new) return;
    problems_.error(name.position, "duplicate " + std::string(kind_) + " " + quote(*name) +
                                       "; the first one is in line " +
                                       std::to_string(first->second.line));
  }

  void refer(const Located<std::string>& name) {
    if (first_.contains(*name)) return;
    config::Nearest nearest(*name);
    for (const auto& [known, position] : first_) nearest.consider(known);
    problems_.error(name.position,
                    "unknown " + std::string(kind_) + " " + quote(*name) + nearest.hint());
  }

 private:
  std::string_view kind_;
  Problems& problems_;
  std::map<std::string, config::Position, std::less<>> first_;
};

void check_routes(const proxy::ListenerSettings& listener, Problems& problems) {
  std::vector<proxy::RouteSpec> specs;
  for (const auto& route : listener.routes) {
    specs.push_back({route.match.host, route.match.path, route.match.path_prefix});
  }
  for (const auto& [route, shadowed_by] : proxy::find_unreachable(specs)) {
    const auto& by = listener.routes[static_cast<std::size_t>(shadowed_by)];
    problems.error(
        listener.routes[static_cast<std::size_t>(route)].position,
        "unreachable route: everything it matches is taken by earlier routes, such as the "
        "one in line " +
            std::to_string(by.position.line));
  }
}

void check_split_key(const proxy::SplitSettings& split, proxy::Protocol protocol,
                     Problems& problems) {
  const config::Position position = split.split_key.position;
  if (position.line == 0) return;
  if (split.split.empty()) {
    problems.error(position, "split_key without split: there is nothing to choose from");
  }
  const std::string_view of_request = split.split_key->first_of_request();
  if (protocol == proxy::Protocol::tcp && !of_request.empty()) {
    problems.error(position, "a listener with protocol: tcp has no " + quote(of_request) +
                                 ": it knows client.address, client.port, listener.name and "
                                 "listener.port");
  }
}

// backend: instead of which there may be a split. Whether there is one or the other.
bool check_backends(const Located<std::string>& backend, const proxy::SplitSettings& split,
                    Names& backends, Problems& problems) {
  const bool has_backend = backend.position.line != 0;
  if (has_backend) backends.refer(backend);
  if (split.split.empty()) return has_backend;
  const config::Position position = split.split.front().position;
  if (has_backend) {
    problems.error(position, "either 'backend' or 'split' may be written, not both");
  }
  Names groups("group", problems);
  for (const proxy::SplitGroupSettings& group : split.split) {
    if (group.backend.position.line == 0) continue;  // reported already
    backends.refer(group.backend);
    groups.add(name_of(group));
  }
  const bool all_zero =
      std::ranges::all_of(split.split, [](const auto& group) { return group.weight == 0; });
  if (all_zero) problems.error(position, "no group of the split has a weight above 0");
  return true;
}

// Whether requests need a backend; reports those that have none.
void check_route(const proxy::ListenerSettings& listener, const proxy::RouteSettings& route,
                 Names& backends, Problems& problems) {
  check_filters(route.filters, problems);
  check_split_key(route, listener.protocol, problems);
  if (check_backends(route.backend, route, backends, problems)) return;
  if (may_always_reply(route.filters, problems) || may_always_reply(listener.filters, problems)) {
    return;
  }
  problems.error(route.position,
                 "missing key 'backend' or 'split', and no filter of the route replies to every "
                 "request");
}

void check_proxies(const proxy::ListenerSettings& listener, Problems& problems) {
  if (!*listener.proxy_protocol || !listener.trusted_proxies.empty()) return;
  problems.error(listener.proxy_protocol.position,
                 "proxy_protocol needs trusted_proxies: the networks whose headers are believed");
}

void check_tcp_listener(const proxy::ListenerSettings& listener, Problems& problems) {
  if (!listener.filters.empty()) {
    problems.error(settings_of(listener.filters.front()).position,
                   "a listener with protocol: tcp has no filters: they work on HTTP");
  }
  if (!listener.routes.empty()) {
    problems.error(listener.routes.front().position,
                   "a listener with protocol: tcp makes no content decisions: it has a 'backend' "
                   "or a 'split' and no 'routes' (protocol: http has routes)");
  }
}

bool is_token(std::string_view text) {
  const auto may_be = [](char c) { return http::is_in(http::CharacterClass::token, c); };
  return !text.empty() && std::ranges::all_of(text, may_be);
}

// Names that listeners write into heads.
void check_names(const proxy::ListenerSettings& listener, Problems& problems) {
  const std::string& via = *listener.via;
  if (!via.empty() && !is_token(via)) {
    problems.error(listener.via.position,
                   "expected a name of letters, digits, '-', '_' and '.', found " + quote(via));
  }
  const std::string& name = *listener.request_id;
  if (name.empty()) return;
  if (!is_token(name)) {
    problems.error(listener.request_id.position,
                   "expected the name of a field such as X-Request-Id, found " + quote(name));
  } else if (http::find_field_id(name) != http::FieldId::other) {
    problems.error(listener.request_id.position,
                   "the field " + quote(name) + " has a meaning of its own");
  }
}

void check_listener(const proxy::ListenerSettings& listener, Names& backends, Problems& problems) {
  const bool has_backend = check_backends(listener.backend, listener, backends, problems);
  const bool has_routes = !listener.routes.empty();
  check_split_key(listener, listener.protocol, problems);
  check_filters(listener.filters, problems);
  check_names(listener, problems);
  check_proxies(listener, problems);
  if (listener.protocol == proxy::Protocol::tcp) check_tcp_listener(listener, problems);
  if (listener.protocol == proxy::Protocol::tcp && has_routes) return;
  if (has_backend && has_routes) {
    const bool is_split = listener.backend.position.line == 0;
    problems.error(is_split ? listener.split.front().position : listener.backend.position,
                   "a listener has either " + quote(is_split ? "split" : "backend") +
                       " or 'routes'; for what no other route takes, "
                       "add a last route without 'match'");
  }
  if (!has_backend && !has_routes && !may_always_reply(listener.filters, problems)) {
    problems.error(listener.position, "listener " + quote(*listener.name) +
                                          " has neither 'backend' nor 'split' nor 'routes'");
  }
  for (const auto& route : listener.routes) check_route(listener, route, backends, problems);
  check_routes(listener, problems);
}

void check_addresses(const Settings& settings, Problems& problems) {
  std::map<std::string, config::Position> taken;
  if (settings.admin && settings.admin->address->port() != 0) {
    taken.emplace(settings.admin->address->to_string(), settings.admin->address.position);
  }
  for (const auto& listener : settings.listeners) {
    for (const Located<net::Address>& address : addresses_of(listener)) {
      if (address->port() == 0 && !address->is_unix()) continue;
      const auto [first, is_new] = taken.try_emplace(address->to_string(), address.position);
      if (is_new) continue;
      problems.error(address.position, "address " + first->first + " is taken already in line " +
                                           std::to_string(first->second.line));
    }
  }
}

// Of a server's own, or else of the backend's.
void check_source(const BackendEntry& backend, const backend::ServerSettings& server,
                  Problems& problems) {
  const auto& source = *server.source_address ? server.source_address : backend.source_address;
  const int family = server.address.address.family();
  if (!*source || (*source)->address.family() == family) return;
  problems.error(source.position, "source_address " + print_scalar(**source) +
                                      " is of another family than the address of server " +
                                      quote(*server.name));
}

// What tells the requests of a backend apart.
void check_key(const Located<std::string>& text, Problems& problems) {
  const auto key = proxy::Template::parse(*text, proxy::Known::request);
  if (!key) {
    problems.error(text.position, "found " + quote(*text) + ": " + key.error());
  } else if (key->constant()) {
    problems.error(text.position, "found " + quote(*text) +
                                      ": a key without values, such as ${client.address}, is the "
                                      "same for all requests");
  }
}

void check_subsets(const BackendEntry& backend, Problems& problems) {
  if (backend.subsets) check_key(backend.subsets->key, problems);
  bool are_some_in_one = false;
  for (const auto& server : backend.servers) {
    if (server.subset->empty()) continue;
    are_some_in_one = true;
    if (backend.subsets) continue;
    problems.error(server.subset.position, "server " + quote(*server.name) +
                                               " is in a subset, and backend " +
                                               quote(*backend.name) + " has no 'subsets'");
  }
  if (backend.subsets && !are_some_in_one) {
    problems.error(backend.subsets->key.position,
                   "no server of backend " + quote(*backend.name) + " is in a 'subset'");
  }
}

void check_balance(const BackendEntry& backend, Problems& problems) {
  const std::optional<balance::HashSettings>& hash = backend.balance.hash;
  if (!hash) return;
  std::vector<std::string> addresses;
  for (const auto& server : backend.servers) addresses.push_back(print_scalar(server.address));
  std::vector<balance::ServerSpec> specs;
  for (const auto& server : backend.servers) {
    specs.push_back(
        {.weight = server.weight, .name = *server.name, .address = addresses[specs.size()]});
  }
  balance::check(*hash, specs, problems);
  check_key(hash->key, problems);
}

void check_forecast(const BackendEntry& backend, Problems& problems) {
  using balance::ForecastSettings;
  const ForecastSettings* const forecast = balance::forecast_of(backend.balance);
  if (forecast == nullptr) return;
  if (forecast->step <= Duration::zero()) return;  // out of its range, which is reported already
  const config::Position position = backend.balance.position;
  if (forecast->ahead < forecast->step) {
    problems.error(position, "forecast: 'ahead' is less than a 'step'");
  }
  const std::uint64_t steps = forecast->season_steps();
  if (forecast->season && (steps < 2 || steps > ForecastSettings::kStepsMax)) {
    problems.error(position, fmt::format("forecast: expected a season of 2 to {} steps, found {}",
                                         ForecastSettings::kStepsMax, steps));
  }
}

void check_load_report(const BackendEntry& backend, Problems& problems) {
  using balance::ReportUse;
  const std::optional<backend::LoadReportSettings>& report = backend.load_report;
  const std::string_view algorithm = balance::picker_of(backend.balance).name;
  const ReportUse use = balance::report_use_of(backend.balance);
  if (!report) {
    if (use != ReportUse::required) return;
    return problems.error(backend.balance.position,
                          fmt::format("balance: {} goes by load_report, which backend {} has not",
                                      algorithm, quote(*backend.name)));
  }
  if (use == ReportUse::none) {
    problems.warning(report->position,
                     fmt::format("balance: {} does not go by load reports", algorithm));
  }
  const std::string& path = *report->path;
  const auto may_be = [](unsigned char c) { return c > ' ' && c < 0x7f && c != '#'; };
  if (!path.starts_with('/') || !std::ranges::all_of(path, may_be)) {
    problems.error(
        report->path.position,
        "expected a path that begins with '/', without '#' and blanks, found " + quote(path));
  }
  if (report->format == backend::LoadReportFormat::prometheus && !report->metrics) {
    problems.error(report->position,
                   "format: prometheus needs 'metrics': the names of cpu, memory or others");
  }
  for (const auto& server : backend.servers) {
    const net::Address& address = server.address.address;
    if (report->port || address.is_unix() || address.port() != 0) continue;
    problems.error(report->position, "load_report needs a 'port': the address of server " +
                                         quote(*server.name) + " has none");
  }
}

bool may_use(const proxy::ListenerSettings& listener, const BackendEntry& backend) {
  return *listener.backend == *backend.name ||
         std::ranges::any_of(listener.split,
                             [&](const auto& group) { return *group.backend == *backend.name; });
}

// Tunnels have less to go by than requests.
void check_keys_of_tunnels(const Settings& settings, const proxy::ListenerSettings& listener,
                           Problems& problems) {
  if (listener.protocol != proxy::Protocol::tcp) return;
  const auto check = [&](const Located<std::string>& text) {
    const auto key = proxy::Template::parse(*text, proxy::Known::request);
    if (!key || key->first_of_request().empty()) return;
    problems.error(text.position, "the listener " + quote(*listener.name) +
                                      " has protocol: tcp, whose connections have no " +
                                      quote(key->first_of_request()));
  };
  for (const auto& backend : settings.backends) {
    if (!may_use(listener, backend)) continue;
    if (backend.balance.hash) check(backend.balance.hash->key);
    if (backend.subsets) check(backend.subsets->key);
  }
}

// Where servers are, and what hangs on it.
void check_places(const Settings& settings, const BackendEntry& backend, Problems& problems) {
  const bool goes_by_zone = *backend.cross_zone != balance::CrossZone::always;
  if (goes_by_zone && settings.zone->empty()) {
    problems.error(backend.cross_zone.position,
                   "cross_zone needs 'zone' at the top: where this process runs");
  }
  config::Nearest nearest(*settings.zone);
  bool is_known = false;
  for (const auto& server : backend.servers) {
    if (goes_by_zone && server.zone->empty()) {
      problems.error(server.name.position,
                     "server " + quote(*server.name) + " has no 'zone', and cross_zone goes by it");
    }
    if (server.location && settings.geo_database->empty()) {
      problems.error(server.name.position,
                     "location needs 'geo_database' at the top: where clients are");
    }
    nearest.consider(*server.zone);
    is_known = is_known || *server.zone == *settings.zone;
  }
  if (goes_by_zone && !settings.zone->empty() && !is_known) {
    problems.error(backend.cross_zone.position, "no server of backend " + quote(*backend.name) +
                                                    " is in the zone " + quote(*settings.zone) +
                                                    " of this process" + nearest.hint());
  }
  const std::size_t levels = balance::Placement::count_levels(
      backend::places_of(backend, *settings.zone), *backend.cross_zone);
  if (levels > balance::kLevelsMax) {
    problems.error(backend.name.position,
                   "the servers of backend " + quote(*backend.name) + " are at " +
                       std::to_string(levels) + " priorities, zones, subsets and places; at most " +
                       std::to_string(balance::kLevelsMax) + " can be told apart");
  }
}

void check_geo(const Settings& settings, Problems& problems) {
  if (settings.geo_database->empty()) return;
  const auto opened = net::GeoDatabase::open(*settings.geo_database);
  if (!opened) problems.error(settings.geo_database.position, opened.error());
}

void check_backend(const BackendEntry& backend, Problems& problems) {
  check_filters(backend.filters, problems);
  Names servers("server", problems);
  for (const auto& server : backend.servers) {
    servers.add(server.name);
    check_source(backend, server, problems);
  }
  const bool all_zero =
      std::ranges::all_of(backend.servers, [](const auto& server) { return server.weight == 0; });
  if (all_zero && !backend.servers.empty()) {
    problems.warning(backend.name.position,
                     "no server of backend " + quote(*backend.name) + " has a weight above 0");
  }
}

void check_resolver(const discovery::ResolverSettings& resolver, Problems& problems) {
  if (resolver.min_ttl <= resolver.max_ttl) return;
  problems.error(resolver.position, "min_ttl is longer than max_ttl");
}

}  // namespace

Settings load_settings(const config::Document& document, Problems& problems) {
  Settings settings;
  if (problems.has_errors()) return settings;
  config::read(document.root, settings, problems);
  Names listeners("listener", problems);
  Names backends("backend", problems);
  for (const auto& backend : settings.backends) {
    backends.add(backend.name);
    check_backend(backend, problems);
    check_balance(backend, problems);
    check_subsets(backend, problems);
    check_load_report(backend, problems);
    check_forecast(backend, problems);
    check_places(settings, backend, problems);
  }
  for (const auto& listener : settings.listeners) {
    listeners.add(listener.name);
    check_listener(listener, backends, problems);
    check_keys_of_tunnels(settings, listener, problems);
  }
  check_addresses(settings, problems);
  check_resolver(settings.resolver, problems);
  check_geo(settings, problems);
  return settings;
}

namespace {

using BackendPlaces = std::map<std::string_view, proxy::BackendIndex>;

BackendPlaces places_of(const std::vector<std::shared_ptr<backend::Backend>>& backends) {
  BackendPlaces places;
  for (const auto& backend : backends) {
    places.emplace(backend->name(), proxy::BackendIndex(places.size()));
  }
  return places;
}

// That in force stays if the file was removed or damaged since it was checked: a change of
// something else by the API must not come upon half a file.
std::shared_ptr<const net::GeoDatabase> open_geo(const Settings& settings, const InForce* before) {
  const std::string& path = *settings.geo_database;
  if (path.empty()) return nullptr;
  std::shared_ptr<const net::GeoDatabase> known;
  if (before != nullptr) known = before->snapshot.geo;
  if (known != nullptr && known->is_of(path)) return known;
  return net::GeoDatabase::open(path).value_or(known);
}

bool has_locations(const BackendEntry& backend) {
  return std::ranges::any_of(backend.servers,
                             [](const auto& server) { return server.location.has_value(); });
}

void compile_backends(const Settings& settings, stats::Registry& registry, const InForce* before,
                      proxy::Snapshot& snapshot) {
  snapshot.geo = open_geo(settings, before);
  const BackendPlaces known =
      before == nullptr ? BackendPlaces() : places_of(before->snapshot.backends);
  for (const auto& backend : settings.backends) {
    const backend::BackendContext context{.zone = *settings.zone,
                                          .key = proxy::make_key(backend.balance),
                                          .subset_key = proxy::make_subset_key(backend),
                                          .geo = has_locations(backend) ? snapshot.geo : nullptr};
    const auto found = known.find(*backend.name);
    if (found == known.end()) {
      snapshot.predecessors.push_back(proxy::BackendIndex::none);
      snapshot.backends.push_back(
          std::make_shared<backend::Backend>(backend, registry, nullptr, context));
      continue;
    }
    const auto& predecessor = before->snapshot.backends[static_cast<std::size_t>(found->second)];
    snapshot.predecessors.push_back(found->second);
    snapshot.backends.push_back(
        config::is_equal<backend::BackendSettings>(predecessor->settings(), backend) &&
                predecessor->geo() == context.geo.get()
            ? predecessor
            : std::make_shared<backend::Backend>(backend, registry, predecessor.get(), context));
  }
}

bool is_same_match(const proxy::ListenerSettings& a, const proxy::ListenerSettings& b) {
  return std::ranges::equal(a.routes, b.routes, [](const auto& x, const auto& y) {
    return config::is_equal(x.match, y.match);
  });
}

// What is in force, by the listeners' names.
class KnownListeners {
 public:
  explicit KnownListeners(const InForce* before) : before_(before) {
    if (before == nullptr) return;
    for (std::size_t i = 0; i < before->settings.listeners.size(); ++i) {
      places_.emplace(*before->settings.listeners[i].name, i);
    }
  }
  // Null: its routes match otherwise than before.
  std::shared_ptr<const proxy::Router> find_router(const proxy::ListenerSettings& listener) const {
    const auto found = places_.find(*listener.name);
    if (found == places_.end()) return nullptr;
    const bool is_same = is_same_match(before_->settings.listeners[found->second], listener);
    return is_same ? before_->snapshot.listeners[found->second].router : nullptr;
  }
  // With the connections that it has counted, as long as it tells clients apart in the same way.
  std::shared_ptr<proxy::ClientLimit> client_limit_of(
      const proxy::ListenerSettings& listener) const {
    if (!listener.limits.connections_per_client) return nullptr;
    const proxy::ClientPrefixes& prefixes = listener.limits.client_prefixes;
    const auto found = places_.find(*listener.name);
    if (found != places_.end()) {
      const auto& known = before_->snapshot.listeners[found->second].listener->client_limit;
      if (known != nullptr && known->prefixes() == prefixes) return known;
    }
    return std::make_shared<proxy::ClientLimit>(prefixes);
  }

 private:
  const InForce* before_;
  std::map<std::string_view, std::size_t> places_;
};

// The routes of one listener, which are put behind each other.
class RouteCompiler {
 public:
  RouteCompiler(const proxy::ListenerSettings& listener, const BackendPlaces& backends,
                FilterCompiler& filters, stats::Registry& registry, proxy::ServedListener& served)
      : listener_(listener),
        backends_(backends),
        filters_(filters),
        registry_(registry),
        served_(served) {}

  void add_all() {
    for (const auto& route : listener_.routes) add(&route, *route.backend, route);
    if (listener_.routes.empty()) add(nullptr, *listener_.backend, listener_);
  }

 private:
  // route: nullptr for a listener without routes. backend: empty for none.
  void add(const proxy::RouteSettings* route, const std::string& backend,
           const proxy::SplitSettings& split) {
    if (!split.split.empty()) add_split(route, split);
    served_.route_backends.push_back(backend.empty() ? proxy::BackendIndex::none
                                                     : backends_.at(backend));
    served_.route_timeouts.push_back(route == nullptr ? proxy::RouteTimeouts() : route->timeouts);
    served_.route_filters.push_back(filters_.chain_of_route(listener_, route, backend));
  }
  void add_split(const proxy::RouteSettings* route, const proxy::SplitSettings& settings) {
    const std::size_t number = served_.route_backends.size() + 1;
    std::vector<std::uint32_t> weights;
    std::vector<proxy::SplitGroup> groups;
    for (const proxy::SplitGroupSettings& group : settings.split) {
      weights.push_back(group.weight);
      groups.push_back({.name = *name_of(group),
                        .backend = backends_.at(*group.backend),
                        .filters = filters_.chain_of_route(listener_, route, *group.backend),
                        .stats = registry_.group(*listener_.name, number, *name_of(group))});
    }
    served_.splits.push_back(
        std::make_shared<const proxy::Split>(proxy::Split{.route = proxy::RouteIndex(number - 1),
                                                          .shares = proxy::SplitShares(weights),
                                                          .key = *settings.split_key,
                                                          .groups = std::move(groups)}));
  }

  const proxy::ListenerSettings& listener_;
  const BackendPlaces& backends_;
  FilterCompiler& filters_;
  stats::Registry& registry_;
  proxy::ServedListener& served_;
};

}  // namespace

proxy::Snapshot compile(const Settings& settings, stats::Registry& registry,
                        const InForce* before) {
  proxy::Snapshot snapshot;
  snapshot.maxconn = settings.maxconn.value_or(0);
  compile_backends(settings, registry, before, snapshot);
  const BackendPlaces places = places_of(snapshot.backends);
  const KnownListeners known(before);
  FilterCompiler filters(settings);
  for (const auto& listener : settings.listeners) {
    proxy::ServedListener& served = snapshot.listeners.emplace_back();
    auto compiled = std::make_shared<proxy::Listener>(listener, registry);
    compiled->client_limit = known.client_limit_of(listener);
    compiled->filters = filters.chain_of_listener(listener);
    served.listener = std::move(compiled);
    RouteCompiler(listener, places, filters, registry, served).add_all();
    served.router = known.find_router(listener);
    if (served.router == nullptr) served.router = proxy::make_router(listener);
  }
  return snapshot;
}

}  // namespace weir::app
