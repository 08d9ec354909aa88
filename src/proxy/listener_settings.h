#pragma once
// What a configuration says of a listener and its routes.

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/byte_count.h"
#include "base/time.h"
#include "config/description.h"
#include "net/address.h"
#include "net/cidr.h"
#include "net/tcp_settings.h"
#include "proxy/client_limit.h"
#include "proxy/filter_entry.h"
#include "proxy/log_format.h"
#include "proxy/router.h"
#include "proxy/split_settings.h"

namespace weir::proxy {

using namespace std::chrono_literals;

enum class Protocol : std::uint8_t { http, tcp };
constexpr auto names_of(Protocol) {
  return std::to_array<std::pair<std::string_view, Protocol>>(
      {{"http", Protocol::http}, {"tcp", Protocol::tcp}});
}

struct AccessLogSettings {
  LogFormat format = {};
  config::Located<std::string> path{std::string("stdout")};
};

template <class V>
void describe(V& v, AccessLogSettings& s) {
  v.field("format", s.format,
          "How a line looks: `combined`, `json`, or text with `${values}`; `off` writes none.")
      .length_max(4096);
  v.field("path", s.path, "The file that lines are appended to, or `stdout` or `stderr`.")
      .length_min(1)
      .length_max(4096);
}

struct MatchSettings {
  std::vector<HostPattern> host;
  std::vector<RoutePath> path;
  std::vector<RoutePath> path_prefix;
};

template <class V>
void describe(V& v, MatchSettings& s) {
  v.field("host", s.host,
          "Host of the request: a name, `*.example.com`, `api-beta.*` or `*`; one or a list.")
      .or_single();
  v.field("path", s.path, "The whole path of the request; one or a list.").or_single();
  v.field("path_prefix", s.path_prefix,
          "First segments of the path: `/users` is `/users` and all below it; one or a list.")
      .or_single();
}

// Of a route's requests; what is not written is as its listener and backend say.
struct RouteTimeouts {
  std::optional<Duration> request;
  std::optional<Duration> client_body;
  std::optional<Duration> response_head;
  std::optional<Duration> server_body;
};

template <class V>
void describe(V& v, RouteTimeouts& s) {
  v.field("request", s.request,
          "How long a request may take in all, from its whole head to the last byte of its "
          "response, with all attempts; without it, any time. Not what follows an upgrade.")
      .range(1ms, 24h);
  v.field("client_body", s.client_body, "Instead of the listener's timeouts.client_body.")
      .range(1ms, 24h);
  v.field("response_head", s.response_head, "Instead of the backend's timeouts.response_head.")
      .range(1ms, 24h);
  v.field("server_body", s.server_body, "Instead of the backend's timeouts.server_body.")
      .range(1ms, 24h);
}

struct RouteSettings : SplitSettings {
  config::Position position;
  MatchSettings match;
  std::vector<FilterEntry> filters;
  config::Located<std::string> backend;
  RouteTimeouts timeouts;
};

template <class V>
void describe(V& v, RouteSettings& s) {
  v.field("match", s.match, "What requests the route is for; without it, all.");
  v.field("filters", s.filters,
          "What requests of the route pass, in this order, behind those of the listener.");
  v.field("backend", s.backend,
          "Name of the backend that answers; not needed behind a filter that replies to all.");
  describe(v, static_cast<SplitSettings&>(s));
  v.field("timeouts", s.timeouts, "How long requests of the route may take.");
}

// Fields by which servers learn whose request it is.
enum class ClientField : std::uint8_t {
  x_forwarded_for,
  x_forwarded_proto,
  x_forwarded_host,
  x_forwarded_port,
  x_real_ip,
  forwarded,
};
constexpr auto names_of(ClientField) {
  return std::to_array<std::pair<std::string_view, ClientField>>(
      {{"x_forwarded_for", ClientField::x_forwarded_for},
       {"x_forwarded_proto", ClientField::x_forwarded_proto},
       {"x_forwarded_host", ClientField::x_forwarded_host},
       {"x_forwarded_port", ClientField::x_forwarded_port},
       {"x_real_ip", ClientField::x_real_ip},
       {"forwarded", ClientField::forwarded}});
}

// Which of them a trusted proxy's word is taken for.
enum class ClientAddressField : std::uint8_t { x_forwarded_for, forwarded };
constexpr auto names_of(ClientAddressField) {
  return std::to_array<std::pair<std::string_view, ClientAddressField>>(
      {{"x_forwarded_for", ClientAddressField::x_forwarded_for},
       {"forwarded", ClientAddressField::forwarded}});
}

struct ForwardedSettings {
  std::vector<ClientField> write = {ClientField::x_forwarded_for, ClientField::x_forwarded_proto,
                                    ClientField::x_forwarded_host};
  ClientAddressField read = ClientAddressField::x_forwarded_for;
};

template <class V>
void describe(V& v, ForwardedSettings& s) {
  v.field("write", s.write,
          "Fields by which servers are told of the client; what trusted proxies said in them is "
          "kept and added to, what others said is removed from the request.")
      .size(0, 6)
      .or_single();
  v.field("read", s.read, "The field in which trusted proxies say who the client is.");
}

struct ListenerTimeouts {
  Duration client_head = 10s;
  Duration client_body = 30s;
  Duration keep_alive = 75s;
  Duration tunnel_idle = 1h;
};

template <class V>
void describe(V& v, ListenerTimeouts& s) {
  v.field("client_head", s.client_head, "How long a client may take for a whole request head.")
      .range(1ms, 1h);
  v.field("client_body", s.client_body,
          "How long a client may be silent within a body, or take nothing of a response.")
      .range(1ms, 24h);
  v.field("keep_alive", s.keep_alive, "How long a connection may wait for its next request.")
      .range(1ms, 24h);
  v.field("tunnel_idle", s.tunnel_idle,
          "How long a tunnel (of protocol: tcp, or upgraded) may carry nothing.")
      .range(1ms, 168h);
}

struct ListenerLimits {
  ByteCount head_bytes{32 * 1024};
  std::uint32_t head_fields = 128;
  std::optional<ByteCount> body_bytes;
  std::optional<std::uint64_t> requests_per_connection;
  std::optional<std::uint32_t> connections_per_client;
  ClientPrefixes client_prefixes;
};

template <class V>
void describe(V& v, ClientPrefixes& s) {
  v.field("ipv4", s.ipv4, "Bits of an IPv4 address that tell clients apart; 32 is all of it.")
      .range(1, 32);
  v.field("ipv6", s.ipv6, "Bits of an IPv6 address; most clients have a network of 64 bits.")
      .range(1, 128);
}

template <class V>
void describe(V& v, ListenerLimits& s) {
  v.field("head_bytes", s.head_bytes, "Largest head of a request.")
      .range(ByteCount{1024}, ByteCount{256 * 1024});
  v.field("head_fields", s.head_fields, "Most header fields of a request.").range(8, 200);
  v.field("body_bytes", s.body_bytes, "Largest body of a request; without it, any.");
  v.field("requests_per_connection", s.requests_per_connection,
          "Requests a client connection may carry before it is closed; without it, any number.")
      .range(1, UINT64_MAX);
  v.field("connections_per_client", s.connections_per_client,
          "Connections that a client (by its address; behind a header of the PROXY protocol, the "
          "one that it names) may have open with the listener, over all workers; more are reset. "
          "Without it, any number.")
      .range(1, 10'000'000);
  v.field("client_prefixes", s.client_prefixes,
          "How much of their addresses tells clients apart for connections_per_client.");
}

struct ListenerSettings : SplitSettings {
  config::Position position;
  config::Located<std::string> name;
  config::Located<net::Address> address;  // if there are no addresses
  std::vector<config::Located<net::Address>> addresses;
  Protocol protocol = Protocol::http;
  std::vector<FilterEntry> filters;
  std::vector<RouteSettings> routes;
  config::Located<std::string> backend;
  std::optional<std::uint32_t> maxconn;
  std::vector<net::Cidr> trusted_proxies;
  config::Located<bool> proxy_protocol;
  ForwardedSettings forwarded;
  config::Located<std::string> via;
  config::Located<std::string> request_id;
  ListenerTimeouts timeouts;
  ListenerLimits limits;
  net::ListenerTcpSettings tcp;
  AccessLogSettings access_log;
};

// All of them, whichever key they were written under.
inline std::span<const config::Located<net::Address>> addresses_of(
    const ListenerSettings& s WEIR_LIFETIMEBOUND) {
  if (!s.addresses.empty()) return s.addresses;
  return {&s.address, 1};
}

template <class V>
void describe(V& v, ListenerSettings& s) {
  v.field("name", s.name, "Name of the listener, unique.").required().length_min(1).length_max(128);
  v.field("address", s.address, "Where clients connect to; port 0 is any free one.").required();
  v.field("addresses", s.addresses,
          "Several of them. `[::]:PORT` takes IPv4 as well, unless `0.0.0.0:PORT` is listened on.")
      .instead_of("address")
      .size(1, 64);
  v.field("protocol", s.protocol,
          "What is spoken: `tcp` passes bytes on and makes no content decisions.");
  v.field("filters", s.filters,
          "What every request passes, in this order (protocol: http); responses pass it in the "
          "reverse one.");
  v.field("routes", s.routes,
          "Which backend answers which request (protocol: http); the first that matches.");
  v.field("backend", s.backend, "The backend of every request or connection, instead of routes.");
  describe(v, static_cast<SplitSettings&>(s));
  v.field("maxconn", s.maxconn,
          "Client connections of the listener at a time, over all workers (each worker may accept "
          "one too many); more wait in the kernel's queue. Without it, any number.")
      .range(1, 10'000'000);
  v.field("trusted_proxies", s.trusted_proxies,
          "Networks of proxies whose word on the client (see forwarded) is believed.");
  v.field(
      "proxy_protocol", s.proxy_protocol,
      "Connections from trusted_proxies begin with a header of the PROXY protocol, version 1 or "
      "2, which names the client; a connection without one is ended.");
  v.field("forwarded", s.forwarded, "What is said and believed of the client (protocol: http).");
  v.field("via", s.via,
          "A name for Via (RFC 9110 7.6.3), in requests and responses; a request that has it "
          "already is a loop and is refused. Empty: none is written.")
      .length_max(64);
  v.field("request_id", s.request_id,
          "Name of a field that carries an id for each request: a trusted proxy's, or a new one of "
          "32 hexadecimal digits. Empty: none.")
      .length_max(64);
  v.field("timeouts", s.timeouts, "How long clients may take.");
  v.field("limits", s.limits, "How much clients may send, and how many connections they may have.");
  v.field("tcp", s.tcp, "What TCP does for clients' connections (not those of unix sockets).");
  v.field("access_log", s.access_log, "A line for each request or tunnel.");
}

}  // namespace weir::proxy
