#pragma once
// Servers with names, and counters of leases as a backend has them, for tests and benchmarks of the
// pickers.

#include <string>
#include <vector>

#include "balance/picker.h"

namespace weir::balance::test {

// "server-0" and so on.
inline std::string_view server_name(std::size_t number) {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> made;
    for (std::size_t i = 0; i < kServersMax; ++i) made.push_back("server-" + std::to_string(i));
    return made;
  }();
  return names[number];
}

// The name is the address as well.
inline std::vector<ServerSpec> make_servers(std::span<const std::uint32_t> weights) {
  std::vector<ServerSpec> servers;
  for (const std::uint32_t weight : weights) {
    const std::string_view name = server_name(servers.size());
    servers.push_back({.weight = weight, .name = name, .address = name});
  }
  return servers;
}
inline std::vector<ServerSpec> make_servers(std::initializer_list<std::uint32_t> weights) {
  return make_servers(std::span(weights.begin(), weights.size()));
}
inline std::vector<ServerSpec> make_servers(std::size_t servers) {
  return make_servers(std::vector<std::uint32_t>(servers, 1));
}

class LeaseCounts {
 public:
  explicit LeaseCounts(std::size_t servers) : counts_(servers) {
    for (const auto& count : counts_) counters_.push_back(&count);
  }
  explicit LeaseCounts(std::initializer_list<std::uint32_t> leases) : LeaseCounts(leases.size()) {
    for (std::size_t i = 0; const std::uint32_t count : leases) counts_[i++] = count;
  }

  std::atomic<std::uint32_t>& operator[](ServerIndex server) { return counts_[to_number(server)]; }
  LeaseCounters counters() const { return counters_; }

 private:
  std::vector<std::atomic<std::uint32_t>> counts_;
  std::vector<const std::atomic<std::uint32_t>*> counters_;
};

}  // namespace weir::balance::test
