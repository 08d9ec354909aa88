#pragma once
// Tunnel: bytes both ways between two streams until either side ends. A half-close is passed on as
// such; what breaks the tunnel, be it a reset or a limit, resets both sides. Bytes go through the
// worker's shared buffer; what a short send leaves over is kept in a slab buffer, and nothing is
// read until it is gone. As long as much comes at a time, it goes through a pipe instead.

#include <coroutine>

#include "net/byte_stream.h"
#include "runtime/worker.h"

namespace weir::net {

struct TunnelOutcome {
  std::uint64_t bytes_from_client = 0;
  std::uint64_t bytes_from_server = 0;
  TimePoint first_byte_from_server{};  // zero if none came
  Error error;                         // kind none: both sides ended in order
};

class Tunnel {
 public:
  // Neither stream may be used by anybody else until run() is over. idle: ended with
  // tunnel_idle_timeout when nothing moved for so long.
  Tunnel(Worker& worker, ByteStream& client, ByteStream& server, Duration idle) noexcept;
  Tunnel(const Tunnel&) = delete;

  // Before run(): what each side has sent already, which goes first. False: no buffer is left.
  [[nodiscard]] bool put_first(std::string_view from_client, std::string_view from_server) noexcept;

  // Awaited once. Afterwards the streams are to be closed.
  auto run() noexcept {
    struct Awaiter {
      Tunnel& tunnel;
      bool await_ready() const noexcept { return tunnel.start(); }
      void await_suspend(std::coroutine_handle<> task) const noexcept { tunnel.task_ = task; }
      TunnelOutcome await_resume() const noexcept { return tunnel.outcome(); }
    };
    return Awaiter{*this};
  }

 private:
  // One direction.
  class HalfPipe : public Waiter, public Deferred {
   public:
    HalfPipe(Tunnel& tunnel, ByteStream& from, ByteStream& to) noexcept;
    [[nodiscard]] bool put_first(std::string_view data) noexcept;
    void pump() noexcept;
    bool is_over() const noexcept { return over_; }
    std::uint64_t bytes() const noexcept { return bytes_; }
    TimePoint first_byte() const noexcept { return first_byte_; }

   private:
    enum class Step : std::uint8_t { again, wait };
    Step move_some() noexcept;
    Step receive_some() noexcept;
    Step splice_some() noexcept;
    Step flush_kept() noexcept;
    Step flush_pipe() noexcept;
    void note_moved(std::size_t bytes) noexcept;
    Step finish() noexcept;
    Step break_at(ByteStream& stream, int os_error) noexcept;
    bool keep(std::string_view data) noexcept;
    Step send(std::string_view data) noexcept;
    void wait(Started (ByteStream::*start)(TimePoint, Waiter&), ByteStream& stream) noexcept;
    void on_waited() noexcept;
    void end(Error error) noexcept;

    Tunnel& tunnel_;
    ByteStream& from_;
    ByteStream& to_;
    Buffer kept_;
    std::uint32_t kept_begin_ = 0;
    std::uint32_t kept_end_ = 0;
    Pipe pipe_;
    bool is_bulk_ = false;      // much came at a time, so a pipe is worth it
    bool has_no_pipe_ = false;  // there was none when it turned out to be bulk
    bool over_ = false;
    std::uint64_t bytes_ = 0;
    TimePoint first_byte_{};
  };

  bool start() noexcept;
  TunnelOutcome outcome() const noexcept;
  void on_half_over(Error error) noexcept;

  Worker& worker_;
  ByteStream& client_;
  ByteStream& server_;
  Duration idle_;
  TimePoint last_moved_;
  Error error_;
  HalfPipe upward_;    // client to server
  HalfPipe downward_;  // server to client
  std::coroutine_handle<> task_;
};

}  // namespace weir::net
