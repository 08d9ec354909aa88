#include "sim/draft.h"

#include <algorithm>
#include <fmt/format.h>

#include "balance/pickers.h"
#include "balance/readings.h"
#include "sim/http_server.h"
#include "sim/mux_frame.h"
#include "sim/tunnels.h"

namespace weir::sim {

Draft::Draft(Random& random, std::uint32_t workers, Members members)
    : random_(random),
      workers_(workers),
      members_(members),
      has_limits_(chance(400)),
      drains_soon_(chance(200)),
      varies_attempts_(chance(200)),
      attempts_(chance(500) ? 3 : 1 + random.below(5)),
      has_extra_(chance(500)),
      has_filters_(chance(500)),
      stores_bodies_(has_filters_ && chance(500)) {
  backends_.push_back(draw_backend("web"));
  backends_.push_back(draw_backend("db"));
}

std::size_t Draft::members_of(const BackendDraft& backend) const noexcept {
  return backend.name == "db" ? members_.db : members_.web;
}

BackendDraft Draft::draw_backend(std::string name) {
  BackendDraft backend{.name = std::move(name), .servers = {}};
  backend.balance = random_.below(balance::pickers().size());
  backend.attempts = varies_attempts_ ? 1 + random_.below(5) : attempts_;
  backend.backoff_ms = random_.below(50);
  if (drains_soon_) backend.drain_ms = random_.below(3000);
  draw_pool(backend);
  draw_queue(backend);
  const std::size_t count = 1 + random_.below(static_cast<std::uint32_t>(members_of(backend)));
  while (backend.servers.size() < count) add_server(backend);
  return backend;
}

void Draft::draw_pool(BackendDraft& backend) noexcept {
  backend.idle_max = random_.below(20);
  backend.idle_ms = 1 + random_.below(20'000);
}

void Draft::draw_queue(BackendDraft& backend) noexcept {
  backend.queue_ms = 1 + random_.below(chance(200) ? 500 : 10'000);
  backend.queue_length = chance(500) ? 1024 : random_.below(10);
}

std::uint32_t Draft::draw_maxconn() noexcept {
  return has_limits_ && chance(600) ? 1 + random_.below(5) : 0;
}

// On a host that the backend does not use yet, if there is one.
void Draft::add_server(BackendDraft& backend) {
  const std::size_t members = members_of(backend);
  if (backend.servers.size() == members) return;
  std::size_t member = random_.below(static_cast<std::uint32_t>(members));
  const auto is_taken = [&](std::size_t wanted) {
    return std::ranges::any_of(
        backend.servers, [wanted](const ServerDraft& server) { return server.member == wanted; });
  };
  while (is_taken(member)) member = (member + 1) % members;
  backend.servers.push_back({.name = fmt::format("{}{}", backend.name[0], next_server_++),
                             .member = member,
                             .weight = 1 + random_.below(5),
                             .is_backup = chance(150),
                             .maxconn = draw_maxconn()});
}

void Draft::change() {
  do {
    change_something();
  } while (chance(300));
}

void Draft::change_something() {
  BackendDraft& backend = backends_[random_.below(static_cast<std::uint32_t>(backends_.size()))];
  switch (random_.below(10)) {
    case 0:
    case 1:
    case 2:
      return change_server(backend);
    case 3:
    case 4:
    case 5:
      return change_servers(backend);
    case 6:
    case 7:
      return change_settings(backend);
    case 8:
      has_extra_ = !has_extra_;
      has_filters_ = chance(500);
      stores_bodies_ = has_filters_ && chance(500);
      return;
    default:
      return change_http_backends();
  }
}

void Draft::change_server(BackendDraft& backend) {
  const auto count = static_cast<std::uint32_t>(backend.servers.size());
  ServerDraft& server = backend.servers[random_.below(count)];
  switch (random_.below(3)) {
    case 0:
      server.weight = chance(100) ? 0 : 1 + random_.below(5);
      return;
    case 1:
      server.maxconn = draw_maxconn();
      return;
    default:
      server.is_backup = !server.is_backup;
      return;
  }
}

void Draft::change_servers(BackendDraft& backend) {
  const auto count = static_cast<std::uint32_t>(backend.servers.size());
  const std::size_t chosen = random_.below(count);
  switch (random_.below(4)) {
    case 0:
      return add_server(backend);
    case 1:
      if (count > 1) {
        backend.servers.erase(backend.servers.begin() + static_cast<std::ptrdiff_t>(chosen));
      }
      return;
    case 2: {  // moves to another address
      add_server(backend);
      if (backend.servers.size() == count) return;
      backend.servers[chosen].member = backend.servers.back().member;
      backend.servers.pop_back();
      return;
    }
    default:
      std::swap(backend.servers[chosen], backend.servers.front());
      return;
  }
}

void Draft::change_settings(BackendDraft& backend) {
  switch (random_.below(6)) {
    case 0:
      backend.balance = random_.below(balance::pickers().size());
      return;
    case 1:
      return draw_pool(backend);
    case 2:
      return draw_queue(backend);
    case 3:
      backend.connect_ms = 1000 + random_.below(1001);
      backend.answer_ms = 5000 + random_.below(2000);
      keep_alive_s_ = 5 + random_.below(10);
      return;
    case 4:
      backend.refused_pause_ms = random_.below(1001);
      if (drains_soon_) backend.drain_ms = random_.below(3000);
      return;
    default:
      backend.backoff_ms = random_.below(50);
      if (varies_attempts_) backend.attempts = 1 + random_.below(5);
      return;
  }
}

// Between two backends and both of them; one that is not used may be gone altogether.
void Draft::change_http_backends() {
  const std::string other = http_backends_.front() == "web" ? "alt" : "web";
  const auto found = std::ranges::find(backends_, other, &BackendDraft::name);
  if (http_backends_.size() == 1 && found != backends_.end() && chance(300)) {
    backends_.erase(found);
    return;
  }
  if (found == backends_.end()) backends_.push_back(draw_backend(other));
  if (chance(500)) {
    http_backends_ = {other};
    return;
  }
  http_backends_ = {"web", "alt"};
  shares_ = {random_.below(5), 1 + random_.below(5)};
  splits_by_client_ = chance(500);
}

std::string Draft::print_http_backends() const {
  if (http_backends_.size() == 1) return fmt::format("    backend: {}\n", http_backends_.front());
  std::string text = "    split:\n";
  for (std::size_t i = 0; i < http_backends_.size(); ++i) {
    text += fmt::format("      - {{ backend: {}, weight: {} }}\n", http_backends_[i], shares_[i]);
  }
  return text + (splits_by_client_ ? "    split_key: '${client.address}-${client.port}'\n" : "");
}

std::string Draft::print() const {
  std::string text = fmt::format("workers: {}\nlisteners:\n", workers_);
  // Heads are edited and bodies of unknown length are read through a filter; none is refused.
  const std::string_view stores =
      stores_bodies_ ? "      - buffer_request: { memory: 4KiB, disk: 10MiB, folder: /tmp }\n"
                       "      - buffer_response: { memory: 4KiB, disk: 16KiB, folder: /tmp }\n"
                     : "";
  const std::string filters =
      has_filters_
          ? "    filters:\n"
            "      - body_limit: { bytes: 10MiB }\n"
            "      - headers: { request: [ { set: X-Edge, value: '${client.address}' } ],\n"
            "          response: [ { set: X-Was, value: '${response.status}' } ] }\n"
            "      - security_headers: {}\n" +
                std::string(stores)
          : "";
  const auto add_http = [&](std::string_view name, std::uint16_t port) {
    text += fmt::format(
        "  - name: {}\n    address: 0.0.0.0:{}\n{}{}"
        "    timeouts: {{ client_head: 5s, client_body: 5s, keep_alive: {}s }}\n",
        name, port, print_http_backends(), filters, keep_alive_s_);
  };
  add_http("web", kHttpPort);
  if (has_extra_) add_http("extra", kExtraPort);
  text += fmt::format(
      "  - name: mux\n    address: 0.0.0.0:{}\n{}{}"
      "    timeouts: {{ client_body: 60s }}\n"
      "  - name: db\n    address: 0.0.0.0:{}\n    protocol: tcp\n    backend: db\n"
      "    timeouts: {{ tunnel_idle: 20s }}\n",
      kMuxPort, print_http_backends(), filters, kTcpPort);
  text += "backends:\n";
  for (const BackendDraft& backend : backends_) text += print(backend);
  return text;
}

std::string Draft::print(const BackendDraft& backend) const {
  std::string text = fmt::format(
      "  - name: {}\n    balance: {}\n    queue_length: {}\n    refused_pause: {}ms\n"
      "    drain_deadline: {}ms\n"
      "    timeouts: {{ connect: {}ms, response_head: {}ms, server_body: {}ms, queue: {}ms }}\n"
      "    retry: {{ attempts: {}, backoff: {}ms }}\n"
      "    pool: {{ idle_max: {}, idle_timeout: {}ms }}\n",
      backend.name, balance::pickers()[backend.balance].name, backend.queue_length,
      backend.refused_pause_ms, backend.drain_ms, backend.connect_ms, backend.answer_ms,
      backend.answer_ms, backend.queue_ms, backend.attempts, backend.backoff_ms, backend.idle_max,
      backend.idle_ms);
  const auto settings = balance::default_settings(balance::pickers()[backend.balance].name);
  if (balance::report_use_of(settings) == balance::ReportUse::required) {
    // Nobody polls here: what such an algorithm does without reports is what is seen.
    text += "    load_report: { path: /load }\n";
  }
  text += "    servers:\n";
  const bool is_db = backend.name == "db";
  const auto port_of = [&](std::size_t member) {
    if (is_db) return TcpServer::kPort;
    const std::uint16_t streams_max = members_.streams_max[member];
    return streams_max == 0 ? HttpServer::kPort : mux_port(streams_max);
  };
  for (const ServerDraft& server : backend.servers) {
    text += fmt::format("      - {{ name: {}, address: 10.0.0.{}:{}, weight: {}, backup: {}",
                        server.name, server.member + 2 + (is_db ? members_.web : 0),
                        port_of(server.member), server.weight, server.is_backup);
    if (server.maxconn != 0) text += fmt::format(", maxconn: {}", server.maxconn);
    text += " }\n";
  }
  return text;
}

}  // namespace weir::sim
