#pragma once
// Relay: the bodies of one exchange. Each direction is a BodyPump: it pulls from a BodySource and
// pushes into a BodySink through the worker's shared buffer, stops reading while the other side
// takes nothing, and copies to a slab buffer only what a short send left over. What is long and
// looked at by nobody goes through a pipe instead, and is not copied at all.

#include <coroutine>
#include <optional>

#include "net/http/http_stream.h"
#include "runtime/worker.h"

namespace weir::proxy {

// How long either end may stand still, and what the body may come to.
struct BodyLimits {
  Duration read = Duration::max();
  Duration write = Duration::max();
  std::uint64_t bytes_max = UINT64_MAX;
};

class BodyPump final : private net::Waiter, private Deferred {
 public:
  // Which end failed.
  enum class Failed : std::uint8_t { none, source, sink, limit };
  // Told when the pump is over, unless start() itself said so.
  class Owner {
   public:
    virtual void on_pump_over(BodyPump& pump) noexcept = 0;

   protected:
    ~Owner() = default;
  };

  BodyPump(Worker& worker, net::BodySource& from, net::BodySink& to, const BodyLimits& limits,
           Owner& owner) noexcept;
  BodyPump(const BodyPump&) = delete;
  ~BodyPump() { WEIR_ASSERT(is_over() || !started_); }

  // Moves what can be moved at once. The pump may be over when this returns.
  void start() noexcept;
  // Ends a pump that waits for its next turn; one that waits for a stream is ended through that.
  void cancel_turn() noexcept;
  bool is_started() const noexcept { return started_; }
  bool is_over() const noexcept { return over_; }
  TimePoint ended_at() const noexcept { return ended_at_; }
  Failed failed() const noexcept { return failed_; }
  Error failure() const noexcept { return error_; }
  std::uint64_t bytes() const noexcept { return bytes_; }

 private:
  enum class Step : std::uint8_t { again, wait };
  void run() noexcept;
  Step pull() noexcept;
  Step push(std::string_view data) noexcept;
  Step push_kept() noexcept;
  bool takes_pipe() noexcept;
  Step pull_piped() noexcept;
  Step push_piped() noexcept;
  Step push_more() noexcept;
  bool count(std::size_t bytes) noexcept;
  Step keep(std::string_view rest) noexcept;
  Step await_readable() noexcept;
  Step await_writable() noexcept;
  Step after_start(Started started, Failed side) noexcept;
  Step end(Failed failed, Error error) noexcept;
  void on_waited() noexcept;

  Worker& worker_;
  net::BodySource& from_;
  net::BodySink& to_;
  BodyLimits limits_;
  Owner& owner_;
  Buffer kept_;
  Pipe pipe_;
  std::uint32_t kept_begin_ = 0;
  std::uint32_t kept_end_ = 0;
  net::BodyEnd end_ = net::BodyEnd::more;  // of what was pulled last
  bool pushing_ = false;                   // the sink has not taken all that was pulled
  bool has_no_pipe_ = false;               // there was none for this body
  bool started_ = false;
  bool over_ = false;
  Failed waiting_for_ = Failed::none;
  Failed failed_ = Failed::none;
  Error error_;
  TimePoint ended_at_{};
  std::uint64_t bytes_ = 0;
};

class Relay final : private BodyPump::Owner {
 public:
  // A failure of the request's body resets the server's stream, so that whoever awaits the response
  // learns of it.
  Relay(Worker& worker, net::BodySource& request_body, net::HttpStream& server,
        const BodyLimits& request, const BodyLimits& response) noexcept
      : worker_(worker),
        server_(server),
        request_body_(request_body),
        response_limits_(response),
        request_(worker, request_body, server, request, *this) {}

  BodyPump& request() noexcept { return request_; }
  // Once pump_response() has been called.
  BodyPump& response() noexcept { return *response_; }
  std::uint64_t response_bytes() const noexcept { return response_ ? response_->bytes() : 0; }

  // Beside whatever the caller awaits meanwhile.
  void start_request() noexcept { request_.start(); }
  // Whether no response is worth waiting for any more. A server that stopped reading may still have
  // answered; one that stands still has not, unless its answer is on its way.
  bool has_request_failed() const noexcept {
    switch (request_.failed()) {
      case BodyPump::Failed::none:
        return false;
      case BodyPump::Failed::source:
      case BodyPump::Failed::limit:
        return true;
      case BodyPump::Failed::sink:
        return request_.failure().kind == ErrorKind::timeout && !response_;
    }
    return false;
  }
  // The rest of the request's body is of no use any more, nor is the server's stream.
  auto stop_request() noexcept {
    if (request_.is_started() && !request_.is_over()) {
      server_.reset(make_error(ErrorKind::canceled, Side::weir));
      request_body_.cancel_body_readable();
      request_.cancel_turn();
    }
    return Over{*this, request_};
  }
  // body: the server's, or a filter's view of it. to: the client, or where it is stored for it.
  auto pump_response(net::BodySource& body, net::BodySink& to) noexcept {
    response_.emplace(worker_, body, to, response_limits_, static_cast<BodyPump::Owner&>(*this));
    response_->start();
    return Over{*this, *response_};
  }

 private:
  struct Over {
    Relay& relay;
    BodyPump& pump;
    bool await_ready() const noexcept { return pump.is_over() || !pump.is_started(); }
    void await_suspend(std::coroutine_handle<> task) const noexcept {
      relay.awaited_ = &pump;
      relay.task_ = task;
    }
    void await_resume() const noexcept {}
  };
  void on_pump_over(BodyPump& pump) noexcept override;

  Worker& worker_;
  net::HttpStream& server_;
  net::BodySource& request_body_;
  BodyLimits response_limits_;
  BodyPump request_;
  std::optional<BodyPump> response_;
  BodyPump* awaited_ = nullptr;
  std::coroutine_handle<> task_;
};

}  // namespace weir::proxy
