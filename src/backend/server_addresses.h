#pragma once
// ServerAddresses: where a server can be reached at present: at its address, or at those that its
// name stands for. Immutable; workers get it with the candidates.

#include <string>
#include <vector>

#include "net/server_address.h"

namespace weir::backend {

struct ServerAddresses {
  // At most net::kServerAddressesMax; port 0: the listener's.
  std::vector<net::Address> list;
  // Why the server cannot be used: its name does not resolve. Empty: it can.
  std::string problem;

  friend bool operator==(const ServerAddresses&, const ServerAddresses&) = default;
};

// Before anybody has asked for its name, if it has one.
ServerAddresses initial_addresses(const net::ServerAddress& address);

}  // namespace weir::backend
