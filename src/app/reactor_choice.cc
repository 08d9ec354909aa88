#include "app/reactor_choice.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fmt/format.h>

namespace weir::app {
namespace {

std::string_view remedy_for(int os_error) noexcept {
  switch (os_error) {
    case EPERM:
    case EACCES:
      return "a seccomp filter, as container runtimes install one, or the setting "
             "kernel.io_uring_disabled forbids it";
    case ENOSYS:
      return "the kernel is built without it, or a seccomp filter hides it";
    case EINVAL:
      return "it needs Linux 6.1 or newer";
    case ENOMEM:
      return "the memory that the process may lock (RLIMIT_MEMLOCK) or has left is too little";
    default:
      return "unexpected";
  }
}

std::string why_not(Error error) {
  return fmt::format("io_uring cannot be used: {} ({})", std::strerror(error.os_error),
                     remedy_for(error.os_error));
}

}  // namespace

ReactorWish parse_reactor_wish(std::string_view word) noexcept {
  const auto found = std::ranges::find(kReactorWords, word);
  return static_cast<ReactorWish>(found - std::begin(kReactorWords));
}

std::expected<ChosenReactor, std::string> choose_reactor(ReactorWish wish) {
  if (wish == ReactorWish::epoll) return ChosenReactor{ReactorKind::epoll};
  const auto tried = try_reactor(ReactorKind::io_uring);
  if (tried) return ChosenReactor{ReactorKind::io_uring};
  const std::string why = why_not(tried.error());
  if (wish == ReactorWish::any) return ChosenReactor{ReactorKind::epoll, why};
  return std::unexpected("--reactor io_uring: " + why + "; --reactor auto falls back to epoll");
}

}  // namespace weir::app
