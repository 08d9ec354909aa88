#include "balance/picker.h"

#include <algorithm>
#include <bit>

namespace weir::balance {
namespace {

constexpr std::size_t kBits = ServerSet::kWordBits;

}  // namespace

bool PickInput::allows(ServerIndex server) const noexcept {
  if (excluded != nullptr && excluded->contains(server)) {
    record(server, PickVerdict::excluded);
    return false;
  }
  if (std::ranges::find(tried, server) == tried.end()) return true;
  record(server, PickVerdict::tried);
  return false;
}

ServerSet members_of(std::span<const ServerSpec> servers, const ServerSet& candidates) {
  ServerSet members(servers.size());
  for (std::size_t number = 0; number < servers.size(); ++number) {
    WEIR_ASSERT(servers[number].weight <= kWeightMax);
    const ServerIndex server = to_server(number);
    if (servers[number].weight > 0 && candidates.contains(server)) members.insert(server);
  }
  return members;
}

std::uint64_t allowed_word(const ServerSet& members, const PickInput& input,
                           std::size_t at) noexcept {
  std::uint64_t word = members.word(at);
  if (input.excluded != nullptr) word &= ~input.excluded->word(at);
  for (const ServerIndex server : input.tried) {
    if (to_number(server) / kBits == at) word &= ~(std::uint64_t{1} << to_number(server) % kBits);
  }
  return word;
}

void record_left_out(const ServerSet& members, const PickInput& input) noexcept {
  if (input.recorder == nullptr) return;
  for (std::size_t at = 0; at < members.words(); ++at) {
    const std::uint64_t left_out = members.word(at) & ~allowed_word(members, input, at);
    for (std::uint64_t left = left_out; left != 0; left &= left - 1) {
      input.allows(to_server(at * kBits + std::countr_zero(left)));  // This tells it the reason.
    }
  }
}

ServerIndex find_allowed(const ServerSet& members, const PickInput& input,
                         ServerIndex from) noexcept {
  record_left_out(members, input);
  if (members.words() == 0) return ServerIndex::none;
  const std::size_t start = to_number(from) % (members.words() * kBits);
  // The word of the start comes first without the bits before it, and last with them.
  for (std::size_t step = 0; step <= members.words(); ++step) {
    const std::size_t at = (start / kBits + step) % members.words();
    std::uint64_t word = allowed_word(members, input, at);
    if (step == 0) word &= ~std::uint64_t{0} << (start % kBits);
    if (word != 0) return to_server(at * kBits + std::countr_zero(word));
  }
  return ServerIndex::none;
}

}  // namespace weir::balance
