#include "proxy/http/relay.h"

#include <cstring>

namespace weir::proxy {
namespace {

using net::BodyEnd;
using net::BodyRead;
using net::BodyWrite;

// What one pump may move before everything else has its turn, and in how many steps: chunks can be
// made of little else than framing.
constexpr std::size_t kTurnBytesMax = std::size_t{2} << 20;
constexpr int kTurnStepsMax = 256;
// What has to be left of a body for a pipe to be worth it (docs/decisions/0013-splice.md).
constexpr std::uint64_t kPipedBytesMin = std::uint64_t{32} << 10;

TimePoint deadline_after(TimePoint now, Duration limit) noexcept {
  return limit == Duration::max() ? kNever : now + limit;
}

}  // namespace

BodyPump::BodyPump(Worker& worker, net::BodySource& from, net::BodySink& to,
                   const BodyLimits& limits, Owner& owner) noexcept
    : Waiter([](Waiter& self) noexcept { static_cast<BodyPump&>(self).on_waited(); }),
      Deferred([](Deferred& self) noexcept { static_cast<BodyPump&>(self).run(); }),
      worker_(worker),
      from_(from),
      to_(to),
      limits_(limits),
      owner_(owner) {}

void BodyPump::start() noexcept {
  WEIR_ASSERT(!started_);
  started_ = true;
  run();
}

void BodyPump::run() noexcept {
  const std::uint64_t until = bytes_ + kTurnBytesMax;
  for (int steps = 0; bytes_ < until && steps < kTurnStepsMax; ++steps) {
    const Step step = pushing_ ? push_more() : takes_pipe() ? pull_piped() : pull();
    if (step == Step::wait) return;
  }
  worker_.defer(*this);
}

void BodyPump::cancel_turn() noexcept {
  if (!is_linked()) return;
  unlink();
  end(Failed::sink, make_error(ErrorKind::canceled, Side::weir));
}

BodyPump::Step BodyPump::pull() noexcept {
  const BodyRead read = from_.try_read_body(worker_.shared_buffer());
  switch (read.status) {
    case BodyRead::Status::failed:
      return end(Failed::source, read.error);
    case BodyRead::Status::would_block: {
      // What has been taken so far, a head above all, must not wait for more.
      const BodyWrite flushed = to_.try_write_body({}, BodyEnd::more);
      if (flushed.status == BodyWrite::Status::failed) return end(Failed::sink, flushed.error);
      if (flushed.status == BodyWrite::Status::would_block) {
        pushing_ = true;
        return await_writable();
      }
      return await_readable();
    }
    case BodyRead::Status::data:
      break;
  }
  if (!count(read.data.size())) return Step::wait;
  end_ = read.end;
  if (end_ == BodyEnd::last && from_.trailers().size() != 0) to_.set_trailers(from_.trailers());
  return push(read.data);
}

// False: the pump is over.
bool BodyPump::count(std::size_t bytes) noexcept {
  bytes_ += bytes;
  if (bytes_ <= limits_.bytes_max) return true;
  end(Failed::limit, make_error(ErrorKind::body_too_large, Side::client));
  return false;
}

// Whether what comes next goes through a pipe. The head goes out with the first bytes, which are
// read; where nobody knows the length, that much has come says that more will.
bool BodyPump::takes_pipe() noexcept {
  if (bytes_ == 0) return false;
  const std::uint64_t left = from_.spliceable_bytes();
  const bool is_long = left >= kPipedBytesMin && (left != UINT64_MAX || bytes_ >= kPipedBytesMin);
  if (!is_long || !to_.can_splice()) {
    pipe_.release();
    return false;
  }
  if (!pipe_ && !has_no_pipe_) {
    pipe_ = worker_.pipes().take();
    has_no_pipe_ = !pipe_;
  }
  return static_cast<bool>(pipe_);
}

BodyPump::Step BodyPump::pull_piped() noexcept {
  const BodyRead read = from_.try_splice_in(pipe_);
  switch (read.status) {
    case BodyRead::Status::failed:
      return end(Failed::source, read.error);
    case BodyRead::Status::would_block:
      pipe_.release();
      return await_readable();
    case BodyRead::Status::data:
      break;
  }
  if (!count(pipe_.held())) return Step::wait;
  end_ = read.end;
  // A body up to the close ends with nothing.
  return pipe_.held() == 0 ? push({}) : push_piped();
}

BodyPump::Step BodyPump::push_piped() noexcept {
  const BodyWrite written = to_.try_splice_out(pipe_, end_);
  if (written.status == BodyWrite::Status::failed) return end(Failed::sink, written.error);
  pushing_ = written.status == BodyWrite::Status::would_block;
  if (pushing_) return await_writable();
  return end_ == BodyEnd::last ? end(Failed::none, {}) : Step::again;
}

BodyPump::Step BodyPump::push_more() noexcept {
  return pipe_.held() != 0 ? push_piped() : push_kept();
}

BodyPump::Step BodyPump::push(std::string_view data) noexcept {
  const BodyWrite written = to_.try_write_body(data, end_);
  switch (written.status) {
    case BodyWrite::Status::failed:
      return end(Failed::sink, written.error);
    case BodyWrite::Status::done:
      pushing_ = false;
      return end_ == BodyEnd::last ? end(Failed::none, {}) : Step::again;
    case BodyWrite::Status::would_block:
      break;
  }
  pushing_ = true;
  return keep(data.substr(written.taken));
}

BodyPump::Step BodyPump::keep(std::string_view rest) noexcept {
  if (!rest.empty()) {
    kept_ = worker_.buffers().take(rest.size());
    if (!kept_) return end(Failed::limit, make_error(ErrorKind::buffers_exhausted, Side::weir));
    std::memcpy(kept_.data(), rest.data(), rest.size());
  }
  kept_begin_ = 0;
  kept_end_ = static_cast<std::uint32_t>(rest.size());
  return await_writable();
}

BodyPump::Step BodyPump::push_kept() noexcept {
  const std::string_view rest{kept_.data() + kept_begin_, kept_end_ - kept_begin_};
  const BodyWrite written = to_.try_write_body(rest, end_);
  if (written.status == BodyWrite::Status::failed) return end(Failed::sink, written.error);
  kept_begin_ += static_cast<std::uint32_t>(written.taken);
  if (kept_begin_ == kept_end_) {
    kept_.release();
    kept_begin_ = kept_end_ = 0;
  }
  if (written.status == BodyWrite::Status::would_block) return await_writable();
  pushing_ = false;
  return end_ == BodyEnd::last ? end(Failed::none, {}) : Step::again;
}

BodyPump::Step BodyPump::await_readable() noexcept {
  return after_start(from_.start_body_readable(deadline_after(worker_.now(), limits_.read), *this),
                     Failed::source);
}

BodyPump::Step BodyPump::await_writable() noexcept {
  return after_start(to_.start_body_writable(deadline_after(worker_.now(), limits_.write), *this),
                     Failed::sink);
}

BodyPump::Step BodyPump::after_start(Started started, Failed side) noexcept {
  waiting_for_ = side;
  if (started == Started::waiting) return Step::wait;
  return error.kind == ErrorKind::none ? Step::again : end(side, error);
}

void BodyPump::on_waited() noexcept {
  if (error.kind != ErrorKind::none) {
    end(waiting_for_, error);
  } else {
    run();
  }
}

// The owner may destroy the pump: nothing may follow a call of this but a return.
BodyPump::Step BodyPump::end(Failed failed, Error reason) noexcept {
  over_ = true;
  failed_ = failed;
  error_ = reason;
  ended_at_ = worker_.now();
  kept_.release();
  pipe_.release();
  owner_.on_pump_over(*this);
  return Step::wait;
}

void Relay::on_pump_over(BodyPump& pump) noexcept {
  // Not with the pump's own error: its timeout would be taken for one of the server's stream.
  if (&pump == &request_ && has_request_failed()) {
    server_.reset(make_error(ErrorKind::canceled, Side::weir));
  }
  if (awaited_ == &pump) {
    awaited_ = nullptr;
    std::exchange(task_, nullptr).resume();
  }
}

}  // namespace weir::proxy
