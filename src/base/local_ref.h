#pragma once
// LocalRef<T>: shared ownership within one thread. The count is a plain integer in the object, so
// that taking and dropping a reference costs a request nothing worth measuring.

#include <cstdint>
#include <utility>

#include "base/assert.h"

namespace weir {

// Base of what LocalRefs hold. The object must have been made by make_local.
class LocalCounted {
 public:
  LocalCounted() = default;
  LocalCounted(const LocalCounted&) = delete;
  LocalCounted& operator=(const LocalCounted&) = delete;

 private:
  template <class T>
  friend class LocalRef;
  mutable std::uint32_t references_ = 0;
};

// T derives from LocalCounted. The last one to let go deletes the object.
template <class T>
class LocalRef {
 public:
  LocalRef() = default;
  explicit LocalRef(T& object) noexcept : object_(&object) { ++object_->references_; }
  LocalRef(const LocalRef& other) noexcept : object_(other.object_) {
    if (object_ != nullptr) ++object_->references_;
  }
  LocalRef(LocalRef&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  LocalRef& operator=(LocalRef other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~LocalRef() {
    if (object_ != nullptr && --object_->references_ == 0) delete object_;
  }

  explicit operator bool() const noexcept { return object_ != nullptr; }
  T& operator*() const noexcept {
    WEIR_ASSERT(object_ != nullptr);
    return *object_;
  }
  T* operator->() const noexcept { return &**this; }
  T* get() const noexcept { return object_; }
  void reset() noexcept { *this = LocalRef(); }

  friend bool operator==(const LocalRef&, const LocalRef&) = default;

 private:
  T* object_ = nullptr;
};

template <class T, class... Arguments>
LocalRef<T> make_local(Arguments&&... arguments) {
  return LocalRef<T>(*new T(std::forward<Arguments>(arguments)...));
}

}  // namespace weir
