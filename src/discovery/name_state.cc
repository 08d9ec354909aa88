#include "discovery/name_state.h"

#include <algorithm>
#include <cstring>

namespace weir::discovery {
namespace {

using Outcome = FamilyAnswer::Outcome;

constexpr Duration kBackoffMin = 1s;
constexpr Duration kBackoffMax = 5s;

bool is_before(const net::Address& a, const net::Address& b) {
  const auto a_view = a.view();
  const auto b_view = b.view();
  return std::memcmp(a_view.address, b_view.address, std::min(a_view.length, b_view.length)) < 0;
}

std::vector<net::Address> in_order(std::vector<net::Address> addresses) {
  std::ranges::sort(addresses, is_before);
  const auto repeated = std::ranges::unique(addresses);
  addresses.erase(repeated.begin(), repeated.end());
  return addresses;
}

void take_family(std::vector<net::Address>& known, const FamilyAnswer& answer) {
  switch (answer.outcome) {
    case Outcome::failed:
      return;
    case Outcome::none:
      return known.clear();
    case Outcome::found:
      known = in_order(answer.addresses);
  }
}

// Many a name server never answers for AAAA: where nothing is known, a failure loses nothing.
bool loses(const FamilyAnswer& answer, const std::vector<net::Address>& known) {
  return answer.outcome == Outcome::failed && !known.empty();
}

}  // namespace

void NameState::take(const FamilyAnswer& v4, const FamilyAnswer& v6,
                     const ResolverSettings& settings, TimePoint now) {
  const FamilyAnswer& worse = v4.outcome <= v6.outcome ? v4 : v6;
  const FamilyAnswer& better = v4.outcome > v6.outcome ? v4 : v6;
  problem_ = worse.outcome == Outcome::failed ? worse.problem : std::string_view();
  if (better.outcome == Outcome::found) return take_found(v4, v6, settings, now);
  const bool is_lost = loses(v4, v4_) || loses(v6, v6_);
  if (better.outcome == Outcome::failed || is_lost) return take_failure(now);
  // Most names have IPv4: what is said of that tells more.
  problem_ = v4.problem;
  take_none(settings, now);
}

// A family that failed keeps what it had.
void NameState::take_found(const FamilyAnswer& v4, const FamilyAnswer& v6,
                           const ResolverSettings& settings, TimePoint now) {
  take_family(v4_, v4);
  take_family(v6_, v6);
  keep_most();
  none_since_ = kNever;
  Duration ttl = settings.max_ttl;
  for (const FamilyAnswer* answer : {&v4, &v6}) {
    if (answer->outcome == Outcome::found) ttl = std::min(ttl, answer->ttl);
  }
  ttl = std::max(ttl, settings.min_ttl);
  good_until_ = now + ttl;
  // That IPv4 fails is no custom, but an answer lost on the way.
  if (v4.outcome != Outcome::failed && !loses(v6, v6_)) {
    health_ = NameHealth::good;
    backoff_ = {};
    ask_at_ = good_until_;
    return;
  }
  health_ = NameHealth::outlived;
  ask_at_ = now + std::min(ttl, next_backoff());
}

void NameState::take_none(const ResolverSettings& settings, TimePoint now) {
  none_since_ = std::min(none_since_, now);
  const TimePoint hold_end = none_since_ + settings.hold_nx;
  ask_at_ = now + next_backoff();
  if (!addresses_.empty() && now < hold_end) {
    health_ = NameHealth::outlived;
    ask_at_ = std::min(ask_at_, hold_end);
    return;
  }
  health_ = NameHealth::unresolved;
  v4_.clear();
  v6_.clear();
  keep_most();
}

void NameState::take_failure(TimePoint now) {
  health_ = addresses_.empty() ? NameHealth::unresolved : NameHealth::outlived;
  ask_at_ = now + next_backoff();
}

Duration NameState::next_backoff() noexcept {
  backoff_ = std::clamp(2 * backoff_, kBackoffMin, kBackoffMax);
  return backoff_;
}

void NameState::keep_most() {
  addresses_ = v4_;
  addresses_.insert(addresses_.end(), v6_.begin(), v6_.end());
  left_out_ = addresses_.size() - std::min(addresses_.size(), net::kServerAddressesMax);
  addresses_.resize(addresses_.size() - left_out_);
}

}  // namespace weir::discovery
