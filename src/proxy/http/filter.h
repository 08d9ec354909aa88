#pragma once
// Filter: a step that every request of a listener, route or backend passes through. One object is
// used by all workers, so it is immutable or does its own locking. Nothing may allocate but in the
// exchange's arena, or block.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "config/problem.h"
#include "net/http/http_stream.h"

namespace weir::proxy {

struct BodyStore;
struct Exchange;

// reply: the filter has made the answer with set_answer() (proxy/http/answer.h).
enum class Verdict : std::uint8_t { proceed, reply };

// Who made a response: a server, a filter that replied, or Weir where something failed.
enum class Origin : std::uint8_t { server, filter, error };

// A filter's view of a body; passes on what it does not override. Made by Exchange::make_body(),
// which gives nullptr without room: who cannot do without one then fails the exchange.
class BodyFilter : public net::BodySource {
 public:
  explicit BodyFilter(net::BodySource& source) noexcept : source_(source) {}
  BodyFilter(const BodyFilter&) = delete;

  net::BodyRead try_read_body(std::span<char> into) noexcept override {
    return source_.try_read_body(into);
  }
  Started start_body_readable(TimePoint deadline, net::Waiter& waiter) noexcept override {
    return source_.start_body_readable(deadline, waiter);
  }
  void cancel_body_readable() noexcept override { source_.cancel_body_readable(); }
  const http::FieldList& trailers() const noexcept override { return source_.trailers(); }

 protected:
  net::BodySource& source_;
};

// Requests pass the filters of a chain in its order, responses in the reverse one. An error ends
// the exchange with its page.
class Filter {
 public:
  // name: as configurations have it.
  Filter(std::string_view name, config::Position position) noexcept
      : name_(name), position_(position) {}
  Filter(const Filter&) = delete;
  virtual ~Filter() = default;

  std::string_view name() const noexcept { return name_; }
  config::Position position() const noexcept { return position_; }
  // What it is set to do, for explain: "status 200, 8 bytes of text/plain". May allocate.
  virtual std::string summary() const = 0;
  // Whether it replies to every request.
  virtual bool always_replies() const noexcept { return false; }

  // Routed, before the first attempt; x.request may be changed.
  virtual Result<Verdict> on_request(Exchange&) const noexcept { return Verdict::proceed; }
  // For a filter that has to wait: called instead of on_request().
  virtual bool is_async() const noexcept { return false; }
  virtual Task<Result<Verdict>> on_request_async(Exchange& x) const;
  // Behind on_request(), once: what the body is to be read through; nullptr: as it is. If it
  // changes the body's length, x.request.body has to say so.
  virtual Result<BodyFilter*> wrap_request_body(Exchange&, net::BodySource&) const noexcept {
    return nullptr;
  }
  // The final head (101 included), before it is written; `head` may be changed.
  virtual Result<void> on_response(Exchange&, http::ResponseHead&, Origin) const noexcept {
    return {};
  }
  // As for requests, of responses of servers that have a body.
  virtual Result<BodyFilter*> wrap_response_body(Exchange&, http::ResponseHead&,
                                                 net::BodySource&) const noexcept {
    return nullptr;
  }
  // Where bodies of responses, as all filters leave them, wait for slow clients; nullptr: nowhere.
  virtual const BodyStore* response_store() const noexcept { return nullptr; }
  // The exchange is over, before its line in the log.
  virtual void on_done(const Exchange&) const noexcept {}

 private:
  std::string_view name_;
  config::Position position_;
};

using Filters = std::vector<std::shared_ptr<const Filter>>;

// The filters that requests of a route pass: those of its listener, of the route and of its
// backend. Part of a snapshot.
class FilterChain {
 public:
  explicit FilterChain(Filters filters);

  const Filters& filters() const noexcept { return filters_; }
  bool is_async() const noexcept { return is_async_; }
  // The last one's that names one.
  const BodyStore* response_store() const noexcept { return response_store_; }

  Result<Verdict> filter_request(Exchange& x) const noexcept;
  // For a chain that is_async().
  Task<Result<Verdict>> filter_request_async(Exchange& x) const;
  Result<void> filter_response(Exchange& x, http::ResponseHead& head, Origin origin) const noexcept;
  Result<net::BodySource*> wrap_response_body(Exchange& x, http::ResponseHead& head,
                                              net::BodySource& body) const noexcept;
  void end(const Exchange& x) const noexcept;

 private:
  Filters filters_;
  bool is_async_;
  const BodyStore* response_store_ = nullptr;
};

}  // namespace weir::proxy
