#include "filter/filters.h"

#include "proxy/filter_entry.h"

namespace weir::proxy {

const config::Type& filter_settings_type() { return config::type_of<filter::FilterSettings>(); }

std::shared_ptr<void> make_filter_settings() { return std::make_shared<filter::FilterSettings>(); }

}  // namespace weir::proxy

namespace weir::filter {

void check_filter(const FilterSettings& settings, config::Problems& problems) {
  for_each_filter(settings, [&]<class Checked>(std::string_view, const auto& of_filter,
                                               std::string_view /*help*/) {
    if constexpr (requires { Checked::check(*of_filter, settings.position, problems); }) {
      if (of_filter) Checked::check(*of_filter, settings.position, problems);
    }
  });
}

std::shared_ptr<const proxy::Filter> make_filter(const FilterSettings& settings) {
  std::shared_ptr<const proxy::Filter> made;
  for_each_filter(settings, [&]<class Made>(std::string_view name, const auto& of_filter,
                                            std::string_view /*help*/) {
    if (of_filter) made = std::make_shared<const Made>(name, settings.position, *of_filter);
  });
  return made;
}

}  // namespace weir::filter
