#include "admin/api_calls.h"

#include <array>
#include <gtest/gtest.h>

#include "admin/fake_operations_test.h"
#include "protocol/http1/parse_head.h"

namespace weir::admin {
namespace {

constexpr std::string_view kJsonField = "Content-Type: application/json\r\n";

class ApiCalls : public testing::Test {
 protected:
  // fields: each with its line end.
  HttpAnswer ask(std::string_view method, std::string_view target, std::string_view fields = "",
                 std::string_view body = "") {
    std::string bytes;
    bytes.append(method).append(" ").append(target).append(" HTTP/1.1\r\nHost: x\r\n");
    bytes.append(fields).append("\r\n");
    std::array<http::Field, 16> storage;
    http::RequestHead head;
    head.fields = http::FieldList(storage);
    const auto parsed = http1::parse_request_head(bytes, 0, {}, head);
    EXPECT_EQ(parsed.status, http1::ParseStatus::complete) << bytes;
    return answer_api_call(operations_, {head, body});
  }
  HttpAnswer change(std::string_view body) {
    return ask("PATCH", "/api/v1/servers/users/u1", kJsonField, body);
  }
  static std::string field_of(const HttpAnswer& answer, std::string_view name) {
    for (const HttpAnswer::Field& field : answer.fields) {
      if (field.name == name) return field.value;
    }
    return {};
  }

