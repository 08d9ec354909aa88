#include "proxy/value.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstring>
#include <fmt/format.h>
#include <sys/un.h>
#include <vector>

#include "config/text.h"
#include "protocol/http/authority.h"
#include "protocol/http/characters.h"
#include "protocol/http/message.h"
#include "proxy/attempt_log.h"
#include "proxy/worker_listener.h"

namespace weir::proxy {
namespace {

// Puts a text together; there is always room.
class Writer {
 public:
  explicit Writer(ValueSpace& space) noexcept : space_(space) {}
  Writer& add(std::string_view text) noexcept {
    WEIR_ASSERT(text.size() <= space_.size() - bytes_);
    std::ranges::copy(text, space_.begin() + static_cast<std::ptrdiff_t>(bytes_));
    bytes_ += text.size();
    return *this;
  }
  // With zeros before it, up to `digits` digits.
  Writer& add(std::uint64_t number, std::size_t digits = 1) noexcept {
    std::array<char, 20> text;
    const char* const end = std::to_chars(text.data(), text.data() + text.size(), number).ptr;
    const auto size = static_cast<std::size_t>(end - text.data());
    for (std::size_t i = size; i < digits; ++i) add("0");
    return add({text.data(), size});
  }
  std::string_view text() const noexcept { return {space_.data(), bytes_}; }

