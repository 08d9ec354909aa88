#include "balance/shortlist.h"

#include <algorithm>
#include <bit>

namespace weir::balance {
namespace {

constexpr int kDraws = 16;

std::size_t count_of(const ServerSet& set) {
  std::size_t count = 0;
  for (std::size_t at = 0; at < set.words(); ++at) count += std::popcount(set.word(at));
  return count;
}

}  // namespace

ShortlistTable::ShortlistTable(std::span<const ServerSpec> servers, const ServerSet& candidates)
    : members_(members_of(servers, candidates)),
      draw_(servers, candidates),
      is_drawn_(count_of(members_) > kComparedMax) {
  weights_.reserve(servers.size());
  for (const ServerSpec& server : servers) weights_.push_back(server.weight);
}

// NOLINTNEXTLINE(cppcoreguidelines-pro-type-member-init): the servers beyond the count are unused.
Shortlist::Shortlist(const ShortlistTable& table, const PickInput& input, Random& random) noexcept {
  if (table.is_drawn()) {
    // A heavy server may come up again and again: then fewer are compared.
    for (int i = 0; i < kDraws; ++i) {
      const ServerIndex server = table.draw().draw(input, random);
      if (server == ServerIndex::none) return;
      if (std::ranges::find(servers(), server) == servers().end()) servers_[count_++] = server;
    }
    return;
  }
  record_left_out(table.members(), input);
  for (std::size_t at = 0; at < table.members().words(); ++at) {
    std::uint64_t left = allowed_word(table.members(), input, at);
    for (; left != 0; left &= left - 1) {
      servers_[count_++] = to_server(at * ServerSet::kWordBits + std::countr_zero(left));
    }
  }
}

}  // namespace weir::balance
