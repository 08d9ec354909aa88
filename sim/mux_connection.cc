#include "sim/mux_connection.h"

#include <algorithm>
#include <vector>

#include "sim/mux_flow.h"

namespace weir::sim {

MuxConnection::Wake::Wake(MuxConnection& owner) noexcept
    : Deferred([](Deferred& self) noexcept { static_cast<Wake&>(self).connection.wake_writer(); }),
      connection(owner) {}

MuxConnection::MuxConnection(Worker& worker, net::SocketStream& stream) noexcept
    : worker_(worker), stream_(stream), wake_(*this) {}

// The writer runs in a turn of its own, for it may tell the sender of room.
void MuxConnection::send(FrameKind kind, bool is_last, std::uint32_t stream,
                         std::string_view payload) {
  if (is_broken_) return;
  append_frame(out_, kind, is_last, stream, payload);
  if (writer_ && !wake_.is_linked()) worker_.defer(wake_);
}

void MuxConnection::wake_writer() noexcept {
  if (writer_) std::exchange(writer_, nullptr).resume();
}

void MuxConnection::start_writing() {
  writer_running_.spawn([](MuxConnection& self) { return self.write_frames(); }, std::ref(*this));
}

Task<void> MuxConnection::stop_writing() {
  is_ending_ = true;
  wake_.unlink();
  stream_.abort(make_error(ErrorKind::canceled, Side::weir));
  wake_writer();
  co_await writer_running_.drained();
}

Task<void> MuxConnection::read_frames() {
  const Error error = co_await receive_frames();
  is_broken_ = true;
  for (const auto& [number, flow] : flows_) flow->on_reset(error);
}

Task<Error> MuxConnection::receive_frames() {
  const bool is_client = stream_.side() == Side::client;
  for (;;) {
    const std::span<char> buffer = worker_.shared_buffer().first(8192);
    const IoCount count = stream_.try_receive(buffer);
    if (count.is_would_block()) {
      const auto readable = co_await stream_.readable(kNever);
      if (!readable) co_return readable.error();
      continue;
    }
    if (count.is_failure()) co_return net::stream_error(count.os_error(), stream_.side());
    if (count.bytes() == 0) {
      co_return make_error(is_client ? ErrorKind::client_reset : ErrorKind::server_closed,
                           stream_.side());
    }
    in_.append(buffer.data(), count.bytes());
    for (Frame frame; take_frame(in_, frame);) on_frame(frame);
  }
}

void MuxConnection::on_frame(Frame& frame) {
  heard_at_ = worker_.now();
  const auto found = flows_.find(frame.stream);
  if (found == flows_.end()) {
    // Of anything else the stream was over before it came.
    if (frame.kind == FrameKind::head) on_unknown_head(frame);
    return;
  }
  MuxFlow& flow = *found->second;
  switch (frame.kind) {
    case FrameKind::head:
      return flow.on_head(std::move(frame.payload), frame.is_last);
    case FrameKind::data:
      return flow.on_data(frame.payload, frame.is_last);
    case FrameKind::reset:
      return flow.on_reset();
    case FrameKind::window:
      return flow.on_window(std::stoul(frame.payload));
  }
}

Task<void> MuxConnection::write_frames() {
  while (!is_ending_) {
    if (out_.empty()) {
      co_await MoreToWrite{*this};
      continue;
    }
    const iovec part{out_.data(), out_.size()};
    const IoCount count = stream_.try_send({&part, 1});
    if (count.is_would_block()) {
      if (co_await stream_.writable(kNever)) continue;
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

// By turns, or the first flows would take it all. Whoever is told may end its flow.
void MuxConnection::tell_of_room() {
  std::vector<std::uint32_t> numbers;
  for (const auto& [number, flow] : flows_) numbers.push_back(number);
  const auto from_first = std::ranges::lower_bound(numbers, next_told_);
  std::ranges::rotate(numbers, from_first);
  for (const std::uint32_t number : numbers) {
    if (room() == 0) return;
    next_told_ = number + 1;
    const auto found = flows_.find(number);
    if (found != flows_.end()) found->second->on_room();
  }
}

}  // namespace weir::sim
