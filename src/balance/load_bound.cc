#include "balance/load_bound.h"

#include <atomic>

namespace weir::balance {
namespace {

constexpr int kLooksInTurn = 2;

std::uint64_t next_table_id() noexcept {
  static std::atomic<std::uint64_t> tables_built{0};
  return tables_built.fetch_add(1, std::memory_order_relaxed) + 1;
}

}  // namespace

LoadShares::LoadShares(std::span<const ServerSpec> servers, const ServerSet& members,
                       double load_max)
    : id(next_table_id()), load_max(load_max) {
  weights.reserve(servers.size());
  for (const ServerSpec& server : servers) {
    const bool is_member = members.contains(to_server(weights.size()));
    weights.push_back(is_member ? server.weight : 0);
    weight_sum += weights.back();
  }
}

LoadBound::LoadBound(const LoadShares& shares, KnownLeases& known, LeaseCounters counters) noexcept
    : shares_(shares), known_(known), counters_(counters) {
  WEIR_ASSERT(known.leases.size() == shares.weights.size());
  if (known.table_id == shares.id) return;
  known.table_id = shares.id;
  for (std::size_t number = 0; number < known.leases.size(); ++number) look_at(number);
  known.sum = 0;
  for (std::size_t number = 0; number < known.leases.size(); ++number) {
    if (shares.weights[number] != 0) known.sum += known.leases[number];
  }
}

void LoadBound::look_at_next() const noexcept {
  for (int i = 0; i < kLooksInTurn && !known_.leases.empty(); ++i) {
    look_at(known_.next_look);
    if (++known_.next_look == known_.leases.size()) known_.next_look = 0;
  }
}

bool LoadBound::has_room(ServerIndex server) const noexcept {
  look_at(to_number(server));
  // Below a bound that is rounded up is below the bound.
  const auto leases = static_cast<double>(known_.leases[to_number(server)]);
  const auto sum_with_this = static_cast<double>(known_.sum + 1);
  return leases * static_cast<double>(shares_.weight_sum) <
         shares_.load_max * sum_with_this * shares_.weights[to_number(server)];
}

double LoadBound::load(ServerIndex server) const noexcept {
  return static_cast<double>(known_.leases[to_number(server)]) / shares_.weights[to_number(server)];
}

void LoadBound::on_lease(ServerIndex server) const noexcept {
  set(to_number(server), known_.leases[to_number(server)] + 1);
}

void LoadBound::on_release(ServerIndex server) const noexcept {
  // A lease may be older than what is known.
  const std::uint32_t leases = known_.leases[to_number(server)];
  if (leases > 0) set(to_number(server), leases - 1);
}

void LoadBound::set(std::size_t number, std::uint32_t leases) const noexcept {
  if (shares_.weights[number] != 0) known_.sum += std::uint64_t{leases} - known_.leases[number];
  known_.leases[number] = leases;
}

void LoadBound::look_at(std::size_t number) const noexcept {
  if (counters_.empty()) return;
  const std::uint32_t leases = counters_[number]->load(std::memory_order_relaxed);
  if (leases != known_.leases[number]) set(number, leases);
}

}  // namespace weir::balance
