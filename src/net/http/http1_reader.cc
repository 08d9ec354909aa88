#include "net/http/http1_reader.h"

#include <algorithm>
#include <cstring>

#include "protocol/http1/trailers.h"

namespace weir::net {
namespace {

constexpr std::size_t kChunksBytes = std::size_t{16} << 10;

// The decoder speaks of requests, and of no side.
Error body_error(Error error, Side side) noexcept {
  if (error.kind == ErrorKind::buffers_exhausted) {
    error.side = Side::weir;
    return error;
  }
  error.side = side;
  error.kind = side == Side::client ? ErrorKind::bad_request_body : ErrorKind::bad_response_body;
  return error;
}

}  // namespace

Started Http1Reader::start_receive_more(std::size_t head_bytes_max, TimePoint deadline,
                                        Waiter& waiter) noexcept {
  if (in_.buffer && in_.end == in_.buffer.capacity()) {
    const std::size_t larger = in_.buffer.capacity() * 2;
    WEIR_ASSERT(in_.begin == 0 && in_.buffer.capacity() <= head_bytes_max);
    Buffer buffer = worker_.buffers().take(std::min(larger, BufferPool::kLargest));
    if (!buffer) {
      waiter.error = make_error(ErrorKind::buffers_exhausted, Side::weir);
      return Started::completed;
    }
    std::memcpy(buffer.data(), in_.buffer.data(), in_.end);
    in_.buffer = std::move(buffer);
  }
  return stream_.start_receive(in_, deadline, waiter);
}

void Http1Reader::begin_body(std::size_t head_bytes, const http::BodyLength& body,
                             Arena& arena) noexcept {
  arena_ = &arena;
  trailer_fields_ = {};
  in_.consume(head_bytes);
  framing_ = body.framing;
  remaining_ = body.bytes;
  body_read_ =
      framing_ == http::Framing::none || (framing_ == http::Framing::length && remaining_ == 0);
  if (framing_ == http::Framing::chunked) decoder_ = http1::ChunkedDecoder();
}

BodyRead Http1Reader::try_read_body(std::span<char> into) noexcept {
  if (body_read_) return BodyRead::of({}, BodyEnd::last);
  return framing_ == http::Framing::chunked ? read_chunked() : read_plain(into);
}

std::uint64_t Http1Reader::plain_left() const noexcept {
  return framing_ == http::Framing::length ? remaining_ : UINT64_MAX;
}

std::uint64_t Http1Reader::spliceable_bytes() const noexcept {
  const bool is_plain = framing_ == http::Framing::length || framing_ == http::Framing::until_close;
  if (body_read_ || !is_plain || in_.size() != 0 || !stream_.can_splice()) return 0;
  return plain_left();
}

BodyRead Http1Reader::try_splice_in(Pipe& into) noexcept {
  const IoCount moved =
      stream_.try_splice_in(into, std::min<std::uint64_t>(plain_left(), PipePool::kPipeBytes));
  if (moved.is_would_block()) return {};
  if (moved.is_failure()) return failed(stream_error(moved.os_error(), stream_.side()));
  if (moved.bytes() == 0) return end_of_stream();
  return BodyRead::of({}, count(moved.bytes()));
}

BodyEnd Http1Reader::count(std::size_t bytes) noexcept {
  if (framing_ == http::Framing::length) {
    remaining_ -= bytes;
    body_read_ = remaining_ == 0;
  }
  return body_read_ ? BodyEnd::last : BodyEnd::more;
}

BodyRead Http1Reader::give(std::string_view data) noexcept {
  return BodyRead::of(data, count(data.size()));
}

BodyRead Http1Reader::end_of_stream() noexcept {
  if (framing_ == http::Framing::until_close) {
    body_read_ = true;
    return BodyRead::of({}, BodyEnd::last);
  }
  const Side side = stream_.side();
  return failed(
      make_error(side == Side::client ? ErrorKind::client_closed : ErrorKind::server_closed, side));
}

BodyRead Http1Reader::read_plain(std::span<char> into) noexcept {
  const std::uint64_t wanted = plain_left();
  if (in_.size() != 0) {
    const std::string_view data = in_.bytes().substr(0, wanted);
    in_.consume(data.size());
    return give(data);
  }
  const IoCount count =
      stream_.try_receive(into.first(std::min<std::uint64_t>(into.size(), wanted)));
  if (count.is_would_block()) return {};
  if (count.is_failure()) return failed(stream_error(count.os_error(), stream_.side()));
  if (count.bytes() == 0) return end_of_stream();
  return give({into.data(), count.bytes()});
}

BodyRead Http1Reader::read_chunked() noexcept {
  if (in_.size() != 0) {
    const BodyRead read = decode(in_);
    if (read.status != BodyRead::Status::would_block) return read;
  }
  for (;;) {
    if (!chunks_.buffer) chunks_.buffer = worker_.buffers().take(kChunksBytes);
    if (!chunks_.buffer) return failed(make_error(ErrorKind::buffers_exhausted, Side::weir));
    const IoCount count = stream_.try_receive(chunks_.buffer.span());
    if (count.is_would_block()) {
      chunks_.release();
      return {};
    }
    if (count.is_failure()) return failed(stream_error(count.os_error(), stream_.side()));
    if (count.bytes() == 0) return end_of_stream();
    chunks_.begin = 0;
    chunks_.end = static_cast<std::uint32_t>(count.bytes());
    const BodyRead read = decode(chunks_);
    if (read.status != BodyRead::Status::would_block) return read;
  }
}

// Moves the data of all chunks at hand together, over the framing between them. would_block: there
// was nothing but framing.
BodyRead Http1Reader::decode(ReceiveBuffer& from) noexcept {
  char* const data = from.buffer.data() + from.begin;
  std::size_t size = 0;
  while (from.size() != 0 && !body_read_) {
    const http1::ChunkedResult result = decoder_.feed(from.bytes());
    from.consume(result.consumed);
    Error error = result.error;
    if (error.kind == ErrorKind::none) error = keep_trailers(result.trailers);
    body_read_ = result.status == http1::ChunkedStatus::end;
    if (error.kind == ErrorKind::none && body_read_) error = parse_trailers();
    if (error.kind != ErrorKind::none) return failed(body_error(error, stream_.side()));
    if (!result.data.empty()) std::memmove(data + size, result.data.data(), result.data.size());
    size += result.data.size();
  }
  if (size == 0 && !body_read_) return {};
  return BodyRead::of({data, size}, body_read_ ? BodyEnd::last : BodyEnd::more);
}

// Most bodies have none: just the empty line, for which no memory is taken.
Error Http1Reader::keep_trailers(std::string_view piece) noexcept {
  const bool is_empty_so_far = trailers_.size() == 0;
  if (piece.empty() || (is_empty_so_far && (piece[0] == '\r' || piece[0] == '\n'))) return {};
  if (!trailers_.buffer) trailers_.buffer = worker_.buffers().take(http1::kTrailerBytesMax * 2);
  if (!trailers_.buffer) return make_error(ErrorKind::buffers_exhausted);
  WEIR_ASSERT(piece.size() <= trailers_.buffer.capacity() - trailers_.end);
  std::memcpy(trailers_.buffer.data() + trailers_.end, piece.data(), piece.size());
  trailers_.end += static_cast<std::uint32_t>(piece.size());
  return {};
}

Error Http1Reader::parse_trailers() noexcept {
  if (trailers_.size() == 0) return {};
  trailer_fields_ = http::FieldList(arena_->allocate_array<http::Field>(http1::kTrailerFieldsMax));
  if (trailer_fields_.capacity() == 0) return make_error(ErrorKind::buffers_exhausted);
  if (http1::parse_trailers(trailers_.bytes(), trailer_fields_)) return {};
  return http1::request_error(http1::Rule::trailers_too_large);
}

void Http1Reader::finish_message() noexcept {
  trailers_.release();
  trailer_fields_ = {};
  if (chunks_.size() != 0) {
    WEIR_ASSERT(in_.size() == 0);
    in_ = std::move(chunks_);
  }
  chunks_.release();
  const std::size_t left = in_.size();
  if (left == 0) {
    in_.release();
    return;
  }
  std::memmove(in_.buffer.data(), in_.buffer.data() + in_.begin, left);
  in_.begin = 0;
  in_.end = static_cast<std::uint32_t>(left);
}

}  // namespace weir::net
