#pragma once
// What listeners and routes are, in the words of `weir explain` and of the admin API. Any thread.

#include <string>
#include <string_view>

#include "proxy/listener_settings.h"

namespace weir::app {

// As a file has it.
std::string_view name_of(proxy::Protocol protocol);

// "host a.example or host *.b.example"; empty if it asks for none.
std::string print_hosts(const proxy::MatchSettings& match);
// "path /a or path_prefix /b"; empty if it asks for none.
std::string print_paths(const proxy::MatchSettings& match);
// Hosts and paths, "any request" if it asks for neither.
std::string print_match(const proxy::MatchSettings& match);

}  // namespace weir::app
