#pragma once
// The server side of the simulation's multiplexed protocol: the connections that Weir has to such
// servers, each with many streams.

#include <algorithm>
#include <map>
#include <memory>

#include "backend/http1_server_connection.h"
#include "backend/server_pool.h"
#include "sim/mux_flow.h"

namespace weir::sim {

class MuxServerStream final : public net::ServerSideStream {
 public:
  MuxServerStream(MuxConnection& connection, std::uint32_t number)
      : flow_(connection, number, Side::server), opened_at_(connection.worker().now()) {}

  TimePoint opened_at() const noexcept { return opened_at_; }

  Task<Result<void>> write_head(const http::RequestHead& head, net::BodyFollows follows,
                                TimePoint deadline) override;
  Task<Result<void>> read_head(http::ResponseHead& head, Arena& arena, TimePoint deadline) override;
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
  bool has_response_begun() const noexcept override { return flow_.has_begun(); }

  const MuxFlow& flow() const noexcept { return flow_; }

 private:
  MuxFlow flow_;
  TimePoint opened_at_;
  http::Method method_ = http::Method::get;
};

class SimServerConnections;

class MuxServerConnection final : public backend::ServerConnection, public MuxConnection {
 public:
  MuxServerConnection(SimServerConnections& owner, backend::ServerPool& pool, Socket& socket,
                      std::uint16_t streams_max) noexcept;

  // From the first stream on: until the connection has ended and its pool knows it no more.
  Task<void> run();
  void discard() noexcept;
  bool is_running() const noexcept { return is_running_; }

  bool may_go_on() const noexcept override { return !is_broken() && !is_doubted_; }

 private:
  struct Discarded {
    MuxServerConnection& connection;
    bool await_ready() const noexcept { return connection.is_discarded_; }
    void await_suspend(std::coroutine_handle<> task) const noexcept { connection.waits_ = task; }
    void await_resume() const noexcept {}
  };
  struct Wake : Deferred {
    explicit Wake(MuxServerConnection& owner) noexcept;
    MuxServerConnection& connection;
  };
  net::ServerSideStream& open_stream() noexcept override;
  void close_stream(net::ServerSideStream& stream, backend::Ended ended) noexcept override;
  // It is read from all the time.
  bool try_rest() noexcept override { return true; }

  SimServerConnections& owner_;
  std::map<std::uint32_t, std::unique_ptr<MuxServerStream>> streams_;
  std::uint32_t next_number_ = 1;
  std::coroutine_handle<> waits_;
  Wake wake_;
  bool is_running_ = false;
  bool is_discarded_ = false;
  // A stream was given up without a word from the server since it began: its host may be gone.
  bool is_doubted_ = false;
};

// HTTP/1 with some servers, the multiplexed protocol with those on its ports.
class SimServerConnections final : public backend::ServerConnections {
 public:
  backend::ServerConnection& make(backend::ServerPool& pool, Socket& socket) override;
  void destroy(backend::ServerConnection& connection) noexcept override;
  std::size_t live() const noexcept override { return http1_.live() + mux_.size(); }

  void start(MuxServerConnection& connection);
  // Streams that a multiplexed connection has had at a time.
  std::size_t streams_most() const noexcept { return streams_most_; }
  void note_streams(std::size_t count) noexcept { streams_most_ = std::max(streams_most_, count); }

 private:
  Task<void> carry(MuxServerConnection& connection);

  backend::Http1ServerConnections http1_;
  std::map<const backend::ServerConnection*, std::unique_ptr<MuxServerConnection>> mux_;
  Scope running_;
  std::size_t streams_most_ = 0;
};

}  // namespace weir::sim
