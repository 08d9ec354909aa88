#include "balance/pickers.h"

#include <algorithm>
#include <type_traits>
#include <vector>

namespace weir::balance {

std::span<const PickerEntry> pickers() {
  static const std::vector<PickerEntry> entries = [] {
    std::vector<PickerEntry> made;
    const BalanceSettings none;
    for_each_picker(none, [&made]<class>(std::string_view name, const auto&, Method method,
                                         std::string_view) { made.push_back({name, method}); });
    return made;
  }();
  return entries;
}

const PickerEntry& picker_of(const BalanceSettings& settings) {
  std::string_view written = pickers().front().name;
  for_each_picker(settings,
                  [&]<class>(std::string_view name, const auto& picker, Method, std::string_view) {
                    if (picker) written = name;
                  });
  return *std::ranges::find(pickers(), written, &PickerEntry::name);
}

BalanceSettings default_settings(std::string_view wanted) {
  BalanceSettings settings;
  bool is_known = false;
  for_each_picker(settings,
                  [&]<class>(std::string_view name, auto& picker, Method, std::string_view) {
                    if (name != wanted) return;
                    picker.emplace();
                    is_known = true;
                  });
  WEIR_ASSERT(is_known);
  return settings;
}

std::unique_ptr<const Picker> make_picker(const BalanceSettings& settings) {
  const std::string_view wanted = picker_of(settings).name;
  std::unique_ptr<const Picker> made;
  for_each_picker(
      settings, [&]<class P>(std::string_view name, const auto& picker, Method, std::string_view) {
        using PickerSettings = std::remove_cvref_t<decltype(*picker)>;
        if (name == wanted) made = std::make_unique<P>(picker.value_or(PickerSettings{}));
      });
  return made;
}

}  // namespace weir::balance
