#include "app/ctl.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <initializer_list>
#include <span>

#include "admin/percent.h"
#include "balance/server.h"
#include "base/json.h"
#include "config/node.h"
#include "config/text.h"
#include "proxy/split_settings.h"

namespace weir::app {
namespace {

using admin::encode_percent;
using config::Node;
using config::quote;
using Refused = std::unexpected<std::string>;

constexpr int kRefused = 1;
constexpr int kUsageError = 2;
constexpr Duration kReloadTimeout = std::chrono::seconds(60);

// Rows under headings, each column as wide as it must be.
class Table {
 public:
  explicit Table(std::vector<std::string> headings) { add(std::move(headings)); }

  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }

  std::string print() const {
    std::vector<std::size_t> widths(rows_.front().size());
    for (const auto& row : rows_) {
      for (std::size_t i = 0; i < row.size(); ++i) {
        widths[i] = std::max(widths[i], config::count_code_points(row[i]));
      }
    }
    std::string out;
    for (const auto& row : rows_) {
      for (std::size_t i = 0; i < row.size(); ++i) {
        out += row[i];
        out.append(widths[i] + 2 - config::count_code_points(row[i]), ' ');
      }
      out.erase(out.find_last_not_of(' ') + 1);
      out += '\n';
    }
    return out;
  }

 private:
  std::vector<std::vector<std::string>> rows_;
};

// Null if another version of Weir does not say it.
const Node* find_member(const Node& object, std::string_view key) {
  if (object.kind != Node::Kind::mapping) return nullptr;
  for (std::size_t i = 0; i + 1 < object.children.size(); i += 2) {
    if (object.children[i].text == key) return &object.children[i + 1];
  }
  return nullptr;
}

std::string text_of(const Node& object, std::string_view key) {
  const Node* member = find_member(object, key);
  return member == nullptr ? "?" : member->text;
}

bool is_true(const Node& object, std::string_view key) { return text_of(object, key) == "true"; }

std::vector<std::string> texts_of(const Node& object,
                                  std::initializer_list<std::string_view> keys) {
  std::vector<std::string> texts;
  for (const std::string_view key : keys) texts.push_back(text_of(object, key));
  return texts;
}

// Null unless there is a list of that name.
const Node* find_list(const Node& object, std::string_view key) {
  const Node* member = find_member(object, key);
  return member != nullptr && member->kind == Node::Kind::sequence ? member : nullptr;
}

// JSON is YAML. What is neither is null.
Node parse(std::string_view json) {
  config::Problems problems;
  return std::move(config::parse_document("", std::string(json), problems).root);
}

// A table of the members of each object in a list.
std::optional<std::string> show_list(std::string_view json, std::string_view list,
                                     std::vector<std::string> headings,
                                     std::initializer_list<std::string_view> keys) {
  const Node document = parse(json);
  const Node* items = find_list(document, list);
  if (items == nullptr) return std::nullopt;
  Table table(std::move(headings));
  for (const Node& item : items->children) table.add(texts_of(item, keys));
  return table.print();
}

std::optional<std::string> show_listeners(std::string_view json) {
  const Node document = parse(json);
  const Node* listeners = find_list(document, "listeners");
  if (listeners == nullptr) return std::nullopt;
  Table table({"NAME", "ADDRESS", "PROTOCOL", "OPEN", "CONNECTIONS", "REQUESTS"});
  for (const Node& listener : listeners->children) {
    const Node* addresses = find_list(listener, "addresses");
    if (addresses == nullptr) return std::nullopt;
    std::string all;
    for (const Node& address : addresses->children) all += (all.empty() ? "" : ",") + address.text;
    std::vector<std::string> row =
        texts_of(listener, {"name", "protocol", "connections_open", "connections", "requests"});
    row.insert(row.begin() + 1, all);
    table.add(std::move(row));
  }
  return table.print();
}

// "web 95, canary 5"; empty: the route has none.
std::string print_split(const Node& split) {
  std::string text;
  for (const Node& group : split.children) {
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", text_of(group, "name"),
                        text_of(group, "weight"));
  }
  return text;
}

