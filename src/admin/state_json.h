#pragma once
// What Operations tells, as JSON: objects with a key for each member, on one line.

#include <string>
#include <string_view>
#include <vector>

#include "admin/operations.h"

namespace weir::admin {

void append_json(std::string& out, const ListenerState& listener);
void append_json(std::string& out, const GroupState& group);
void append_json(std::string& out, const RouteState& route);
void append_json(std::string& out, const ServerState& server);
void append_json(std::string& out, const BackendState& backend);
void append_json(std::string& out, const WorkerState& worker);
void append_json(std::string& out, const ReloadReport& report);
// {"error": …}; the status is not part of it.
void append_json(std::string& out, const Refusal& refusal);

void append_json(std::string& out, const std::string& text);

// [ … ]
template <class Item>
void append_json(std::string& out, const std::vector<Item>& items) {
  out += '[';
  for (std::string_view separator; const Item& item : items) {
    out.append(separator);
    append_json(out, item);
    separator = ", ";
  }
  out += ']';
}

}  // namespace weir::admin
