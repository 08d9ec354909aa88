#pragma once
// A second HttpStream, for the simulation: many streams on one client connection, with windows down
// to one byte and resets. serve_exchange, attempt and Relay serve it as they serve HTTP/1, which is
// how it is known that they know no protocol. (The client side only: a backend's connections are
// HTTP/1.)

#include <map>
#include <memory>
#include <string>

#include "net/http/http_stream.h"
#include "proxy/http/exchange.h"
#include "runtime/scope.h"
#include "sim/mux_frame.h"

namespace weir::sim {

class MuxSession;

class MuxStream final : public net::ClientSideStream {
 public:
  // head: the payload of the stream's first frame. has_ended: no body follows.
  MuxStream(MuxSession& session, std::uint32_t number, std::string head, bool has_ended,
            Socket& socket);

  Task<Result<void>> read_head(http::RequestHead& head, Arena& arena, TimePoint deadline) override;
  Task<Result<void>> write_head(const http::ResponseHead& head, net::BodyFollows follows,
                                TimePoint deadline) override;
  net::BodyRead try_read_body(std::span<char> into) noexcept override;
  Started start_body_readable(TimePoint deadline, net::Waiter& waiter) noexcept override;
  void cancel_body_readable() noexcept override;
  // Clients of this protocol send none.
  const http::FieldList& trailers() const noexcept override { return no_trailers_; }
  net::BodyWrite try_write_body(std::string_view data, net::BodyEnd end) noexcept override;
  void set_trailers(const http::FieldList& fields) noexcept override { trailers_ = &fields; }
  Started start_body_writable(TimePoint deadline, net::Waiter& waiter) noexcept override;
  bool is_body_read() const noexcept override { return has_ended_ && body_.empty(); }
  void reset(Error reason) noexcept override;
  void watch_hang_up(net::Waiter& waiter) noexcept override;
  void stop_watching() noexcept override { watcher_ = nullptr; }
  net::ByteStream* raw() noexcept override { return nullptr; }
  std::string_view received() const noexcept override { return {}; }

  // What its exchange takes for the client's connection.
  proxy::ClientConnection& connection() noexcept { return connection_; }
  std::uint32_t number() const noexcept { return number_; }
  bool is_answered() const noexcept { return is_answered_; }

  // For the session: what the client sent.
  void on_data(std::string_view data, bool is_last);
  void on_window(std::size_t bytes);
  void on_reset();
  // There is room again for what streams send.
  void on_room();

 private:
  // Somebody who waits for one direction, and until when.
  struct Waiting : Timer {
    Waiting() noexcept;
    Started begin(Timers& timers, TimePoint deadline, net::Waiter& waiter) noexcept;
    // Calls back whoever waits; they may destroy the stream.
    void end(Error error) noexcept;
    net::Waiter* waiter = nullptr;
  };
  struct Ending : Deferred {
    explicit Ending(MuxStream& owner) noexcept;
    MuxStream& stream;
  };
  bool is_readable() const noexcept;
  bool is_writable() const noexcept;
  void end_waits() noexcept;

  MuxSession& session_;
  std::uint32_t number_;
  std::string head_;
  proxy::ClientConnection connection_;
  std::string body_;   // received, not read
  std::string given_;  // what the last read gave
  bool has_ended_;
  bool is_answered_ = false;
  std::size_t window_ = kFirstWindow;
  http::FieldList no_trailers_;
  const http::FieldList* trailers_ = nullptr;  // of the answer
  Error reset_;
  Waiting reader_;
  Waiting writer_;
  net::Waiter* watcher_ = nullptr;
  Ending ending_;
};

// One client connection with its streams.
class MuxSession {
 public:
  explicit MuxSession(proxy::ClientConnection& connection) noexcept;
  MuxSession(const MuxSession&) = delete;

  // Until the client has ended the connection and all streams are over.
  Task<void> run();

  proxy::ClientConnection& connection() noexcept { return connection_; }
  Worker& worker() noexcept { return connection_.worker.worker(); }
  // Room for what streams send; more is taken when some has gone.
  std::size_t room() const noexcept { return out_.size() < kOutMax ? kOutMax - out_.size() : 0; }
  void send(FrameKind kind, bool is_last, std::uint32_t stream, std::string_view payload);

 private:
  static constexpr std::size_t kOutMax = 16 * 1024;

  // Awaited by write_frames() when there is nothing to write.
  struct MoreToWrite {
    MuxSession& session;
    bool await_ready() const noexcept { return !session.out_.empty() || session.is_ending_; }
    void await_suspend(std::coroutine_handle<> task) const noexcept { session.writer_ = task; }
    void await_resume() const noexcept {}
  };
  struct Wake : Deferred {
    explicit Wake(MuxSession& owner) noexcept;
    MuxSession& session;
  };

  Task<void> read_frames();
  Task<void> write_frames();
  Task<void> serve_stream(MuxStream& stream);
  void on_frame(Frame& frame);
  void open_stream(Frame& frame);
  void tell_of_room();
  void wake_writer() noexcept;

  proxy::ClientConnection& connection_;
  Scope streams_running_;
  Scope writer_running_;
  std::map<std::uint32_t, std::unique_ptr<MuxStream>> streams_;
  std::string in_;
  std::string out_;
  std::coroutine_handle<> writer_;
  Wake wake_;
  std::uint32_t next_told_ = 0;  // of room
  bool is_ending_ = false;
  bool is_broken_ = false;
};

// A listener's task for connections of this protocol.
Task<void> serve_mux_connection(proxy::ClientConnection& connection);

}  // namespace weir::sim
