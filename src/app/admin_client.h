#pragma once
// A client of the admin API of another process: one request a connection, blocking. For commands,
// never on a worker.

#include <cstdint>
#include <expected>
#include <string>

#include "base/time.h"
#include "net/address.h"

namespace weir::app {

struct AdminRequest {
  std::string method;
  std::string target;                           // path and query, escaped
  std::string body = {};                        // JSON; empty: none
  Duration timeout = std::chrono::seconds(10);  // without a byte received or sent
};

struct AdminAnswer {
  std::uint16_t status = 0;
  std::string body;
  bool is_served = false;  // of an explanation: a server would get the request
};

// The error says why nobody answered, or not as an admin API does.
std::expected<AdminAnswer, std::string> ask_admin(const net::Address& address,
                                                  const AdminRequest& request);

}  // namespace weir::app
