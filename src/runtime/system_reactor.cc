#include "runtime/system_reactor.h"

#include <thread>

#include "runtime/epoll_reactor.h"
#include "runtime/io_uring_reactor.h"

namespace weir {

std::string_view name_of(ReactorKind kind) noexcept {
  switch (kind) {
    case ReactorKind::epoll:
      return "epoll";
    case ReactorKind::io_uring:
      return "io_uring";
  }
  return "";
}

Result<void> try_reactor(ReactorKind kind) {
  if (kind == ReactorKind::epoll) return {};
  int os_error = 0;
  std::thread([&os_error] {
    const auto ring = IoRing::make({.submissions = 1, .completions = 2, .buffers = 1});
    const timespec at_once{};
    os_error = ring ? -(*ring)->enter(&at_once) : ring.error().os_error;
  }).join();
  if (os_error != 0) return fail(ErrorKind::io, Side::weir, os_error);
  return {};
}

Result<std::unique_ptr<Reactor>> make_reactor(ReactorKind kind, BufferPool& buffers) {
  if (kind == ReactorKind::epoll) return WEIR_TRY(EpollReactor::make(buffers));
  return WEIR_TRY(IoUringReactor::make(buffers));
}

}  // namespace weir
