#include "net/http/http1_stream.h"

#include <algorithm>

#include "protocol/http1/write_head.h"

namespace weir::net {
namespace {

// Writes a head with `write` into the writer's space, which grows until it fits.
template <class Write>
Result<std::size_t> serialize_head(Http1Writer& writer, Write write) {
  for (std::size_t bytes = BufferPool::kSmallest; bytes <= BufferPool::kLargest; bytes *= 2) {
    const std::span<char> space = writer.head_space(bytes);
    if (space.empty()) return fail(ErrorKind::buffers_exhausted, Side::weir);
    if (const auto written = write(space)) return *written;
  }
  return fail(ErrorKind::head_too_large, Side::weir);
}

Error client_error(Error error) noexcept {
  error.side = Side::client;
  return error;
}

// What a stream calls a timeout is one of `kind` here.
Error exact_error(Error error, ErrorKind kind) noexcept {
  if (error.kind == ErrorKind::timeout) error.kind = kind;
  return error;
}

}  // namespace

Task<Result<void>> Http1ClientSide::read_head(http::RequestHead& head, Arena& arena,
                                              TimePoint deadline) {
  head.fields = http::FieldList(arena.allocate_array<http::Field>(limits_.fields));
  if (head.fields.capacity() == 0) co_return fail(ErrorKind::buffers_exhausted, Side::weir);
  std::size_t scanned = 0;
  for (;;) {
    const std::string_view bytes = reader_.bytes();
    if (!bytes.empty()) {
      const http1::ParseResult parsed = http1::parse_request_head(bytes, scanned, limits_, head);
      if (parsed.status == http1::ParseStatus::failed) co_return fail(client_error(parsed.error));
      if (parsed.status == http1::ParseStatus::complete) {
        reader_.begin_body(parsed.consumed, head.body, arena);
        break;
      }
      scanned = bytes.size();
    }
    const auto received = co_await reader_.receive_more(limits_.head_bytes, deadline);
    if (!received) co_return fail(exact_error(received.error(), ErrorKind::client_head_timeout));
  }
  version_ = head.version;
  persistence_ = head.persistence;
  co_return Result<void>();
}

Task<Result<void>> Http1ClientSide::write_head(const http::ResponseHead& head, BodyFollows follows,
                                               TimePoint deadline) {
  http::ResponseHead written = head;
  const bool is_final = head.status >= 200;
  // A body without an announced end is sent in chunks to whoever knows them, else up to the close.
  if (written.body.framing == http::Framing::until_close ||
      written.body.framing == http::Framing::chunked) {
    written.body.framing =
        version_ == http::Version::http_1_1 ? http::Framing::chunked : http::Framing::until_close;
    if (written.body.framing == http::Framing::until_close) persistence_ = http::Persistence::close;
  }
  if (head.persistence == http::Persistence::close) persistence_ = http::Persistence::close;
  auto connection = http1::ConnectionField::omit;
  if (is_final && persistence_ == http::Persistence::close) {
    connection = http1::ConnectionField::close;
  } else if (is_final && version_ == http::Version::http_1_0) {
    connection = http1::ConnectionField::keep_alive;
  }
  const std::size_t bytes = WEIR_CO_TRY(serialize_head(writer_, [&](std::span<char> out) {
    return http1::write_response_head(out, written, connection);
  }));
  writer_.begin_message(bytes,
                        follows == BodyFollows::yes ? written.body.framing : http::Framing::none);
  if (follows == BodyFollows::yes) co_return Result<void>();
  const auto sent = co_await writer_.send_head(deadline);
  writer_.release_head();
  if (!sent) co_return fail(exact_error(sent.error(), ErrorKind::client_write_timeout));
  co_return sent;
}

Task<Result<void>> Http1ServerSide::write_head(const http::RequestHead& head, BodyFollows follows,
                                               TimePoint deadline) {
  method_ = head.method;
  response_begun_ = false;
  persistence_ = http::Persistence::close;
  const std::size_t bytes = WEIR_CO_TRY(serialize_head(
      writer_, [&](std::span<char> out) { return http1::write_request_head(out, head); }));
  writer_.begin_message(bytes,
                        follows == BodyFollows::yes ? head.body.framing : http::Framing::none);
  if (follows == BodyFollows::yes) co_return Result<void>();
  const auto sent = co_await writer_.send_head(deadline);
  writer_.release_head();
  if (!sent) co_return fail(exact_error(sent.error(), ErrorKind::server_write_timeout));
  co_return sent;
}

Task<Result<void>> Http1ServerSide::read_head(http::ResponseHead& head, Arena& arena,
                                              TimePoint deadline) {
  if (head.fields.capacity() == 0) {
    head.fields = http::FieldList(arena.allocate_array<http::Field>(limits_.fields));
    if (head.fields.capacity() == 0) co_return fail(ErrorKind::buffers_exhausted, Side::weir);
  }
  reader_.finish_message();  // an interim response before this one is not looked at any more
  std::size_t scanned = 0;
  for (;;) {
    const std::string_view bytes = reader_.bytes();
    if (!bytes.empty()) {
      response_begun_ = true;
      const http1::ParseResult parsed =
          http1::parse_response_head(bytes, scanned, method_, limits_, head);
      if (parsed.status == http1::ParseStatus::failed) {
        Error error = parsed.error;
        error.side = Side::server;
        co_return fail(error);
      }
      if (parsed.status == http1::ParseStatus::complete) {
        reader_.begin_body(parsed.consumed, head.body, arena);
        break;
      }
      scanned = bytes.size();
    }
    const auto received = co_await reader_.receive_more(limits_.head_bytes, deadline);
    if (!received) co_return fail(exact_error(received.error(), ErrorKind::response_head_timeout));
  }
  if (head.status >= 200) persistence_ = head.persistence;
  co_return Result<void>();
}

}  // namespace weir::net
