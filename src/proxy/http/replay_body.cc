#include "proxy/http/replay_body.h"

#include <cstring>

namespace weir::proxy {

using net::BodyEnd;
using net::BodyRead;

void ReplayBody::rewind() noexcept {
  WEIR_ASSERT(is_rewindable());
  if (source_->is_rewindable()) {
    source_->rewind();
    received_ = 0;
  }
  next_ = 0;
}

void ReplayBody::stop_keeping() noexcept {
  keeping_ = false;
  // What is being sent again is still needed.
  if (next_ == kept_bytes_) kept_.release();
}

BodyRead ReplayBody::try_read_body(std::span<char> into) noexcept {
  if (next_ < kept_bytes_) {
    const std::string_view again(kept_.data() + next_, kept_bytes_ - next_);
    next_ = kept_bytes_;
    return BodyRead::of(again, ended_ ? BodyEnd::last : BodyEnd::more);
  }
  const BodyRead read = source_->try_read_body(into);
  if (read.status == BodyRead::Status::data) {
    received_ += read.data.size();
    ended_ = read.end == BodyEnd::last;
    if (keeping_ && !source_->is_rewindable()) keep(read.data);
  }
  return read;
}

BodyRead ReplayBody::try_splice_in(Pipe& into) noexcept {
  const BodyRead read = source_->try_splice_in(into);
  if (read.status == BodyRead::Status::data) {
    received_ += into.held();
    ended_ = read.end == BodyEnd::last;
  }
  return read;
}

// A body that does not fit, or for which there is no buffer, is sent once only.
void ReplayBody::keep(std::string_view data) noexcept {
  if (data.empty()) return;
  if (!kept_) kept_ = buffers_.take(kBytesMax);
  if (!kept_ || data.size() > kBytesMax - kept_bytes_) {
    keeping_ = false;
    kept_.release();
    kept_bytes_ = next_ = 0;
    return;
  }
  std::memcpy(kept_.data() + kept_bytes_, data.data(), data.size());
  kept_bytes_ += static_cast<std::uint32_t>(data.size());
  next_ = kept_bytes_;
}

}  // namespace weir::proxy
