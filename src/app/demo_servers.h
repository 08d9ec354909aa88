#pragma once
// DemoServers: small HTTP servers inside the process, for `weir demo` and for trying things out.

#include <expected>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "admin/http_service.h"
#include "net/listening_socket.h"

namespace weir::app {

// Each says its name (demo-1, demo-2, …), the method and the target; /health says ok.
class DemoServers {
 public:
  // `count` servers on free ports of 127.0.0.1, all on one thread of their own. The error is a
  // sentence.
  static std::expected<std::unique_ptr<DemoServers>, std::string> start(std::size_t count);
  // Serves at once, a server for each socket of the list.
  DemoServers(std::unique_ptr<Worker> worker, std::vector<net::ListeningSockets> sockets);
  DemoServers(const DemoServers&) = delete;
  // Cuts what is open.
  ~DemoServers();

  // In the order of their names.
  std::vector<net::Address> addresses() const;

 private:
  class Greeter final : public admin::HttpHandler {
   public:
    explicit Greeter(std::string name) : name_(std::move(name)) {}
    Task<admin::HttpAnswer> answer(const admin::HttpRequest& request) override;

   private:
    std::string name_;
  };
  struct Server {
    Server(Worker& worker, std::size_t number, net::ListeningSockets listening);
    net::Address address;
    Greeter greeter;
    admin::HttpService service;
  };
  struct Stop final : Message {
    explicit Stop(DemoServers& servers) noexcept : owner(servers) {}
    void deliver() noexcept override;
    DemoServers& owner;
  };
  void serve() noexcept;

  std::unique_ptr<Worker> worker_;
  std::vector<std::unique_ptr<Server>> servers_;
  Stop stop_;
  std::thread thread_;
};

}  // namespace weir::app
