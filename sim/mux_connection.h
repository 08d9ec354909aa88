#pragma once
// MuxConnection: a connection of the simulation's multiplexed protocol, whichever side of Weir it
// is on: frames in and out, and the flows that they belong to.

#include <coroutine>
#include <map>
#include <string>

#include "net/socket_stream.h"
#include "runtime/scope.h"
#include "sim/mux_frame.h"

namespace weir::sim {

class MuxFlow;

class MuxConnection {
 public:
  MuxConnection(Worker& worker, net::SocketStream& stream) noexcept;
  MuxConnection(const MuxConnection&) = delete;

  Worker& worker() noexcept { return worker_; }
  // Room for what flows send; more is taken when some has gone.
  std::size_t room() const noexcept { return out_.size() < kOutMax ? kOutMax - out_.size() : 0; }
  void send(FrameKind kind, bool is_last, std::uint32_t stream, std::string_view payload);

 protected:
  ~MuxConnection() = default;
  // Until the connection ends; then all flows fail.
  Task<void> read_frames();
  // Beside the reading, from start to stop.
  void start_writing();
  Task<void> stop_writing();
  bool is_broken() const noexcept { return is_broken_; }
  // When the peer was heard last; zero: never.
  TimePoint heard_at() const noexcept { return heard_at_; }

 private:
  friend class MuxFlow;
  static constexpr std::size_t kOutMax = 16 * 1024;

  // Awaited by write_frames() when there is nothing to write.
  struct MoreToWrite {
    MuxConnection& connection;
    bool await_ready() const noexcept { return !connection.out_.empty() || connection.is_ending_; }
    void await_suspend(std::coroutine_handle<> task) const noexcept { connection.writer_ = task; }
    void await_resume() const noexcept {}
  };
  struct Wake : Deferred {
    explicit Wake(MuxConnection& owner) noexcept;
    MuxConnection& connection;
  };

  // A head that belongs to no flow.
  virtual void on_unknown_head(Frame&) {}
  Task<Error> receive_frames();
  Task<void> write_frames();
  void on_frame(Frame& frame);
  void tell_of_room();
  void wake_writer() noexcept;

  Worker& worker_;
  net::SocketStream& stream_;
  std::map<std::uint32_t, MuxFlow*> flows_;
  Scope writer_running_;
  std::string in_;
  std::string out_;
  std::coroutine_handle<> writer_;
  Wake wake_;
  std::uint32_t next_told_ = 0;  // of room
  TimePoint heard_at_{};
  bool is_ending_ = false;
  bool is_broken_ = false;
};

}  // namespace weir::sim
