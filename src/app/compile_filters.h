#pragma once
// Filters of a configuration: what is wrong with their lists, and the chains that routes get. Jobs
// thread or start; may allocate.

#include <map>

#include "app/settings.h"
#include "config/problem.h"
#include "filter/filters.h"
#include "proxy/snapshot.h"

namespace weir::app {

// The settings of an entry that was read without problems.
const filter::FilterSettings& settings_of(const proxy::FilterEntry& entry);

// Whether one of them replies to all requests, so that no backend is needed. It may, for all that
// is known, when there are problems: of settings that have one no filter can be made.
bool may_always_reply(const std::vector<proxy::FilterEntry>& entries,
                      const config::Problems& problems);

// What no filter can see on its own: settings that contradict each other, filters that nothing
// reaches.
void check_filters(const std::vector<proxy::FilterEntry>& entries, config::Problems& problems);

// Each filter of a configuration is made once, whichever routes share it.
class FilterCompiler {
 public:
  explicit FilterCompiler(const Settings& settings);

  // Null: there are none.
  std::shared_ptr<const proxy::FilterChain> chain_of_listener(
      const proxy::ListenerSettings& listener);
  // route: nullptr for a listener with a backend of its own. backend: empty for none.
  std::shared_ptr<const proxy::FilterChain> chain_of_route(const proxy::ListenerSettings& listener,
                                                           const proxy::RouteSettings* route,
                                                           const std::string& backend);

 private:
  const proxy::Filters& filters_of(const std::vector<proxy::FilterEntry>& entries);

  std::map<std::string_view, const BackendEntry*> backends_;
  std::map<const void*, proxy::Filters> made_;  // by list of entries
  std::map<const void*, std::shared_ptr<const proxy::FilterChain>> of_listeners_;
};

}  // namespace weir::app