 private:
  ValueSpace& space_;
  std::size_t bytes_ = 0;
};

std::string_view write_number(std::uint64_t number, ValueSpace& space) noexcept {
  return Writer(space).add(number).text();
}

// Seconds with six decimals; nothing for a moment that was not come to.
std::string_view write_seconds(Duration duration, ValueSpace& space) noexcept {
  if (duration < Duration::zero()) return {};
  const auto us =
      static_cast<std::uint64_t>(std::chrono::floor<std::chrono::microseconds>(duration).count());
  return Writer(space).add(us / 1'000'000).add(".").add(us % 1'000'000, 6).text();
}

// RFC 3339 in UTC with milliseconds.
std::string_view write_utc(WallTime time, ValueSpace& space) noexcept {
  using namespace std::chrono;
  const auto day = floor<days>(time);
  const year_month_day date(day);
  const hh_mm_ss clock(floor<milliseconds>(time - day));
  const auto number = [](auto value) { return static_cast<std::uint64_t>(value); };
  Writer writer(space);
  writer.add(number(static_cast<int>(date.year())), 4).add("-");
  writer.add(static_cast<unsigned>(date.month()), 2).add("-");
  writer.add(static_cast<unsigned>(date.day()), 2).add("T");
  writer.add(number(clock.hours().count()), 2).add(":");
  writer.add(number(clock.minutes().count()), 2).add(":");
  writer.add(number(clock.seconds().count()), 2).add(".");
  writer.add(number(clock.subseconds().count()), 3).add("Z");
  return writer.text();
}

std::string_view write_address(const net::Address& address, std::uint16_t port,
                               ValueSpace& space) noexcept {
  Writer writer(space);
  if (address.is_unix()) {
    const auto* unix_path = reinterpret_cast<const sockaddr_un*>(address.view().address);
    const std::string_view path(unix_path->sun_path,
                                ::strnlen(unix_path->sun_path, sizeof unix_path->sun_path));
    return writer.add("unix:").add(path).text();
  }
  std::array<char, INET6_ADDRSTRLEN> space_of_ip;
  const std::string_view ip = address.format_ip(space_of_ip);
  if (address.family() == AF_INET6) {
    writer.add("[").add(ip).add("]:");
  } else {
    writer.add(ip).add(":");
  }
  return writer.add(port).text();
}

const backend::Server* server_of(const ValueSource& source) noexcept {
  if (source.attempts == nullptr) return nullptr;
  const backend::ServerPool* pool = source.attempts->last_server();
  return pool == nullptr ? nullptr : &pool->server();
}

// nullptr: a tunnel, or no request could be read.
const http::RequestHead* request_of(const ValueSource& source) noexcept {
  const bool is_none = source.request == nullptr || source.request->method_text.empty();
  return is_none ? nullptr : source.request;
}

std::string_view value_of(const http::FieldList& fields, std::string_view name) noexcept {
  const http::Field* field = fields.find(name);
  return field == nullptr ? std::string_view() : field->value;
}

// Takes what is before the separator from `list`, and the separator.
std::string_view take_item(std::string_view& list, char separator) noexcept {
  const std::size_t end = std::min(list.find(separator), list.size());
  const std::string_view item = list.substr(0, end);
  list.remove_prefix(std::min(end + 1, list.size()));
  return item;
}

// name=value; false: it is not that name's.
bool take_value(std::string_view pair, std::string_view name, std::string_view& value) noexcept {
  if (take_item(pair, '=') != name) return false;
  value = pair;
  return true;
}

std::string_view find_cookie(const http::FieldList& fields, std::string_view name) noexcept {
  std::string_view value;
  for (const http::Field& field : fields) {
    if (field.id != http::FieldId::cookie) continue;
    std::string_view cookies = field.value;
    while (!cookies.empty()) {
      std::string_view cookie = take_item(cookies, ';');
      while (cookie.starts_with(' ') || cookie.starts_with('\t')) cookie.remove_prefix(1);
      if (take_value(cookie, name, value)) return value;
    }
  }
  return {};
}

std::string_view find_parameter(std::string_view query, std::string_view name) noexcept {
  std::string_view value;
  while (!query.empty()) {
    if (take_value(take_item(query, '&'), name, value)) return value;
  }
  return {};
}

std::string_view host_of(const http::RequestHead& request) noexcept {
  const auto authority = http::parse_authority(request.authority);
  return authority ? authority->host : std::string_view();
}

std::string_view backend_name(const ValueSource& source) noexcept {
  if (const backend::Server* server = server_of(source)) return server->backend_name();
  if (source.backend == nullptr) return {};
  return source.backend->backend().name();
}

// ---- The rows

std::string_view client_address(const ValueSource& source, std::string_view /*name*/,
                                ValueSpace& space) noexcept {
  return source.client.format_ip(std::span(space).first<INET6_ADDRSTRLEN>());
}

std::string_view client_subnet(const ValueSource& source, std::string_view /*name*/,
                               ValueSpace& space) noexcept {
  if (source.client.is_unix()) return {};
  return net::first_of_subnet(source.client).format_ip(std::span(space).first<INET6_ADDRSTRLEN>());
}

std::string_view client_port(const ValueSource& source, std::string_view /*name*/,
                             ValueSpace& space) noexcept {
  const bool has_port = !source.client.is_unix() && source.client.port() != 0;
  return has_port ? write_number(source.client.port(), space) : std::string_view();
}

std::string_view listener_name(const ValueSource& source, std::string_view /*name*/,
                               ValueSpace& /*space*/) noexcept {
  return source.listener_use.listener->name;
}

std::string_view listener_port(const ValueSource& source, std::string_view /*name*/,
                               ValueSpace& space) noexcept {
  const std::uint16_t port = source.listener_use.port;
  return port == 0 ? std::string_view() : write_number(port, space);
}

// A text of the request's head as it is.
template <std::string_view http::RequestHead::* Part>
std::string_view request_text(const ValueSource& source, std::string_view /*name*/,
                              ValueSpace& /*space*/) noexcept {
  const http::RequestHead* request = request_of(source);
  return request == nullptr ? std::string_view() : request->*Part;
}

std::string_view request_scheme(const ValueSource& source, std::string_view /*name*/,
                                ValueSpace& /*space*/) noexcept {
  return source.request == nullptr ? "" : "http";
}

std::string_view request_id(const ValueSource& source, std::string_view /*name*/,
                            ValueSpace& /*space*/) noexcept {
  return source.request_id;
}

std::string_view request_host(const ValueSource& source, std::string_view /*name*/,
                              ValueSpace& /*space*/) noexcept {
  const http::RequestHead* request = request_of(source);
  return request == nullptr ? std::string_view() : host_of(*request);
}

std::string_view request_version(const ValueSource& source, std::string_view /*name*/,
                                 ValueSpace& /*space*/) noexcept {
  const http::RequestHead* request = request_of(source);
  if (request == nullptr) return {};
  return request->version == http::Version::http_1_1 ? "HTTP/1.1" : "HTTP/1.0";
}

std::string_view request_header(const ValueSource& source, std::string_view name,
                                ValueSpace& /*space*/) noexcept {
  const http::RequestHead* request = request_of(source);
  return request == nullptr ? std::string_view() : value_of(request->fields, name);
}

std::string_view request_cookie(const ValueSource& source, std::string_view name,
                                ValueSpace& /*space*/) noexcept {
  const http::RequestHead* request = request_of(source);
  return request == nullptr ? std::string_view() : find_cookie(request->fields, name);
}

std::string_view request_parameter(const ValueSource& source, std::string_view name,
                                   ValueSpace& /*space*/) noexcept {
  const http::RequestHead* request = request_of(source);
  return request == nullptr ? std::string_view() : find_parameter(request->query, name);
}

std::string_view request_body_bytes(const ValueSource& source, std::string_view /*name*/,
                                    ValueSpace& space) noexcept {
  return write_number(source.bytes_received, space);
}

std::string_view response_status(const ValueSource& source, std::string_view /*name*/,
                                 ValueSpace& space) noexcept {
  return source.status == 0 ? std::string_view() : write_number(source.status, space);
}

std::string_view response_header(const ValueSource& source, std::string_view name,
                                 ValueSpace& /*space*/) noexcept {
  return source.response == nullptr ? std::string_view() : value_of(source.response->fields, name);
}

std::string_view response_body_bytes(const ValueSource& source, std::string_view /*name*/,
                                     ValueSpace& space) noexcept {
  return write_number(source.bytes_sent, space);
}

std::string_view route_group(const ValueSource& source, std::string_view /*name*/,
                             ValueSpace& /*space*/) noexcept {
  return source.group;
}

std::string_view name_of_backend(const ValueSource& source, std::string_view /*name*/,
                                 ValueSpace& /*space*/) noexcept {
  return backend_name(source);
}

std::string_view server_name(const ValueSource& source, std::string_view /*name*/,
                             ValueSpace& /*space*/) noexcept {
  const backend::Server* server = server_of(source);
  return server == nullptr ? std::string_view() : server->name();
}

std::string_view server_address(const ValueSource& source, std::string_view /*name*/,
                                ValueSpace& space) noexcept {
  const backend::Server* server = server_of(source);
  if (server == nullptr) return {};
  const backend::PoolAddress* reached = source.attempts->last_address();
  if (reached == nullptr && server->address().is_name()) return server->authority();
  const net::Address& address = reached == nullptr ? server->address().address : reached->address;
  const std::uint16_t port = address.port();
  return write_address(address, port == 0 ? source.listener_use.port : port, space);
}

std::string_view attempts(const ValueSource& source, std::string_view /*name*/,
                          ValueSpace& space) noexcept {
  return write_number(source.attempts == nullptr ? 0 : source.attempts->size(), space);
}

std::string_view reason(const ValueSource& source, std::string_view /*name*/,
                        ValueSpace& /*space*/) noexcept {
  if (source.error.kind == ErrorKind::none) return {};
  return row_of(source.error.kind).word;
}

std::string_view time_total(const ValueSource& source, std::string_view /*name*/,
                            ValueSpace& space) noexcept {
  if (source.connection == nullptr) return {};
  return write_seconds(source.connection->worker.worker().now() - source.began, space);
}

std::string_view time_connect(const ValueSource& source, std::string_view /*name*/,
                              ValueSpace& space) noexcept {
  return write_seconds(source.connect_time, space);
}

std::string_view time_first_byte(const ValueSource& source, std::string_view /*name*/,
                                 ValueSpace& space) noexcept {
  return write_seconds(source.header_time, space);
}

std::string_view time_now(const ValueSource& source, std::string_view /*name*/,
                          ValueSpace& space) noexcept {
  if (source.connection == nullptr) return {};
  return write_utc(source.connection->worker.worker().reactor().wall_now(), space);
}

std::string_view time_local(const ValueSource& source, std::string_view /*name*/,
                            ValueSpace& /*space*/) noexcept {
  if (source.connection == nullptr) return {};
  return source.connection->worker.local_time();
}

constexpr auto kNone = ValueName::none;
constexpr auto kRequest = Known::request;
constexpr auto kRoute = Known::route;
constexpr auto kResponse = Known::response;

constexpr std::array kRows = {
    ValueRow{"client.address", kNone, kRequest,
             "IP address of the client, without port; `unix` over a unix socket.", &client_address},
    ValueRow{"client.subnet", kNone, kRequest,
             "First address of the network that the client is in: the first 24 bits of an IPv4 "
             "address, the first 64 of an IPv6 one.",
             &client_subnet},
    ValueRow{"client.port", kNone, kRequest, "Port of the client, if it is known.", &client_port},
    ValueRow{"listener.name", kNone, kRequest, "Name of the listener.", &listener_name},
    ValueRow{"listener.port", kNone, kRequest, "Port that the listener has got.", &listener_port},
    ValueRow{"request.method", kNone, kRequest, "Method, as received.",
             &request_text<&http::RequestHead::method_text>},
    ValueRow{"request.id", kNone, kRequest, "Id of the request; see the listener's `request_id`.",
             &request_id},
    ValueRow{"request.scheme", kNone, kRequest, "`http`.", &request_scheme},
    ValueRow{"request.host", kNone, kRequest,
             "Host that is asked for, as received or as a filter set it, without port; an IPv6 "
             "address in brackets.",
             &request_host},
    ValueRow{"request.target", kNone, kRequest, "Target of the request line, as received.",
             &request_text<&http::RequestHead::target>},
    ValueRow{"request.path", kNone, kRequest, "Path of the target, as received, without query.",
             &request_text<&http::RequestHead::path>},
    ValueRow{"request.query", kNone, kRequest, "Query of the target, as received, without `?`.",
             &request_text<&http::RequestHead::query>},
    ValueRow{"request.version", kNone, kRequest, "`HTTP/1.1` or `HTTP/1.0`.", &request_version},
    ValueRow{"request.header.", ValueName::token, kRequest,
             "Value of the first header field of that name; case means nothing.", &request_header},
    ValueRow{"request.cookie.", ValueName::token, kRequest,
             "Value of the first cookie of that name, as received.", &request_cookie},
    ValueRow{"request.query.", ValueName::query, kRequest,
             "Value of the first parameter of that name in the query, neither of them decoded.",
             &request_parameter},
    ValueRow{"request.body_bytes", kNone, Known::end,
             "Bytes of the request's body; of a tunnel, all from the client.", &request_body_bytes},
    ValueRow{"response.status", kNone, kResponse, "Status that the client gets.", &response_status},
    ValueRow{
        "response.header.", ValueName::token, kResponse,
        "Value of the first header field of that name in the response that the client gets; case "
        "means nothing.",
        &response_header},
    ValueRow{"response.body_bytes", kNone, Known::end,
             "Bytes of the response's body that were sent; of a tunnel, all to the client.",
             &response_body_bytes},
    ValueRow{"route.group", kNone, kRoute, "Name of the group, of a route with a `split`.",
             &route_group},
    ValueRow{"backend.name", kNone, kRoute, "Name of the backend, once the route is found.",
             &name_of_backend},
    ValueRow{"server.name", kNone, kResponse, "Name of the server, the last one tried.",
             &server_name},
    ValueRow{
        "server.address", kNone, kResponse,
        "Its address and port; of a server with a host name, the one of its addresses that was "
        "used.",
        &server_address},
    ValueRow{"attempts", kNone, kResponse, "How many servers were tried.", &attempts},
    ValueRow{"reason", kNone, Known::end, "Why it failed, one word of [errors](errors.md).",
             &reason},
    ValueRow{"time.total", kNone, kRequest,
             "Seconds since the first byte of the request, or the accept of a tunnel.",
             &time_total},
    ValueRow{"time.connect", kNone, kResponse,
             "Seconds to connect to the server; 0 if the connection was open already.",
             &time_connect},
    ValueRow{"time.first_byte", kNone, kResponse,
             "Seconds from the start of the request to the server to its response head; of a "
             "tunnel from the connect to the server's first byte.",
             &time_first_byte},
    ValueRow{"time.now", kNone, kRequest, "Time of day in UTC: 2026-11-21T12:50:30.776Z.",
             &time_now},
    ValueRow{"time.local", kNone, kRequest,
             "Time of day where Weir runs, as in the combined log: 21/Nov/2026:12:48:40 +0000.",
             &time_local},
};

bool is_in_query_name(char c) noexcept {
  return http::is_in(http::CharacterClass::target, c) && c != '&' && c != '=';
}

bool is_name(ValueName kind, std::string_view name) noexcept {
  const auto is_allowed = [kind](char c) {
    return kind == ValueName::query ? is_in_query_name(c)
                                    : http::is_in(http::CharacterClass::token, c);
  };
  return !name.empty() && std::ranges::all_of(name, is_allowed);
}

std::string full_name(const ValueRow& row) {
  return std::string(row.name) + (row.takes == ValueName::none ? "" : "NAME");
}

std::string unknown_value(std::string_view name) {
  // What stands for NAME is taken over: only what is before it can be wrong.
  const std::size_t dot = std::min(name.find('.'), name.size());
  const std::size_t second_dot = std::min(name.find('.', dot + 1), name.size());
  const std::string_view rest = name.substr(std::min(second_dot + 1, name.size()));
  std::vector<std::string> candidates;
  for (const ValueRow& row : kRows) {
    const std::string_view taken = row.takes == ValueName::none ? "" : rest;
    candidates.push_back(std::string(row.name) + std::string(taken));
  }
  config::Nearest nearest(name);
  for (const std::string& candidate : candidates) nearest.consider(candidate);
  return "unknown value " + config::quote(name) + nearest.hint();
}

std::string_view word_of(Known known) noexcept {
  switch (known) {
    case Known::request:
      return "request";
    case Known::route:
      return "route";
    case Known::response:
      return "response";
    case Known::end:
      return "end";
  }
  return {};
}

}  // namespace

std::span<const ValueRow> value_rows() noexcept { return kRows; }

std::expected<ValueReference, std::string> find_value(std::string_view name, Known at) {
  for (const ValueRow& row : kRows) {
    const bool is_open = row.takes != ValueName::none;
    if (is_open ? !name.starts_with(row.name) : name != row.name) continue;
    const std::string_view rest = name.substr(row.name.size());
    if (is_open && !is_name(row.takes, rest)) {
      return std::unexpected(config::quote(rest) + " cannot stand for NAME in " + full_name(row));
    }
    if (row.known > at) {
      return std::unexpected(
          fmt::format("{} is not known before the {}", config::quote(name), word_of(row.known)));
    }
    return ValueReference{.row = &row, .name = rest};
  }
  return std::unexpected(unknown_value(name));
}

bool is_response_field(const ValueRow& row) noexcept { return row.text == &response_header; }

std::string values_reference() {
  std::string page =
      "# Values\n\nWhat templates and log formats write as `${NAME}`, and from when on it is "
      "known: "
      "the request's\nhead, its route, the head of the response, or the end. A "
      "value that there is not is empty, "
      "in a log `-`.\n[Templates](../guide/templates.md) says how they are written.\n\n"
      "| value | known from | meaning |\n| --- | --- | --- |\n";
  for (const ValueRow& row : kRows) {
    page += fmt::format("| `{}` | {} | {} |\n", full_name(row), word_of(row.known), row.help);
  }
  return page;
}

}  // namespace weir::proxy
