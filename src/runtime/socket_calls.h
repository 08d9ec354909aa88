#pragma once
// The system calls on sockets and clocks that the reactors of this machine have in common. None
// blocks.

#include <span>
#include <sys/uio.h>

#include "runtime/reactor.h"

namespace weir {

// A non-blocking, close-on-exec stream socket; a TCP one sends without delay.
Result<Fd> open_stream_socket(int family) noexcept;
// 0 when connected, EINPROGRESS when a poll for writing will tell, or else why not.
int begin_connect(int fd, SocketAddressView address) noexcept;
// After a poll for writing, whose events these are: 0 or the errno.
int end_connect(int fd, std::uint32_t events) noexcept;
// The next connection of a listening socket's queue; closed, with errno, if there is none.
Fd accept_connection(int fd, sockaddr_storage& peer) noexcept;

// Whether somebody is in a listening socket's queue. To accept in vain costs several times as much:
// the kernel makes the socket first, and looks then.
bool has_queued(int fd) noexcept;

IoCount receive_some(int fd, std::span<char> into) noexcept;
// Looks, and takes nothing.
bool would_receive_block(int fd) noexcept;
IoCount send_some(int fd, std::span<const iovec> parts) noexcept;
// What a receive at the end comes to, if a send was told this errno (0: none). The kernel tells of
// a reset once: one that a send was told leaves an end to the receive, and what lasts until the end
// would be taken for whole. (EPIPE is not about this direction.)
IoCount end_of_stream(int send_error) noexcept;
// Into an empty pipe, and out of one that is not. A process that splices must ignore SIGPIPE.
IoCount splice_in(int fd, Pipe& into, std::size_t bytes_max) noexcept;
IoCount splice_out(int fd, Pipe& from) noexcept;
// Copies what came another way into an empty pipe.
IoCount copy_in(std::span<const char> data, Pipe& into) noexcept;
// The close that follows sends a reset.
void linger_for_nothing(int fd) noexcept;
// How much of what was sent the peer has not taken (unix) or acknowledged (TCP) yet.
int count_untaken(int fd) noexcept;

// Sends what the socket takes now, and ends the operation when that is all or has failed. False: it
// is not over.
bool send_now(Reactor& reactor, Socket& socket, SendOperation& operation) noexcept;

TimePoint read_monotonic_clock() noexcept;
WallTime read_wall_clock() noexcept;

}  // namespace weir
