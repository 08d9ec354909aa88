#include "app/explain.h"

#include <algorithm>
#include <arpa/inet.h>
#include <charconv>
#include <fmt/format.h>
#include <optional>
#include <ranges>
#include <utility>

#include "app/compile.h"
#include "base/random.h"
#include "config/text.h"
#include "protocol/http/authority.h"
#include "protocol/http1/parse_head.h"
#include "proxy/http/route_request.h"

namespace weir::app {
namespace {

using config::quote;
using proxy::RouteIndex;

// More rejected routes or servers than this are only counted.
constexpr std::size_t kRejectedMax = 20;
constexpr std::size_t kPicksShown = 8;

std::string_view name_of(proxy::Protocol protocol) {
  const auto names = names_of(protocol);
  return std::ranges::find(names, protocol, &decltype(names)::value_type::second)->first;
}

struct Url {
  proxy::Protocol protocol;
  std::string_view authority;
  std::string_view target;  // path and query; empty if there is neither
};

using Refused = std::unexpected<std::string>;

std::expected<Url, std::string> parse_url(std::string_view text) {
  for (const auto& [scheme, protocol] : names_of(proxy::Protocol{})) {
    const std::string prefix = std::string(scheme) + "://";
    if (!http::equals_ignoring_case(text.substr(0, prefix.size()), prefix)) continue;
    // A client keeps the fragment for itself.
    const std::string_view rest = text.substr(prefix.size(), text.find('#') - prefix.size());
    const std::size_t end = std::min(rest.find_first_of("/?"), rest.size());
    const Url url{
        .protocol = protocol, .authority = rest.substr(0, end), .target = rest.substr(end)};
    if (!http::parse_authority(url.authority)) {
      return Refused("the URL " + quote(text) + " has no host, or a malformed one");
    }
    return url;
  }
  return Refused("expected a URL such as http://HOST[:PORT]/PATH or tcp://HOST:PORT, found " +
                 quote(text));
}

bool has_control_characters(std::string_view text) {
  return std::ranges::any_of(text, [](unsigned char c) { return c < ' ' || c == 0x7f; });
}

std::expected<Url, std::string> check(const Question& question) {
  const auto is_broken = [](const std::string& text) { return has_control_characters(text); };
  if (is_broken(question.method) || is_broken(question.url) ||
      std::ranges::any_of(question.fields, is_broken)) {
    return Refused("an argument has control characters");
  }
  const auto url = parse_url(question.url);
  if (!url) return url;
  if (url->protocol == proxy::Protocol::tcp &&
      (question.method != "CONNECT" || !url->target.empty())) {
    return Refused("a TCP connection is asked for as: CONNECT tcp://HOST:PORT");
  }
  if (!question.from.empty()) {
    in6_addr ip;
    if (inet_pton(AF_INET, question.from.c_str(), &ip) != 1 &&
        inet_pton(AF_INET6, question.from.c_str(), &ip) != 1) {
      return Refused("--from " + quote(question.from) + ": expected an IP address");
    }
  }
  for (const std::string& field : question.fields) {
    if (!field.contains(':')) return Refused("-H " + quote(field) + ": expected 'Name: value'");
  }
  return url;
}

struct FoundListener {
  std::size_t index;
  std::string_view why;  // "" if the URL names its port
};

std::expected<FoundListener, std::string> find_named(const std::string& name, const Url& url,
                                                     const Settings& settings) {
  config::Nearest nearest(name);
  for (std::size_t i = 0; i < settings.listeners.size(); ++i) {
    const proxy::ListenerSettings& listener = settings.listeners[i];
    nearest.consider(*listener.name);
    if (*listener.name != name) continue;
    if (listener.protocol == url.protocol) return FoundListener{i, ""};
    return Refused(fmt::format("listener {} has protocol: {}, the URL is of {}", quote(name),
                               name_of(listener.protocol), name_of(url.protocol)));
  }
  return Refused("unknown listener " + quote(name) + nearest.hint());
}

// By the URL's port; else the only one of its protocol, since ports may be mapped on the way.
std::expected<FoundListener, std::string> find_listener(const Url& url, const Settings& settings) {
  const std::string_view port_text = http::parse_authority(url.authority)->port;
  std::uint16_t port = 80;
  std::from_chars(port_text.begin(), port_text.end(), port);  // leaves 80 if there is none
  std::vector<std::size_t> with_protocol;
  std::vector<std::size_t> with_port;
  std::string names;
  for (std::size_t i = 0; i < settings.listeners.size(); ++i) {
    const proxy::ListenerSettings& listener = settings.listeners[i];
    if (listener.protocol != url.protocol) continue;
    if (listener.address->to_string() == url.authority) return FoundListener{i, ""};
    with_protocol.push_back(i);
    if (listener.address->port() == port) with_port.push_back(i);
    names += (names.empty() ? "" : ", ") + *listener.name;
  }
  if (with_protocol.empty()) {
    return Refused("no listener has protocol: " + std::string(name_of(url.protocol)));
  }
  if (with_port.size() == 1) return FoundListener{with_port.front(), ""};
  if (with_protocol.size() == 1) {
    return FoundListener{with_protocol.front(), ", the only one with its protocol"};
  }
  return Refused(fmt::format("{} has port {}: say with --listener which one is meant: {}",
                             with_port.empty() ? "no listener" : "more than one listener", port,
                             names));
}

// The text, a line for each decision.
class Lines {
 public:
  explicit Lines(std::string_view file_name) : file_name_(file_name) {}

