#include "app/explain.h"

#include <algorithm>
#include <arpa/inet.h>
#include <charconv>
#include <cmath>
#include <fmt/format.h>
#include <optional>
#include <ranges>
#include <utility>

#include "app/compile.h"
#include "app/route_text.h"
#include "base/random.h"
#include "config/text.h"
#include "protocol/http/authority.h"
#include "protocol/http1/parse_head.h"
#include "proxy/http/filter.h"
#include "proxy/http/prepare_request.h"
#include "proxy/http/route_request.h"
#include "proxy/pick_for.h"
#include "proxy/worker_listener.h"

namespace weir::app {
namespace {

using backend::ServerVerdict;
using config::quote;
using proxy::RouteIndex;

// As much as a worker has room for.
constexpr std::size_t kKeyBytesMax = std::size_t{512} << 10;

// More rejected routes or servers than this are only counted.
constexpr std::size_t kRejectedMax = 20;
constexpr std::size_t kPicksShown = 8;

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
  net::Address address;  // the one of them that is connected to
  std::string_view why;  // "" if the URL names its port
};

// 80 if it names none.
std::uint16_t port_of(const Url& url) {
  const std::string_view text = http::parse_authority(url.authority)->port;
  std::uint16_t port = 80;
  std::from_chars(text.begin(), text.end(), port);
  return port;
}

// The one that the URL names in full, or whose port it names; else the first.
net::Address find_address(const std::vector<net::Address>& addresses, const Url& url) {
  const auto same = std::ranges::find(addresses, url.authority, &net::Address::to_string);
  if (same != addresses.end()) return *same;
  const auto port = std::ranges::find(addresses, port_of(url), &net::Address::port);
  return port != addresses.end() ? *port : addresses.front();
}

std::expected<FoundListener, std::string> find_named(const std::string& name, const Url& url,
                                                     const Explained& explained) {
  const Settings& settings = explained.settings;
  config::Nearest nearest(name);
  for (std::size_t i = 0; i < settings.listeners.size(); ++i) {
    const proxy::ListenerSettings& listener = settings.listeners[i];
    nearest.consider(*listener.name);
    if (*listener.name != name) continue;
    if (listener.protocol == url.protocol) {
      return FoundListener{i, find_address(explained.addresses[i], url), ""};
    }
    return Refused(fmt::format("listener {} has protocol: {}, the URL is of {}", quote(name),
                               name_of(listener.protocol), name_of(url.protocol)));
  }
  return Refused("unknown listener " + quote(name) + nearest.hint());
}

// By the URL's port; else the only one of its protocol, since ports may be mapped on the way.
std::expected<FoundListener, std::string> find_listener(const Url& url,
                                                        const Explained& explained) {
  const std::uint16_t port = port_of(url);
  std::vector<FoundListener> with_protocol;
  std::vector<FoundListener> with_port;
  std::string names;
  for (std::size_t i = 0; i < explained.settings.listeners.size(); ++i) {
    const proxy::ListenerSettings& listener = explained.settings.listeners[i];
    if (listener.protocol != url.protocol) continue;
    const FoundListener found{i, find_address(explained.addresses[i], url), ""};
    if (found.address.to_string() == url.authority) return found;
    with_protocol.push_back(found);
    if (found.address.port() == port) with_port.push_back(found);
    names += (names.empty() ? "" : ", ") + *listener.name;
  }
  if (with_protocol.empty()) {
    return Refused("no listener has protocol: " + std::string(name_of(url.protocol)));
  }
  if (with_port.size() == 1) return with_port.front();
  if (with_protocol.size() == 1) {
    with_protocol.front().why = ", the only one with its protocol";
    return with_protocol.front();
  }
  return Refused(fmt::format("{} has port {}: say with --listener which one is meant: {}",
                             with_port.empty() ? "no listener" : "more than one listener", port,
                             names));
}

std::string print_addresses(const std::vector<net::Address>& addresses) {
  std::string all;
  for (const net::Address& address : addresses) {
    all += (all.empty() ? "" : ", ") + address.to_string();
  }
  return all;
}

// The text, a line for each decision.
class Lines {
 public:
  // file: empty if there is none.
  explicit Lines(std::string_view file) : file_(file) {}

