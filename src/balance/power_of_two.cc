#include "balance/power_of_two.h"

#include <array>

#include "balance/weighted_draw.h"

namespace weir::balance {
namespace {

struct PowerOfTwoTable final : Table {
  PowerOfTwoTable(std::span<const ServerSpec> servers, const ServerSet& candidates)
      : draw(servers, candidates) {}
  WeightedDraw draw;
};

std::uint64_t leases_of(const PickInput& input, ServerIndex server) noexcept {
  if (input.leases.empty()) return 0;
  return input.leases[to_number(server)]->load(std::memory_order_relaxed);
}

// Fewer leases for its weight.
bool is_freer(const WeightedDraw& draw, const PickInput& input, ServerIndex a,
              ServerIndex b) noexcept {
  return leases_of(input, a) * draw.weight_of(b) < leases_of(input, b) * draw.weight_of(a);
}

void record(const WeightedDraw& draw, const PickInput& input, std::span<const ServerIndex> drawn,
            ServerIndex chosen) noexcept {
  for (const ServerIndex server : drawn) {
    const auto leases = static_cast<double>(leases_of(input, server));
    input.record(server, server == chosen ? PickVerdict::chosen : PickVerdict::behind,
                 leases / draw.weight_of(server));
  }
}

}  // namespace

std::unique_ptr<const Table> PowerOfTwoPicker::build(std::span<const ServerSpec> servers,
                                                     const ServerSet& candidates) const {
  return std::make_unique<PowerOfTwoTable>(servers, candidates);
}

std::unique_ptr<State> PowerOfTwoPicker::start(const Table&, WorkerIndex, std::uint16_t) const {
  return std::make_unique<State>();
}

std::unique_ptr<State> PowerOfTwoPicker::copy(const State&) const {
  return std::make_unique<State>();
}

ServerIndex PowerOfTwoPicker::pick(const Table& table, State&,
                                   const PickInput& input) const noexcept {
  const WeightedDraw& draw = static_cast<const PowerOfTwoTable&>(table).draw;
  Random random(input.random);
  std::array<ServerIndex, PowerOfTwoSettings::kChoicesMax> drawn;
  std::size_t count = 0;
  ServerIndex best = ServerIndex::none;
  while (count < settings_.choices) {
    const ServerIndex next = draw.draw(input, random, std::span(drawn).first(count));
    if (next == ServerIndex::none) break;
    drawn[count++] = next;
    // Without a difference the first, so that idle servers share by weight.
    if (best == ServerIndex::none || is_freer(draw, input, next, best)) best = next;
  }
  if (input.recorder != nullptr) record(draw, input, std::span(drawn).first(count), best);
  return best;
}

}  // namespace weir::balance
