#pragma once
// StoredResponse: the body of a response on its way through a store, so that a slow client does not
// hold a server: the attempt is over when the server has given the last byte, and the client takes
// what is stored in its own time.

#include <coroutine>

#include "proxy/http/relay.h"
#include "proxy/http/stored_body.h"

namespace weir::proxy {

struct Exchange;

class StoredResponse final : private BodyPump::Owner {
 public:
  // In the exchange's arena; nullptr: there is no room. store must outlive it.
  static StoredResponse* make(Exchange& x, const BodyStore& store) noexcept;
  StoredResponse(Exchange& x, const BodyStore& store) noexcept;
  StoredResponse(const StoredResponse&) = delete;

  // What the attempt fills.
  StoredBody& body() noexcept { return body_; }
  // The client begins to take it. What fails there ends an attempt
  // that is under way as well.
  void start() noexcept { to_client_.start(); }
  // Awaits that the client has taken everything, or that this has failed.
  auto over() noexcept {
    struct Over {
      StoredResponse& response;
      bool await_ready() const noexcept { return response.to_client_.is_over(); }
      void await_suspend(std::coroutine_handle<> task) const noexcept { response.task_ = task; }
      Result<void> await_resume() const noexcept { return response.result(); }
    };
    return Over{*this};
  }
  // Bytes for the client so far.
  std::uint64_t bytes() const noexcept { return to_client_.bytes(); }

 private:
  Result<void> result() const noexcept;
  void on_pump_over(BodyPump& pump) noexcept override;

  Exchange& x_;
  StoredBody body_;
  BodyPump to_client_;
  std::coroutine_handle<> task_;
};

}  // namespace weir::proxy
