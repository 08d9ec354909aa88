#pragma once
// Which reactor the process runs on: what --reactor says, or what this machine lets it use.

#include <expected>
#include <string>

#include "runtime/system_reactor.h"

namespace weir::app {

enum class ReactorWish : std::uint8_t { any, epoll, io_uring };

// As --reactor takes it; `auto` is any.
inline constexpr std::string_view kReactorWords[] = {"auto", "epoll", "io_uring"};
// word: one of them.
ReactorWish parse_reactor_wish(std::string_view word) noexcept;

struct ChosenReactor {
  ReactorKind kind = ReactorKind::epoll;
  std::string why = {};  // it is not the better one; empty otherwise
};

// The error is a sentence with a remedy: what was asked for cannot be had. Without a wish there is
// always one.
std::expected<ChosenReactor, std::string> choose_reactor(ReactorWish wish);

}  // namespace weir::app
