#include "balance/first.h"

namespace weir::balance {
namespace {

struct FirstTable final : Table {
  ServerSet members;
};

}  // namespace

std::unique_ptr<const Table> FirstPicker::build(std::span<const ServerSpec> servers,
                                                const ServerSet& candidates) const {
  auto table = std::make_unique<FirstTable>();
  table->members = members_of(servers, candidates);
  return table;
}

std::unique_ptr<State> FirstPicker::start(const Table&, WorkerIndex, std::uint16_t) const {
  return std::make_unique<State>();
}

std::unique_ptr<State> FirstPicker::copy(const State&) const { return std::make_unique<State>(); }

ServerIndex FirstPicker::pick(const Table& table, State&, const PickInput& input) const noexcept {
  const ServerSet& members = static_cast<const FirstTable&>(table).members;
  const ServerIndex found = find_allowed(members, input, to_server(0));
  input.record(found, PickVerdict::chosen);
  return found;
}

}  // namespace weir::balance