std::optional<std::string> show_routes(std::string_view json) {
  const Node document = parse(json);
  const Node* routes = find_list(document, "routes");
  if (routes == nullptr) return std::nullopt;
  Table table({"LISTENER", "ROUTE", "MATCH", "BACKEND", "LINE"});
  for (const Node& route : routes->children) {
    std::vector<std::string> row =
        texts_of(route, {"listener", "number", "match", "backend", "line"});
    const Node* split = find_list(route, "split");
    if (split != nullptr && !split->children.empty()) row[3] = print_split(*split);
    table.add(std::move(row));
  }
  return table.print();
}

std::optional<std::string> show_split(std::string_view json) {
  const Node document = parse(json);
  const Node* split = find_list(document, "split");
  if (split == nullptr) return std::nullopt;
  if (split->children.empty()) return "the route has no split\n";
  Table table({"GROUP", "BACKEND", "WEIGHT", "REQUESTS", "NOTES"});
  for (const Node& group : split->children) {
    std::vector<std::string> row = texts_of(group, {"name", "backend", "weight", "requests"});
    const std::string configured = text_of(group, "weight_configured");
    row.push_back(configured == row[2] ? "" : fmt::format("weight {} in the file", configured));
    table.add(std::move(row));
  }
  return table.print();
}

std::optional<std::string> show_workers(std::string_view json) {
  return show_list(json, "workers", {"WORKER", "OPEN", "BUSY SECONDS", "TURNS", "STUCK"},
                   {"index", "connections_open", "busy_seconds", "loop_iterations", "stuck"});
}

std::optional<std::string> show_backends(std::string_view json) {
  const Node document = parse(json);
  const Node* backends = find_list(document, "backends");
  if (backends == nullptr) return std::nullopt;
  Table table({"NAME", "BALANCE", "USABLE", "REQUESTS", "ATTEMPTS", "RETRIES", "QUEUED"});
  for (const Node& backend : backends->children) {
    std::vector<std::string> row =
        texts_of(backend, {"name", "balance", "requests", "attempts", "retries", "queued"});
    const Node* servers = find_list(backend, "servers");
    if (servers == nullptr) return std::nullopt;
    const auto is_usable = [](const Node& server) { return text_of(server, "reason").empty(); };
    row.insert(row.begin() + 2,
               fmt::format("{}/{}", std::ranges::count_if(servers->children, is_usable),
                           servers->children.size()));
    table.add(std::move(row));
  }
  return table.print();
}

// What is out of the ordinary.
std::string notes_on(const Node& server) {
  std::vector<std::string> notes;
  if (std::string reason = text_of(server, "reason"); !reason.empty()) {
    notes.push_back(std::move(reason));
  }
  if (is_true(server, "backup")) notes.emplace_back("backup");
  const bool is_added = is_true(server, "added");
  const std::string configured = text_of(server, "weight_configured");
  if (is_added) notes.emplace_back("not in the file");
  if (!is_added && configured != text_of(server, "weight")) {
    notes.push_back(fmt::format("weight {} in the file", configured));
  }
  return fmt::format("{}", fmt::join(notes, "; "));
}

std::string print_servers(std::span<const Node> servers) {
  Table table({"BACKEND", "SERVER", "ADDRESS", "WEIGHT", "STATE", "LEASES", "ATTEMPTS",
               "CONNECT FAILURES", "NOTES"});
  for (const Node& server : servers) {
    std::vector<std::string> row =
        texts_of(server, {"backend", "name", "address", "weight", "state", "leases", "attempts",
                          "connect_failures"});
    const std::string maxconn = text_of(server, "maxconn");
    if (!maxconn.empty()) row[5] += "/" + maxconn;
    row.push_back(notes_on(server));
    table.add(std::move(row));
  }
  return table.print();
}

std::optional<std::string> show_servers(std::string_view json) {
  const Node document = parse(json);
  const Node* servers = find_list(document, "servers");
  if (servers == nullptr) return std::nullopt;
  return print_servers(servers->children);
}