  void add(std::string_view label, std::string_view said) {
    text_ += fmt::format("{:<10}{}\n", label, said);
  }
  void add(std::string_view label, std::string_view said, config::Position position) {
    text_ += fmt::format("{:<10}{:<58}  {}:{}\n", label, said, file_name_, position.line);
  }
  void add_answer(ErrorKind kind, std::string_view why) {
    const ErrorKindRow& row = row_of(kind);
    add("answer", fmt::format("{} {}: {}", row.http_status, row.word, why));
  }
  void add_more_rejected(std::size_t rejected) {
    if (rejected > kRejectedMax) add("  not", fmt::format("{} more", rejected - kRejectedMax));
  }
  std::string take() { return std::move(text_); }

 private:
  std::string_view file_name_;
  std::string text_;
};

// "a or b"; each after its key.
template <class T>
std::string alternatives(std::string_view key, const std::vector<T>& values) {
  std::string text;
  for (const T& value : values) {
    text += fmt::format("{}{} {}", text.empty() ? "" : " or ", key, print_scalar(value));
  }
  return text;
}

std::string join(std::string_view first, std::string_view separator, std::string_view second) {
  return fmt::format("{}{}{}", first, first.empty() || second.empty() ? "" : separator, second);
}

std::string hosts_of(const proxy::MatchSettings& match) { return alternatives("host", match.host); }

std::string paths_of(const proxy::MatchSettings& match) {
  return join(alternatives("path", match.path), " or ",
              alternatives("path_prefix", match.path_prefix));
}

// Route numbers count from 1, as people do.
void add_route(Lines& lines, const proxy::ListenerSettings& listener, std::size_t index) {
  const proxy::RouteSettings& route = listener.routes[index];
  const std::string match = join(hosts_of(route.match), ", ", paths_of(route.match));
  lines.add("route", fmt::format("{}: {}", index + 1, match.empty() ? "any request" : match),
            route.position);
}

void add_rejected_routes(Lines& lines, const proxy::ListenerSettings& listener, std::size_t tried,
                         const proxy::RouteInput& input) {
  for (std::size_t i = 0; i < std::min(tried, kRejectedMax); ++i) {
    const proxy::MatchSettings& match = listener.routes[i].match;
    const proxy::RouteMismatch mismatch =
        proxy::find_mismatch({match.host, match.path, match.path_prefix}, input);
    std::string why;
    if (mismatch.host) why = fmt::format("{}: the host is {}", hosts_of(match), input.host);
    if (mismatch.path) {
      why = join(why, "; ", fmt::format("{}: the path is {}", paths_of(match), quote(input.path)));
    }
    lines.add("  not", fmt::format("{}: {}", i + 1, why), listener.routes[i].position);
  }
  lines.add_more_rejected(tried);
}

// A pick for each of the next requests, by a worker that has just started: with nothing in flight,
// and chance from this seed.
std::vector<balance::ServerIndex> pick_some(const backend::Backend& backend,
                                            balance::ServerRole role, std::uint64_t seed) {
  const balance::Picker& picker = backend.picker();
  const auto candidates = backend.candidates();
  const balance::Table& table = *candidates->tables[std::to_underlying(role)];
  const auto state = picker.start(table, balance::WorkerIndex{0}, 1);
  Random random(seed);
  std::vector<balance::ServerIndex> picks;
  for (std::size_t i = 0; i < kPicksShown; ++i) {
    picks.push_back(
        picker.pick(table, *state, {.leases = backend.lease_counters(), .random = random.next()}));
  }
  return picks;
}

std::vector<balance::ServerIndex> pick_some(const backend::Backend& backend, std::uint64_t seed) {
  auto picks = pick_some(backend, balance::ServerRole::primary, seed);
  if (picks.front() != balance::ServerIndex::none || !backend.has_backups()) return picks;
  return pick_some(backend, balance::ServerRole::backup, seed);
}

// What comes after the first pick; nothing if it is always the same server.
std::string print_order(const backend::Backend& backend,
                        const std::vector<balance::ServerIndex>& picks) {
  const bool is_drawn = picks != pick_some(backend, 2);
  if (!is_drawn && std::ranges::count(picks, picks.front()) == std::ssize(picks)) return "";
  std::string text = is_drawn ? ", drawn by chance, as in" : ", the first of";
  for (const balance::ServerIndex pick : picks) text += ' ' + backend.server(pick).name();
  return text + " ...";
}

void add_rejected_servers(Lines& lines, const backend::Backend& backend,
                          balance::ServerIndex picked) {
  const bool is_backup_left = picked != balance::ServerIndex::none &&
                              backend.role_of(picked) == balance::ServerRole::primary;
  std::size_t rejected = 0;
  for (const backend::ServerSettings& server : backend.settings().servers) {
    const bool is_left = server.backup && is_backup_left;
    if ((server.weight != 0 && !is_left) || ++rejected > kRejectedMax) continue;
    lines.add("  not",
              fmt::format("{}: {}", *server.name,
                          server.weight == 0 ? "weight 0" : "a backup, while others can be used"),
              server.name.position);
  }
  lines.add_more_rejected(rejected);
}

// True if there is a server.
bool add_server(Lines& lines, const proxy::Listener& listener, const backend::Backend& backend) {
  const std::vector<backend::ServerSettings>& servers = backend.settings().servers;
  const auto picks = pick_some(backend, 1);
  const bool is_found = picks.front() != balance::ServerIndex::none;
  if (is_found) {
    const backend::ServerSettings& server = servers[balance::to_number(picks.front())];
    net::Address address = server.address.address;
    if (address.port() == 0) address.set_port(listener.address.port());
    lines.add("server", fmt::format("{} ({}, weight {}){}", *server.name, address.to_string(),
                                    server.weight, print_order(backend, picks)));
  } else if (listener.protocol == proxy::Protocol::http) {
    lines.add_answer(ErrorKind::no_server, row_of(ErrorKind::no_server).sentence);
  } else {
    lines.add("answer", "the connection is reset: no server of the backend can be used");
  }
  add_rejected_servers(lines, backend, picks.front());
  return is_found;
}

// The head as a client would send it, curl say.
std::string head_of(const Question& question, const Url& url) {
  std::string target(url.target);
  if (!target.starts_with('/')) target.insert(0, "/");
  if (http::find_method(question.method) == http::Method::connect) {
    target = url.authority;
    if (http::parse_authority(url.authority)->port.empty()) target += ":80";
  }
  std::string head = fmt::format("{} {} HTTP/1.1\r\n", question.method, target);
  const auto is_host = [](std::string_view field) {
    return http::equals_ignoring_case(field.substr(0, field.find(':')), "host");
  };
  if (std::ranges::none_of(question.fields, is_host)) {
    head += fmt::format("Host: {}\r\n", url.authority);
  }
  for (const std::string& field : question.fields) head += field + "\r\n";
  return head + "\r\n";
}

// The route, if one matches; lines say why others, or all, do not.
RouteIndex explain_request(Lines& lines, const Question& question, const Url& url,
                           const proxy::ListenerSettings& settings,
                           const proxy::ServedListener& served) {
  const proxy::Listener& listener = *served.listener;
  const std::string bytes = head_of(question, url);
  std::vector<http::Field> fields(listener.head_limits.fields);
  http::RequestHead head;
  head.fields = http::FieldList(fields);
  const auto parsed = http1::parse_request_head(bytes, 0, listener.head_limits, head);
  if (parsed.status != http1::ParseStatus::complete) {
    const http1::Rule rule = http1::find_rule(parsed.error);
    lines.add_answer(parsed.error.kind, http1::row_of(rule).sentence);
    return RouteIndex::none;
  }
  std::string path_space(head.path.size(), '\0');
  proxy::RoutingSpace space;
  space.path = path_space;
  const proxy::Routing routing = proxy::route_request(head, listener.limits, *served.router, space);
  if (routing.error.kind == ErrorKind::bad_request) {
    lines.add_answer(
        ErrorKind::bad_request,
        routing.host ? fmt::format("the path {} climbs above the root, or has a malformed escape",
                                   quote(head.path))
                     : fmt::format("no host name: {}", quote(head.authority)));
    return RouteIndex::none;
  }
  if (!routing.path) {
    lines.add_answer(routing.error.kind, row_of(routing.error.kind).sentence);
    return RouteIndex::none;
  }
  const proxy::RouteInput input{.host = *routing.host, .path = *routing.path};
  const RouteIndex route = routing.route;
  if (settings.routes.empty()) return route;
  if (route == RouteIndex::none) {
    lines.add_answer(ErrorKind::no_route, row_of(ErrorKind::no_route).sentence);
    add_rejected_routes(lines, settings, settings.routes.size(), input);
  } else {
    add_route(lines, settings, static_cast<std::size_t>(route));
    add_rejected_routes(lines, settings, static_cast<std::size_t>(route), input);
  }
  return route;
}

}  // namespace

Explainer::Explainer(const Settings& settings, std::string_view file_name)
    : settings_(settings),
      file_name_(file_name),
      registry_(1),
      snapshot_(compile(settings, registry_)) {}

std::expected<Explanation, std::string> Explainer::explain(const Question& question) const {
  const auto url = check(question);
  if (!url) return Refused(url.error());
  const auto found = question.listener.empty() ? find_listener(*url, settings_)
                                               : find_named(question.listener, *url, settings_);
  if (!found) return Refused(found.error());
  const proxy::ListenerSettings& settings = settings_.listeners[found->index];
  const proxy::ServedListener& served = snapshot_.listeners[found->index];
  const proxy::Listener& listener = *served.listener;

  Lines lines(file_name_);
  if (!question.from.empty()) {
    lines.add("client", question.from + ": nothing in this file depends on it");
  }
  lines.add("listener",
            fmt::format("{} ({}, {}){}", listener.name, listener.address.to_string(),
                        name_of(listener.protocol), found->why),
            settings.position);
  Explanation explanation;
  explanation.route = listener.protocol == proxy::Protocol::http
                          ? explain_request(lines, question, *url, settings, served)
                          : RouteIndex{0};
  if (explanation.route != RouteIndex::none) {
    const proxy::BackendIndex index =
        served.route_backends[static_cast<std::size_t>(explanation.route)];
    const backend::Backend& backend = *snapshot_.backends[std::to_underlying(index)];
    const backend::BackendSettings& of_backend = backend.settings();
    lines.add("backend",
              fmt::format("{} ({})", backend.name(),
                          balance::kPickers[std::to_underlying(of_backend.balance)].name),
              of_backend.name.position);
    explanation.is_served = add_server(lines, listener, backend);
  }
  explanation.text = fmt::format("{} {}\n{}", question.method, question.url, lines.take());
  return explanation;
}

}  // namespace weir::app
