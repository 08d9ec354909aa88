#include "proxy/route_table.h"

#include "base/hash.h"

namespace weir::proxy {
namespace {

constexpr std::uint32_t kAny = 0;
constexpr std::size_t kSlotsMin = 16;

// A name of 255 bytes has at most 128 labels.
constexpr std::size_t kLabelsMax = kHostBytesMax / 2 + 1;

std::uint32_t tag_of(std::uint64_t hash) noexcept { return static_cast<std::uint32_t>(hash >> 32); }

std::size_t count_labels(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count(text, '.')) + 1;
}

}  // namespace

// The slot that holds this text, or the free one where it belongs.
std::size_t TextIndex::find_slot(std::string_view text, std::uint64_t hash) const noexcept {
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t at = hash & mask;; at = (at + 1) & mask) {
    const Slot& slot = slots_[at];
    if (slot.number == kNone) return at;
    if (slot.tag != tag_of(hash) || slot.size != text.size()) continue;
    if (std::string_view(texts_).substr(slot.offset, slot.size) == text) return at;
  }
}

std::uint32_t TextIndex::insert(std::string_view text, std::uint32_t fresh) {
  if (used_ * 2 >= slots_.size()) grow();
  const std::uint64_t hash = hash_bytes(text);
  Slot& slot = slots_[find_slot(text, hash)];
  if (slot.number != kNone) return slot.number;
  slot = {.tag = tag_of(hash),
          .offset = static_cast<std::uint32_t>(texts_.size()),
          .size = static_cast<std::uint32_t>(text.size()),
          .number = fresh};
  texts_ += text;
  size_max_ = std::max(size_max_, text.size());
  ++used_;
  return fresh;
}

std::uint32_t TextIndex::find(std::string_view text) const noexcept {
  // No long path is hashed for nothing.
  if (slots_.empty() || text.size() > size_max_) return kNone;
  return slots_[find_slot(text, hash_bytes(text))].number;
}

void TextIndex::grow() {
  std::vector<Slot> old(std::max(kSlotsMin, slots_.size() * 2));
  old.swap(slots_);
  for (const Slot& slot : old) {
    if (slot.number == kNone) continue;
    const auto text = std::string_view(texts_).substr(slot.offset, slot.size);
    slots_[find_slot(text, hash_bytes(text))] = slot;
  }
}

std::size_t PairIndex::find_slot(std::uint32_t host, std::uint32_t path) const noexcept {
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t at = mix64(std::uint64_t{host} << 32 | path) & mask;; at = (at + 1) & mask) {
    const Slot& slot = slots_[at];
    if (slot.route == RouteIndex::none || (slot.host == host && slot.path == path)) return at;
  }
}

void PairIndex::insert(std::uint32_t host, std::uint32_t path, RouteIndex route) {
  if (used_ * 2 >= slots_.size()) grow();
  Slot& slot = slots_[find_slot(host, path)];
  if (slot.route == RouteIndex::none) ++used_;
  slot = {.host = host, .path = path, .route = std::min(slot.route, route)};
}

RouteIndex PairIndex::find(std::uint32_t host, std::uint32_t path) const noexcept {
  if (slots_.empty()) return RouteIndex::none;
  return slots_[find_slot(host, path)].route;
}

void PairIndex::grow() {
  std::vector<Slot> old(std::max(kSlotsMin, slots_.size() * 2));
  old.swap(slots_);
  for (const Slot& slot : old) {
    if (slot.route != RouteIndex::none) slots_[find_slot(slot.host, slot.path)] = slot;
  }
}

// Patterns of one kind that match one host differ in their labels: at most one each.
struct RouteTable::HostNumbers {
  std::uint32_t numbers[2 * kLabelsMax + 2];
  std::size_t size = 0;

  void add(std::uint32_t number) noexcept {
    if (number != TextIndex::kNone) numbers[size++] = number;
  }
};

std::uint32_t RouteTable::number_of(const HostPattern& host) {
  WEIR_ASSERT(count_labels(host.text) <= kLabelsMax);
  std::uint32_t number = kAny;
  switch (host.kind) {
    case HostPattern::Kind::any:
      return kAny;
    case HostPattern::Kind::exact:
      number = exact_hosts_.insert(host.text, next_host_);
      break;
    case HostPattern::Kind::suffix:
      number = suffix_hosts_.insert(host.text, next_host_);
      suffix_labels_max_ = std::max(suffix_labels_max_, count_labels(host.text));
      break;
    case HostPattern::Kind::prefix:
      number = prefix_hosts_.insert(host.text, next_host_);
      prefix_labels_max_ = std::max(prefix_labels_max_, count_labels(host.text));
      break;
  }
  if (number == next_host_) ++next_host_;
  return number;
}

std::uint32_t RouteTable::number_of(const PathPattern& path) {
  std::uint32_t number = kAny;
  switch (path.kind) {
    case PathPattern::Kind::any:
      return kAny;
    case PathPattern::Kind::exact:
      number = exact_paths_.insert(path.text, next_path_);
      break;
    case PathPattern::Kind::below: {
      number = below_paths_.insert(path.text, next_path_);
      const auto slashes = static_cast<std::size_t>(std::ranges::count(path.text, '/'));
      below_segments_max_ = std::max(below_segments_max_, slashes - 1);
      break;
    }
  }
  if (number == next_path_) ++next_path_;
  return number;
}

void RouteTable::insert(const HostPattern& host, const PathPattern& path, RouteIndex route) {
  pairs_.insert(number_of(host), number_of(path), route);
}

void RouteTable::find_hosts(std::string_view host, HostNumbers& found) const noexcept {
  found.add(kAny);
  found.add(exact_hosts_.find(host));
  std::size_t dot = host.size();
  for (std::size_t labels = 0; labels < suffix_labels_max_ && dot > 0; ++labels) {
    dot = host.rfind('.', dot - 1);
    if (dot == std::string_view::npos) break;
    found.add(suffix_hosts_.find(host.substr(dot + 1)));
  }
  dot = host.find('.');
  for (std::size_t labels = 0; labels < prefix_labels_max_; ++labels) {
    if (dot == std::string_view::npos) break;
    found.add(prefix_hosts_.find(host.substr(0, dot)));
    dot = host.find('.', dot + 1);
  }
}

RouteIndex RouteTable::match(std::string_view host, std::string_view path) const noexcept {
  HostNumbers hosts;
  find_hosts(host, hosts);
  RouteIndex best = RouteIndex::none;
  const auto consider = [&](std::uint32_t path_number) {
    if (path_number == TextIndex::kNone) return;
    for (std::size_t i = 0; i < hosts.size; ++i) {
      best = std::min(best, pairs_.find(hosts.numbers[i], path_number));
    }
  };
  consider(kAny);
  consider(exact_paths_.find(path));
  std::size_t slash = 0;
  for (std::size_t segments = 0; segments < below_segments_max_; ++segments) {
    slash = path.find('/', slash + 1);
    if (slash == std::string_view::npos) break;
    consider(below_paths_.find(path.substr(0, slash + 1)));
  }
  return best;
}

}  // namespace weir::proxy