std::optional<std::string> show_server(std::string_view json) {
  const Node document = parse(json);
  if (document.kind != Node::Kind::mapping) return std::nullopt;
  return print_servers({&document, 1});
}

std::optional<std::string> show_reload(std::string_view json) {
  const Node document = parse(json);
  const Node* changes = find_list(document, "changes");
  const Node* warnings = find_list(document, "warnings");
  if (changes == nullptr || warnings == nullptr) return std::nullopt;
  std::string out = changes->children.empty() ? "nothing has changed\n" : "";
  for (const Node& change : changes->children) {
    out += fmt::format("{}\n", change.text);
  }
  for (const Node& warning : warnings->children) {
    out += fmt::format("warning: {}\n", warning.text);
  }
  return out;
}

using Parsed = std::expected<CtlCall, std::string>;

CtlCall get(std::string target, std::optional<std::string> (*show)(std::string_view)) {
  return {.request = {.method = "GET", .target = std::move(target)}, .show = show};
}

Parsed parse_listeners(const CtlArguments&) { return get("/api/v1/listeners", &show_listeners); }
Parsed parse_routes(const CtlArguments&) { return get("/api/v1/routes", &show_routes); }
Parsed parse_backends(const CtlArguments&) { return get("/api/v1/backends", &show_backends); }
Parsed parse_workers(const CtlArguments&) { return get("/api/v1/workers", &show_workers); }

Parsed parse_servers(const CtlArguments& arguments) {
  if (arguments.words.size() == 1) return get("/api/v1/servers", &show_servers);
  return get("/api/v1/backends/" + encode_percent(arguments.words[1]), &show_servers);
}

Parsed parse_reload(const CtlArguments&) {
  return CtlCall{
      .request = {.method = "POST", .target = "/api/v1/reload", .timeout = kReloadTimeout},
      .show = &show_reload};
}

struct ServerName {
  std::string_view backend;
  std::string_view server;
};

std::expected<ServerName, std::string> parse_server_name(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos || slash == 0 || slash + 1 == text.size()) {
    return Refused("expected BACKEND/SERVER, found " + quote(text));
  }
  return ServerName{.backend = text.substr(0, slash), .server = text.substr(slash + 1)};
}

std::optional<std::uint32_t> parse_weight(std::string_view text) {
  std::uint32_t weight = 0;
  const auto [end, error] = std::from_chars(text.begin(), text.end(), weight);
  const bool is_weight = !text.empty() && error == std::errc() && end == text.end();
  if (!is_weight || weight > balance::kWeightMax) return std::nullopt;
  return weight;
}

// The body of the PATCH that does this to a server; empty for its removal.
std::expected<std::string, std::string> parse_change(std::span<const std::string> words) {
  struct State {
    std::string_view verb;
    std::string_view body;
  };
  constexpr std::array kStates = {State{"drain", R"({"state": "draining"})"},
                                  State{"disable", R"({"state": "disabled"})"},
                                  State{"enable", R"({"state": "ready"})"}, State{"remove", ""}};
  const std::string& verb = words[0];
  config::Nearest nearest(verb);
  for (const State& state : kStates) {
    nearest.consider(state.verb);
    if (verb != state.verb) continue;
    if (words.size() > 1) return Refused(fmt::format("{} after {}", quote(words[1]), verb));
    return std::string(state.body);
  }
  nearest.consider("weight");
  if (verb != "weight") {
    return Refused(fmt::format("expected weight N, drain, disable, enable or remove, found {}{}",
                               quote(verb), nearest.hint()));
  }
  const std::string_view text = words.size() > 1 ? std::string_view(words[1]) : "";
  const auto weight = parse_weight(text);
  if (!weight) {
    return Refused(fmt::format("expected weight and a whole number from 0 to {}, found {}",
                               balance::kWeightMax, quote(text)));
  }
  return fmt::format("{{\"weight\": {}}}", *weight);
}

