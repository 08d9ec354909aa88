#pragma once
// Http1Reader: the incoming half of an HTTP/1 connection: what a head is parsed from, and the body
// behind it (RFC 9112 6 and 7). Shared by both sides. Idle, it owns no buffer.

#include "net/http/http_stream.h"
#include "protocol/http1/chunked.h"
#include "runtime/worker.h"

namespace weir::net {

class Http1Reader {
 public:
  Http1Reader(Worker& worker, ByteStream& stream) noexcept : worker_(worker), stream_(stream) {}

  // What has been received and not been used up.
  std::string_view bytes() const noexcept { return in_.bytes(); }
  // Receives more behind bytes(), in a buffer that grows up to more than `head_bytes_max`.
  auto receive_more(std::size_t head_bytes_max, TimePoint deadline) noexcept {
    return Wait([this, head_bytes_max, deadline](Waiter& waiter) noexcept {
      return start_receive_more(head_bytes_max, deadline, waiter);
    });
  }

  Started start_receive_more(std::size_t head_bytes_max, TimePoint deadline,
                             Waiter& waiter) noexcept;

  // The first `head_bytes` are a head; behind it comes a body with this framing. The head stays in
  // place. The arena, from which trailer fields are taken, lives as long as the exchange.
  void begin_body(std::size_t head_bytes, const http::BodyLength& body, Arena& arena) noexcept;
  BodyRead try_read_body(std::span<char> into) noexcept;
  std::uint64_t spliceable_bytes() const noexcept;
  BodyRead try_splice_in(Pipe& into) noexcept;
  Started start_body_readable(TimePoint deadline, Waiter& waiter) noexcept {
    return stream_.start_readable(deadline, waiter);
  }
  bool is_body_read() const noexcept { return body_read_; }
  const http::FieldList& trailers() const noexcept { return trailer_fields_; }
  bool has_surplus() const noexcept { return in_.size() + chunks_.size() != 0; }

  // The exchange is over: its head may be overwritten. What was received beyond it is kept.
  void finish_message() noexcept;
  // Between messages, of a reader that comes to be with one message and goes with it: what has been
  // received is taken from, and given to, whoever stays. Neither has anything of its own then.
  void take_received(ReceiveBuffer& from) noexcept { in_.take(from); }
  void give_surplus(ReceiveBuffer& to) noexcept {
    if (in_.size() != 0) to.take(in_);
  }

 private:
  BodyRead read_plain(std::span<char> into) noexcept;
  BodyRead read_chunked() noexcept;
  BodyRead decode(ReceiveBuffer& from) noexcept;
  Error keep_trailers(std::string_view piece) noexcept;
  Error parse_trailers() noexcept;
  std::uint64_t plain_left() const noexcept;
  BodyRead give(std::string_view data) noexcept;
  BodyEnd count(std::size_t bytes) noexcept;
  BodyRead end_of_stream() noexcept;
  BodyRead failed(Error error) noexcept { return BodyRead::failed(error); }

  Worker& worker_;
  ByteStream& stream_;
  ReceiveBuffer in_;      // the head, and what came with it
  ReceiveBuffer chunks_;  // later pieces of a chunked body, decoded in place
  http1::ChunkedDecoder decoder_;
  Arena* arena_ = nullptr;
  ReceiveBuffer trailers_;  // what has come of a section that is not empty
  http::FieldList trailer_fields_;
  http::Framing framing_ = http::Framing::none;
  bool body_read_ = true;
  std::uint64_t remaining_ = 0;  // of a body of known length
};

}  // namespace weir::net
