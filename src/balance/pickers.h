#pragma once
// Every balancing algorithm, by the name that configurations use. A new one is a file, a member and
// a line here, a page and a test; picker_contract_test runs over this list.

#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "balance/first.h"
#include "balance/hash.h"
#include "balance/least_connections.h"
#include "balance/least_time.h"
#include "balance/lowest_score.h"
#include "balance/peak_ewma.h"
#include "balance/picker.h"
#include "balance/power_of_two.h"
#include "balance/random.h"
#include "balance/round_robin.h"
#include "config/problem.h"

namespace weir::balance {

// `balance` of a backend: the settings of one algorithm, or none, which is the first.
struct BalanceSettings {
  config::Position position;
  std::optional<RoundRobinSettings> round_robin;
  std::optional<RandomSettings> random;
  std::optional<PowerOfTwoSettings> power_of_two;
  std::optional<LeastConnectionsSettings> least_connections;
  std::optional<HashSettings> hash;
  std::optional<FirstSettings> first;
  std::optional<LeastTimeSettings> least_time;
  std::optional<PeakEwmaSettings> peak_ewma;
  std::optional<LeastBandwidthSettings> least_bandwidth;
  std::optional<ResourceSettings> resource;
  std::optional<AdaptiveSettings> adaptive;
  std::optional<UtilizationSettings> utilization;
};

// Whether an algorithm goes by the configuration, the request and chance alone, or by what the
// servers do as well.
enum class Method : std::uint8_t { is_static, is_dynamic };

// Calls visit.operator()<PICKER>(name, settings, method, help) for each.
template <class Settings, class Visit>
void for_each_picker(Settings& s, Visit&& visit) {
  visit.template operator()<RoundRobinPicker>("round_robin", s.round_robin, Method::is_static,
                                              "In turn, in proportion to the weights.");
  visit.template operator()<RandomPicker>("random", s.random, Method::is_static,
                                          "By chance, in proportion to the weights.");
  visit.template operator()<PowerOfTwoPicker>(
      "power_of_two", s.power_of_two, Method::is_dynamic,
      "Of two drawn by chance the one with fewer requests in flight.");
  visit.template operator()<LeastConnectionsPicker>(
      "least_connections", s.least_connections, Method::is_dynamic,
      "The one with the fewest requests in flight for its weight.");
  visit.template operator()<HashPicker>("hash", s.hash, Method::is_static,
                                        "The one that the hash of a key says.");
  visit.template operator()<FirstPicker>(
      "first", s.first, Method::is_dynamic,
      "The first in the order of the configuration that is not full.");
  visit.template operator()<LeastTimePicker>(
      "least_time", s.least_time, Method::is_dynamic,
      "The one that answers soonest for what it has in flight.");
  visit.template operator()<PeakEwmaPicker>("peak_ewma", s.peak_ewma, Method::is_dynamic,
                                            "The one that answers soonest, where a slow response "
                                            "counts at once and is forgotten slowly.");
  visit.template operator()<LowestScorePicker>("least_bandwidth", s.least_bandwidth,
                                               Method::is_dynamic,
                                               "The one that carries the least traffic.");
  visit.template operator()<LowestScorePicker>(
      "resource", s.resource, Method::is_dynamic,
      "The one that reports the lowest load: CPU, memory, disk and connections.");
  visit.template operator()<LowestScorePicker>(
      "adaptive", s.adaptive, Method::is_dynamic,
      "The one that does best by its connections, times, errors and load report.");
  visit.template operator()<LowestScorePicker>("utilization", s.utilization, Method::is_dynamic,
                                               "By how far each is from its capacity.");
}

template <class V>
void describe(V& v, BalanceSettings& s) {
  v.exactly_one();
  v.or_name();
  for_each_picker(s, [&v]<class>(std::string_view name, auto& settings, Method,
                                 std::string_view help) { v.field(name, settings, help); });
}

struct PickerEntry {
  std::string_view name;
  Method method;
};

// In the order of for_each_picker().
std::span<const PickerEntry> pickers();
// The entry that the settings name.
const PickerEntry& picker_of(const BalanceSettings& settings);
// All defaults, of an algorithm in pickers().
BalanceSettings default_settings(std::string_view name);

// Jobs thread or start.
std::unique_ptr<const Picker> make_picker(const BalanceSettings& settings);

}  // namespace weir::balance
