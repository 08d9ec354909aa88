#pragma once
// FilterUse: what exchanges hold of the filters of their route.

#include <memory>
#include <utility>

#include "base/local_ref.h"

namespace weir::proxy {

class FilterChain;

struct FilterUse : LocalCounted {
  explicit FilterUse(std::shared_ptr<const FilterChain> used) noexcept : chain(std::move(used)) {}
  std::shared_ptr<const FilterChain> chain;
};

}  // namespace weir::proxy
