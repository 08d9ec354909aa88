#pragma once
// What an operator says of a server while Weir runs. Not part of the configuration: it outlives a
// reload.

#include <array>
#include <cstdint>
#include <string_view>
#include <utility>

namespace weir::backend {

enum class AdminState : std::uint8_t {
  ready,     // gets traffic
  draining,  // gets nothing new; what is under way may finish until the backend's drain deadline
  disabled,  // gets nothing new; what is under way may finish
};
constexpr auto names_of(AdminState) {
  return std::to_array<std::pair<std::string_view, AdminState>>(
      {{"ready", AdminState::ready},
       {"draining", AdminState::draining},
       {"disabled", AdminState::disabled}});
}

}  // namespace weir::backend
