#pragma once
// Slab<T>: objects of one type from chunks of memory that are kept until the slab ends; making one
// costs no malloc once the slab has grown. Addresses are stable. One thread. Bounded by what it is
// asked to hold.

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
    if (free_ == nullptr) grow();
    Place* place = free_;
    free_ = place->next;
    ++live_;
    return *new (place->bytes) T(std::forward<Args>(args)...);
  }

  void destroy(T& object) noexcept {
    object.~T();
    auto* place = reinterpret_cast<Place*>(&object);
    place->next = free_;
    free_ = place;
    --live_;
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
