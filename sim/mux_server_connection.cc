#include "sim/mux_server_connection.h"

#include <cstdlib>
#include <fmt/core.h>

namespace weir::sim {

using net::BodyFollows;

Task<Result<void>> MuxServerStream::write_head(const http::RequestHead& head, BodyFollows follows,
                                               TimePoint) {
  method_ = head.method;
  std::string text = fmt::format("{} {}", head.method_text, head.path);
  if (head.query.data() != nullptr) text += fmt::format("?{}", head.query);
  text += fmt::format(" {}\n", length_text(head.body)) + lines_of(head.fields);
  co_return flow_.send_head(text, follows == BodyFollows::no);
}

Task<Result<void>> MuxServerStream::read_head(http::ResponseHead& head, Arena& arena,
                                              TimePoint deadline) {
  if (head.fields.capacity() == 0) {
    head.fields = http::FieldList(arena.allocate_array<http::Field>(16));
    if (head.fields.capacity() == 0) co_return fail(ErrorKind::buffers_exhausted, Side::weir);
  }
  const auto readable = co_await flow_.head_readable(deadline);
  if (!readable) {
    Error error = readable.error();
    if (error.kind == ErrorKind::timeout) error.kind = ErrorKind::response_head_timeout;
    co_return fail(error);
  }
  std::string_view rest = flow_.take_head(arena);
  head.status = static_cast<std::uint16_t>(std::atoi(std::string(take_until(rest, ' ')).c_str()));
  head.reason = http::reason_phrase(head.status);
  head.body = length_of(take_until(rest, '\n'));
  // What has no body is not announced as one whose length will turn out.
  if (flow_.is_body_read() && method_ != http::Method::head) {
    head.body = {http::Framing::length, 0};
  }
  if (head.status < 200) head.body = {};
  head.fields.clear();
  if (!add_lines(rest, head.fields)) co_return fail(ErrorKind::too_many_fields, Side::server);
  co_return Result<void>();
}

MuxServerConnection::MuxServerConnection(SimServerConnections& owner, backend::ServerPool& of,
                                         Socket& socket, std::uint16_t streams_max) noexcept
    : ServerConnection(of, socket, streams_max),
      MuxConnection(of.worker(), stream),
      owner_(owner),
      wake_(*this) {}

MuxServerConnection::Wake::Wake(MuxServerConnection& owner) noexcept
    : Deferred([](Deferred& self) noexcept {
        std::exchange(static_cast<Wake&>(self).connection.waits_, nullptr).resume();
      }),
      connection(owner) {}

net::ServerSideStream& MuxServerConnection::open_stream() noexcept {
  if (!std::exchange(is_running_, true)) owner_.start(*this);
  const std::uint32_t number = next_number_++;
  auto& opened = streams_[number];
  opened = std::make_unique<MuxServerStream>(*this, number);
  owner_.note_streams(streams_.size());
  return *opened;
}

void MuxServerConnection::close_stream(net::ServerSideStream& closed,
                                       backend::Ended ended) noexcept {
  auto& stream_closed = static_cast<MuxServerStream&>(closed);
  const MuxFlow& flow = stream_closed.flow();
  if (ended == backend::Ended::badly && heard_at() < stream_closed.opened_at()) is_doubted_ = true;
  const std::uint32_t number = flow.number();
  const bool is_complete = flow.has_sent_end() && flow.is_body_read();
  if (!is_complete) send(FrameKind::reset, true, number, {});
  streams_.erase(number);
}

Task<void> MuxServerConnection::run() {
  start_writing();
  co_await worker().yield();  // the pool is not told of the end while it opens a stream
  co_await read_frames();
  if (!is_discarded_) pool.lose(*this);
  co_await Discarded{*this};
  co_await stop_writing();
}

void MuxServerConnection::discard() noexcept {
  is_discarded_ = true;
  stream.abort(make_error(ErrorKind::canceled, Side::weir));
  if (waits_) worker().defer(wake_);
}

backend::ServerConnection& SimServerConnections::make(backend::ServerPool& pool, Socket& socket) {
  const std::uint16_t streams_max = streams_max_of(pool.server().address().address.port());
  if (streams_max == 0) return http1_.make(pool, socket);
  auto made = std::make_unique<MuxServerConnection>(*this, pool, socket, streams_max);
  MuxServerConnection& connection = *made;
  mux_.emplace(&connection, std::move(made));
  return connection;
}

void SimServerConnections::destroy(backend::ServerConnection& connection) noexcept {
  const auto found = mux_.find(&connection);
  if (found == mux_.end()) return http1_.destroy(connection);
  if (!found->second->is_running()) {
    mux_.erase(found);
  } else {
    found->second->discard();
  }
}

void SimServerConnections::start(MuxServerConnection& connection) {
  running_.spawn(
      [](SimServerConnections& self, MuxServerConnection& started) { return self.carry(started); },
      std::ref(*this), std::ref(connection));
}

Task<void> SimServerConnections::carry(MuxServerConnection& connection) {
  co_await connection.run();
  mux_.erase(&connection);
}

}  // namespace weir::sim
