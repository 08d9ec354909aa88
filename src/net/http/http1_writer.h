#pragma once
// Http1Writer: the outgoing half of an HTTP/1 connection: heads and framed bodies into a ByteStream
// (RFC 9112 6 and 7). A head that a body follows waits for the body's first bytes, so that both go
// out in one send.

#include "net/http/http_stream.h"
#include "runtime/worker.h"

namespace weir::net {

class Http1Writer {
 public:
  Http1Writer(Worker& worker, ByteStream& stream) noexcept : worker_(worker), stream_(stream) {}

  // A place to write a head of up to `bytes` into; empty when buffers are exhausted.
  std::span<char> head_space(std::size_t bytes) noexcept;
  // The first `bytes` of head_space() are a head, behind which a body with this framing comes.
  // Nothing is sent yet.
  void begin_message(std::size_t bytes, http::Framing framing) noexcept;
  // Awaited when nothing follows the head: sends what is held.
  auto send_head(TimePoint deadline) noexcept {
    return Wait([this, deadline](Waiter& waiter) noexcept {
      return stream_.start_send({head_.data() + head_sent_, head_size_ - head_sent_}, deadline,
                                waiter);
    });
  }
  void release_head() noexcept;
  // Forgets a message of which nothing has been sent; false: some has, or there is none.
  bool take_back_head() noexcept;

  BodyWrite try_write_body(std::string_view data, BodyEnd end) noexcept;
  bool can_splice() const noexcept {
    return message_framing_ != http::Framing::chunked && held() == 0 && stream_.can_splice();
  }
  BodyWrite try_splice_out(Pipe& from, BodyEnd end) noexcept;
  // Before the first call with `last`. They must live until the message is written.
  void set_trailers(const http::FieldList& fields) noexcept { trailers_ = &fields; }
  Started start_body_writable(TimePoint deadline, Waiter& waiter) noexcept {
    return stream_.start_writable(deadline, waiter);
  }
  // Whether the stream has taken the message to its last byte.
  bool is_message_written() const noexcept { return ended_ && held() == 0; }

 private:
  static constexpr std::size_t kFramingBytesMax = 32;
  std::size_t held() const noexcept { return head_size_ - head_sent_ + framing_size_; }
  void hold_framing(std::string_view text) noexcept;
  void start_chunk(std::size_t bytes) noexcept;
  BodyWrite write_chunk(std::string_view data, std::string_view suffix) noexcept;
  BodyWrite end_chunks() noexcept;
  BodyWrite write_failure(IoCount sent) const noexcept;
  BodyWrite send_parts(std::string_view data, std::string_view suffix) noexcept;

  Worker& worker_;
  ByteStream& stream_;
  Buffer head_;  // and, behind a body, its trailers
  std::uint32_t head_size_ = 0;
  std::uint32_t head_sent_ = 0;
  http::Framing message_framing_ = http::Framing::none;
  bool ended_ = true;
  std::uint8_t framing_size_ = 0;  // framing bytes that go out before any data
  char framing_[kFramingBytesMax];
  const http::FieldList* trailers_ = nullptr;
  std::uint64_t chunk_left_ = 0;  // data bytes promised by the chunk header and not sent yet
};

}  // namespace weir::net
