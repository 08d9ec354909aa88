#pragma once
// Http1ServerConnection: an HTTP/1 connection to a server: one stream, used for one exchange after
// the other. At rest it is watched, since nobody reads from it.

#include "backend/server_connection.h"
#include "base/slab.h"
#include "net/http/http1_stream.h"

namespace weir::backend {

class Http1ServerConnection final : public ServerConnection {
 public:
  Http1ServerConnection(ServerPool& pool, Socket& socket) noexcept;

  bool may_go_on() const noexcept override { return has_ended_well_ && http_.is_reusable(); }

 private:
  // Any event ends a connection at rest.
  struct AtRest : net::Waiter {
    explicit AtRest(Http1ServerConnection& owner) noexcept;
    Http1ServerConnection& connection;
  };
  net::ServerSideStream& open_stream() noexcept override;
  void close_stream(net::ServerSideStream& stream, Ended ended) noexcept override;
  bool try_rest() noexcept override;

  net::Http1ServerSide http_;
  AtRest at_rest_;
  bool has_ended_well_ = false;  // the last exchange
};

class Http1ServerConnections final : public ServerConnections {
 public:
  ServerConnection& make(ServerPool& pool, Socket& socket) override {
    return connections_.make(pool, socket);
  }
  void destroy(ServerConnection& connection) noexcept override {
    connections_.destroy(static_cast<Http1ServerConnection&>(connection));
  }
  std::size_t live() const noexcept override { return connections_.live(); }

 private:
  Slab<Http1ServerConnection> connections_;
};

}  // namespace weir::backend
