#include "admin/api_calls.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <iterator>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "admin/percent.h"
#include "admin/state_json.h"
#include "config/node.h"
#include "config/reader.h"
#include "config/text.h"

namespace weir::admin {
namespace {

using config::quote;
using Refused = std::unexpected<Refusal>;

constexpr std::string_view kJson = "application/json";

struct ApiRequest {
  const HttpRequest& http;
  std::vector<std::string> names;  // what stands for {backend} and the like, in this order
};

enum class Content : std::uint8_t { none, json };

struct Call {
  std::string_view method;
  std::string_view path;
  Content content;
  std::string_view says;
  Answered<HttpAnswer> (*answer)(Operations& operations, const ApiRequest& request);
};

Refused refuse(std::uint16_t status, std::string_view reason, std::string message) {
  return Refused(Refusal{status, std::string(reason), std::move(message)});
}

template <class State>
HttpAnswer json(const State& state) {
  HttpAnswer answer;
  answer.content_type = kJson;
  append_json(answer.body, state);
  answer.body += '\n';
  return answer;
}

template <class State>
Answered<HttpAnswer> json_unless_refused(const Answered<State>& state) {
  if (!state) return Refused(state.error());
  return json(*state);
}

template <class State>
HttpAnswer json_list(std::string_view key, const std::vector<State>& states) {
  HttpAnswer answer;
  answer.content_type = kJson;
  answer.body = fmt::format("{{\"{}\": ", key);
  append_json(answer.body, states);
  answer.body += "}\n";
  return answer;
}

std::string sentence_of(const config::Problems& problems) {
  std::vector<std::string> sentences;
  for (const config::Problem& problem : problems.sorted()) {
    const auto [line, column] = problem.position;
    sentences.push_back(line == 0 ? problem.message
                                  : fmt::format("{}:{}: {}", line, column, problem.message));
  }
  return fmt::format("{}", fmt::join(sentences, "; "));
}

// JSON is YAML, so a body is read as a piece of a configuration file is, and as strictly.
Answered<void> read_body(const HttpRequest& request, const config::StructDescription& description,
                         void* object) {
  config::Problems problems;
  const config::Document document = config::parse_document("", std::string(request.body), problems);
  if (problems.has_errors()) return refuse(400, "malformed_body", sentence_of(problems));
  config::read_struct(document.root, description, object, problems);
  if (problems.has_errors()) return refuse(422, "invalid_body", sentence_of(problems));
  return {};
}

Answered<HttpAnswer> answer_listeners(Operations& operations, const ApiRequest&) {
  return json_list("listeners", operations.listeners());
}

Answered<HttpAnswer> answer_routes(Operations& operations, const ApiRequest&) {
  return json_list("routes", operations.routes());
}

Answered<RouteState> find_route(Operations& operations, const ApiRequest& request) {
  const std::string& listener = request.names[0];
  std::vector<RouteState> all = operations.routes();
  config::Nearest nearest(listener);
  std::size_t routes = 0;
  for (RouteState& route : all) {
    nearest.consider(route.listener);
    if (route.listener != listener) continue;
    if (std::to_string(route.number) == request.names[1]) return std::move(route);
    ++routes;
  }
  if (routes == 0) {
    return refuse(404, "unknown_listener",
                  fmt::format("no listener {}{}", quote(listener), nearest.hint()));
  }
  return refuse(404, "unknown_route",
                fmt::format("no route {} of listener {}: they are numbered from 1 to {}",
                            quote(request.names[1]), quote(listener), routes));
}

Answered<HttpAnswer> answer_route(Operations& operations, const ApiRequest& request) {
  return json_unless_refused(find_route(operations, request));
}

Answered<HttpAnswer> answer_backends(Operations& operations, const ApiRequest&) {
  return json_list("backends", operations.backends());
}

Answered<HttpAnswer> answer_backend(Operations& operations, const ApiRequest& request) {
  return json_unless_refused(operations.backend(request.names[0]));
}

Answered<HttpAnswer> answer_servers(Operations& operations, const ApiRequest&) {
  std::vector<ServerState> servers;
  for (BackendState& backend : operations.backends()) {
    std::ranges::move(backend.servers, std::back_inserter(servers));
  }
  return json_list("servers", servers);
}

Answered<HttpAnswer> answer_server(Operations& operations, const ApiRequest& request) {
  return json_unless_refused(operations.server(request.names[0], request.names[1]));
}

Answered<HttpAnswer> answer_workers(Operations& operations, const ApiRequest&) {
  return json_list("workers", operations.workers());
}

Answered<HttpAnswer> change_server(Operations& operations, const ApiRequest& request) {
  ServerChange change;
  const auto read = read_body(request.http, config::description_of<ServerChange>(), &change);
  if (!read) return Refused(read.error());
  if (!change.weight && !change.state) {
    return refuse(422, "invalid_body", "nothing to change: expected weight, state");
  }
  const auto changed = operations.change_server(request.names[0], request.names[1], change);
  if (!changed) return Refused(changed.error());
  return answer_server(operations, request);
}

Answered<HttpAnswer> change_split(Operations& operations, const ApiRequest& request) {
  SplitChange change;
  const auto read = read_body(request.http, config::description_of<SplitChange>(), &change);
  if (!read) return Refused(read.error());
  const auto route = find_route(operations, request);
  if (!route) return Refused(route.error());
  const auto changed = operations.change_split(route->listener, route->number, change);
  if (!changed) return Refused(changed.error());
  return answer_route(operations, request);
}

Answered<HttpAnswer> add_server(Operations& operations, const ApiRequest& request) {
  backend::ServerSettings settings;
  const auto& description = config::description_of<backend::ServerSettings>();
  const auto read = read_body(request.http, description, &settings);
  if (!read) return Refused(read.error());
  const std::string& backend = request.names[0];
  const auto added = operations.add_server(backend, settings);
  if (!added) return Refused(added.error());
  const auto server = operations.server(backend, *settings.name);
  if (!server) return Refused(server.error());
  HttpAnswer answer = json(*server);
  answer.status = 201;
  answer.fields.push_back({"Location", fmt::format("/api/v1/servers/{}/{}", encode_percent(backend),
                                                   encode_percent(*settings.name))});
  return answer;
}

Answered<HttpAnswer> remove_server(Operations& operations, const ApiRequest& request) {
  const auto removed = operations.remove_server(request.names[0], request.names[1]);
  if (!removed) return Refused(removed.error());
  return answer_backend(operations, request);
}

Answered<HttpAnswer> reload(Operations& operations, const ApiRequest&) {
  return json_unless_refused(operations.reload());
}

// Of a form, in which '+' is a space.
std::optional<std::string> decode_form(std::string_view text) {
  std::string spaced(text);
  std::ranges::replace(spaced, '+', ' ');
  return decode_percent(spaced);
}

Answered<void> read_parameter(std::string_view text, ExplainQuestion& question) {
  const std::size_t equals = std::min(text.find('='), text.size());
  const auto name = decode_form(text.substr(0, equals));
  auto value = decode_form(text.substr(std::min(equals + 1, text.size())));
  if (!name || !value) return refuse(400, "malformed_query", "malformed escape in " + quote(text));
  if (*name == "header") {
    question.fields.push_back(std::move(*value));
    return {};
  }
  const std::array<std::pair<std::string_view, std::string*>, 4> parameters = {{
      {"method", &question.method},
      {"url", &question.url},
      {"from", &question.from},
      {"listener", &question.listener},
  }};
  config::Nearest nearest(*name);
  nearest.consider("header");
  for (const auto& [known, member] : parameters) {
    nearest.consider(known);
    if (*name != known) continue;
    if (!member->empty())
      return refuse(400, "malformed_query", "duplicate parameter " + quote(known));
    *member = std::move(*value);
    return {};
  }
  return refuse(400, "malformed_query", "unknown parameter " + quote(*name) + nearest.hint());
}

Answered<HttpAnswer> explain(Operations& operations, const ApiRequest& request) {
  ExplainQuestion question;
  for (std::string_view rest = request.http.head.query; !rest.empty();) {
    const std::size_t end = std::min(rest.find('&'), rest.size());
    const auto read = read_parameter(rest.substr(0, end), question);
    if (!read) return Refused(read.error());
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  if (question.method.empty() || question.url.empty()) {
    return refuse(400, "malformed_query", "expected ?method=METHOD&url=URL");
  }
  auto explanation = operations.explain(question);
  if (!explanation) return Refused(explanation.error());
  HttpAnswer answer;
  answer.body = std::move(explanation->text);
  answer.fields.push_back({"Weir-Served", explanation->is_served ? "yes" : "no"});
  return answer;
}

constexpr std::array kCalls = {
    Call{"GET", "/api/v1/listeners", Content::none, "listeners, with counters", &answer_listeners},
    Call{"GET", "/api/v1/routes", Content::none, "routes, in order", &answer_routes},
    Call{"GET", "/api/v1/routes/{listener}/{route}", Content::none, "one route, by its number",
         &answer_route},
    Call{"PATCH", "/api/v1/routes/{listener}/{route}", Content::json,
         "sets weights of its split: { split: [ { group, weight } ] }", &change_split},
    Call{"GET", "/api/v1/backends", Content::none, "backends with their servers", &answer_backends},
    Call{"GET", "/api/v1/backends/{backend}", Content::none, "one backend", &answer_backend},
    Call{"POST", "/api/v1/backends/{backend}/servers", Content::json,
         "adds a server: name, address, weight …", &add_server},
    Call{"GET", "/api/v1/servers", Content::none, "the servers of all backends", &answer_servers},
    Call{"GET", "/api/v1/servers/{backend}/{server}", Content::none, "one server", &answer_server},
    Call{"PATCH", "/api/v1/servers/{backend}/{server}", Content::json,
         "sets weight, state (ready, draining, disabled)", &change_server},
    Call{"DELETE", "/api/v1/servers/{backend}/{server}", Content::none, "removes a server",
         &remove_server},
    Call{"GET", "/api/v1/workers", Content::none, "worker threads", &answer_workers},
    Call{"POST", "/api/v1/reload", Content::none, "reads the configuration again", &reload},
    Call{"GET", "/api/v1/explain", Content::none,
         "?method=&url=&from=&listener=&header=: what would serve a request", &explain},
};

std::string_view take_segment(std::string_view& path) {
  path.remove_prefix(1);  // the slash
  const std::string_view segment = path.substr(0, path.find('/'));
  path.remove_prefix(segment.size());
  return segment;
}

// The segments that stand for names, still escaped; nullopt if the path is another one.
std::optional<std::vector<std::string_view>> match(std::string_view pattern,
                                                   std::string_view path) {
  std::vector<std::string_view> names;
  while (!pattern.empty() && !path.empty()) {
    const std::string_view expected = take_segment(pattern);
    const std::string_view found = take_segment(path);
    if (expected.starts_with('{') && !found.empty()) {
      names.push_back(found);
    } else if (expected != found) {
      return std::nullopt;
    }
  }
  if (!pattern.empty() || !path.empty()) return std::nullopt;
  return names;
}

bool has_field(const http::FieldList& fields, std::string_view name) {
  return std::ranges::any_of(fields, [name](const http::Field& field) {
    return http::equals_ignoring_case(field.name, name);
  });
}

// No page in a browser may change anything, whoever serves it: browsers send Origin with whatever
// is not GET or HEAD, and ask first before they send JSON elsewhere.
Answered<void> check_change(const Call& call, const http::RequestHead& head) {
  if (has_field(head.fields, "Origin")) {
    return refuse(403, "forbidden_origin", "pages in browsers may not change anything");
  }
  if (call.content == Content::none) return {};
  const http::Field* field = head.fields.find(http::FieldId::content_type);
  const std::string_view type = field == nullptr ? "" : field->value;
  std::string_view media_type = type.substr(0, type.find(';'));
  while (media_type.ends_with(' ')) media_type.remove_suffix(1);
  if (http::equals_ignoring_case(media_type, kJson)) return {};
  return refuse(415, "unsupported_media_type", "expected Content-Type: application/json");
}

Answered<HttpAnswer> answer_call(const Call& call, Operations& operations,
                                 const HttpRequest& request,
                                 std::span<const std::string_view> escaped_names) {
  ApiRequest asked{.http = request, .names = {}};
  for (const std::string_view escaped : escaped_names) {
    auto name = decode_percent(escaped);
    if (!name) return refuse(400, "malformed_path", "malformed escape in " + quote(escaped));
    asked.names.push_back(std::move(*name));
  }
  if (call.method != "GET") {
    const auto allowed = check_change(call, request.head);
    if (!allowed) return Refused(allowed.error());
  }
  return call.answer(operations, asked);
}

HttpAnswer refuse_method(const HttpRequest& request, std::string allow) {
  HttpAnswer answer = make_answer(Refusal{
      405, "method_not_allowed",
      fmt::format("{} takes {}, not {}", request.head.path, allow, request.head.method_text)});
  answer.fields.push_back({"Allow", std::move(allow)});
  return answer;
}

}  // namespace

HttpAnswer make_answer(const Refusal& refusal) {
  HttpAnswer answer = json(refusal);
  answer.status = refusal.status;
  return answer;
}

HttpAnswer answer_api_call(Operations& operations, const HttpRequest& request) {
  const http::RequestHead& head = request.head;
  const std::string_view method = head.method == http::Method::head ? "GET" : head.method_text;
  std::string allow;
  for (const Call& call : kCalls) {
    const auto names = match(call.path, head.path);
    if (!names) continue;
    if (call.method == method) {
      const auto answer = answer_call(call, operations, request, *names);
      return answer ? *answer : make_answer(answer.error());
    }
    allow.append(allow.empty() ? "" : ", ")
        .append(call.method == "GET" ? "GET, HEAD" : call.method);
  }
  if (!allow.empty()) return refuse_method(request, std::move(allow));
  return make_answer(Refusal{404, "unknown_path",
                             fmt::format("no {} here; GET / lists what there is", head.path)});
}

void append_api_index(std::string& out) {
  for (const Call& call : kCalls) {
    fmt::format_to(std::back_inserter(out), "{:<6} {:<36} {}\n", call.method, call.path, call.says);
  }
}

}  // namespace weir::admin
