#include "balance/server.h"

#include <algorithm>

namespace weir::balance {

ServerSet ServerSet::all(std::size_t servers) {
  ServerSet set(servers);
  for (std::size_t number = 0; number < servers; ++number) set.insert(to_server(number));
  return set;
}

bool ServerSet::is_empty() const noexcept {
  return std::ranges::all_of(words_, [](std::uint64_t word) { return word == 0; });
}

}  // namespace weir::balance
