#pragma once
// FakeStream: a ByteStream with scripted input that records what is sent. Everything completes at
// once, so tasks on it run to their end without a reactor's turn.

#include <cerrno>
#include <cstring>
#include <deque>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "net/byte_stream.h"
#include "runtime/worker.h"

namespace weir::net::test {

class FakeStream final : public ByteStream {
 public:
  FakeStream(Worker& worker, Side side) : worker_(worker), side_(side) {}

  // What comes in, one receive each. An empty piece is "not now", once.
  std::deque<std::string> incoming;
  bool ends = false;      // after the last piece; otherwise more would come later
  int receive_error = 0;  // instead of the end

  // What went out, one call each, and how much the next calls take; when these are used up,
  // `takes_after`. Taking 0 is "not now".
  std::vector<std::string> sends;
  std::deque<std::size_t> takes;
  std::size_t takes_after = std::numeric_limits<std::size_t>::max();
  int send_error = 0;

  std::string sent() const {
    std::string all;
    for (const std::string& one : sends) all += one;
    return all;
  }
  int waits = 0;
  Error aborted;

  Started start_receive(ReceiveBuffer& into, TimePoint, Waiter& waiter) noexcept override {
    waiter.error = {};
    while (!incoming.empty() && incoming.front().empty()) incoming.pop_front();
    if (!into.buffer) into.buffer = worker_.buffers().take(std::size_t{16} << 10);
    const std::size_t room = into.buffer.capacity() - into.end;
    WEIR_ASSERT(room != 0);
    const IoCount count = try_receive({into.buffer.data() + into.end, room});
    if (count.is_would_block()) {
      waiter.error = make_error(ErrorKind::timeout, side_);
    } else if (count.is_failure()) {
      waiter.error = stream_error(count.os_error(), side_);
    } else if (count.bytes() == 0) {
      waiter.error = make_error(
          side_ == Side::client ? ErrorKind::client_closed : ErrorKind::server_closed, side_);
    } else {
      into.end += static_cast<std::uint32_t>(count.bytes());
    }
    if (into.end == 0) into.release();
    return Started::completed;
  }
  Started start_send(std::span<const char> message, TimePoint, Waiter& waiter) noexcept override {
    waiter.error = {};
    const iovec part{const_cast<char*>(message.data()), message.size()};
    if (const IoCount count = try_send({&part, 1}); count.is_failure()) {
      waiter.error = stream_error(count.os_error(), side_);
    } else if (count.is_would_block() || count.bytes() < message.size()) {
      waiter.error = make_error(ErrorKind::timeout, side_);
    }
    return Started::completed;
  }
  Started start_readable(TimePoint, Waiter& waiter) noexcept override { return wait(waiter); }
  Started start_writable(TimePoint, Waiter& waiter) noexcept override { return wait(waiter); }
  void cancel_read() noexcept override {}

  IoCount try_receive(std::span<char> into) noexcept override {
    if (incoming.empty()) {
      if (receive_error != 0) return IoCount::failed(receive_error);
      return ends ? IoCount::of(0) : IoCount::would_block();
    }
    std::string& piece = incoming.front();
    const std::size_t count = std::min(piece.size(), into.size());
    std::memcpy(into.data(), piece.data(), count);
    piece.erase(0, count);
    if (piece.empty()) incoming.pop_front();
    return count == 0 ? IoCount::would_block() : IoCount::of(count);
  }
  IoCount try_send(std::span<const iovec> parts) noexcept override {
    if (send_error != 0) return IoCount::failed(send_error);
    std::size_t room = takes_after;
    if (!takes.empty()) {
      room = takes.front();
      takes.pop_front();
    }
    std::string all;
    for (const iovec& part : parts) all.append(static_cast<char*>(part.iov_base), part.iov_len);
    if (room == 0 && !all.empty()) return IoCount::would_block();
    sends.push_back(all.substr(0, room));
    return IoCount::of(sends.back().size());
  }

  void watch_hang_up(Waiter&) noexcept override {}
  Started watch_rest(Waiter&) noexcept override { return Started::waiting; }
  void stop_watching() noexcept override {}
  void abort(Error reason) noexcept override { aborted = reason; }
  void shutdown_write() noexcept override {}
  void reset_on_close() noexcept override {}
  Side side() const noexcept override { return side_; }

 private:
  Started wait(Waiter& waiter) noexcept {
    ++waits;
    waiter.error = {};
    return Started::completed;
  }
  Worker& worker_;
  Side side_;
};

}  // namespace weir::net::test
