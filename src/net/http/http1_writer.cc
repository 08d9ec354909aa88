#include "net/http/http1_writer.h"

#include <array>
#include <cstring>

#include "protocol/http1/write_head.h"

namespace weir::net {
namespace {

constexpr std::string_view kEndOfChunk = "\r\n";
constexpr std::string_view kEndOfLastChunk = "\r\n0\r\n\r\n";
constexpr std::string_view kLastChunk = "0\r\n\r\n";

iovec part_of(std::string_view text) noexcept {
  return {const_cast<char*>(text.data()), text.size()};
}

// Takes up to `count` off the front of what was to be sent; gives back how much of it was.
std::size_t take_off(std::size_t& count, std::size_t size) noexcept {
  const std::size_t taken = std::min(count, size);
  count -= taken;
  return taken;
}

}  // namespace

std::span<char> Http1Writer::head_space(std::size_t bytes) noexcept {
  WEIR_ASSERT(held() == 0);
  if (!head_ || head_.capacity() < bytes) head_ = worker_.buffers().take(bytes);
  return head_ ? head_.span() : std::span<char>();
}

void Http1Writer::begin_message(std::size_t bytes, http::Framing framing) noexcept {
  WEIR_ASSERT(bytes <= head_.capacity() && held() == 0);
  head_size_ = static_cast<std::uint32_t>(bytes);
  head_sent_ = 0;
  message_framing_ = framing;
  trailers_ = nullptr;
  chunk_left_ = 0;
  ended_ = framing == http::Framing::none;
}

void Http1Writer::release_head() noexcept {
  head_.release();
  head_size_ = head_sent_ = 0;
}

bool Http1Writer::take_back_head() noexcept {
  if (ended_ || head_size_ == 0 || head_sent_ != 0) return false;
  release_head();
  framing_size_ = 0;
  chunk_left_ = 0;
  ended_ = true;
  return true;
}

void Http1Writer::hold_framing(std::string_view text) noexcept {
  WEIR_ASSERT(framing_size_ + text.size() <= kFramingBytesMax);
  std::memcpy(framing_ + framing_size_, text.data(), text.size());
  framing_size_ = static_cast<std::uint8_t>(framing_size_ + text.size());
}

void Http1Writer::start_chunk(std::size_t bytes) noexcept {
  std::array<char, http1::kChunkHeaderBytesMax> header;
  hold_framing({header.data(), http1::write_chunk_header(header, bytes)});
  chunk_left_ = bytes;
}

BodyWrite Http1Writer::try_write_body(std::string_view data, BodyEnd end) noexcept {
  WEIR_ASSERT(!ended_ || data.empty());
  if (message_framing_ != http::Framing::chunked) {
    const BodyWrite written = send_parts(data, {});
    const bool all_taken =
        written.status != BodyWrite::Status::failed && written.taken == data.size();
    if (end == BodyEnd::last && all_taken) ended_ = true;
    return written;
  }
  if (ended_) return send_parts({}, {});
  if (data.empty() && chunk_left_ == 0) {
    return end == BodyEnd::last ? end_chunks() : send_parts({}, {});
  }
  const bool is_all = end == BodyEnd::last && trailers_ == nullptr;
  const BodyWrite written = write_chunk(data, is_all ? kEndOfLastChunk : kEndOfChunk);
  if (chunk_left_ != 0 || written.status == BodyWrite::Status::failed) return written;
  if (is_all) ended_ = true;
  if (end != BodyEnd::last || ended_ || written.status != BodyWrite::Status::done) return written;
  BodyWrite ended = end_chunks();
  ended.taken = written.taken;
  return ended;
}

BodyWrite Http1Writer::try_splice_out(Pipe& from, BodyEnd end) noexcept {
  WEIR_ASSERT(!ended_ && can_splice());
  const IoCount sent = stream_.try_splice_out(from);
  if (sent.is_failure()) return write_failure(sent);
  if (from.held() != 0) return {.status = BodyWrite::Status::would_block, .error = {}};
  if (end == BodyEnd::last) ended_ = true;
  return {};
}

BodyWrite Http1Writer::write_failure(IoCount sent) const noexcept {
  return BodyWrite::failed(stream_error(sent.os_error(), stream_.side()));
}

// A chunk, or what was left of one. The suffix goes out with its last byte.
BodyWrite Http1Writer::write_chunk(std::string_view data, std::string_view suffix) noexcept {
  if (chunk_left_ == 0) start_chunk(data.size());
  data = data.substr(0, chunk_left_);
  const BodyWrite written =
      send_parts(data, data.size() == chunk_left_ ? suffix : std::string_view());
  chunk_left_ -= written.taken;
  return written;
}

// The last chunk, with the trailers if there are any: in the head's place, which is free by now.
BodyWrite Http1Writer::end_chunks() noexcept {
  if (trailers_ == nullptr) {
    hold_framing(kLastChunk);
    ended_ = true;
    return send_parts({}, {});
  }
  if (held() != 0) {
    const BodyWrite flushed = send_parts({}, {});
    if (flushed.status != BodyWrite::Status::done) return flushed;
  }
  for (std::size_t bytes = BufferPool::kSmallest; bytes <= BufferPool::kLargest; bytes *= 2) {
    const std::span<char> space = head_space(bytes);
    if (space.empty()) break;
    const auto written = http1::write_trailers(space, *trailers_);
    if (!written) continue;
    head_size_ = static_cast<std::uint32_t>(*written);
    head_sent_ = 0;
    ended_ = true;
    return send_parts({}, {});
  }
  return BodyWrite::failed(make_error(ErrorKind::buffers_exhausted, Side::weir));
}

// One send of head, framing, data and suffix. What is left of the suffix once all data has gone is
// held.
BodyWrite Http1Writer::send_parts(std::string_view data, std::string_view suffix) noexcept {
  std::array<iovec, 4> parts;
  std::size_t count = 0;
  std::size_t total = 0;
  for (const std::string_view part :
       {std::string_view(head_.data() + head_sent_, head_size_ - head_sent_),
        std::string_view(framing_, framing_size_), data, suffix}) {
    if (part.empty()) continue;
    parts[count++] = part_of(part);
    total += part.size();
  }
  if (total == 0) return {};
  const IoCount sent = stream_.try_send({parts.data(), count});
  if (sent.is_failure()) return write_failure(sent);
  BodyWrite written;
  std::size_t bytes = sent.is_would_block() ? 0 : sent.bytes();
  written.status = bytes == total ? BodyWrite::Status::done : BodyWrite::Status::would_block;
  head_sent_ += static_cast<std::uint32_t>(take_off(bytes, head_size_ - head_sent_));
  if (head_ && head_sent_ == head_size_) release_head();
  const std::size_t framing_sent = take_off(bytes, framing_size_);
  std::memmove(framing_, framing_ + framing_sent, framing_size_ - framing_sent);
  framing_size_ = static_cast<std::uint8_t>(framing_size_ - framing_sent);
  written.taken = take_off(bytes, data.size());
  if (written.taken == data.size() && !suffix.empty()) hold_framing(suffix.substr(bytes));
  return written;
}

}  // namespace weir::net
