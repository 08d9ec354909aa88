#pragma once
// MuxFlow: the messages of one stream on a MuxConnection, one each way, on either side of Weir:
// what has come and was not read, the windows, who waits, and what reset it.

#include <deque>
#include <string>

#include "net/http/http_stream.h"
#include "runtime/worker.h"
#include "sim/mux_connection.h"

namespace weir::sim {

class MuxFlow {
 public:
  MuxFlow(MuxConnection& connection, std::uint32_t number, Side side);
  MuxFlow(const MuxFlow&) = delete;
  ~MuxFlow();

  std::uint32_t number() const noexcept { return number_; }
  // The end of the message that goes out is on its way.
  bool has_sent_end() const noexcept { return has_sent_end_; }
  bool has_begun() const noexcept { return !heads_.empty(); }

  // The next head that has come, valid as long as the flow; empty: none. It is followed by trailers
  // at the end of the body, whose fields come from the arena.
  std::string_view take_head(Arena& arena) noexcept;
  auto head_readable(TimePoint deadline) noexcept {
    return net::Wait([this, deadline](net::Waiter& waiter) noexcept {
      return start_head_readable(deadline, waiter);
    });
  }
  Result<void> send_head(std::string_view text, bool is_last);

  // As an HttpStream has them.
  net::BodyRead try_read_body(std::span<char> into) noexcept;
  Started start_body_readable(TimePoint deadline, net::Waiter& waiter) noexcept;
  void cancel_body_readable() noexcept;
  const http::FieldList& trailers() const noexcept { return trailers_read_; }
  net::BodyWrite try_write_body(std::string_view data, net::BodyEnd end) noexcept;
  void set_trailers(const http::FieldList& fields) noexcept { trailers_ = &fields; }
  Started start_body_writable(TimePoint deadline, net::Waiter& waiter) noexcept;
  bool is_body_read() const noexcept { return is_end_read_; }
  void reset(Error reason) noexcept;
  void watch_hang_up(net::Waiter& waiter) noexcept;
  void stop_watching() noexcept { watcher_ = nullptr; }

  // For the connection: what the peer sent.
  void on_head(std::string text, bool is_last);
  void on_data(std::string_view data, bool is_last);
  void on_window(std::size_t bytes);
  void on_reset();
  void on_reset(Error reason) noexcept;
  // There is room again for what flows send.
  void on_room();

 private:
  struct Head {
    std::string text;
    bool is_last;
  };
  // Somebody who waits for one direction, and until when.
  struct Waiting : Timer {
    explicit Waiting(Side its_side) noexcept;
    Started begin(Timers& timers, TimePoint deadline, net::Waiter& waiter) noexcept;
    // Calls back whoever waits; they may destroy the flow.
    void end(Error error) noexcept;
    Side side;
    net::Waiter* waiter = nullptr;
  };
  struct Ending : Deferred {
    explicit Ending(MuxFlow& owner) noexcept;
    MuxFlow& flow;
  };
  Started start_head_readable(TimePoint deadline, net::Waiter& waiter) noexcept;
  bool has_head() const noexcept { return heads_taken_ != heads_.size(); }
  bool is_reset() const noexcept { return reset_.kind != ErrorKind::none; }
  bool is_readable() const noexcept { return !body_.empty() || has_ended_ || is_reset(); }
  bool is_writable() const noexcept;
  net::BodyRead read_end() noexcept;
  void end_waits() noexcept;

  MuxConnection& connection_;
  std::uint32_t number_;
  Side side_;
  std::deque<Head> heads_;
  std::size_t heads_taken_ = 0;
  Arena* arena_ = nullptr;
  std::string body_;        // received, not read
  std::string given_;       // what the last read gave
  bool has_ended_ = false;  // the peer's side
  bool is_end_read_ = false;
  http::FieldList trailers_read_;
  std::size_t in_window_ = kFirstWindow;  // what the peer may have on its way at a time
  std::size_t out_window_ = kFirstWindow;
  bool has_sent_end_ = false;
  const http::FieldList* trailers_ = nullptr;  // to be sent
  Error reset_;
  Waiting reader_;
  Waiting writer_;
  net::Waiter* watcher_ = nullptr;
  Ending ending_;
};

// "Name:value" lines of the fields that go on.
std::string lines_of(const http::FieldList& fields);
// The opposite. False: there is no room.
bool add_lines(std::string_view lines, http::FieldList& fields);
// How a head tells of the length of its body: a number, "-": not known.
std::string length_text(const http::BodyLength& body);
http::BodyLength length_of(std::string_view text);
// Takes what comes before the character off the text, with the character.
std::string_view take_until(std::string_view& text, char end) noexcept;

}  // namespace weir::sim
