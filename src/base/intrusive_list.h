#pragma once
// Doubly linked list whose links live in the elements: no allocation, O(1) removal from anywhere.
// Neither list nor element owns the other; a Link unlinks itself when destroyed.

#include "base/assert.h"

namespace weir {

class Link {
 public:
  Link() noexcept : previous_(this), next_(this) {}
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;
  ~Link() { unlink(); }

  bool is_linked() const noexcept { return next_ != this; }
  void unlink() noexcept {
    previous_->next_ = next_;
    next_->previous_ = previous_;
    previous_ = next_ = this;
  }

 private:
  template <class T>
  friend class IntrusiveList;
  void insert_before(Link& position) noexcept {
    WEIR_ASSERT(!is_linked());
    previous_ = position.previous_;
    next_ = &position;
    previous_->next_ = this;
    position.previous_ = this;
  }
  Link* previous_;
  Link* next_;
};

// T derives from Link.
template <class T>
class IntrusiveList {
 public:
  bool is_empty() const noexcept { return !head_.is_linked(); }
  void push_back(T& element) noexcept { static_cast<Link&>(element).insert_before(head_); }
  void push_front(T& element) noexcept { static_cast<Link&>(element).insert_before(*head_.next_); }
  T& front() noexcept { return static_cast<T&>(*head_.next_); }
  T& back() noexcept { return static_cast<T&>(*head_.previous_); }
  T& pop_front() noexcept {
    WEIR_ASSERT(!is_empty());
    T& element = front();
    static_cast<Link&>(element).unlink();
    return element;
  }
  // Visits every element; the visitor may unlink (or destroy) the one it is given, no other.
  template <class Visitor>
  void for_each(Visitor&& visit) {
    for (Link* at = head_.next_; at != &head_;) {
      Link* next = at->next_;
      visit(static_cast<T&>(*at));
      at = next;
    }
  }
  // Moves all elements to the end of another list.
  void splice_to(IntrusiveList& other) noexcept {
    while (!is_empty()) other.push_back(pop_front());
  }

 private:
  Link head_;
};

}  // namespace weir
