#include "proxy/split.h"

#include "base/assert.h"
#include "base/hash.h"
#include "proxy/split_settings.h"

namespace weir::proxy {

SplitShares::SplitShares(std::span<const std::uint32_t> weights) {
  std::uint64_t sum = 0;
  for (const std::uint32_t weight : weights) ends_.push_back(sum += weight);
  WEIR_ASSERT(sum > 0);
}

GroupIndex SplitShares::group_at(std::uint64_t point) const noexcept {
  using Product = unsigned __int128;
  const auto place = static_cast<std::uint64_t>((Product{point} * ends_.back()) >> 64);
  std::uint32_t group = 0;
  while (ends_[group] <= place) ++group;
  return GroupIndex{group};
}

double SplitShares::share_of(GroupIndex group) const noexcept {
  const auto place = static_cast<std::size_t>(group);
  const std::uint64_t begin = place == 0 ? 0 : ends_[place - 1];
  return static_cast<double>(ends_[place] - begin) / static_cast<double>(ends_.back());
}

std::uint64_t point_of_key(std::string_view key) noexcept { return hash_bytes(key); }

std::expected<void, std::string> parse_scalar(std::string_view text, KeyTemplate& out) {
  auto parsed = Template::parse(text, Known::request);
  if (!parsed) return std::unexpected(std::move(parsed.error()));
  if (parsed->constant()) {
    return std::unexpected("without a value in it everybody would be in one group");
  }
  static_cast<Template&>(out) = std::move(*parsed);
  return {};
}

}  // namespace weir::proxy
