#pragma once
// ReplayBody: the body of a request as attempts read it: what the client sent is kept, as long as
// it is small, so that the next attempt can send it again from its start.

#include "net/http/http_stream.h"

namespace weir::proxy {

class ReplayBody final : public net::BodySource {
 public:
  static constexpr std::uint32_t kBytesMax = std::uint32_t{64} << 10;

  ReplayBody(BufferPool& buffers, net::BodySource& source) noexcept
      : buffers_(buffers), source_(&source) {}
  ReplayBody(const ReplayBody&) = delete;

  // What it reads from. Before the first read a filter may put itself in front of that.
  net::BodySource& source() const noexcept { return *source_; }
  void read_from(net::BodySource& source) noexcept { source_ = &source; }

  // Only while is_rewindable(): all that has been read is kept, here or by the source.
  void rewind() noexcept override;
  bool is_rewindable() const noexcept override {
    return keeping_ || received_ == 0 || source_->is_rewindable();
  }
  // Whether a body of so many bytes would be.
  bool can_keep(std::uint64_t bytes) const noexcept {
    return bytes <= kBytesMax || source_->is_rewindable();
  }
  // Nothing will be sent again: gives the memory back.
  void stop_keeping() noexcept;
  // Bytes that came from the source.
  std::uint64_t received() const noexcept { return received_; }

  net::BodyRead try_read_body(std::span<char> into) noexcept override;
  // Bytes that are to be kept have to be looked at.
  std::uint64_t spliceable_bytes() const noexcept override {
    return keeping_ || next_ < kept_bytes_ ? 0 : source_->spliceable_bytes();
  }
  net::BodyRead try_splice_in(Pipe& into) noexcept override;
  Started start_body_readable(TimePoint deadline, net::Waiter& waiter) noexcept override {
    return source_->start_body_readable(deadline, waiter);
  }
  void cancel_body_readable() noexcept override { source_->cancel_body_readable(); }
  const http::FieldList& trailers() const noexcept override { return source_->trailers(); }

 private:
  void keep(std::string_view data) noexcept;

  BufferPool& buffers_;
  net::BodySource* source_;
  Buffer kept_;
  std::uint32_t kept_bytes_ = 0;
  std::uint32_t next_ = 0;  // of kept_, to be read again; kept_bytes_: read on from the client
  bool keeping_ = true;
  bool ended_ = false;  // the source has given its last byte
  std::uint64_t received_ = 0;
};

}  // namespace weir::proxy
