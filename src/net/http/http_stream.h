#pragma once
// HttpStream: one request and its response on one side of Weir, whatever the HTTP version.
// serve_exchange, attempt, filters and Relay know only these interfaces. Heads are tasks; bodies
// are pulled by immediate calls, and readiness is awaited when they would block.

#include <cstdint>
#include <span>
#include <string_view>

#include "base/arena.h"
#include "base/error.h"
#include "base/result.h"
#include "net/byte_stream.h"
#include "protocol/http/message.h"
#include "runtime/task.h"

namespace weir::net {

enum class BodyEnd : std::uint8_t { more, last };
enum class BodyFollows : std::uint8_t { no, yes };

// What one try_read_body() came to. With `data`: bytes, valid until the next call on the source,
// which may lie in the buffer given or in the source's own; `last` says that the body ends behind
// them (data may then be empty).
struct BodyRead {
  enum class Status : std::uint8_t { data, would_block, failed };
  Status status = Status::would_block;
  BodyEnd end = BodyEnd::more;
  std::string_view data;
  Error error;

  static BodyRead of(std::string_view data, BodyEnd end) noexcept {
    return {Status::data, end, data, {}};
  }
  static BodyRead failed(Error error) noexcept {
    return {Status::failed, BodyEnd::more, {}, error};
  }
};

// What one try_write_body() came to. would_block: `taken` bytes are on their way, and the call has
// to be repeated with the rest (which may be empty) once the body is writable. Out of a pipe, what
// it still holds is the rest, and nobody is told of `taken`.
struct BodyWrite {
  enum class Status : std::uint8_t { done, would_block, failed };
  Status status = Status::done;
  std::size_t taken = 0;
  Error error;

  static BodyWrite failed(Error error) noexcept { return {Status::failed, 0, error}; }
};

// Where a body comes from: a stream, or a filter around one.
class BodySource {
 public:
  virtual ~BodySource() = default;
  virtual BodyRead try_read_body(std::span<char> into) noexcept = 0;
  // How many of the bytes that come next may go through a pipe, since nobody looks at them on the
  // way; UINT64_MAX: all up to an end that nobody knows yet.
  virtual std::uint64_t spliceable_bytes() const noexcept { return 0; }
  // As try_read_body(), of spliceable bytes, into an empty pipe: data is empty, and what the pipe
  // holds has come.
  virtual BodyRead try_splice_in(Pipe&) noexcept {
    return BodyRead::failed(stream_error(EOPNOTSUPP, Side::weir));
  }
  virtual Started start_body_readable(TimePoint deadline, Waiter& waiter) noexcept = 0;
  // Whoever waits for it, if anybody does, is called back with ErrorKind::canceled.
  virtual void cancel_body_readable() noexcept = 0;
  // The fields behind the body, once it has been read to its end; until the exchange is over.
  virtual const http::FieldList& trailers() const noexcept = 0;
  // Whether the body is kept, so that the next read may give it from its first byte once more.
  virtual bool is_rewindable() const noexcept { return false; }
  virtual void rewind() noexcept {}
};

// Where a body goes: a stream, or a place to store it.
class BodySink {
 public:
  // Takes as much as it can now. `last` with the final bytes ends the message. What a head before
  // it left unsent goes first; with no data and `more` it only flushes.
  virtual BodyWrite try_write_body(std::string_view data, BodyEnd end) noexcept = 0;
  // Whether body bytes may come out of a pipe now: nothing has to go before or between them.
  virtual bool can_splice() const noexcept { return false; }
  // As try_write_body(), of what a pipe holds.
  virtual BodyWrite try_splice_out(Pipe&, BodyEnd) noexcept {
    return BodyWrite::failed(stream_error(EOPNOTSUPP, Side::weir));
  }
  // Before the first call with `last`: fields that end the message. They are dropped if its framing
  // has no place for them. They must live until the message is written.
  virtual void set_trailers(const http::FieldList& fields) noexcept = 0;
  virtual Started start_body_writable(TimePoint deadline, Waiter& waiter) noexcept = 0;

 protected:
  ~BodySink() = default;
};

class HttpStream : public BodySource, public BodySink {
 public:
  auto body_writable(TimePoint deadline) noexcept {
    return Wait([this, deadline](Waiter& waiter) noexcept {
      return start_body_writable(deadline, waiter);
    });
  }

  // Whether the body read from this stream has been read to its end, or there is none.
  virtual bool is_body_read() const noexcept = 0;
  // Ends the stream with an error: what waits for it, and all that is tried later, fails with the
  // reason.
  virtual void reset(Error reason) noexcept = 0;
  // Told when the peer reset the stream while nobody reads from it.
  virtual void watch_hang_up(Waiter& waiter) noexcept = 0;
  virtual void stop_watching() noexcept = 0;

  // The connection itself, for a tunnel in place of further messages; nullptr: others use it too.
  virtual ByteStream* raw() noexcept = 0;
  // What has come over it behind the last head.
  virtual std::string_view received() const noexcept = 0;
};

// The client side: requests come in, responses go out.
class ClientSideStream : public HttpStream {
 public:
  // Fields and views of the head live in the arena and the stream's buffer until the exchange is
  // over.
  virtual Task<Result<void>> read_head(http::RequestHead& head, Arena& arena,
                                       TimePoint deadline) = 0;
  // head.body says how the body that follows is framed as far as known; the stream writes the
  // framing that its version and client understand. With BodyFollows::yes the head may wait for the
  // first bytes.
  virtual Task<Result<void>> write_head(const http::ResponseHead& head, BodyFollows follows,
                                        TimePoint deadline) = 0;
  // Forgets the head that was written last and waits for its body, so that another one can take its
  // place. False: some of it has been sent.
  [[nodiscard]] virtual bool take_back_head() noexcept = 0;
};

// The server side: requests go out, responses come in.
class ServerSideStream : public HttpStream {
 public:
  virtual Task<Result<void>> write_head(const http::RequestHead& head, BodyFollows follows,
                                        TimePoint deadline) = 0;
  // May be called again after a 1xx head.
  virtual Task<Result<void>> read_head(http::ResponseHead& head, Arena& arena,
                                       TimePoint deadline) = 0;
  // Whether the response's first byte has come: before it, the request may be tried elsewhere.
  virtual bool has_response_begun() const noexcept = 0;
};

}  // namespace weir::net
