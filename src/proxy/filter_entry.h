#pragma once
// FilterEntry: an entry of a `filters` list in a configuration, `- respond: { … }`. Which filters
// there are is known in the layer above (filter/filters.h), so that its settings are held here
// without their type.

#include <memory>

#include "config/description.h"

namespace weir::proxy {

class FilterEntry {
 public:
  // A filter::FilterSettings; nullptr: nothing was read.
  const void* settings() const noexcept { return settings_.get(); }

 private:
  friend struct config::TypeMaker<FilterEntry>;
  std::shared_ptr<void> settings_;
};

// Both in filter/filters.cc.
const config::Type& filter_settings_type();
std::shared_ptr<void> make_filter_settings();

}  // namespace weir::proxy

namespace weir::config {

template <>
struct TypeMaker<proxy::FilterEntry> {
  static constexpr Type make() {
    Type type{.kind = Type::Kind::optional, .element = &proxy::filter_settings_type};
    type.emplace = [](void* holder) -> void* {
      auto& entry = *static_cast<proxy::FilterEntry*>(holder);
      entry.settings_ = proxy::make_filter_settings();
      return entry.settings_.get();
    };
    type.item = [](const void* holder, std::size_t index) -> const void* {
      return index == 0 ? static_cast<const proxy::FilterEntry*>(holder)->settings() : nullptr;
    };
    return type;
  }
};

}  // namespace weir::config
