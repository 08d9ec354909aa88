#include "balance/power_of_two.h"

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

void record(const WeightedDraw& draw, const PickInput& input, ServerIndex server,
            PickVerdict verdict) noexcept {
  if (input.recorder == nullptr || server == ServerIndex::none) return;  // Divides for nobody.
  const auto leases = static_cast<double>(leases_of(input, server));
  input.record(server, verdict, leases / draw.weight_of(server));
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
  const ServerIndex first = draw.draw(input, random);
  if (first == ServerIndex::none) return first;
  const ServerIndex second = draw.draw(input, random, first);
  // Fewer for its weight; without a difference the first, so that idle servers share by weight.
  const bool is_second_freer =
      second != ServerIndex::none && leases_of(input, second) * draw.weight_of(first) <
                                         leases_of(input, first) * draw.weight_of(second);
  record(draw, input, first, is_second_freer ? PickVerdict::behind : PickVerdict::chosen);
  record(draw, input, second, is_second_freer ? PickVerdict::chosen : PickVerdict::behind);
  return is_second_freer ? second : first;
}

}  // namespace weir::balance
