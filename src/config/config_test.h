#pragma once
// A small configuration for the tests of this folder, with every kind of member.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/byte_count.h"
#include "base/time.h"
#include "config/description.h"

namespace weir::config::test {

using namespace std::chrono_literals;

enum class Protocol : std::uint8_t { http, tcp };

constexpr auto names_of(Protocol) {
  return std::to_array<std::pair<std::string_view, Protocol>>(
      {{"http", Protocol::http}, {"tcp", Protocol::tcp}});
}

// A scalar type as another folder would add it.
struct Port {
  std::uint16_t value = 0;
};
inline std::expected<void, std::string> parse_scalar(std::string_view text, Port& out) {
  if (!text.starts_with(':')) return std::unexpected("the colon is missing");
  return config::parse_scalar(text.substr(1), out.value);
}
inline std::string print_scalar(const Port& port) { return ":" + std::to_string(port.value); }
constexpr ScalarInfo scalar_info(std::type_identity<Port>) {
  return {"a port", ":80", R"("type": "string", "pattern": "^:[0-9]+$")"};
}

struct Limits {
  Duration timeout = 10s;
  ByteCount head_max = 32_KiB;
};
template <class V>
void describe(V& v, Limits& s) {
  v.field("timeout", s.timeout, "How long to wait.").range(1ms, 24h);
  v.field("head_max", s.head_max, "Largest head.").range(1_KiB, 1_MiB);
}

struct Server {
  Located<std::string> address;
  std::uint16_t weight = 1;
  bool backup = false;
  Position position;
};
template <class V>
void describe(V& v, Server& s) {
  v.field("address", s.address, "Where it listens.").required();
  v.field("weight", s.weight, "Share of the traffic.").range(0, 256);
  v.field("backup", s.backup, "Used only when no other is left.");
}

struct Settings {
  std::string name;
  Protocol protocol = Protocol::http;
  std::optional<Port> port;
  std::int32_t offset = -1;
  double ratio = 0.5;
  std::vector<std::string> hosts = {"localhost"};
  std::optional<Limits> limits;
  std::vector<Server> servers;
};
template <class V>
void describe(V& v, Settings& s) {
  v.field("name", s.name, "What it is called.").required().length_min(1).length_max(8);
  v.field("protocol", s.protocol, "What it speaks.");
  v.field("port", s.port, "Where it is.");
  v.field("offset", s.offset, "A signed number.");
  v.field("ratio", s.ratio, "A fraction.").range(0, 1);
  v.field("hosts", s.hosts, "Names | aliases.").size(1, 3).or_single();
  v.field("limits", s.limits, "What is too much.");
  v.field("servers", s.servers, "Who answers.");
}

}  // namespace weir::config::test