  test::FakeOperations operations_;
};

std::string error(std::string_view reason, std::string_view message) {
  return "{\"error\": {\"reason\": \"" + std::string(reason) + "\", \"message\": \"" +
         std::string(message) + "\"}}\n";
}

constexpr std::string_view kU1 =
    R"({"backend": "users", "name": "u1", "address": "10.0.0.1:8080", "resolved": null, )"
    R"("weight": 5, )"
    R"("weight_configured": 5, "backup": false, "maxconn": null, "state": "ready", "reason": "", )"
    R"("leases": 0, "score": null, "attempts": 0, "connect_failures": 0, "added": false})";

TEST_F(ApiCalls, ListsSayEverything) {
  const HttpAnswer listeners = ask("GET", "/api/v1/listeners");
  EXPECT_EQ(listeners.status, 200);
  EXPECT_EQ(listeners.content_type, "application/json");
  EXPECT_EQ(
      listeners.body,
      R"({"listeners": [{"name": "web", "addresses": ["127.0.0.1:8080"], "protocol": "http", )"
      R"("connections_open": 3, "connections": 40, "requests": 500}]})"
      "\n");
  EXPECT_EQ(ask("GET", "/api/v1/routes").body,
            R"({"routes": [{"listener": "web", "number": 1, "match": "path_prefix /users", )"
            R"("backend": "users", "line": 6, "split": []}, {"listener": "web", "number": 2, )"
            R"("match": "any request", "backend": "", "line": 0, "split": [{"name": "old", )"
            R"("backend": "users", "weight": 95, "weight_configured": 95, "requests": 7}, )"
            R"({"name": "new", "backend": "a/b", "weight": 5, "weight_configured": 5, )"
            R"("requests": 0}]}]})"
            "\n");
  EXPECT_EQ(ask("GET", "/api/v1/workers").body,
            R"({"workers": [{"index": 0, "connections_open": 3, "busy_seconds": 1.500, )"
            R"("loop_iterations": 1000, "stuck": false}]})"
            "\n");
}

TEST_F(ApiCalls, WeightsOfASplitAreSet) {
  const auto set = [this](std::string_view route, std::string_view body) {
    return ask("PATCH", "/api/v1/routes/" + std::string(route), kJsonField, body);
  };
  const HttpAnswer answer = set("web/2", R"({"split": [{"group": "new", "weight": 50}]})");
  EXPECT_EQ(answer.status, 200);
  EXPECT_TRUE(answer.body.contains(R"("name": "new", "backend": "a/b", "weight": 50, )"));
  EXPECT_TRUE(answer.body.contains(R"("name": "old", "backend": "users", "weight": 95, )"));
  EXPECT_EQ(ask("GET", "/api/v1/routes/web/2").body, answer.body);
  EXPECT_EQ(set("web/1", R"({"split": [{"group": "new", "weight": 50}]})").status, 409);
  EXPECT_EQ(set("wbe/2", R"({"split": [{"group": "new", "weight": 50}]})").body,
            error("unknown_listener", "no listener 'wbe' (did you mean 'web'?)"));
  EXPECT_EQ(
      set("web/3", R"({"split": [{"group": "new", "weight": 50}]})").body,
      error("unknown_route", "no route '3' of listener 'web': they are numbered from 1 to 2"));
  EXPECT_EQ(set("web/2", R"({"split": []})").status, 422);
  EXPECT_EQ(set("web/2", R"({"split": [{"group": "new"}]})").status, 422);
  EXPECT_EQ(set("web/2", R"({"split": [{"group": "new", "weight": 65536}]})").status, 422);
}

TEST_F(ApiCalls, ServersAreListedInTheirBackendsAndFlat) {
  const std::string backends = ask("GET", "/api/v1/backends").body;
  EXPECT_TRUE(backends.starts_with(
      R"({"backends": [{"name": "users", "balance": "round_robin", )"
      R"("method": "static", "requests": 70, "attempts": 80, "retries": 10, "queued": 2, )"
      R"("servers": [{"backend": "users", )"))
      << backends;
  const std::string servers = ask("GET", "/api/v1/servers").body;
  EXPECT_TRUE(servers.starts_with("{\"servers\": [" + std::string(kU1) + ", {")) << servers;
  EXPECT_TRUE(servers.ends_with("}]}\n")) << servers;
  EXPECT_NE(servers.find("\"name\": \"s 1\""), std::string::npos) << servers;
}

TEST_F(ApiCalls, OneServerAndOneBackendHavePathsOfTheirOwn) {
  EXPECT_EQ(ask("GET", "/api/v1/servers/users/u1").body, std::string(kU1) + "\n");
  const std::string backend = ask("GET", "/api/v1/backends/users").body;
  EXPECT_TRUE(backend.starts_with("{\"name\": \"users\", ")) << backend;
  EXPECT_NE(backend.find(kU1), std::string::npos) << backend;
}

TEST_F(ApiCalls, SegmentsArePercentDecodedAfterTheyWereSplit) {
  EXPECT_EQ(ask("GET", "/api/v1/servers/a%2fb/s%201").status, 200);
  EXPECT_EQ(ask("GET", "/api/v1/servers/a/b/s%201").status, 404);
  const HttpAnswer malformed = ask("GET", "/api/v1/servers/a%2/s");
  EXPECT_EQ(malformed.status, 400);
  EXPECT_EQ(malformed.body, error("malformed_path", "malformed escape in 'a%2'"));
}

TEST_F(ApiCalls, WhatTheOperationsRefuseIsSaidAsItIs) {
  const std::string said = error("unknown_server", "no such server");
  for (const auto& [method, path] : {std::pair("GET", "/api/v1/servers/users/u9"),
                                     {"GET", "/api/v1/backends/usrs"},
                                     {"DELETE", "/api/v1/servers/usrs/u1"}}) {
    const HttpAnswer answer = ask(method, path);
    EXPECT_EQ(answer.status, 404) << path;
    EXPECT_EQ(answer.content_type, "application/json");
    EXPECT_EQ(answer.body, said) << path;
  }
}

TEST_F(ApiCalls, UnknownPathsAre404) {
  for (const char* path : {"/api/", "/api/v1", "/api/v1/", "/api/v1/server", "/api/v1/servers/",
                           "/api/v1/servers/users", "/api/v1/servers/users/u1/x", "/api/v2/servers",
                           "/api/v1/backends/", "/api/v1//servers"}) {
    const HttpAnswer answer = ask("GET", path);
    EXPECT_EQ(answer.status, 404) << path;
    EXPECT_NE(answer.body.find("\"unknown_path\""), std::string::npos) << answer.body;
  }
}

TEST_F(ApiCalls, AnotherMethodIsRefusedWithThoseThereAre) {
  const HttpAnswer answer = ask("PUT", "/api/v1/servers/users/u1");
  EXPECT_EQ(answer.status, 405);
  EXPECT_EQ(field_of(answer, "Allow"), "GET, HEAD, PATCH, DELETE");
  EXPECT_EQ(answer.body, error("method_not_allowed",
                               "/api/v1/servers/users/u1 takes GET, HEAD, PATCH, DELETE, not PUT"));
  EXPECT_EQ(field_of(ask("GET", "/api/v1/reload"), "Allow"), "POST");
}

TEST_F(ApiCalls, AChangeAnswersWithTheServerAsItIsNow) {
  const HttpAnswer both = change(R"({"weight":50,"state":"draining"})");
  EXPECT_EQ(both.status, 200) << both.body;
  EXPECT_NE(both.body.find(R"("weight": 50, "weight_configured": 5)"), std::string::npos);
  EXPECT_NE(both.body.find(R"("state": "draining")"), std::string::npos);
  const HttpAnswer one = change("{\n\t\"weight\": 0\n}\n");
  EXPECT_EQ(one.status, 200) << one.body;
  EXPECT_NE(one.body.find(R"("weight": 0, )"), std::string::npos);
  EXPECT_NE(one.body.find(R"("state": "draining")"), std::string::npos);
  EXPECT_EQ(ask("PATCH", "/api/v1/servers/users/u9", kJsonField, "{\"weight\": 1}").status, 404);
}

TEST_F(ApiCalls, BodiesAreReadAsStrictlyAsAConfiguration) {
  const std::string before = ask("GET", "/api/v1/servers/users/u1").body;
  const std::pair<std::string_view, std::string> bodies[] = {
      {R"({"wieght": 1})", "1:2: unknown key 'wieght' (did you mean 'weight'?)"},
      {R"({"state": "drain", "weight": 70000})",
       "1:11: expected one of ready, draining, disabled, found 'drain'; "
       "1:30: expected a whole number from 0 to 65535, found '70000'"},
      {R"({"weight": "5"})", "1:12: expected a whole number from 0 to 65535, found '5' in quotes"},
      {R"({"weight": 1, "weight": 2})", "1:15: duplicate key 'weight' (the first is in line 1)"},
      {"{}", "nothing to change: expected weight, state"},
      {"", "1:1: expected a mapping, found nothing"},
      {"[]", "1:1: expected a mapping, found a list"},
  };
  for (const auto& [body, message] : bodies) {
    const HttpAnswer answer = change(body);
    EXPECT_EQ(answer.status, 422) << body;
    EXPECT_EQ(answer.body, error("invalid_body", message)) << body;
  }
  for (const char* body : {"{\"weight\": ", "{\"weight\": 1} x", "\xff"}) {
    const HttpAnswer answer = change(body);
    EXPECT_EQ(answer.status, 400) << body;
    EXPECT_NE(answer.body.find("\"malformed_body\""), std::string::npos) << answer.body;
  }
  EXPECT_EQ(ask("GET", "/api/v1/servers/users/u1").body, before);
}

TEST_F(ApiCalls, AnAddedServerIsCreatedAtItsPath) {
  const HttpAnswer answer = ask("POST", "/api/v1/backends/a%2Fb/servers", kJsonField,
                                R"({"name": "n 1", "address": "10.0.0.9:80", "weight": 7})");
  EXPECT_EQ(answer.status, 201) << answer.body;
  EXPECT_EQ(field_of(answer, "Location"), "/api/v1/servers/a%2Fb/n%201");
  const HttpAnswer server = ask("GET", field_of(answer, "Location"));
  EXPECT_EQ(server.body, answer.body);
  EXPECT_NE(server.body.find(R"("address": "10.0.0.9:80", "resolved": null, "weight": 7)"),
            std::string::npos);
  EXPECT_NE(server.body.find(R"("added": true)"), std::string::npos);
}

TEST_F(ApiCalls, AServerIsDescribedAsInTheConfiguration) {
  const HttpAnswer incomplete =
      ask("POST", "/api/v1/backends/users/servers", kJsonField, R"({"name": "u3"})");
  EXPECT_EQ(incomplete.status, 422);
  EXPECT_EQ(incomplete.body, error("invalid_body", "1:1: missing key 'address'"));
  const HttpAnswer duplicate = ask("POST", "/api/v1/backends/users/servers", kJsonField,
                                   R"({"name": "u1", "address": "10.0.0.1:80"})");
  EXPECT_EQ(duplicate.status, 409);
  EXPECT_EQ(duplicate.body, error("duplicate_server", "there is one"));
}

TEST_F(ApiCalls, ARemovalAnswersWithTheBackendThatIsLeft) {
  const HttpAnswer answer = ask("DELETE", "/api/v1/servers/users/u1");
  EXPECT_EQ(answer.status, 200);
  EXPECT_TRUE(answer.body.starts_with("{\"name\": \"users\", ")) << answer.body;
  EXPECT_EQ(answer.body.find("\"u1\""), std::string::npos) << answer.body;
  EXPECT_NE(answer.body.find("\"u2\""), std::string::npos) << answer.body;
  EXPECT_EQ(ask("DELETE", "/api/v1/servers/users/u1").status, 404);
}

TEST_F(ApiCalls, AReloadSaysWhatItDidOrWhyNot) {
  EXPECT_EQ(ask("POST", "/api/v1/reload").body,
            R"({"changes": ["backend users: server u3 added"], )"
            R"("warnings": ["workers: takes effect at the start"]})"
            "\n");
  operations_.reload_refusal = Refusal{422, "bad_configuration", "weir.yaml:1:1: error: no\n"};
  const HttpAnswer refused = ask("POST", "/api/v1/reload");
  EXPECT_EQ(refused.status, 422);
  EXPECT_EQ(refused.body, error("bad_configuration", "weir.yaml:1:1: error: no\\n"));
}

TEST_F(ApiCalls, ChangesWithABodyTakeJsonOnly) {
  for (const char* fields :
       {"", "Content-Type: text/plain\r\n", "Content-Type: application/jsonx\r\n",
        "Content-Type: application/x-www-form-urlencoded\r\n"}) {
    EXPECT_EQ(ask("PATCH", "/api/v1/servers/users/u1", fields, "{\"weight\": 9}").status, 415);
    EXPECT_EQ(ask("POST", "/api/v1/backends/users/servers", fields, "{}").status, 415);
  }
  for (const char* fields : {"content-type: Application/JSON\r\n",
                             "Content-Type: application/json ; charset=utf-8\r\n"}) {
    EXPECT_EQ(ask("PATCH", "/api/v1/servers/users/u1", fields, "{\"weight\": 9}").status, 200);
  }
}

TEST_F(ApiCalls, NoPageInABrowserMayChangeAnything) {
  const std::string before = ask("GET", "/api/v1/servers").body;
  for (const std::string origin : {"Origin: http://x\r\n", "origin: null\r\n"}) {
    for (const HttpAnswer& answer :
         {ask("POST", "/api/v1/reload", origin), ask("DELETE", "/api/v1/servers/users/u1", origin),
          ask("PATCH", "/api/v1/servers/users/u1", origin + std::string(kJsonField),
              "{\"weight\": 9}"),
          ask("POST", "/api/v1/backends/users/servers", origin + std::string(kJsonField),
              R"({"name": "u3", "address": "10.0.0.1:80"})")}) {
      EXPECT_EQ(answer.status, 403);
      EXPECT_NE(answer.body.find("\"forbidden_origin\""), std::string::npos) << answer.body;
    }
  }
  EXPECT_EQ(ask("GET", "/api/v1/servers", "Origin: http://x\r\n").body, before);
}

TEST_F(ApiCalls, ExplainHandsTheQuestionOver) {
  const HttpAnswer answer =
      ask("GET",
          "/api/v1/explain?method=GET&url=http%3A%2F%2Fa%2Fb%3Fc%3Dd&header=Accept:%20x&"
          "from=10.0.0.1&header=B:+y%2Bz");
  EXPECT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(answer.content_type, "text/plain; charset=utf-8");
  EXPECT_EQ(answer.body, "listener web\n");
  EXPECT_EQ(field_of(answer, "Weir-Served"), "yes");
  EXPECT_EQ(operations_.question.method, "GET");
  EXPECT_EQ(operations_.question.url, "http://a/b?c=d");
  EXPECT_EQ(operations_.question.from, "10.0.0.1");
  EXPECT_EQ(operations_.question.fields, (std::vector<std::string>{"Accept: x", "B: y+z"}));
  EXPECT_EQ(
      field_of(ask("GET", "/api/v1/explain?method=GET&url=http://a/&listener=web"), "Weir-Served"),
      "no");
  EXPECT_EQ(operations_.question.listener, "web");
}

TEST_F(ApiCalls, ExplainRefusesAMalformedQuestion) {
  const std::pair<std::string_view, std::string> queries[] = {
      {"", "expected ?method=METHOD&url=URL"},
      {"?", "expected ?method=METHOD&url=URL"},
      {"?method=GET", "expected ?method=METHOD&url=URL"},
      {"?method=GET&ulr=x", "unknown parameter 'ulr' (did you mean 'url'?)"},
      {"?method=GET&url=x&url=y", "duplicate parameter 'url'"},
      {"?method=G%4", "malformed escape in 'method=G%4'"},
  };
  for (const auto& [query, message] : queries) {
    const HttpAnswer answer = ask("GET", "/api/v1/explain" + std::string(query));
    EXPECT_EQ(answer.status, 400) << query;
    EXPECT_EQ(answer.body, error("malformed_query", message)) << query;
  }
}

}  // namespace
}  // namespace weir::admin
