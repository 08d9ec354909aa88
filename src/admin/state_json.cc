#include "admin/state_json.h"

#include <algorithm>
#include <fmt/format.h>
#include <iterator>

#include "base/json.h"

namespace weir::admin {
namespace {

// Writes the members of one object between its braces.
class Object {
 public:
  explicit Object(std::string& out) : out_(out) { out_ += '{'; }
  Object(const Object&) = delete;
  ~Object() { out_ += '}'; }

  void add_text(std::string_view key, std::string_view value) {
    add_key(key);
    append_json_string(out_, value);
  }
  void add_texts(std::string_view key, std::span<const std::string> values) {
    add_key(key);
    out_ += '[';
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (i > 0) out_ += ", ";
      append_json_string(out_, values[i]);
    }
    out_ += ']';
  }
  void add_number(std::string_view key, std::uint64_t value) {
    add_key(key);
    append_number(out_, value);
  }
  void add_real(std::string_view key, float value) {
    add_key(key);
    fmt::format_to(std::back_inserter(out_), "{}", value);
  }
  void add_seconds(std::string_view key, double value) {
    add_key(key);
    fmt::format_to(std::back_inserter(out_), "{:.3f}", value);
  }
  void add_flag(std::string_view key, bool value) {
    add_key(key);
    out_ += value ? "true" : "false";
  }
  void add_null(std::string_view key) {
    add_key(key);
    out_ += "null";
  }
  // The value is written by the caller.
  void add_key(std::string_view key) {
    out_ += separator_;
    append_json_string(out_, key);
    out_ += ": ";
    separator_ = ", ";
  }

 private:
  std::string& out_;
  std::string_view separator_;
};

std::string_view name_of(backend::AdminState state) {
  constexpr auto kNames = names_of(backend::AdminState{});
  return std::ranges::find(kNames, state, &decltype(kNames)::value_type::second)->first;
}

}  // namespace

void append_json(std::string& out, const ListenerState& listener) {
  Object object(out);
  object.add_text("name", listener.name);
  object.add_texts("addresses", listener.addresses);
  object.add_text("protocol", listener.protocol);
  object.add_number("connections_open", listener.connections_open);
  object.add_number("connections", listener.connections);
  object.add_number("requests", listener.requests);
}

void append_json(std::string& out, const GroupState& group) {
  Object object(out);
  object.add_text("name", group.name);
  object.add_text("backend", group.backend);
  object.add_number("weight", group.weight);
  object.add_number("weight_configured", group.weight_configured);
  object.add_number("requests", group.requests);
}

void append_json(std::string& out, const RouteState& route) {
  Object object(out);
  object.add_text("listener", route.listener);
  object.add_number("number", route.number);
  object.add_text("match", route.match);
  object.add_text("backend", route.backend);
  object.add_number("line", route.line);
  object.add_key("split");
  append_json(out, route.split);
}

void append_json(std::string& out, const ResolvedState& resolved) {
  Object object(out);
  object.add_key("addresses");
  append_json(out, resolved.addresses);
  object.add_seconds("ttl_left", std::chrono::duration<double>(resolved.ttl_left).count());
  object.add_text("error", resolved.error);
}

void append_json(std::string& out, const ServerState& server) {
  Object object(out);
  object.add_text("backend", server.backend);
  object.add_text("name", server.name);
  object.add_text("address", server.address);
  if (server.resolved) {
    object.add_key("resolved");
    append_json(out, *server.resolved);
  } else {
    object.add_null("resolved");
  }
  object.add_number("weight", server.weight);
  object.add_number("weight_configured", server.weight_configured);
  object.add_flag("backup", server.is_backup);
  if (server.maxconn) {
    object.add_number("maxconn", *server.maxconn);
  } else {
    object.add_null("maxconn");
  }
  object.add_text("state", name_of(server.state));
  object.add_text("reason", server.reason);
  object.add_number("leases", server.leases);
  if (server.score) {
    object.add_real("score", *server.score);
  } else {
    object.add_null("score");
  }
  object.add_number("attempts", server.attempts);
  object.add_number("connect_failures", server.connect_failures);
  object.add_flag("added", server.is_added);
}

void append_json(std::string& out, const BackendState& backend) {
  Object object(out);
  object.add_text("name", backend.name);
  object.add_text("balance", backend.balance);
  object.add_text("method", backend.method);
  object.add_number("requests", backend.requests);
  object.add_number("attempts", backend.attempts);
  object.add_number("retries", backend.retries);
  object.add_number("queued", backend.queued);
  object.add_key("servers");
  append_json(out, backend.servers);
}

void append_json(std::string& out, const WorkerState& worker) {
  Object object(out);
  object.add_number("index", worker.index);
  object.add_number("connections_open", worker.connections_open);
  object.add_seconds("busy_seconds", worker.busy_seconds);
  object.add_number("loop_iterations", worker.loop_iterations);
  object.add_flag("stuck", worker.is_stuck);
}

void append_json(std::string& out, const ReloadReport& report) {
  Object object(out);
  object.add_key("changes");
  append_json(out, report.changes);
  object.add_key("warnings");
  append_json(out, report.warnings);
}

void append_json(std::string& out, const Refusal& refusal) {
  Object object(out);
  object.add_key("error");
  Object error(out);
  error.add_text("reason", refusal.reason);
  error.add_text("message", refusal.message);
}

void append_json(std::string& out, const std::string& text) { append_json_string(out, text); }

}  // namespace weir::admin
