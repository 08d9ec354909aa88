#pragma once
// Slab<T>: objects of one type from chunks of memory that are kept until the slab ends; making one
// costs no malloc once the slab has grown. Addresses are stable. One thread. Bounded by what it is
// asked to hold. Sanitizer builds go to the heap each time, so that a use after destroy() is seen.

#include <cstddef>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#include "base/assert.h"

namespace weir {

template <class T>
class Slab {
 public:
  Slab() = default;
  Slab(const Slab&) = delete;
  Slab& operator=(const Slab&) = delete;
  ~Slab() { WEIR_ASSERT(live_ == 0); }

  template <class... Args>
  T& make(Args&&... args) {
    ++live_;
#if WEIR_POISON
    return *new T(std::forward<Args>(args)...);
#else
    if (free_ == nullptr) grow();
    Place* place = free_;
    free_ = place->next;
    return *new (place->bytes) T(std::forward<Args>(args)...);
#endif
  }

  void destroy(T& object) noexcept {
    --live_;
#if WEIR_POISON
    delete &object;
#else
    object.~T();
    auto* place = reinterpret_cast<Place*>(&object);
    place->next = free_;
    free_ = place;
#endif
  }

  std::size_t live() const noexcept { return live_; }

 private:
  union Place {
    Place* next;
    alignas(T) unsigned char bytes[sizeof(T)];
  };
  static constexpr std::size_t kPerChunk = sizeof(T) < 1024 ? 32 : 4;

  void grow() {
    chunks_.push_back(std::make_unique_for_overwrite<Place[]>(kPerChunk));
    for (std::size_t i = kPerChunk; i-- > 0;) {
      chunks_.back()[i].next = free_;
      free_ = &chunks_.back()[i];
    }
  }

  Place* free_ = nullptr;
  std::size_t live_ = 0;
  std::vector<std::unique_ptr<Place[]>> chunks_;
};

}  // namespace weir
