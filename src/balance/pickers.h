#pragma once
// Every balancing algorithm, by the name that configurations use. A new one is a file, a line here,
// a page and a test; picker_contract_test runs over this list.

#include <array>
#include <memory>
#include <string_view>

#include "balance/least_connections.h"
#include "balance/picker.h"
#include "balance/power_of_two.h"
#include "balance/random.h"
#include "balance/round_robin.h"

namespace weir::balance {

struct PickerEntry {
  std::string_view name;
  std::unique_ptr<const Picker> (*make)();
  std::string_view page;  // its documentation, relative to the repository
};

template <class T>
std::unique_ptr<const Picker> make() {
  return std::make_unique<T>();
}

// The first one is the default.
inline constexpr std::array kPickers = {
    PickerEntry{"round_robin", make<RoundRobinPicker>, "docs/reference/balance/round_robin.md"},
    PickerEntry{"random", make<RandomPicker>, "docs/reference/balance/random.md"},
    PickerEntry{"power_of_two", make<PowerOfTwoPicker>, "docs/reference/balance/power_of_two.md"},
    PickerEntry{"least_connections", make<LeastConnectionsPicker>,
                "docs/reference/balance/least_connections.md"},
};

// The entry of this name, or nullptr.
constexpr const PickerEntry* find_picker(std::string_view name) noexcept {
  for (const PickerEntry& entry : kPickers) {
    if (entry.name == name) return &entry;
  }
  return nullptr;
}

}  // namespace weir::balance
