#include "net/tunnel.h"

#include <cstring>

namespace weir::net {
namespace {

// What one half may move before everything else has its turn.
constexpr std::size_t kTurnBytesMax = std::size_t{2} << 20;
// What has to come at a time for a pipe to be worth it, and what is too little to stay with it
// (docs/decisions/0013-splice.md).
constexpr std::size_t kBulkBytes = std::size_t{64} << 10;
constexpr std::size_t kSmallBytes = std::size_t{16} << 10;

}  // namespace

Tunnel::Tunnel(Worker& worker, ByteStream& client, ByteStream& server, Duration idle) noexcept
    : worker_(worker),
      client_(client),
      server_(server),
      idle_(idle),
      last_moved_(worker.now()),
      upward_(*this, client, server),
      downward_(*this, server, client) {}

bool Tunnel::put_first(std::string_view from_client, std::string_view from_server) noexcept {
  return upward_.put_first(from_client) && downward_.put_first(from_server);
}

bool Tunnel::start() noexcept {
  upward_.pump();
  downward_.pump();
  return upward_.is_over() && downward_.is_over();
}

TunnelOutcome Tunnel::outcome() const noexcept {
  return {upward_.bytes(), downward_.bytes(), downward_.first_byte(), error_};
}

void Tunnel::on_half_over(Error error) noexcept {
  if (error.kind != ErrorKind::none && error_.kind == ErrorKind::none) {
    error_ = error;
    // Whatever broke the tunnel: neither side may take what it has got for the whole.
    client_.reset_on_close();
    server_.reset_on_close();
    client_.abort(error);
    server_.abort(error);
  }
  if (upward_.is_over() && downward_.is_over() && task_) std::exchange(task_, nullptr).resume();
}

Tunnel::HalfPipe::HalfPipe(Tunnel& tunnel, ByteStream& from, ByteStream& to) noexcept
    : Waiter([](Waiter& self) noexcept { static_cast<HalfPipe&>(self).on_waited(); }),
      Deferred([](Deferred& self) noexcept { static_cast<HalfPipe&>(self).pump(); }),
      tunnel_(tunnel),
      from_(from),
      to_(to) {}

bool Tunnel::HalfPipe::put_first(std::string_view data) noexcept {
  if (data.empty()) return true;
  first_byte_ = tunnel_.worker_.now();
  bytes_ = data.size();
  return keep(data);
}

bool Tunnel::HalfPipe::keep(std::string_view data) noexcept {
  kept_ = tunnel_.worker_.buffers().take(data.size());
  if (!kept_) return false;
  std::memcpy(kept_.data(), data.data(), data.size());
  kept_begin_ = 0;
  kept_end_ = static_cast<std::uint32_t>(data.size());
  return true;
}

void Tunnel::HalfPipe::pump() noexcept {
  const std::uint64_t until = bytes_ + kTurnBytesMax;
  while (!over_) {
    const Step step = kept_ ? flush_kept() : pipe_.held() != 0 ? flush_pipe() : move_some();
    if (step == Step::wait) return;
    if (bytes_ >= until) return tunnel_.worker_.defer(*this);
  }
}

Tunnel::HalfPipe::Step Tunnel::HalfPipe::move_some() noexcept {
  if (is_bulk_ && !pipe_ && !has_no_pipe_) {
    pipe_ = tunnel_.worker_.pipes().take();
    has_no_pipe_ = !pipe_;
  }
  return pipe_ ? splice_some() : receive_some();
}

Tunnel::HalfPipe::Step Tunnel::HalfPipe::receive_some() noexcept {
  const std::span<char> buffer = tunnel_.worker_.shared_buffer();
  const IoCount count = from_.try_receive(buffer);
  if (count.is_would_block()) {
    wait(&ByteStream::start_readable, from_);
    return Step::wait;
  }
  if (count.is_failure()) return break_at(from_, count.os_error());
  if (count.bytes() == 0) return finish();
  is_bulk_ = count.bytes() >= kBulkBytes && from_.can_splice() && to_.can_splice();
  if (!is_bulk_) has_no_pipe_ = false;
  note_moved(count.bytes());
  return send({buffer.data(), count.bytes()});
}

Tunnel::HalfPipe::Step Tunnel::HalfPipe::splice_some() noexcept {
  const IoCount count = from_.try_splice_in(pipe_, PipePool::kPipeBytes);
  if (count.is_would_block()) {
    pipe_.release();
    wait(&ByteStream::start_readable, from_);
    return Step::wait;
  }
  if (count.is_failure()) return break_at(from_, count.os_error());
  if (count.bytes() == 0) return finish();
  is_bulk_ = count.bytes() >= kSmallBytes;
  note_moved(count.bytes());
  return flush_pipe();
}

void Tunnel::HalfPipe::note_moved(std::size_t bytes) noexcept {
  if (bytes_ == 0) first_byte_ = tunnel_.worker_.now();
  bytes_ += bytes;
  tunnel_.last_moved_ = tunnel_.worker_.now();
}

Tunnel::HalfPipe::Step Tunnel::HalfPipe::finish() noexcept {
  to_.shutdown_write();
  end({});
  return Step::wait;
}

Tunnel::HalfPipe::Step Tunnel::HalfPipe::break_at(ByteStream& stream, int os_error) noexcept {
  // An aborted stream tells those who wait, and them alone, why.
  if (os_error == ECANCELED) {
    wait(&ByteStream::start_readable, stream);
  } else {
    end(stream_error(os_error, stream.side()));
  }
  return Step::wait;
}

Tunnel::HalfPipe::Step Tunnel::HalfPipe::send(std::string_view data) noexcept {
  const iovec part{const_cast<char*>(data.data()), data.size()};
  const IoCount count = to_.try_send({&part, 1});
  if (count.is_failure()) return break_at(to_, count.os_error());
  const std::string_view rest = data.substr(count.is_would_block() ? 0 : count.bytes());
  if (rest.empty()) return Step::again;
  if (keep(rest)) return flush_kept();
  end(make_error(ErrorKind::buffers_exhausted, Side::weir));
  return Step::wait;
}

Tunnel::HalfPipe::Step Tunnel::HalfPipe::flush_kept() noexcept {
  const iovec part{kept_.data() + kept_begin_, kept_end_ - kept_begin_};
  const IoCount count = to_.try_send({&part, 1});
  if (count.is_failure()) return break_at(to_, count.os_error());
  if (!count.is_would_block()) {
    kept_begin_ += static_cast<std::uint32_t>(count.bytes());
    tunnel_.last_moved_ = tunnel_.worker_.now();
    if (kept_begin_ == kept_end_) {
      kept_.release();
      return Step::again;
    }
  }
  wait(&ByteStream::start_writable, to_);
  return Step::wait;
}

Tunnel::HalfPipe::Step Tunnel::HalfPipe::flush_pipe() noexcept {
  const IoCount count = to_.try_splice_out(pipe_);
  if (count.is_failure()) return break_at(to_, count.os_error());
  if (!count.is_would_block()) {
    tunnel_.last_moved_ = tunnel_.worker_.now();
    if (pipe_.held() == 0) {
      if (!is_bulk_) pipe_.release();
      return Step::again;
    }
  }
  wait(&ByteStream::start_writable, to_);
  return Step::wait;
}

void Tunnel::HalfPipe::wait(Started (ByteStream::*start)(TimePoint, Waiter&),
                            ByteStream& stream) noexcept {
  const TimePoint deadline = tunnel_.last_moved_ + tunnel_.idle_;
  // What is ready after all is tried again in the next turn, so that nothing recurses.
  if ((stream.*start)(deadline, *this) == Started::completed) {
    if (error.kind != ErrorKind::none) return end(error);
    tunnel_.worker_.defer(*this);
  }
}

void Tunnel::HalfPipe::on_waited() noexcept {
  if (error.kind == ErrorKind::timeout) {
    const bool other_half_moved = tunnel_.last_moved_ + tunnel_.idle_ > tunnel_.worker_.now();
    if (!other_half_moved) return end(make_error(ErrorKind::tunnel_idle_timeout));
  } else if (error.kind != ErrorKind::none) {
    return end(error);
  }
  pump();
}

// The tunnel may be gone when this returns.
void Tunnel::HalfPipe::end(Error error) noexcept {
  if (over_) return;
  over_ = true;
  kept_.release();
  pipe_.release();
  tunnel_.on_half_over(error);
}

}  // namespace weir::net
