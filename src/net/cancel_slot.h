#pragma once
// CancelSlot: what has to be ended at present to cancel a piece of work that goes from one stream
// to the next: the stream, or the pause, that it waits for. Cancelled once, whatever comes into the
// slot later is ended at once.

#include "net/abortable.h"

namespace weir::net {

class CancelSlot {
 public:
  void hold(Abortable& waited_for) noexcept {
    held_ = &waited_for;
    if (reason_.kind != ErrorKind::none) held_->abort(reason_);
  }
  void let_go() noexcept { held_ = nullptr; }
  void cancel(Error reason) noexcept {
    if (reason_.kind != ErrorKind::none) return;
    reason_ = reason;
    if (held_ != nullptr) held_->abort(reason);
  }
  // What was cancelled for this reason has ended, and further work may come into the slot.
  void forget(ErrorKind reason) noexcept {
    if (reason_.kind == reason) reason_ = {};
  }
  bool is_canceled() const noexcept { return reason_.kind != ErrorKind::none; }
  Error reason() const noexcept { return reason_; }

 private:
  Abortable* held_ = nullptr;
  Error reason_;
};

}  // namespace weir::net
