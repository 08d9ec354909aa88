#pragma once
// `weir-sim balance`: every balancing algorithm on the same pool of unlike servers, as tables and
// as plots for docs/guide/choosing-an-algorithm.md.

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "sim/balance_pool.h"

namespace weir::sim {

inline constexpr std::array kLoads = {0.5, 0.7, 0.9};

struct BalanceOptions {
  std::uint64_t seed = 1;
  std::uint32_t requests = 1'000'000;  // for each algorithm and load
};

// An algorithm with settings that are worth telling apart.
struct Contestant {
  std::string label;
  balance::BalanceSettings settings = {};
  std::uint32_t leases_max = 0;
};

// Everything in pickers(), hash and what goes by scores several times.
std::vector<Contestant> contestants();

// 20 servers with weights 1, 2 and 3 and speeds in proportion. some_ill: one of weight 3 has a
// fifth of its speed, one of weight 2 is flapping.
enum class Health : std::uint8_t { all_well, some_ill };
inline constexpr std::size_t kSlowServer = 5;
PoolOptions mixed_servers(const Contestant& contestant, Health health);

struct Standing {
  std::string label;
  std::array<PoolResult, kLoads.size()> results;  // by load
};
std::vector<Standing> measure_standings(const BalanceOptions& options, Health health);

// Requests on the fullest server when as many as there are servers are placed and stay; means.
struct FullestServer {
  std::uint32_t servers = 0;
  double random = 0;
  double power_of_two = 0;
};
std::vector<FullestServer> measure_fullest(std::uint64_t seed);

// least_connections on 1,000 equal servers; a single worker picks exactly.
struct ManyServers {
  std::uint16_t workers = 1;
  double load = 0;
  PoolResult result;
};
std::vector<ManyServers> measure_many_servers(const BalanceOptions& options);

struct BalanceReport {
  std::vector<Standing> all_well;
  std::vector<Standing> some_ill;
  std::vector<FullestServer> fullest;
  std::vector<ManyServers> many_servers;
};
BalanceReport measure_balance(const BalanceOptions& options);

enum class TableStyle : std::uint8_t { plain, markdown };
std::string write_tables(const BalanceReport& report, TableStyle style);

struct Plot {
  std::string name;  // of its file
  std::string svg;
};
std::vector<Plot> draw_plots(const BalanceReport& report);

}  // namespace weir::sim