  void add(std::string_view label, std::string_view said) {
    text_ += fmt::format("{:<10}{}\n", label, said);
  }
  // A server that was added at run time has no line.
  void add(std::string_view label, std::string_view said, config::Position position) {
    if (file_.empty() || position.line == 0) return add(label, said);
    text_ += fmt::format("{:<10}{:<58}  {}:{}\n", label, said, file_, position.line);
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
  std::string_view file_;
  std::string text_;
};

// Those that the route has of its own.
std::string print_timeouts(const proxy::RouteTimeouts& timeouts) {
  std::string all;
  const auto add = [&all](std::string_view name, const std::optional<Duration>& value) {
    if (!value) return;
    all += fmt::format("{}{} {}", all.empty() ? "" : ", ", name, config::print_scalar(*value));
  };
  add("request", timeouts.request);
  add("client_body", timeouts.client_body);
  add("response_head", timeouts.response_head);
  add("server_body", timeouts.server_body);
  return all;
}

// Route numbers count from 1, as people do.
void add_route(Lines& lines, const proxy::ListenerSettings& listener, std::size_t index) {
  const proxy::RouteSettings& route = listener.routes[index];
  lines.add("route", fmt::format("{}: {}", index + 1, print_match(route.match)), route.position);
  const std::string timeouts = print_timeouts(route.timeouts);
  if (!timeouts.empty()) lines.add("timeouts", timeouts, route.position);
}

void add_rejected_routes(Lines& lines, const proxy::ListenerSettings& listener, std::size_t tried,
                         const proxy::RouteInput& input) {
  for (std::size_t i = 0; i < std::min(tried, kRejectedMax); ++i) {
    const proxy::MatchSettings& match = listener.routes[i].match;
    const proxy::RouteMismatch mismatch =
        proxy::find_mismatch({match.host, match.path, match.path_prefix}, input);
    std::string why;
    if (mismatch.host) why = fmt::format("{}: the host is {}", print_hosts(match), input.host);
    if (mismatch.path) {
      why += fmt::format("{}{}: the path is {}", mismatch.host ? "; " : "", print_paths(match),
                         quote(input.path));
    }
    lines.add("  not", fmt::format("{}: {}", i + 1, why), listener.routes[i].position);
  }
  lines.add_more_rejected(tried);
}

// What comes after the first pick; nothing if it is always the same server.
std::string print_order(const backend::Backend& backend, const backend::ExplainedPick& pick) {
  const auto& order = pick.order;
  if (!pick.is_drawn && std::ranges::count(order, order.front()) == std::ssize(order)) return "";
  std::string text = pick.is_drawn ? ", drawn by chance, as in" : ", the first of";
  for (const auto server : order | std::views::take(kPicksShown)) {
    text += ' ' + backend.server(server).name();
  }
  return text + " ...";
}

// By what an algorithm found another server better.
std::string print_behind(const backend::JudgedServer& judged, const backend::Backend& backend) {
  const balance::BalanceSettings& balance = backend.settings().balance;
  const double score = judged.score.value_or(0);
  if (!balance.least_connections && !balance.power_of_two && !balance.hash) {
    return fmt::format("behind: score {:.4g}", score);
  }
  const std::uint32_t weight = backend.server(judged.server).weight();
  const auto leases = std::lround(score * weight);
  return fmt::format("{}: {} lease{} for weight {}",
                     balance.hash ? "the hash leads elsewhere" : "behind", leases,
                     leases == 1 ? "" : "s", weight);
}

// Why a server was not picked; nothing if it might have been.
std::string print_verdict(const backend::JudgedServer& judged, const backend::Backend& backend) {
  const backend::Server& server = backend.server(judged.server);
  switch (judged.verdict) {
    case ServerVerdict::picked:
    case ServerVerdict::usable:
      return "";
    case ServerVerdict::behind:
      return print_behind(judged, backend);
    case ServerVerdict::backup:
      return "a backup, while others can be used";
    case ServerVerdict::reserve:
      return "another priority, zone, subset or place comes first";
    case ServerVerdict::unplaced:
      return "of another zone (cross_zone: never)";
    case ServerVerdict::other_subset:
      return "of another subset";
    case ServerVerdict::refused_a_moment_ago:
      return fmt::format("refused a connection {:.1f} s ago",
                         std::chrono::duration<double>(judged.since_refusal).count());
    case ServerVerdict::full:
      return fmt::format("at its maxconn ({})", server.maxconn());
    case ServerVerdict::unresolved:
      return server.addresses()->problem;
    case ServerVerdict::weight_zero:
      return "weight 0";
    case ServerVerdict::draining:
      return "draining";
    case ServerVerdict::disabled:
      return "disabled";
  }
  return "";
}

void add_rejected_servers(Lines& lines, const backend::Backend& backend,
                          const backend::ExplainedPick& pick) {
  std::size_t rejected = 0;
  for (const backend::JudgedServer& judged : pick.servers) {
    const backend::Server& server = backend.server(judged.server);
    const std::string why = print_verdict(judged, backend);
    if (why.empty() || ++rejected > kRejectedMax) continue;
    lines.add("  not", fmt::format("{}: {}", server.name(), why),
              backend.settings().servers[balance::to_number(judged.server)].name.position);
  }
  lines.add_more_rejected(rejected);
}

// Whether a request would have to wait for a slot, as RetryPlan::pick() has it.
bool must_wait(const backend::Backend& backend, const backend::ExplainedPick& pick) {
  return pick.is_full ||
         (pick.has_candidates && backend.may_be_full() && backend.wait_queue().waiting() != 0);
}

// Where it is reached: "10.0.0.1:80", "app.internal:80 = 10.0.0.1, 10.0.0.2, for 3.2 s".
std::string print_address(const backend::Server& server, const Explained& explained,
                          const FoundListener& listener) {
  if (!server.address().is_name()) {
    net::Address address = server.address().address;
    if (address.port() == 0) address.set_port(listener.address.port());
    return address.to_string();
  }
  std::string text = server.address().to_string();
  if (explained.resolver == nullptr) return text + ", a name to be resolved";
  std::array<char, INET6_ADDRSTRLEN> space;
  for (const net::Address& address : server.addresses()->list) {
    const bool is_first = &address == server.addresses()->list.data();
    text += fmt::format("{}{}", is_first ? " = " : ", ", address.format_ip(space));
  }
  const auto answer = explained.resolver->find_answer(server.address().host);
  if (answer == nullptr) return text;
  if (!answer->problem.empty()) return text + ", outdated: " + answer->problem;
  const Duration left = answer->good_until - std::chrono::steady_clock::now();
  return text +
         fmt::format(", for {:.1f} s",
                     std::chrono::duration<double>(std::max(left, Duration::zero())).count());
}

// The server that was found, or none.
balance::ServerIndex add_server(Lines& lines, const Explained& explained,
                                const FoundListener& listener, proxy::BackendIndex place,
                                const backend::PickFor& request) {
  const backend::Backend& backend = *explained.snapshot.backends[std::to_underlying(place)];
  const backend::ExplainedPick pick = explained.picks.explain_pick(place, request);
  balance::ServerIndex found = balance::ServerIndex::none;
  if (must_wait(backend, pick)) {
    lines.add("queue", fmt::format("all that can be used are at their maxconn: it waits, for at "
                                   "most {}; {} wait already",
                                   config::print_scalar(backend.settings().timeouts.queue),
                                   backend.wait_queue().waiting()));
  } else if (pick.picked != balance::ServerIndex::none) {
    found = pick.picked;
    const backend::Server& server = backend.server(found);
    lines.add("server", fmt::format("{} ({}, weight {}){}", server.name(),
                                    print_address(server, explained, listener), server.weight(),
                                    print_order(backend, pick)));
  } else if (explained.settings.listeners[listener.index].protocol == proxy::Protocol::http) {
    lines.add_answer(ErrorKind::no_server, row_of(ErrorKind::no_server).sentence);
  } else {
    lines.add("answer", "the connection is reset: no server of the backend can be used");
  }
  add_rejected_servers(lines, backend, pick);
  return found;
}

// Each filter that the request passes; false: one of them replies.
bool add_filters(Lines& lines, const proxy::FilterChain& chain) {
  for (const auto& filter : chain.filters()) {
    lines.add("filter", fmt::format("{}: {}", filter->name(), filter->summary()),
              filter->position());
    if (!filter->always_replies()) continue;
    lines.add("answer", fmt::format("by filter {}", filter->name()));
    return false;
  }
  return true;
}

// The request, or the connection, that is asked about.
struct Asked {
  std::string bytes = {};  // of the request's head
  std::vector<http::Field> fields = {};
  http::RequestHead head = {};  // empty if it is a connection
  // Who asks; a client of this machine if the question does not say.
  net::PeerAddress client = *net::Address::parse("127.0.0.1:0");
};

proxy::ValueSource source_of(const Asked& asked, const proxy::ListenerUse& use) {
  return {.connection = nullptr,
          .client = asked.client,
          .listener_use = use,
          .attempts = nullptr,
          .backend = nullptr,
          .group = {},
          .began = {},
          .connect_time = {},
          .header_time = {},
          .error = {},
          .bytes_received = 0,
          .bytes_sent = 0,
          .request = &asked.head};
}

std::string print_share(double share) { return fmt::format("{:.4g} %", share * 100); }

// The group that it would be put in; where chance decides, the likeliest one.
proxy::GroupIndex add_group(Lines& lines, const Asked& asked, const proxy::ListenerUse& use,
                            const proxy::Split& split) {
  std::string shares;
  proxy::GroupIndex likeliest{};
  for (std::size_t i = 0; i < split.groups.size(); ++i) {
    const double share = split.shares.share_of(proxy::GroupIndex(i));
    shares += fmt::format("{}{} {}", i == 0 ? "" : ", ", split.groups[i].name, print_share(share));
    if (share > split.shares.share_of(likeliest)) likeliest = proxy::GroupIndex(i);
  }
  const auto add = [&](proxy::GroupIndex group, std::string_view why) {
    const auto& name = split.groups[static_cast<std::size_t>(group)].name;
    lines.add("group", fmt::format("{}: {} ({})", name, why, shares));
    return group;
  };
  if (split.key.text().empty()) return add(likeliest, "chance decides, this is the likeliest");
  std::string space(kKeyBytesMax, '\0');
  const auto bytes = split.key.write_key(source_of(asked, use), space);
  if (!bytes) {
    return add(likeliest, "split_key is empty, so chance decides, this is the likeliest");
  }
  const std::string_view key(space.data(), *bytes);
  const std::uint64_t point = proxy::point_of_key(key);
  return add(split.shares.group_at(point),
             fmt::format("split_key {} is at {}", quote(key),
                         print_share(std::ldexp(static_cast<double>(point), -64))));
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

std::optional<net::Address> address_from(const Question& question) {
  if (question.from.empty()) return std::nullopt;
  const auto from = net::Address::parse_with_optional_port(
      question.from.find(':') == std::string::npos ? question.from : "[" + question.from + "]");
  return from ? std::optional(*from) : std::nullopt;
}

// Whose request it is, if it comes from where the question says.
void add_client(Lines& lines, const Question& question, const proxy::Listener& listener,
                Asked& asked) {
  const std::optional<net::Address> from = address_from(question);
  if (!from) return;
  asked.client = *from;
  if (!listener.trusted_proxies.contains(*from)) {
    return lines.add("client", question.from + ", who is no trusted proxy");
  }
  std::array<char, INET6_ADDRSTRLEN> text;
  const auto client = proxy::find_client(asked.head.fields, listener);
  if (client) asked.client = *client;
  lines.add("client", client ? fmt::format("{}, as the trusted proxy {} says",
                                           client->format_ip(text), question.from)
                             : question.from + ", a trusted proxy that says of nobody else");
}

// What the backend goes by of the request.
backend::PickFor explain_pick_for(Lines& lines, const backend::Backend& backend, const Asked& asked,
                                  const proxy::ListenerUse& use) {
  if (!backend.goes_by_request()) return {};
  const proxy::ValueSource source = source_of(asked, use);
  std::string space(kKeyBytesMax, '\0');
  if (const proxy::TemplateKey* const key = proxy::key_of(backend)) {
    const auto text = key->write(source, space);
    lines.add("key", text ? fmt::format("{} = {}", key->text().text(), quote(*text))
                          : fmt::format("{}: the request has none of it, so the server is drawn",
                                        key->text().text()));
  }
  if (const proxy::TemplateKey* const key = proxy::subset_key_of(backend)) {
    const auto name = key->write(source, space);
    const bool is_known = name && backend.find_subset(*name) != balance::SubsetIndex::none;
    lines.add("subset", fmt::format("{}{}{}", key->text().text(),
                                    name ? " = " + quote(*name) : ": not in the request",
                                    is_known ? "" : ": no server is in it"));
  }
  if (backend.geo() != nullptr) {
    std::array<char, INET6_ADDRSTRLEN> ip;
    const auto at = backend.geo()->find(asked.client);
    lines.add("place", at ? fmt::format("{} is at {:.2f}, {:.2f}", asked.client.format_ip(ip),
                                        at->latitude, at->longitude)
                          : fmt::format("where {} is, is not known: it is drawn",
                                        asked.client.format_ip(ip)));
  }
  return proxy::find_pick_for(backend, source, space);
}

// The route, if one matches; lines say why others, or all, do not.
RouteIndex explain_request(Lines& lines, const Question& question, const Url& url,
                           const proxy::ListenerSettings& settings,
                           const proxy::ServedListener& served, Asked& asked) {
  const proxy::Listener& listener = *served.listener;
  asked.bytes = head_of(question, url);
  asked.fields.resize(listener.head_limits.fields);
  http::RequestHead& head = asked.head;
  head.fields = http::FieldList(asked.fields);
  const auto parsed = http1::parse_request_head(asked.bytes, 0, listener.head_limits, head);
  if (parsed.status != http1::ParseStatus::complete) {
    const http1::Rule rule = http1::find_rule(parsed.error);
    lines.add_answer(parsed.error.kind, http1::row_of(rule).sentence);
    return RouteIndex::none;
  }
  add_client(lines, question, listener, asked);
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

void add_backend(Lines& lines, const Explained& explained, const backend::Backend& backend) {
  const backend::BackendSettings& settings = backend.settings();
  lines.add("backend",
            fmt::format("{} ({})", backend.name(), balance::picker_of(settings.balance).name),
            settings.name.position);
  if (explained.workers > 1) {
    lines.add("worker",
              fmt::format("0 of {}: where the others stand may differ", explained.workers));
  }
}

// What becomes of it behind its route.
void explain_route(Lines& lines, const Explained& explained, const FoundListener& listener,
                   const Asked& asked, Explanation& explanation) {
  const proxy::ServedListener& served = explained.snapshot.listeners[listener.index];
  const auto place = static_cast<std::size_t>(explanation.route);
  const proxy::ListenerUse use(served.listener, listener.address.port(), 0);
  proxy::BackendIndex index = served.route_backends[place];
  const proxy::FilterChain* filters = served.route_filters[place].get();
  const auto split = std::ranges::find_if(
      served.splits, [&](const auto& one) { return one->route == explanation.route; });
  if (split != served.splits.end()) {
    const auto group = static_cast<std::size_t>(add_group(lines, asked, use, **split));
    index = (*split)->groups[group].backend;
    filters = (*split)->groups[group].filters.get();
  }
  if (filters != nullptr && !add_filters(lines, *filters)) {
    explanation.is_served = true;
    return;
  }
  const backend::Backend& backend = *explained.snapshot.backends[std::to_underlying(index)];
  add_backend(lines, explained, backend);
  const backend::PickFor pick_for = explain_pick_for(lines, backend, asked, use);
  explanation.server = add_server(lines, explained, listener, index, pick_for);
  explanation.is_served = explanation.server != balance::ServerIndex::none;
}

}  // namespace

std::expected<Explanation, std::string> explain(const Explained& explained,
                                                const Question& question) {
  const auto url = check(question);
  if (!url) return Refused(url.error());
  const auto found = question.listener.empty() ? find_listener(*url, explained)
                                               : find_named(question.listener, *url, explained);
  if (!found) return Refused(found.error());
  const proxy::ListenerSettings& settings = explained.settings.listeners[found->index];
  const proxy::ServedListener& served = explained.snapshot.listeners[found->index];
  const proxy::Listener& listener = *served.listener;
  const std::string address = print_addresses(explained.addresses[found->index]);

  Lines lines(explained.file);
  lines.add(
      "listener",
      fmt::format("{} ({}, {}){}", listener.name, address, name_of(listener.protocol), found->why),
      settings.position);
  Asked asked;
  if (const auto from = address_from(question)) asked.client = *from;
  if (listener.protocol == proxy::Protocol::tcp && !question.from.empty()) {
    const auto tunnel_backend = std::to_underlying(served.route_backends[0]);
    const bool goes_by_it =
        !served.splits.empty() || explained.snapshot.backends[tunnel_backend]->goes_by_request();
    lines.add("client", question.from + (goes_by_it ? "" : ": nothing depends on it"));
  }
  Explanation explanation;
  explanation.route = listener.protocol == proxy::Protocol::http
                          ? explain_request(lines, question, *url, settings, served, asked)
                          : RouteIndex{0};
  if (explanation.route != RouteIndex::none) {
    explain_route(lines, explained, *found, asked, explanation);
  }
  explanation.text = fmt::format("{} {}\n{}", question.method, question.url, lines.take());
  return explanation;
}

FreshConfiguration::FreshConfiguration(const Settings& settings, std::string_view file)
    : settings_(settings), file_(file), registry_(1), snapshot_(compile(settings, registry_)) {
  for (const proxy::ListenerSettings& listener : settings.listeners) {
    auto& addresses = addresses_.emplace_back();
    for (const auto& address : addresses_of(listener)) addresses.push_back(*address);
  }
  // Nothing is asked: names are taken to resolve.
  for (const auto& backend : snapshot_.backends) {
    for (const auto& server : backend->servers()) {
      if (!server->address().is_name()) continue;
      server->set_addresses(std::make_shared<const backend::ServerAddresses>());
    }
    backend->renew_candidates(TimePoint::min());
  }
}

std::expected<Explanation, std::string> FreshConfiguration::explain(const Question& question) {
  return app::explain({.settings = settings_,
                       .file = file_,
                       .snapshot = snapshot_,
                       .addresses = addresses_,
                       .picks = *this},
                      question);
}

backend::ExplainedPick FreshConfiguration::explain_pick(proxy::BackendIndex backend,
                                                        const backend::PickFor& request) {
  const backend::ServerChoice choice(*snapshot_.backends[std::to_underlying(backend)],
                                     balance::WorkerIndex{0}, 1);
  return choice.explain(request, Random(1), TimePoint{});
}

}  // namespace weir::app
