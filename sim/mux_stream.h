#pragma once
// A second HttpStream, for the simulation: many streams on one client connection, with windows down
// to one byte and resets. serve_exchange, attempt and Relay serve it as they serve HTTP/1, which is
// how it is known that they know no protocol. mux_server_connection.h has the server side.

#include <map>
#include <memory>
#include <string>

#include "proxy/http/exchange.h"
#include "runtime/scope.h"
#include "sim/mux_flow.h"

namespace weir::sim {

class MuxSession;

class MuxStream final : public net::ClientSideStream {
 public:
  // The exchange needs a client connection of its own, for it holds what has to be cancelled; its
  // socket is never used.
  MuxStream(MuxSession& session, Frame& first, Socket& socket);

  Task<Result<void>> read_head(http::RequestHead& head, Arena& arena, TimePoint deadline) override;
  // Heads leave at once.
  bool take_back_head() noexcept override { return false; }
  Task<Result<void>> write_head(const http::ResponseHead& head, net::BodyFollows follows,
                                TimePoint deadline) override;
  net::BodyRead try_read_body(std::span<char> into) noexcept override {
    return flow_.try_read_body(into);
  }
  Started start_body_readable(TimePoint deadline, net::Waiter& waiter) noexcept override {
    return flow_.start_body_readable(deadline, waiter);
  }
  void cancel_body_readable() noexcept override { flow_.cancel_body_readable(); }
  const http::FieldList& trailers() const noexcept override { return flow_.trailers(); }
  net::BodyWrite try_write_body(std::string_view data, net::BodyEnd end) noexcept override {
    return flow_.try_write_body(data, end);
  }
  void set_trailers(const http::FieldList& fields) noexcept override { flow_.set_trailers(fields); }
  Started start_body_writable(TimePoint deadline, net::Waiter& waiter) noexcept override {
    return flow_.start_body_writable(deadline, waiter);
  }
  bool is_body_read() const noexcept override { return flow_.is_body_read(); }
  void reset(Error reason) noexcept override { flow_.reset(reason); }
  void watch_hang_up(net::Waiter& waiter) noexcept override { flow_.watch_hang_up(waiter); }
  void stop_watching() noexcept override { flow_.stop_watching(); }
  net::ByteStream* raw() noexcept override { return nullptr; }
  std::string_view received() const noexcept override { return {}; }

  // What its exchange takes for the client's connection.
  proxy::ClientConnection& connection() noexcept { return connection_; }
  const MuxFlow& flow() const noexcept { return flow_; }

 private:
  MuxFlow flow_;
  proxy::ClientConnection connection_;
};

// One client connection with its streams.
class MuxSession final : public MuxConnection {
 public:
  explicit MuxSession(proxy::ClientConnection& connection) noexcept;

  // Until the client has ended the connection and all streams are over.
  Task<void> run();

  proxy::ClientConnection& connection() noexcept { return connection_; }

 private:
  void on_unknown_head(Frame& frame) override;
  Task<void> serve_stream(MuxStream& stream);

  proxy::ClientConnection& connection_;
  Scope streams_running_;
  std::map<std::uint32_t, std::unique_ptr<MuxStream>> streams_;
};

// A listener's task for connections of this protocol.
Task<void> serve_mux_connection(proxy::ClientConnection& connection);

}  // namespace weir::sim
