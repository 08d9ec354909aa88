#include "app/demo_servers.h"

#include <algorithm>
#include <fmt/format.h>
#include <pthread.h>

namespace weir::app {
namespace {

constexpr std::size_t kBufferBytesMax = std::size_t{16} << 20;

}  // namespace

Task<admin::HttpAnswer> DemoServers::Greeter::answer(const admin::HttpRequest& request) {
  admin::HttpAnswer answer;
  if (request.head.path == "/health") {
    answer.body = "ok\n";
  } else {
    answer.body =
        fmt::format("Hello from {}: {} {}\n", name_, request.head.method_text, request.head.target);
  }
  co_return answer;
}

DemoServers::Server::Server(Worker& worker, std::size_t number, net::ListeningSockets listening)
    : address(listening.address),
      greeter(fmt::format("demo-{}", number)),
      service(worker, greeter) {
  service.listen(worker.reactor().adopt(std::move(listening.sockets.front())));
}

std::expected<std::unique_ptr<DemoServers>, std::string> DemoServers::start(std::size_t count) {
  std::vector<net::ListeningSockets> sockets;
  for (std::size_t i = 0; i < count; ++i) {
    auto opened = net::open_listening_sockets(*net::Address::parse("127.0.0.1:0"), 1);
    if (!opened) return std::unexpected(opened.error());
    sockets.push_back(std::move(*opened));
  }
  auto worker = Worker::make(ReactorKind::epoll, 0, kBufferBytesMax, 0);
  if (!worker) return std::unexpected(std::string(row_of(worker.error().kind).sentence));
  return std::make_unique<DemoServers>(std::move(*worker), std::move(sockets));
}

DemoServers::DemoServers(std::unique_ptr<Worker> worker, std::vector<net::ListeningSockets> sockets)
    : worker_(std::move(worker)), stop_(*this) {
  for (net::ListeningSockets& listening : sockets) {
    servers_.push_back(
        std::make_unique<Server>(*worker_, servers_.size() + 1, std::move(listening)));
  }
  thread_ = std::thread([this] { serve(); });
}

DemoServers::~DemoServers() {
  worker_->post(stop_);
  thread_.join();
}

void DemoServers::serve() noexcept {
  ::pthread_setname_np(::pthread_self(), "weir-demo");
  const auto is_over = [](const auto& server) { return server->service.is_stopped(); };
  while (!std::ranges::all_of(servers_, is_over)) worker_->turn();
}

void DemoServers::Stop::deliver() noexcept {
  for (auto& server : owner.servers_) server->service.abort();
}

std::vector<net::Address> DemoServers::addresses() const {
  std::vector<net::Address> addresses;
  addresses.reserve(servers_.size());
  for (const auto& server : servers_) addresses.push_back(server->address);
  return addresses;
}

}  // namespace weir::app