Parsed parse_server(const CtlArguments& arguments) {
  const std::span<const std::string> words = arguments.words;
  const auto name = parse_server_name(words[1]);
  if (!name) return Refused(name.error());
  std::string target = fmt::format("/api/v1/servers/{}/{}", encode_percent(name->backend),
                                   encode_percent(name->server));
  if (words.size() == 2) return get(std::move(target), &show_server);
  auto body = parse_change(words.subspan(2));
  if (!body) return Refused(body.error());
  if (body->empty()) {
    return CtlCall{.request = {.method = "DELETE", .target = std::move(target)},
                   .show = &show_servers};
  }
  return CtlCall{
      .request = {.method = "PATCH", .target = std::move(target), .body = std::move(*body)},
      .show = &show_server};
}

Parsed parse_split(const CtlArguments& arguments) {
  const std::span<const std::string> words = arguments.words;
  std::string target =
      fmt::format("/api/v1/routes/{}/{}", encode_percent(words[1]), encode_percent(words[2]));
  if (words.size() == 3) return get(std::move(target), &show_split);
  std::string groups;
  for (const std::string_view word : words.subspan(3)) {
    const std::size_t equals = word.rfind('=');
    const auto weight = equals == std::string_view::npos || equals == 0
                            ? std::nullopt
                            : parse_weight(word.substr(equals + 1));
    if (!weight) {
      return Refused(fmt::format("expected GROUP=WEIGHT with a whole number from 0 to {}, found {}",
                                 balance::kWeightMax, quote(word)));
    }
    groups += groups.empty() ? "{\"group\": " : ", {\"group\": ";
    append_json_string(groups, word.substr(0, equals));
    groups += fmt::format(", \"weight\": {}}}", *weight);
  }
  return CtlCall{.request = {.method = "PATCH",
                             .target = std::move(target),
                             .body = fmt::format("{{\"split\": [{}]}}", groups)},
                 .show = &show_split};
}

Parsed parse_add(const CtlArguments& arguments) {
  const auto name = parse_server_name(arguments.words[1]);
  if (!name) return Refused(name.error());
  if (arguments.weight > balance::kWeightMax) {
    return Refused(fmt::format("--weight: expected a whole number from 0 to {}, found {}",
                               balance::kWeightMax, *arguments.weight));
  }
  std::string body = "{\"name\": ";
  append_json_string(body, name->server);
  body += ", \"address\": ";
  append_json_string(body, arguments.words[2]);
  if (arguments.weight) body += fmt::format(", \"weight\": {}", *arguments.weight);
  if (arguments.maxconn) body += fmt::format(", \"maxconn\": {}", *arguments.maxconn);
  if (arguments.is_backup) body += ", \"backup\": true";
  body += '}';
  return CtlCall{.request = {.method = "POST",
                             .target = fmt::format("/api/v1/backends/{}/servers",
                                                   encode_percent(name->backend)),
                             .body = std::move(body)},
                 .show = &show_server};
}

struct CommandRow {
  std::string_view name;
  std::string_view operands;  // with a space before them
  std::string_view says;
  std::size_t words_min;
  std::size_t words_max;
  Parsed (*parse)(const CtlArguments& arguments);
};

constexpr std::array kCommands = {
    CommandRow{"listeners", "", "addresses, and who is connected", 1, 1, &parse_listeners},
    CommandRow{"routes", "", "what goes where, in order", 1, 1, &parse_routes},
    CommandRow{"backends", "", "pools of servers", 1, 1, &parse_backends},
    CommandRow{"servers", " [BACKEND]", "servers, their weights and states", 1, 2, &parse_servers},
    CommandRow{"workers", "", "worker threads", 1, 1, &parse_workers},
    CommandRow{"server", " BACKEND/SERVER [weight N | drain | disable | enable | remove]",
               "one server, or a change to it", 2, 4, &parse_server},
    CommandRow{"add", " BACKEND/SERVER ADDRESS [--weight N] [--maxconn N] [--backup]",
               "adds a server", 3, 3, &parse_add},
    CommandRow{"split", " LISTENER ROUTE [GROUP=WEIGHT...]",
               "the groups of a route's split, or other weights for them", 3, 3 + proxy::kGroupsMax,
               &parse_split},
    CommandRow{"reload", "", "reads the configuration again", 1, 1, &parse_reload},
};

