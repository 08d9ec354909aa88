#pragma once
// NameState: what is known of one host name, and when to ask again: judgement without I/O or clock.
// Good answers outlive failures; that a name has no address counts only once it has been so for a
// while.

#include <cstdint>
#include <string>
#include <vector>

#include "base/time.h"
#include "discovery/resolver_settings.h"
#include "net/server_address.h"

namespace weir::discovery {

// What came of the question for the addresses of one family.
struct FamilyAnswer {
  enum class Outcome : std::uint8_t {
    failed,  // nobody knows: SERVFAIL, a timeout, garbage
    none,    // there are none: NXDOMAIN, or records of other types only
    found,
  };
  Outcome outcome = Outcome::failed;
  std::vector<net::Address> addresses = {};  // if found; port 0
  Duration ttl{};                            // if found
  std::string_view problem = {};             // unless found; text that lives for ever
};

// What a name stands for at present.
enum class NameHealth : std::uint8_t {
  unasked,     // no question has been answered yet
  good,        // by the last answer
  outlived,    // the last good answer, since the last question failed, if only for a family that
               // should have been answered, or says that there is none
  unresolved,  // there is no address
};

class NameState {
 public:
  // Asked for at once.
  explicit NameState(TimePoint now) noexcept : ask_at_(now) {}

  // Both families have been answered.
  void take(const FamilyAnswer& v4, const FamilyAnswer& v6, const ResolverSettings& settings,
            TimePoint now);

  // When the next question is due.
  TimePoint ask_at() const noexcept { return ask_at_; }

  NameHealth health() const noexcept { return health_; }
  // Each once, IPv4 before IPv6, otherwise by number, so that an answer in another order is the
  // same; port 0.
  const std::vector<net::Address>& addresses() const noexcept WEIR_LIFETIMEBOUND {
    return addresses_;
  }
  // Until when the addresses hold by their TTL.
  TimePoint good_until() const noexcept { return good_until_; }
  // What was wrong with the last answer; empty: nothing.
  std::string_view problem() const noexcept { return problem_; }
  // How many addresses the last good answer had above net::kServerAddressesMax.
  std::size_t left_out() const noexcept { return left_out_; }

 private:
  void take_found(const FamilyAnswer& v4, const FamilyAnswer& v6, const ResolverSettings& settings,
                  TimePoint now);
  void take_none(const ResolverSettings& settings, TimePoint now);
  void take_failure(TimePoint now);
  Duration next_backoff() noexcept;
  void keep_most();

  NameHealth health_ = NameHealth::unasked;
  std::vector<net::Address> v4_;
  std::vector<net::Address> v6_;
  std::vector<net::Address> addresses_;  // of both
  std::size_t left_out_ = 0;
  std::string_view problem_;
  TimePoint ask_at_;
  TimePoint good_until_{};
  TimePoint none_since_ = kNever;  // as answers say
  Duration backoff_{};             // before the last question again; 0: it went well
};

}  // namespace weir::discovery
