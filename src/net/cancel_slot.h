#pragma once
// CancelSlot: what has to be ended at present to cancel a piece of work that goes from one stream
// to the next: the stream that it waits for. Cancelled once, whatever comes into the slot later is
// ended at once.

#include "net/byte_stream.h"

namespace weir::net {

class CancelSlot {
 public:
  void hold(ByteStream& stream) noexcept {
    stream_ = &stream;
    if (reason_.kind != ErrorKind::none) stream.abort(reason_);
  }
  void let_go() noexcept { stream_ = nullptr; }
  void cancel(Error reason) noexcept {
    if (reason_.kind != ErrorKind::none) return;
    reason_ = reason;
    if (stream_ != nullptr) stream_->abort(reason);
  }
  bool is_canceled() const noexcept { return reason_.kind != ErrorKind::none; }
  Error reason() const noexcept { return reason_; }

 private:
  ByteStream* stream_ = nullptr;
  Error reason_;
};

}  // namespace weir::net
