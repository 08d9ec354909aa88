#pragma once
// ServerConnection: a connection to a server, whatever is spoken on it, as its pool sees it: how
// many streams it carries, and whether it carries more. ServerConnections makes and ends them.

#include "base/intrusive_list.h"
#include "base/local_ref.h"
#include "net/http/http_stream.h"
#include "net/socket_stream.h"

namespace weir::backend {

class ServerPool;

// One address of a server, as a worker sees it.
struct PoolAddress : LocalCounted {
  explicit PoolAddress(const net::Address& where) noexcept : address(where) {}

  const net::Address address;
  TimePoint failed_at{};  // when no connection could be made, since one could; 0: it never failed
  bool is_gone = false;   // the server's name stands for it no more
};

// How the exchange on a stream ended. badly: one of its messages is not complete.
enum class Ended : std::uint8_t { badly, well };

// At rest in its pool, or in use by as many exchanges as it has streams. Its worker's thread.
class ServerConnection : public Link {
 public:
  // streams_max: that it carries at a time.
  ServerConnection(ServerPool& pool, Socket& socket, std::uint32_t streams_max) noexcept;

  ServerPool& pool;
  net::SocketStream stream;
  LocalRef<PoolAddress> address;  // that it is connected to, or is to be
  std::uint16_t port = 0;         // that it was connected to, if the server has none of its own
  TimePoint used_at{};            // when an exchange on it ended well last, or it was connected

  // Streams that it has carried, those that are open among them.
  std::uint32_t streams_begun() const noexcept { return streams_begun_; }
  std::uint32_t streams_open() const noexcept { return streams_open_; }
  bool has_room() const noexcept { return streams_open_ < streams_max_; }

  // Whether further streams may be opened, once there is room. On an HTTP/1 connection with a
  // stream that is not certain, and the answer no.
  virtual bool may_go_on() const noexcept = 0;

 protected:
  ~ServerConnection() = default;

 private:
  friend class ServerPool;
  // From the first one on the connection is connected. There is room; the connection rests no more.
  virtual net::ServerSideStream& open_stream() noexcept = 0;
  // The exchange is over, and nobody uses the stream any more. One that ended badly is reset.
  virtual void close_stream(net::ServerSideStream& stream, Ended ended) noexcept = 0;
  // No stream is open. If the connection ends from now on, ServerPool::lose() is to be called;
  // false: it has ended already.
  virtual bool try_rest() noexcept = 0;

  struct IdleLimit : Timer {
    explicit IdleLimit(ServerConnection& owner) noexcept;
    ServerConnection& connection;
  } idle_limit_;
  std::uint32_t streams_max_;
  std::uint32_t streams_open_ = 0;
  std::uint32_t streams_begun_ = 0;
};

// The connections of one worker to servers. Outlives its pools.
class ServerConnections {
 public:
  // Of a socket that is to be connected. Connecting is its first user's affair alone: whoever else
  // wants the server meanwhile opens another one.
  virtual ServerConnection& make(ServerPool& pool, Socket& socket) = 0;
  // It has no stream, and its pool does not know it any more. What it still waits for may take it
  // beyond the call; it uses its pool no more.
  virtual void destroy(ServerConnection& connection) noexcept = 0;
  // That are not gone yet.
  virtual std::size_t live() const noexcept = 0;

 protected:
  ~ServerConnections() = default;
};

}  // namespace weir::backend
