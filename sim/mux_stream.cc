#include "sim/mux_stream.h"

#include <algorithm>
#include <cstdlib>
#include <fmt/core.h>
#include <vector>

#include "proxy/worker_listener.h"

namespace weir::sim {

namespace {

std::string lines_of(const http::FieldList& fields) {
  std::string lines;
  for (const http::Field& field : fields) {
    if (field.scope == http::Scope::hop_by_hop) continue;
    lines += fmt::format("{}:{}\n", field.name, field.value);
  }
  return lines;
}

}  // namespace

using net::BodyEnd;
using net::BodyFollows;
using net::BodyRead;
using net::BodyWrite;
using net::Waiter;

MuxStream::Waiting::Waiting() noexcept
    : Timer([](Timer& self) noexcept {
        static_cast<Waiting&>(self).end(make_error(ErrorKind::timeout, Side::client));
      }) {}

Started MuxStream::Waiting::begin(Timers& timers, TimePoint deadline, Waiter& who) noexcept {
  WEIR_ASSERT(waiter == nullptr);
  waiter = &who;
  who.error = {};
  arm(timers, deadline);
  return Started::waiting;
}

void MuxStream::Waiting::end(Error error) noexcept {
  if (waiter == nullptr) return;
  disarm();
  Waiter& told = *std::exchange(waiter, nullptr);
  told.error = error;
  told.call_back();
}

MuxStream::Ending::Ending(MuxStream& owner) noexcept
    : Deferred([](Deferred& self) noexcept { static_cast<Ending&>(self).stream.end_waits(); }),
      stream(owner) {}

MuxStream::MuxStream(MuxSession& session, std::uint32_t number, std::string head, bool has_ended,
                     Socket& socket)
    : session_(session),
      number_(number),
      head_(std::move(head)),
      connection_(session.connection().worker, *session.connection().listener, socket,
                  session.connection().peer),
      has_ended_(has_ended),
      ending_(*this) {}

// "METHOD PATH BYTES" and fields; BYTES is "-" where the length of the body is not known.
Task<Result<void>> MuxStream::read_head(http::RequestHead& head, Arena& arena, TimePoint) {
  head.fields = http::FieldList(arena.allocate_array<http::Field>(16));
  std::string_view rest = head_;
  const auto take = [&rest](char until) {
    const std::size_t end = rest.find(until);
    const std::string_view taken = rest.substr(0, end);
    rest.remove_prefix(std::min(rest.size(), end + 1));
    return taken;
  };
  head.method_text = take(' ');
  head.method = http::find_method(head.method_text);
  head.target = head.path = take(' ');
  const std::string bytes(take('\n'));
  head.authority = "sim.test";
  if (bytes == "-") head.body = {http::Framing::chunked, 0};
  if (bytes != "-" && !has_ended_) {
    head.body = {http::Framing::length, std::strtoull(bytes.c_str(), nullptr, 10)};
  }
  while (!rest.empty()) {
    http::Field field{.name = take(':'), .value = take('\n')};
    field.id = http::find_field_id(field.name);
    if (!head.fields.add(field)) co_return fail(ErrorKind::too_many_fields, Side::client);
  }
  co_return Result<void>();
}

Task<Result<void>> MuxStream::write_head(const http::ResponseHead& head, BodyFollows follows,
                                         TimePoint) {
  if (reset_.kind != ErrorKind::none) co_return fail(reset_);
  const std::string text = fmt::format("{}\n", head.status) + lines_of(head.fields);
  is_answered_ = head.status >= 200 && follows == BodyFollows::no;
  session_.send(FrameKind::head, is_answered_, number_, text);
  co_return Result<void>();
}

bool MuxStream::is_readable() const noexcept {
  return !body_.empty() || has_ended_ || reset_.kind != ErrorKind::none;
}

bool MuxStream::is_writable() const noexcept {
  return (window_ != 0 && session_.room() != 0) || reset_.kind != ErrorKind::none;
}

BodyRead MuxStream::try_read_body(std::span<char> into) noexcept {
  if (reset_.kind != ErrorKind::none) return BodyRead::failed(reset_);
  if (is_body_read()) return BodyRead::of({}, BodyEnd::last);
  if (body_.empty()) return {};
  // Now and then from its own storage, as the interface allows.
  const std::size_t count = std::min(into.size(), body_.size());
  std::string_view data(into.data(), count);
  if (session_.worker().random().below(2) == 0) {
    given_ = body_.substr(0, count);
    data = given_;
  } else {
    body_.copy(into.data(), count);
  }
  body_.erase(0, count);
  session_.send(FrameKind::window, false, number_, std::to_string(count));
  return BodyRead::of(data, is_body_read() ? BodyEnd::last : BodyEnd::more);
}

Started MuxStream::start_body_readable(TimePoint deadline, Waiter& waiter) noexcept {
  if (!is_readable()) return reader_.begin(session_.worker().timers(), deadline, waiter);
  waiter.error = reset_;
  return Started::completed;
}

void MuxStream::cancel_body_readable() noexcept {
  reader_.end(make_error(ErrorKind::canceled, Side::client));
}

BodyWrite MuxStream::try_write_body(std::string_view data, BodyEnd end) noexcept {
  BodyWrite written;
  if (reset_.kind != ErrorKind::none) {
    written.status = BodyWrite::Status::failed;
    written.error = reset_;
    return written;
  }
  written.taken = std::min({data.size(), window_, session_.room()});
  window_ -= written.taken;
  const bool is_all = written.taken == data.size();
  const bool is_last = is_all && end == BodyEnd::last && !is_answered_;
  if (!is_all) written.status = BodyWrite::Status::would_block;
  if (is_last) is_answered_ = true;
  const bool has_trailers = is_last && trailers_ != nullptr;
  if (written.taken != 0 || is_last) {
    session_.send(FrameKind::data, is_last && !has_trailers, number_,
                  data.substr(0, written.taken));
  }
  if (has_trailers) session_.send(FrameKind::head, true, number_, lines_of(*trailers_));
  return written;
}

Started MuxStream::start_body_writable(TimePoint deadline, Waiter& waiter) noexcept {
  if (!is_writable()) return writer_.begin(session_.worker().timers(), deadline, waiter);
  waiter.error = reset_;
  return Started::completed;
}

void MuxStream::watch_hang_up(Waiter& waiter) noexcept {
  WEIR_ASSERT(watcher_ == nullptr);
  watcher_ = &waiter;
  if (reset_.kind != ErrorKind::none && !ending_.is_linked()) session_.worker().defer(ending_);
}

void MuxStream::reset(Error reason) noexcept {
  if (reset_.kind != ErrorKind::none) return;
  reset_ = reason;
  session_.worker().defer(ending_);
}

// Whoever is called back may end the stream, so one a turn.
void MuxStream::end_waits() noexcept {
  const bool has_more =
      (watcher_ != nullptr) + (reader_.waiter != nullptr) + (writer_.waiter != nullptr) > 1;
  if (has_more) session_.worker().defer(ending_);
  if (watcher_ != nullptr) {
    Waiter& told = *std::exchange(watcher_, nullptr);
    told.error = reset_;
    told.call_back();
  } else if (reader_.waiter != nullptr) {
    reader_.end(reset_);
  } else {
    writer_.end(reset_);
  }
}

void MuxStream::on_data(std::string_view data, bool is_last) {
  body_ += data;
  has_ended_ = is_last;
  if (is_readable()) reader_.end({});
}

void MuxStream::on_window(std::size_t bytes) {
  window_ += bytes;
  on_room();
}

void MuxStream::on_room() {
  if (is_writable()) writer_.end({});
}

void MuxStream::on_reset() { reset(make_error(ErrorKind::client_reset, Side::client)); }

MuxSession::MuxSession(proxy::ClientConnection& connection) noexcept
    : connection_(connection), wake_(*this) {}

MuxSession::Wake::Wake(MuxSession& owner) noexcept
    : Deferred([](Deferred& self) noexcept { static_cast<Wake&>(self).session.wake_writer(); }),
      session(owner) {}

// The writer runs in a turn of its own, for it may tell the sender of room.
void MuxSession::send(FrameKind kind, bool is_last, std::uint32_t stream,
                      std::string_view payload) {
  if (is_broken_) return;
  append_frame(out_, kind, is_last, stream, payload);
  if (writer_ && !wake_.is_linked()) worker().defer(wake_);
}

void MuxSession::wake_writer() noexcept {
  if (writer_) std::exchange(writer_, nullptr).resume();
}

Task<void> MuxSession::run() {
  writer_running_.spawn([](MuxSession& self) { return self.write_frames(); }, std::ref(*this));
  co_await read_frames();
  for (auto& [number, stream] : streams_) stream->on_reset();
  co_await streams_running_.drained();
  is_ending_ = true;
  wake_.unlink();
  connection_.stream.abort(make_error(ErrorKind::canceled, Side::weir));
  wake_writer();
  co_await writer_running_.drained();
}

Task<void> MuxSession::read_frames() {
  for (;;) {
    const std::span<char> buffer = worker().shared_buffer().first(8192);
    const IoCount count = connection_.stream.try_receive(buffer);
    if (count.is_would_block()) {
      if (!co_await connection_.stream.readable(kNever)) co_return;
      continue;
    }
    if (count.is_failure() || count.bytes() == 0) co_return;
    in_.append(buffer.data(), count.bytes());
    for (Frame frame; take_frame(in_, frame);) on_frame(frame);
  }
}

void MuxSession::on_frame(Frame& frame) {
  if (frame.kind == FrameKind::head) return open_stream(frame);
  const auto found = streams_.find(frame.stream);
  if (found == streams_.end()) return;  // it was answered before it had ended
  MuxStream& stream = *found->second;
  if (frame.kind == FrameKind::data) stream.on_data(frame.payload, frame.is_last);
  if (frame.kind == FrameKind::reset) stream.on_reset();
  if (frame.kind == FrameKind::window) stream.on_window(std::stoul(frame.payload));
}

// The exchange needs a client connection of its own, for it holds what has to be cancelled; its
// socket is never used.
void MuxSession::open_stream(Frame& frame) {
  const auto socket = worker().reactor().make_stream_socket(AF_INET);
  if (!socket) return send(FrameKind::reset, true, frame.stream, {});
  auto stream = std::make_unique<MuxStream>(*this, frame.stream, std::move(frame.payload),
                                            frame.is_last, **socket);
  MuxStream& opened = *stream;
  streams_.emplace(frame.stream, std::move(stream));
  streams_running_.spawn(
      [](MuxSession& self, MuxStream& served) { return self.serve_stream(served); },
      std::ref(*this), std::ref(opened));
}

Task<void> MuxSession::serve_stream(MuxStream& stream) {
  {
    proxy::Exchange x(stream.connection(), stream);
    const auto read = co_await stream.read_head(x.request, x.arena, kNever);
    if (read) co_await proxy::serve_exchange(x);
  }
  if (!stream.is_answered()) send(FrameKind::reset, true, stream.number(), {});
  streams_.erase(stream.number());
}

Task<void> MuxSession::write_frames() {
  while (!is_ending_) {
    if (out_.empty()) {
      co_await MoreToWrite{*this};
      continue;
    }
    const iovec part{out_.data(), out_.size()};
    const IoCount count = connection_.stream.try_send({&part, 1});
    if (count.is_would_block()) {
      if (co_await connection_.stream.writable(kNever)) continue;
      is_broken_ = true;
    } else if (count.is_failure()) {
      is_broken_ = true;
    } else {
      out_.erase(0, count.bytes());
    }
    if (is_broken_) out_.clear();
    tell_of_room();
  }
}

// By turns, or the first streams would take it all. Whoever is told may end its stream.
void MuxSession::tell_of_room() {
  const std::uint32_t first = next_told_;
  std::vector<std::uint32_t> numbers;
  for (const auto& [number, stream] : streams_) numbers.push_back(number);
  const auto from_first = std::ranges::lower_bound(numbers, first);
  std::ranges::rotate(numbers, from_first);
  for (const std::uint32_t number : numbers) {
    if (room() == 0) return;
    next_told_ = number + 1;
    const auto found = streams_.find(number);
    if (found != streams_.end()) found->second->on_room();
  }
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
