#include "app/admin_client.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "base/fd.h"
#include "protocol/http1/parse_head.h"

namespace weir::app {
namespace {

constexpr std::size_t kAnswerBytesMax = std::size_t{256} << 20;
constexpr http1::HeadLimits kHeadLimits{.head_bytes = 16 * 1024, .fields = 64};

using Failed = std::unexpected<std::string>;

Failed fail_with_errno() {
  const bool is_timeout = errno == EAGAIN || errno == EINPROGRESS;
  return Failed(std::strerror(is_timeout ? ETIMEDOUT : errno));
}

void set_timeout(int fd, Duration timeout) {
  const auto us = std::chrono::duration_cast<std::chrono::microseconds>(timeout).count();
  const timeval value{.tv_sec = us / 1'000'000, .tv_usec = us % 1'000'000};
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &value, sizeof value);
  ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &value, sizeof value);  // of connect as well
}

std::string bytes_of(const AdminRequest& request, const net::Address& address) {
  const std::string host = address.is_unix() ? "localhost" : address.to_string();
  std::string bytes = fmt::format("{} {} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n",
                                  request.method, request.target, host);
  if (!request.body.empty()) {
    bytes += fmt::format("Content-Type: application/json\r\nContent-Length: {}\r\n",
                         request.body.size());
  }
  return bytes + "\r\n" + request.body;
}

std::expected<void, std::string> send_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0) return fail_with_errno();
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return {};
}

// Up to the end of the connection.
std::expected<std::string, std::string> receive_all(int fd) {
  std::string received;
  for (std::array<char, 16384> bytes;;) {
    const ssize_t count = ::recv(fd, bytes.data(), bytes.size(), 0);
    if (count < 0) return fail_with_errno();
    if (count == 0) return received;
    received.append(bytes.data(), static_cast<std::size_t>(count));
    if (received.size() > kAnswerBytesMax) return Failed("the answer is too long");
  }
}

std::expected<AdminAnswer, std::string> parse_answer(std::string_view bytes) {
  std::array<http::Field, 64> fields;
  http::ResponseHead head;
  head.fields = http::FieldList(fields);
  const http1::ParseResult parsed =
      http1::parse_response_head(bytes, 0, http::Method::get, kHeadLimits, head);
  const std::string_view body = bytes.substr(parsed.consumed);
  if (parsed.status != http1::ParseStatus::complete || head.body.framing != http::Framing::length ||
      head.body.bytes != body.size()) {
    return Failed(bytes.empty() ? "the connection was closed without an answer"
                                : "what answers there is no admin API of Weir");
  }
  AdminAnswer answer{.status = head.status, .body = std::string(body)};
  for (const http::Field& field : head.fields) {
    if (!http::equals_ignoring_case(field.name, "Weir-Served")) continue;
    answer.is_served = field.value == "yes";
  }
  return answer;
}

}  // namespace

std::expected<AdminAnswer, std::string> ask_admin(const net::Address& address,
                                                  const AdminRequest& request) {
  const Fd fd(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.is_open()) return fail_with_errno();
  set_timeout(fd.get(), request.timeout);
  const SocketAddressView view = address.view();
  if (::connect(fd.get(), view.address, view.length) != 0) return fail_with_errno();
  if (const auto sent = send_all(fd.get(), bytes_of(request, address)); !sent) {
    return Failed(sent.error());
  }
  const auto received = receive_all(fd.get());
  if (!received) return Failed(received.error());
  return parse_answer(*received);
}

}  // namespace weir::app
