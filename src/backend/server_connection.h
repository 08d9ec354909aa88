#pragma once
// ServerConnection: one HTTP/1 connection to a server; in use by one exchange, or idle in the pool
// of its worker.

#include "base/intrusive_list.h"
#include "net/http/http1_stream.h"
#include "net/socket_stream.h"

namespace weir::backend {

class ServerPool;

class ServerConnection : public Link {
 public:
  ServerConnection(ServerPool& pool, Worker& worker, Socket& socket) noexcept;

  ServerPool& pool;
  net::SocketStream stream;
  net::Http1ServerSide http;
  TimePoint idle_since{};
  std::uint32_t exchanges = 0;  // that it has served

  bool is_reused() const noexcept { return exchanges != 0; }

  // While idle: any event ends the connection, and so does the limit of time.
  struct AtRest : net::Waiter {
    explicit AtRest(ServerConnection& owner) noexcept;
    ServerConnection& connection;
  } at_rest;
  struct IdleLimit : Timer {
    explicit IdleLimit(ServerConnection& owner) noexcept;
    ServerConnection& connection;
  } idle_limit;
};

}  // namespace weir::backend
