#include "balance/random.h"

#include "balance/weighted_draw.h"

namespace weir::balance {
namespace {

struct RandomTable final : Table {
  RandomTable(std::span<const ServerSpec> servers, const ServerSet& candidates)
      : draw(servers, candidates) {}
  WeightedDraw draw;
};

}  // namespace

std::unique_ptr<const Table> RandomPicker::build(std::span<const ServerSpec> servers,
                                                 const ServerSet& candidates) const {
  return std::make_unique<RandomTable>(servers, candidates);
}

std::unique_ptr<State> RandomPicker::start(const Table&, WorkerIndex, std::uint16_t) const {
  return std::make_unique<State>();
}

std::unique_ptr<State> RandomPicker::copy(const State&) const { return std::make_unique<State>(); }

ServerIndex RandomPicker::pick(const Table& table, State&, const PickInput& input) const noexcept {
  Random random(input.random);
  const ServerIndex drawn = static_cast<const RandomTable&>(table).draw.draw(input, random);
  input.record(drawn, PickVerdict::chosen);
  return drawn;
}

}  // namespace weir::balance
