#pragma once
// HttpService: a small HTTP/1.1 server for answers from memory: the admin API, the demo's servers.
// It is not the data path: it allocates.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/http/message.h"
#include "runtime/scope.h"
#include "runtime/task.h"
#include "runtime/worker.h"

namespace weir::admin {

struct HttpRequest {
  const http::RequestHead& head;
  std::string_view body;  // all of it
};

struct HttpAnswer {
  struct Field {
    std::string_view name;  // a literal
    std::string value;      // without control characters
  };

  std::uint16_t status = 200;  // one that has a body: neither 1xx, 204 nor 304
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
  std::vector<Field> fields;  // at most HttpService::kAnswerFieldsMax more, as Allow
};

class HttpHandler {
 public:
  // The request lives as long as the task. An answer to HEAD has the body that GET would get; it is
  // not sent. The service's worker.
  virtual Task<HttpAnswer> answer(const HttpRequest& request) = 0;

 protected:
  ~HttpHandler() = default;
};

// Everything on the worker's thread.
class HttpService {
 public:
  // More wait in the kernel's queue.
  static constexpr std::size_t kConnectionsMax = 256;
  static constexpr std::size_t kHeadBytesMax = std::size_t{16} << 10;
  // A larger body is answered with 413.
  static constexpr std::size_t kBodyBytesMax = std::size_t{1} << 20;
  static constexpr std::size_t kAnswerFieldsMax = 4;

  // Both must outlive the service.
  HttpService(Worker& worker, HttpHandler& handler) noexcept;
  HttpService(const HttpService&) = delete;
  ~HttpService();

  // Accepts on a listening socket of the worker's reactor and takes it over. Once.
  void listen(Socket& socket) noexcept;
  // Ends idle connections, has the others end after their answer, and accepts no more once what is
  // queued in the kernel has been accepted: a close would reset it.
  void stop() noexcept;
  // Stops at once, and ends every connection that does not wait for the handler; those when it has
  // answered.
  void abort() noexcept;
  // No connection and no listening socket is left.
  bool is_stopped() const noexcept { return socket_ == nullptr && scope_.running() == 0; }

 private:
  class Connection;
  struct Accept : AcceptOperation {
    explicit Accept(HttpService& owner) noexcept;
    HttpService& service;
  };
  struct Retry : Timer {
    explicit Retry(HttpService& owner) noexcept;
    HttpService& service;
  };
  struct Close : Deferred {
    explicit Close(HttpService& owner) noexcept;
    HttpService& service;
  };
  static Task<void> serve_connection(HttpService& service, Socket& socket);
  void on_accepted(Fd connection) noexcept;
  void on_accept_end(int os_error) noexcept;
  void start_accepting() noexcept;
  void on_room() noexcept;
  void close_when_queue_is_empty() noexcept;
  void close_listening_socket() noexcept;

  Worker& worker_;
  HttpHandler& handler_;
  Socket* socket_ = nullptr;
  Accept accept_;
  Retry retry_;
  Close close_;
  bool stopping_ = false;
  bool accepted_this_turn_ = false;
  IntrusiveList<Connection> open_;
  Scope scope_;
};

}  // namespace weir::admin
