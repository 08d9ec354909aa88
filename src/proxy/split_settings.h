#pragma once
// What a configuration says of a split: which share of a route's requests goes to which backend.

#include <string>
#include <type_traits>
#include <vector>

#include "balance/server.h"
#include "config/description.h"
#include "proxy/template.h"

namespace weir::proxy {

// What tells users apart, as far as that is known before a backend is chosen.
struct KeyTemplate : Template {};
std::expected<void, std::string> parse_scalar(std::string_view text, KeyTemplate& out);
constexpr config::ScalarInfo scalar_info(std::type_identity<KeyTemplate>) {
  return {"text with values", "'${request.cookie.user}'",
          R"("type": ["string", "number", "boolean"])", config::Quotes::allowed};
}

struct SplitGroupSettings {
  config::Position position;
  config::Located<std::string> backend;
  std::uint32_t weight = 1;
  config::Located<std::string> name;
};
inline constexpr std::size_t kGroupsMax = 64;

template <class V>
void describe(V& v, SplitGroupSettings& s) {
  v.field("backend", s.backend, "Name of the backend that answers the group's requests.")
      .required();
  v.field("weight", s.weight, "Its share, of the sum of all weights; 0 sends it nothing.")
      .range(0, balance::kWeightMax);
  v.field("name", s.name,
          "What the group is called in metrics and logs; without it, as its backend.")
      .length_min(1)
      .length_max(128);
}

// Where its name is written, or else its backend's.
inline const config::Located<std::string>& name_of(
    const SplitGroupSettings& group WEIR_LIFETIMEBOUND) {
  return group.name->empty() ? group.backend : group.name;
}

// Of a route, or of a listener without routes. No groups: there is none.
struct SplitSettings {
  std::vector<SplitGroupSettings> split;
  config::Located<KeyTemplate> split_key;
};

// Beside the `backend` that it stands instead of.
template <class V>
void describe(V& v, SplitSettings& s) {
  v.field("split", s.split,
          "Instead of one backend several, each with a share of what comes; chance decides, or the "
          "split_key.")
      .size(1, kGroupsMax);
  v.field("split_key", s.split_key,
          "Text with values: who has the same stays in the same group while weights stay the same. "
          "Where all of its values are empty, chance decides.")
      .length_max(4096);
}

}  // namespace weir::proxy