int fail(int status, std::string_view message) {
  if (message.ends_with('\n')) message.remove_suffix(1);
  fmt::print(stderr, "error: {}\n", message);
  return status;
}

// nullopt: it has been said on stderr why there is no answer.
std::optional<AdminAnswer> ask(const std::string& admin, const AdminRequest& request) {
  constexpr std::string_view kScheme = "http://";  // as Weir prints it at its start
  const bool has_scheme = admin.starts_with(kScheme);
  const auto address = net::Address::parse(admin.substr(has_scheme ? kScheme.size() : 0));
  if (!address) {
    const auto example = scalar_info(std::type_identity<net::Address>()).example;
    fail(kUsageError, fmt::format("--admin {}: expected an address such as {}", admin, example));
    return std::nullopt;
  }
  auto answer = ask_admin(*address, request);
  if (answer) return std::move(*answer);
  fail(kUsageError, fmt::format("no answer from {}: {}\nIs Weir running? --admin ADDRESS names the "
                                "address that it says at its start",
                                admin, answer.error()));
  return std::nullopt;
}

bool is_success(const AdminAnswer& answer) { return answer.status / 100 == 2; }

// The message of an answer that refuses.
std::string message_of(const AdminAnswer& answer) {
  const Node document = parse(answer.body);
  const Node* error = find_member(document, "error");
  if (error != nullptr) return text_of(*error, "message");
  return fmt::format("status {}: {}", answer.status, answer.body);
}

}  // namespace

Parsed parse_ctl(const CtlArguments& arguments) {
  const std::vector<std::string>& words = arguments.words;
  if (words.empty()) return Refused("a command is missing; 'weir ctl --help' lists them");
  config::Nearest nearest(words[0]);
  for (const CommandRow& command : kCommands) {
    nearest.consider(command.name);
    if (words[0] != command.name) continue;
    if (words.size() < command.words_min || words.size() > command.words_max) {
      return Refused(fmt::format("expected: weir ctl {}{}", command.name, command.operands));
    }
    if (command.name != "add" && (arguments.weight || arguments.maxconn || arguments.is_backup)) {
      return Refused("--weight, --maxconn and --backup belong to 'weir ctl add'");
    }
    return command.parse(arguments);
  }
  return Refused(fmt::format("unknown command {}{}; 'weir ctl --help' lists them", quote(words[0]),
                             nearest.hint()));
}

std::string ctl_commands() {
  std::string out = "Commands:\n";
  for (const CommandRow& command : kCommands) {
    out += fmt::format("  {}{}\n      {}\n", command.name, command.operands, command.says);
  }
  return out;
}

int run_ctl(const CtlArguments& arguments) {
  const auto call = parse_ctl(arguments);
  if (!call) return fail(kUsageError, call.error());
  const auto answer = ask(arguments.admin, call->request);
  if (!answer) return kUsageError;
  if (!is_success(*answer)) return fail(kRefused, message_of(*answer));
  if (arguments.output == CtlOutput::json) {
    fmt::print("{}", answer->body);
    return 0;
  }
  const auto shown = call->show(answer->body);
  if (!shown) return fail(kUsageError, "what answers at " + arguments.admin + " is no Weir");
  fmt::print("{}", *shown);
  return 0;
}

int explain_running(const std::string& admin, const Question& question) {
  AdminRequest request{
      .method = "GET",
      .target = fmt::format("/api/v1/explain?method={}&url={}", encode_percent(question.method),
                            encode_percent(question.url))};
  if (!question.from.empty()) request.target += "&from=" + encode_percent(question.from);
  if (!question.listener.empty()) {
    request.target += "&listener=" + encode_percent(question.listener);
  }
  for (const std::string& field : question.fields) {
    request.target += "&header=" + encode_percent(field);
  }
  const auto answer = ask(admin, request);
  if (!answer) return kUsageError;
  if (!is_success(*answer)) return fail(kUsageError, message_of(*answer));
  fmt::print("{}", answer->body);
  return answer->is_served ? 0 : 1;
}

}  // namespace weir::app
