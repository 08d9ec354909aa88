#pragma once
// The reactors of this machine, and whether it lets them be used.

#include <memory>
#include <string_view>

#include "runtime/reactor.h"

namespace weir {

enum class ReactorKind : std::uint8_t { epoll, io_uring };

// As it is configured, printed and counted.
std::string_view name_of(ReactorKind kind) noexcept;

// Fails with what the kernel, or a filter before it, answered: ENOSYS, EPERM, EINVAL … Tries it
// out on a thread of its own, for a while after a ring has ended the kernel interrupts who used it.
Result<void> try_reactor(ReactorKind kind);

Result<std::unique_ptr<Reactor>> make_reactor(ReactorKind kind, BufferPool& buffers);

}  // namespace weir
