#include "balance/picker.h"

#include <algorithm>
#include <bit>

namespace weir::balance {
namespace {

constexpr std::size_t kBits = ServerSet::kWordBits;

bool is_tried(const PickInput& input, ServerIndex server) noexcept {
  return std::ranges::find(input.tried, server) != input.tried.end();
}

}  // namespace

bool PickInput::allows(ServerIndex server) const noexcept {
  if (excluded != nullptr && excluded->contains(server)) return false;
  return !is_tried(*this, server);
}

ServerIndex find_allowed(const ServerSet& members, const PickInput& input,
                         ServerIndex from) noexcept {
  if (members.words() == 0) return ServerIndex::none;
  const std::size_t start = to_number(from) % (members.words() * kBits);
  // The word of the start comes first without the bits before it, and last with them.
  for (std::size_t step = 0; step <= members.words(); ++step) {
    const std::size_t at = (start / kBits + step) % members.words();
    std::uint64_t left = members.word(at);
    if (input.excluded != nullptr) left &= ~input.excluded->word(at);
    if (step == 0) left &= ~std::uint64_t{0} << (start % kBits);
    for (; left != 0; left &= left - 1) {
      const ServerIndex server = to_server(at * kBits + std::countr_zero(left));
      if (!is_tried(input, server)) return server;
    }
  }
  return ServerIndex::none;
}

}  // namespace weir::balance
