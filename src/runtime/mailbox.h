#pragma once
// Mailbox: how other threads speak to a worker. Many senders, one receiver, first in first out for
// each sender. Posting neither allocates nor waits; the sender owns the message until it is
// delivered.

#include <atomic>

namespace weir {

// Delivered once, on the receiver's thread; deliver() may destroy the message.
class Message {
 public:
  virtual void deliver() noexcept = 0;

 protected:
  ~Message() = default;

 private:
  friend class Mailbox;
  Message* next_ = nullptr;
};

class Mailbox {
 public:
  Mailbox() = default;
  Mailbox(const Mailbox&) = delete;

  // Any thread. True: the mailbox was empty, so the receiver may be asleep and has to be woken.
  [[nodiscard]] bool post(Message& message) noexcept {
    Message* top = top_.load(std::memory_order_relaxed);
    do {
      message.next_ = top;
    } while (!top_.compare_exchange_weak(top, &message, std::memory_order_release,
                                         std::memory_order_relaxed));
    return top == nullptr;
  }

  // The receiver's thread: delivers all that was posted before the call.
  void deliver_all() noexcept {
    if (top_.load(std::memory_order_relaxed) == nullptr) return;
    Message* newest = top_.exchange(nullptr, std::memory_order_acquire);
    Message* oldest = nullptr;
    while (newest != nullptr) {
      Message* next = newest->next_;
      newest->next_ = oldest;
      oldest = newest;
      newest = next;
    }
    while (oldest != nullptr) {
      Message* next = oldest->next_;
      oldest->deliver();
      oldest = next;
    }
  }

 private:
  std::atomic<Message*> top_{nullptr};
};

}  // namespace weir
