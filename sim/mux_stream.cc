#include "sim/mux_stream.h"

#include <fmt/core.h>

#include "proxy/worker_listener.h"

namespace weir::sim {

using net::BodyFollows;

MuxStream::MuxStream(MuxSession& session, Frame& first, Socket& socket)
    : flow_(session, first.stream, Side::client),
      connection_(session.connection().worker, *session.connection().listener, socket,
                  session.connection().peer) {
  flow_.on_head(std::move(first.payload), first.is_last);
}

Task<Result<void>> MuxStream::read_head(http::RequestHead& head, Arena& arena, TimePoint) {
  head.fields = http::FieldList(arena.allocate_array<http::Field>(16));
  std::string_view rest = flow_.take_head(arena);
  head.method_text = take_until(rest, ' ');
  head.method = http::find_method(head.method_text);
  head.target = head.path = take_until(rest, ' ');
  head.authority = "sim.test";
  head.body = length_of(take_until(rest, '\n'));
  if (head.body.framing == http::Framing::length && flow_.is_body_read()) head.body = {};
  if (!add_lines(rest, head.fields)) co_return fail(ErrorKind::too_many_fields, Side::client);
  co_return Result<void>();
}

Task<Result<void>> MuxStream::write_head(const http::ResponseHead& head, BodyFollows follows,
                                         TimePoint) {
  const bool is_last = head.status >= 200 && follows == BodyFollows::no;
  co_return flow_.send_head(
      fmt::format("{} {}\n", head.status, length_text(head.body)) + lines_of(head.fields), is_last);
}

MuxSession::MuxSession(proxy::ClientConnection& connection) noexcept
    : MuxConnection(connection.worker.worker(), connection.stream), connection_(connection) {}

Task<void> MuxSession::run() {
  start_writing();
  co_await read_frames();
  co_await streams_running_.drained();
  co_await stop_writing();
}

void MuxSession::on_unknown_head(Frame& frame) {
  const auto socket = worker().reactor().make_stream_socket(AF_INET);
  if (!socket) return send(FrameKind::reset, true, frame.stream, {});
  const auto opened =
      streams_.emplace(frame.stream, std::make_unique<MuxStream>(*this, frame, **socket));
  streams_running_.spawn(
      [](MuxSession& self, MuxStream& served) { return self.serve_stream(served); },
      std::ref(*this), std::ref(*opened.first->second));
}

Task<void> MuxSession::serve_stream(MuxStream& stream) {
  {
    proxy::Exchange x(stream.connection(), stream);
    const auto read = co_await stream.read_head(x.request, x.arena, kNever);
    if (read) co_await proxy::serve_exchange(x);
  }
  const std::uint32_t number = stream.flow().number();
  if (!stream.flow().has_sent_end()) send(FrameKind::reset, true, number, {});
  streams_.erase(number);
}

Task<void> serve_mux_connection(proxy::ClientConnection& connection) {
  connection.phase = proxy::ClientConnection::Phase::busy;
  {
    MuxSession session(connection);
    co_await session.run();
  }
  connection.worker.end_connection(connection);
}

}  // namespace weir::sim
