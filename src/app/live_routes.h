#pragma once
// LiveRoutes: what the API says of the routes in force, and the weights of splits that it has set.
// Those hold, like weights of servers, until the file says other ones. Belongs to whoever changes
// what is in force.

#include <string>
#include <vector>

#include "admin/operations.h"
#include "app/settings.h"
#include "proxy/snapshot.h"

namespace weir::app {

class LiveRoutes {
 public:
  // Of settings in force, and the snapshot made of them.
  std::vector<admin::RouteState> states(const Settings& settings,
                                        const proxy::Snapshot& snapshot) const;

  // Both change the settings that are to come into force next, and what this knows of them: a copy
  // is to be asked, and kept if they do.
  admin::Answered<void> change_split(Settings& next, const std::string& listener,
                                     std::size_t number, const admin::SplitChange& change);
  // After a reload. A sentence for each split that goes on with weights the file does not have.
  std::vector<std::string> keep_weights(Settings& next);

 private:
  // A split whose weights are not those of the file.
  struct SetSplit {
    std::string listener;
    proxy::MatchSettings match;  // of its route; of a listener without routes none
    std::vector<proxy::SplitGroupSettings> by_file;
    std::vector<proxy::SplitGroupSettings> in_force;
  };
  std::vector<SetSplit>::const_iterator find(const proxy::ListenerSettings& listener,
                                             std::size_t route) const;
  std::vector<admin::GroupState> states_of_groups(const proxy::ListenerSettings& listener,
                                                  std::size_t route,
                                                  const proxy::Split& split) const;

  std::vector<SetSplit> set_;
};

}  // namespace weir::app
