#include "proxy/http/answer.h"

#include <algorithm>
#include <fmt/format.h>

#include "protocol/http1/rule.h"

namespace weir::proxy {
namespace {

constexpr std::string_view kText = "text/plain; charset=utf-8";

// A request that broke off, or whose end is not known, leaves nothing to go on with. What follows a
// CONNECT may be meant for the tunnel that there is not.
http::Persistence persistence_after(const Exchange& x) noexcept {
  const bool may_go_on = x.client.is_body_read() && x.response.status != 400 &&
                         x.response.status != 408 && x.request.method != http::Method::connect &&
                         !x.connection.is_ending();
  return may_go_on ? x.persistence : http::Persistence::close;
}

}  // namespace

std::string_view sentence_of(const Error& error) noexcept {
  const http1::Rule rule = http1::find_rule(error);
  if (rule != http1::Rule::none) return http1::row_of(rule).sentence;
  return row_of(error.kind).sentence;
}

bool add_field(Exchange& x, http::FieldList& fields, const http::Field& field) noexcept {
  if (fields.add(field)) return true;
  http::FieldList larger(x.arena.allocate_array<http::Field>(fields.capacity() + 16));
  if (larger.capacity() == 0) return false;
  for (const http::Field& old : fields) static_cast<void>(larger.add(old));
  fields = larger;
  return fields.add(field);
}

bool set_answer(Exchange& x, std::uint16_t status, std::string_view content_type,
                std::string_view body) noexcept {
  const std::span<http::Field> fields = x.arena.allocate_array<http::Field>(8);
  if (fields.empty()) return false;
  x.response = {};
  x.response.status = status;
  x.response.reason = http::reason_phrase(status);
  x.response.fields = http::FieldList(fields);
  const bool has_body = status != 204 && status != 304;
  if (has_body) x.response.body = {http::Framing::length, body.size()};
  x.own_body = body;
  const http::Field date{.name = "Date", .value = x.proxy.http_date(), .id = http::FieldId::date};
  const http::Field type{
      .name = "Content-Type", .value = content_type, .id = http::FieldId::content_type};
  return add_field(x, x.response.fields, date) &&
         (content_type.empty() || add_field(x, x.response.fields, type));
}

Task<void> write_answer(Exchange& x, Origin origin) {
  if (x.filters != nullptr) {
    const auto filtered = x.filters->filter_response(x, x.response, origin);
    if (!filtered) {
      x.error = filtered.error();
      x.persistence = http::Persistence::close;
      co_return;
    }
  }
  x.response.persistence = persistence_after(x);
  const TimePoint deadline = x.proxy.worker().now() + x.timeouts.client_body;
  const bool with_body = x.request.method != http::Method::head && !x.own_body.empty();
  const auto written = co_await x.client.write_head(
      x.response, with_body ? net::BodyFollows::yes : net::BodyFollows::no, deadline);
  // A connection that goes on without this answer would give the next one in its place.
  if (!written) co_return;
  x.status = x.response.status;
  if (!with_body) co_return;
  for (;;) {
    const net::BodyWrite sent =
        x.client.try_write_body(x.own_body.substr(x.bytes_sent), net::BodyEnd::last);
    x.bytes_sent += sent.taken;
    if (sent.status != net::BodyWrite::Status::would_block) co_return;
    if (!co_await x.client.body_writable(deadline)) co_return;
  }
}

Task<void> write_error_page(Exchange& x) {
  const ErrorKindRow& row = row_of(x.error.kind);
  if (row.http_status == 0 || x.connection.server_side.is_canceled()) co_return;
  const std::span<char> space = x.arena.allocate_array<char>(1024);
  if (space.empty()) co_return;
  const auto end =
      fmt::format_to_n(space.data(), space.size(), "{} {}\n\n{}\nreason: {}\n", row.http_status,
                       http::reason_phrase(row.http_status), sentence_of(x.error), row.word);
  const std::string_view body(space.data(), std::min(end.size, space.size()));
  const http::Field no_store{.name = "Cache-Control", .value = "no-store"};
  const bool made =
      set_answer(x, row.http_status, kText, body) && add_field(x, x.response.fields, no_store);
  if (made) co_await write_answer(x, Origin::error);
}

}  // namespace weir::proxy
