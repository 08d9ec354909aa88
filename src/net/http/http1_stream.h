#pragma once
// HTTP/1.x on both sides of Weir (RFC 9112): the HttpStreams of one connection, used for one
// exchange after the other. The connection's ByteStream must outlive them.

#include "net/http/http1_reader.h"
#include "net/http/http1_writer.h"
#include "net/http/http_stream.h"
#include "protocol/http1/parse_head.h"

namespace weir::net {

class Http1ClientSide final : public ClientSideStream {
 public:
  // For all requests of a connection, or for one of which `received` has come, and is taken.
  Http1ClientSide(Worker& worker, ByteStream& stream, const http1::HeadLimits& limits) noexcept
      : stream_(stream), limits_(limits), reader_(worker, stream), writer_(worker, stream) {}
  Http1ClientSide(Worker& worker, ByteStream& stream, const http1::HeadLimits& limits,
                  ReceiveBuffer& received) noexcept
      : Http1ClientSide(worker, stream, limits) {
    reader_.take_received(received);
  }

  Task<Result<void>> read_head(http::RequestHead& head, Arena& arena, TimePoint deadline) override;
  Task<Result<void>> write_head(const http::ResponseHead& head, BodyFollows follows,
                                TimePoint deadline) override;
  bool take_back_head() noexcept override { return writer_.take_back_head(); }
  BodyRead try_read_body(std::span<char> into) noexcept override {
    return reader_.try_read_body(into);
  }
  std::uint64_t spliceable_bytes() const noexcept override { return reader_.spliceable_bytes(); }
  BodyRead try_splice_in(Pipe& into) noexcept override { return reader_.try_splice_in(into); }
  Started start_body_readable(TimePoint deadline, Waiter& waiter) noexcept override {
    return reader_.start_body_readable(deadline, waiter);
  }
  void cancel_body_readable() noexcept override { stream_.cancel_read(); }
  const http::FieldList& trailers() const noexcept override { return reader_.trailers(); }
  BodyWrite try_write_body(std::string_view data, BodyEnd end) noexcept override {
    return writer_.try_write_body(data, end);
  }
  bool can_splice() const noexcept override { return writer_.can_splice(); }
  BodyWrite try_splice_out(Pipe& from, BodyEnd end) noexcept override {
    return writer_.try_splice_out(from, end);
  }
  void set_trailers(const http::FieldList& fields) noexcept override {
    writer_.set_trailers(fields);
  }
  Started start_body_writable(TimePoint deadline, Waiter& waiter) noexcept override {
    return writer_.start_body_writable(deadline, waiter);
  }
  bool is_body_read() const noexcept override { return reader_.is_body_read(); }
  void reset(Error reason) noexcept override { stream_.abort(reason); }
  void watch_hang_up(Waiter& waiter) noexcept override { stream_.watch_hang_up(waiter); }
  void stop_watching() noexcept override { stream_.stop_watching(); }
  ByteStream* raw() noexcept override { return &stream_; }
  std::string_view received() const noexcept override { return reader_.bytes(); }

  // Between requests: awaits the first byte of the next one. Owns no buffer meanwhile.
  auto request_begun(TimePoint deadline) noexcept {
    return Wait([this, deadline](Waiter& waiter) noexcept {
      if (reader_.has_surplus()) return Started::completed;
      return reader_.start_receive_more(limits_.head_bytes, deadline, waiter);
    });
  }
  // Whether another request may follow on the connection: the messages are complete and nobody said
  // close.
  bool is_reusable() const noexcept {
    return persistence_ == http::Persistence::keep_alive && reader_.is_body_read() &&
           writer_.is_message_written();
  }
  // Between exchanges: gives back the memory of the last one.
  void finish_exchange() noexcept { reader_.finish_message(); }
  // The same for the last exchange: what has been received beyond it goes into `received`, which is
  // empty.
  void finish_exchange(ReceiveBuffer& received) noexcept {
    reader_.finish_message();
    reader_.give_surplus(received);
  }
  // Whether bytes of a further (pipelined) request have been received already.
  bool has_pipelined() const noexcept { return reader_.has_surplus(); }

 private:
  ByteStream& stream_;
  const http1::HeadLimits limits_;
  Http1Reader reader_;
  Http1Writer writer_;
  http::Version version_ = http::Version::http_1_1;  // of the client's last request
  http::Persistence persistence_ = http::Persistence::keep_alive;
};

class Http1ServerSide final : public ServerSideStream {
 public:
  Http1ServerSide(Worker& worker, ByteStream& stream, const http1::HeadLimits& limits) noexcept
      : stream_(stream), limits_(limits), reader_(worker, stream), writer_(worker, stream) {}

  Task<Result<void>> write_head(const http::RequestHead& head, BodyFollows follows,
                                TimePoint deadline) override;
  Task<Result<void>> read_head(http::ResponseHead& head, Arena& arena, TimePoint deadline) override;
  BodyRead try_read_body(std::span<char> into) noexcept override {
    return reader_.try_read_body(into);
  }
  std::uint64_t spliceable_bytes() const noexcept override { return reader_.spliceable_bytes(); }
  BodyRead try_splice_in(Pipe& into) noexcept override { return reader_.try_splice_in(into); }
  Started start_body_readable(TimePoint deadline, Waiter& waiter) noexcept override {
    return reader_.start_body_readable(deadline, waiter);
  }
  void cancel_body_readable() noexcept override { stream_.cancel_read(); }
  const http::FieldList& trailers() const noexcept override { return reader_.trailers(); }
  BodyWrite try_write_body(std::string_view data, BodyEnd end) noexcept override {
    return writer_.try_write_body(data, end);
  }
  bool can_splice() const noexcept override { return writer_.can_splice(); }
  BodyWrite try_splice_out(Pipe& from, BodyEnd end) noexcept override {
    return writer_.try_splice_out(from, end);
  }
  void set_trailers(const http::FieldList& fields) noexcept override {
    writer_.set_trailers(fields);
  }
  Started start_body_writable(TimePoint deadline, Waiter& waiter) noexcept override {
    return writer_.start_body_writable(deadline, waiter);
  }
  bool is_body_read() const noexcept override { return reader_.is_body_read(); }
  void reset(Error reason) noexcept override { stream_.abort(reason); }
  void watch_hang_up(Waiter& waiter) noexcept override { stream_.watch_hang_up(waiter); }
  void stop_watching() noexcept override { stream_.stop_watching(); }
  ByteStream* raw() noexcept override { return &stream_; }
  std::string_view received() const noexcept override { return reader_.bytes(); }
  bool has_response_begun() const noexcept override { return response_begun_; }

  // The exchange is over: whether another one may use the connection.
  bool is_reusable() const noexcept {
    return persistence_ == http::Persistence::keep_alive && reader_.is_body_read() &&
           writer_.is_message_written() && !reader_.has_surplus();
  }
  void finish_exchange() noexcept { reader_.finish_message(); }

 private:
  ByteStream& stream_;
  const http1::HeadLimits& limits_;
  Http1Reader reader_;
  Http1Writer writer_;
  http::Method method_ = http::Method::get;  // of the request whose response is awaited
  http::Persistence persistence_ = http::Persistence::close;
  bool response_begun_ = false;
};

}  // namespace weir::net
