#pragma once
// Opens listening sockets. At start, not on a worker.

#include <expected>
#include <string>
#include <vector>

#include "base/fd.h"
#include "net/address.h"
#include "net/tcp_settings.h"

namespace weir::net {

struct ListeningSockets {
  std::vector<Fd> sockets;  // non-blocking, one for each worker
  Address address;          // with the port that the kernel chose, if 0 was asked for
};

struct ListenOptions {
  bool ipv6_only = false;  // [::] takes IPv4 as well otherwise
  ListenerTcpSettings tcp = {};
};

// `count` sockets that listen on one address, between which the kernel spreads connections. A port
// that is taken, be it by another Weir of the same user, is an error. The error is a sentence with
// a remedy.
std::expected<ListeningSockets, std::string> open_listening_sockets(
    const Address& address, std::size_t count, const ListenOptions& options = {});

// From now on the kernel drops what asks for a connection to this listening socket: its queue can
// be emptied before it is closed, and nobody is reset. Clients try again after a second. Does
// nothing to others.
void hold_off_new_connections(int fd) noexcept;

}  // namespace weir::net
