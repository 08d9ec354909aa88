// The answer that Weir makes itself when an exchange failed.

#include <fmt/format.h>

#include "protocol/http1/rule.h"
#include "proxy/http/exchange.h"

namespace weir::proxy {
namespace {

http::Field field(std::string_view name, std::string_view value) noexcept {
  return {
      .name = name, .value = value, .id = http::FieldId::other, .scope = http::Scope::end_to_end};
}

}  // namespace

std::string_view sentence_of(const Error& error) noexcept {
  const http1::Rule rule = http1::find_rule(error);
  if (rule != http1::Rule::none) return http1::row_of(rule).sentence;
  return row_of(error.kind).sentence;
}

Task<void> write_error_page(Exchange& x) {
  const ErrorKindRow& row = row_of(x.error.kind);
  if (row.http_status == 0 || x.connection.server_side.is_canceled()) co_return;
  const std::span<char> space = x.arena.allocate_array<char>(1024);
  const std::span<http::Field> fields = x.arena.allocate_array<http::Field>(3);
  if (space.empty() || fields.empty()) co_return;
  const auto end =
      fmt::format_to_n(space.data(), space.size(), "{} {}\n\n{}\nreason: {}\n", row.http_status,
                       http::reason_phrase(row.http_status), sentence_of(x.error), row.word);
  const std::string_view body(space.data(), std::min(end.size, space.size()));

  http::ResponseHead head;
  head.status = row.http_status;
  head.reason = http::reason_phrase(row.http_status);
  head.fields = http::FieldList(fields);
  const bool added = head.fields.add(field("Date", x.proxy.http_date())) &&
                     head.fields.add(field("Content-Type", "text/plain; charset=utf-8")) &&
                     head.fields.add(field("Cache-Control", "no-store"));
  WEIR_ASSERT(added);
  static_cast<void>(added);
  head.body = {http::Framing::length, body.size()};
  head.persistence = x.persistence;
  // A request that broke off, or whose end is not known, leaves nothing to go on with.
  if (!x.client.is_body_read() || row.http_status == 400 || row.http_status == 408 ||
      x.connection.is_ending()) {
    head.persistence = http::Persistence::close;
  }
  const TimePoint deadline = x.proxy.worker().now() + x.listener.timeouts.client_body;
  const bool with_body = x.request.method != http::Method::head;
  const auto written = co_await x.client.write_head(
      head, with_body ? net::BodyFollows::yes : net::BodyFollows::no, deadline);
  // A connection that goes on without this answer would give the next one in its place.
  if (!written) co_return;
  x.status = head.status;
  if (!with_body) co_return;
  for (;;) {
    const net::BodyWrite sent =
        x.client.try_write_body(body.substr(x.bytes_sent), net::BodyEnd::last);
    x.bytes_sent += sent.taken;
    if (sent.status != net::BodyWrite::Status::would_block) co_return;
    if (!co_await x.client.body_writable(deadline)) co_return;
  }
}

}  // namespace weir::proxy
