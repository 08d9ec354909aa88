#include "backend/load_poll.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "net/http/http1_stream.h"
#include "net/socket_stream.h"

namespace weir::backend {
namespace {

constexpr http1::HeadLimits kAnswerLimits{.head_bytes = 16 * 1024, .fields = 64};

class Held {
 public:
  Held(net::CancelSlot& slot, net::SocketStream& stream) noexcept : slot_(slot) {
    slot_.hold(stream);
  }
  Held(const Held&) = delete;
  ~Held() { slot_.let_go(); }

 private:
  net::CancelSlot& slot_;
};

std::optional<double> round_trip_ms(int fd) noexcept {
  constexpr double kUsPerMs = 1000;
  tcp_info info{};
  socklen_t length = sizeof info;
  if (::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) != 0) return std::nullopt;
  return info.tcpi_rtt / kUsPerMs;
}

Task<Result<void>> write_request(net::Http1ServerSide& http, const LoadQuestion& question) {
  http::Field space;
  http::RequestHead head;
  head.method = http::Method::get;
  head.method_text = "GET";
  head.authority = question.authority;
  head.path = question.path;
  head.fields = http::FieldList(std::span(&space, 1));
  head.fields.append() = {.name = "Connection", .value = "close"};
  co_return co_await http.write_head(head, net::BodyFollows::no, question.due);
}

Task<Result<std::string>> read_body(Worker& worker, net::Http1ServerSide& http, TimePoint due) {
  std::string body;
  for (;;) {
    const net::BodyRead read = http.try_read_body(worker.shared_buffer());
    if (read.status == net::BodyRead::Status::failed) co_return fail(read.error);
    if (read.status == net::BodyRead::Status::would_block) {
      WEIR_CO_TRY(co_await net::Wait([&http, due](net::Waiter& waiter) noexcept {
        return http.start_body_readable(due, waiter);
      }));
      continue;
    }
    body += read.data;
    if (body.size() > kLoadReportBytesMax) co_return fail(ErrorKind::bad_response, Side::server);
    if (read.end == net::BodyEnd::last) co_return body;
  }
}

}  // namespace

Task<Result<LoadAnswer>> ask_for_load(Worker& worker, const LoadQuestion& question,
                                      net::CancelSlot& slot) {
  Socket* const socket =
      WEIR_CO_TRY(worker.reactor().make_stream_socket(question.address.family()));
  net::SocketStream stream(worker, *socket, Side::server);
  const Held held(slot, stream);
  WEIR_CO_TRY(co_await stream.connect(question.address, question.due));
  Arena arena(worker.buffers());
  net::Http1ServerSide http(worker, stream, kAnswerLimits);
  WEIR_CO_TRY(co_await write_request(http, question));
  http::ResponseHead head;
  do {
    WEIR_CO_TRY(co_await http.read_head(head, arena, question.due));
  } while (head.status < 200);
  if (head.status != 200) co_return fail(ErrorKind::bad_response, Side::server);
  LoadAnswer answer;
  answer.body = WEIR_CO_TRY(co_await read_body(worker, http, question.due));
  answer.round_trip_ms = round_trip_ms(socket->fd());
  co_return answer;
}

}  // namespace weir::backend
