#include "app/ctl.h"

#include <gtest/gtest.h>

#include "admin/state_json.h"

namespace weir::app {
namespace {

CtlArguments arguments_of(std::vector<std::string> words) {
  CtlArguments arguments;
  arguments.words = std::move(words);
  return arguments;
}

CtlCall call_of(std::vector<std::string> words) {
  return parse_ctl(arguments_of(std::move(words))).value();
}

std::string error_of(std::vector<std::string> words) {
  const auto call = parse_ctl(arguments_of(std::move(words)));
  return call ? "understood" : call.error();
}

TEST(Ctl, ListsAreAskedForByGet) {
  const std::pair<std::vector<std::string>, std::string> commands[] = {
      {{"listeners"}, "/api/v1/listeners"},
      {{"routes"}, "/api/v1/routes"},
      {{"backends"}, "/api/v1/backends"},
      {{"servers"}, "/api/v1/servers"},
      {{"servers", "a b"}, "/api/v1/backends/a%20b"},
      {{"workers"}, "/api/v1/workers"},
      {{"server", "users/u1"}, "/api/v1/servers/users/u1"},
      {{"server", "users/unix:/run/u.sock"}, "/api/v1/servers/users/unix%3A%2Frun%2Fu.sock"},
  };
  for (const auto& [words, target] : commands) {
    const CtlCall call = call_of(words);
    EXPECT_EQ(call.request.method, "GET") << target;
    EXPECT_EQ(call.request.target, target);
    EXPECT_EQ(call.request.body, "") << target;
  }
}

TEST(Ctl, ChangesOfAServerArePatches) {
  const std::pair<std::vector<std::string>, std::string> commands[] = {
      {{"server", "users/u1", "weight", "50"}, R"({"weight": 50})"},
      {{"server", "users/u1", "drain"}, R"({"state": "draining"})"},
      {{"server", "users/u1", "disable"}, R"({"state": "disabled"})"},
      {{"server", "users/u1", "enable"}, R"({"state": "ready"})"},
  };
  for (const auto& [words, body] : commands) {
    const CtlCall call = call_of(words);
    EXPECT_EQ(call.request.method, "PATCH");
    EXPECT_EQ(call.request.target, "/api/v1/servers/users/u1");
    EXPECT_EQ(call.request.body, body);
  }
}

TEST(Ctl, WeightsOfASplitAreOnePatch) {
  EXPECT_EQ(call_of({"split", "web", "2"}).request.method, "GET");
  const CtlCall call = call_of({"split", "we b", "2", "web=90", "a=b=10"});
  EXPECT_EQ(call.request.method, "PATCH");
  EXPECT_EQ(call.request.target, "/api/v1/routes/we%20b/2");
  EXPECT_EQ(call.request.body,
            R"({"split": [{"group": "web", "weight": 90}, {"group": "a=b", "weight": 10}]})");
  for (const std::string word : {"web", "=5", "web=", "web=-1", "web=65536", "web=5x"}) {
    EXPECT_EQ(error_of({"split", "web", "2", word}),
              "expected GROUP=WEIGHT with a whole number from 0 to 65535, found '" + word + "'");
  }
}

TEST(Ctl, ServersAreAddedAndRemoved) {
  CtlArguments arguments = arguments_of({"add", "users/u\"3", "10.0.0.3:80"});
  CtlCall add = parse_ctl(arguments).value();
  EXPECT_EQ(add.request.method, "POST");
  EXPECT_EQ(add.request.target, "/api/v1/backends/users/servers");
  EXPECT_EQ(add.request.body, R"({"name": "u\"3", "address": "10.0.0.3:80"})");
  arguments.weight = 0;
  arguments.maxconn = 9;
  arguments.is_backup = true;
  add = parse_ctl(arguments).value();
  EXPECT_EQ(add.request.body, R"({"name": "u\"3", "address": "10.0.0.3:80", "weight": 0, )"
                              R"("maxconn": 9, "backup": true})");
  const CtlCall remove = call_of({"server", "users/u3", "remove"});
  EXPECT_EQ(remove.request.method, "DELETE");
  EXPECT_EQ(remove.request.target, "/api/v1/servers/users/u3");
}

TEST(Ctl, AReloadMayTakeLonger) {
  const CtlCall call = call_of({"reload"});
  EXPECT_EQ(call.request.method, "POST");
  EXPECT_GT(call.request.timeout, call_of({"servers"}).request.timeout);
}

TEST(Ctl, WhatIsNotUnderstoodIsSaidWithAWayOut) {
  const std::pair<std::vector<std::string>, std::string> commands[] = {
      {{}, "a command is missing; 'weir ctl --help' lists them"},
      {{"srvers"},
       "unknown command 'srvers' (did you mean 'servers'?); 'weir ctl --help' lists them"},
      {{"workers", "1"}, "expected: weir ctl workers"},
      {{"servers", "a", "b"}, "expected: weir ctl servers [BACKEND]"},
      {{"server"},
       "expected: weir ctl server BACKEND/SERVER [weight N | drain | disable | enable | remove]"},
      {{"server", "users"}, "expected BACKEND/SERVER, found 'users'"},
      {{"server", "/u1"}, "expected BACKEND/SERVER, found '/u1'"},
      {{"server", "users/"}, "expected BACKEND/SERVER, found 'users/'"},
      {{"server", "users/u1", "drian"},
       "expected weight N, drain, disable, enable or remove, found 'drian' (did you mean "
       "'drain'?)"},
      {{"server", "users/u1", "drain", "now"}, "'now' after drain"},
      {{"server", "users/u1", "remove", "now"}, "'now' after remove"},
      {{"server", "users/u1", "weight"},
       "expected weight and a whole number from 0 to 65535, found ''"},
      {{"server", "users/u1", "weight", "5x"},
       "expected weight and a whole number from 0 to 65535, found '5x'"},
      {{"server", "users/u1", "weight", "-1"},
       "expected weight and a whole number from 0 to 65535, found '-1'"},
      {{"server", "users/u1", "weight", "65536"},
       "expected weight and a whole number from 0 to 65535, found '65536'"},
      {{"server", "users/u1", "weight", "100000"},
       "expected weight and a whole number from 0 to 65535, found '100000'"},
      {{"server", "users/u1", "weight", "4294967297"},
       "expected weight and a whole number from 0 to 65535, found '4294967297'"},
      {{"add", "users/u3"},
       "expected: weir ctl add BACKEND/SERVER ADDRESS [--weight N] [--maxconn N] [--backup]"},
  };
  for (const auto& [words, message] : commands) EXPECT_EQ(error_of(words), message);
}

TEST(Ctl, AWeightOutOfRangeIsNotAskedFor) {
  CtlArguments arguments = arguments_of({"add", "users/u3", "10.0.0.3:80"});
  arguments.weight = 65535;
  EXPECT_TRUE(parse_ctl(arguments));
  arguments.weight = 65536;
  EXPECT_EQ(parse_ctl(arguments).error(),
            "--weight: expected a whole number from 0 to 65535, found 65536");
  EXPECT_EQ(call_of({"server", "users/u1", "weight", "65535"}).request.body,
            R"({"weight": 65535})");
}

TEST(Ctl, OptionsOfAddBelongToNoOtherCommand) {
  CtlArguments arguments = arguments_of({"server", "users/u1"});
  arguments.weight = 5;
  EXPECT_EQ(parse_ctl(arguments).error(),
            "--weight, --maxconn and --backup belong to 'weir ctl add'");
}

TEST(Ctl, TheHelpNamesEveryCommand) {
  const std::string help = ctl_commands();
  for (const char* name :
       {"listeners", "routes", "backends", "servers", "workers", "server", "add", "reload"}) {
    EXPECT_NE(help.find(std::string("\n  ") + name), std::string::npos) << name;
  }
}

class CtlTables : public testing::Test {
 protected:
  template <class State>
  std::string list(std::string_view key, const std::vector<State>& states) {
    std::string json = "{\"" + std::string(key) + "\": ";
    admin::append_json(json, states);
    return json + "}\n";
  }
  template <class State>
  std::string object(const State& state) {
    std::string json;
    admin::append_json(json, state);
    return json + "\n";
  }

  admin::ServerState u1_{.backend = "users",
                         .name = "u1",
                         .address = "10.0.0.1:8080",
                         .resolved = {},
                         .weight = 50,
                         .weight_configured = 5,
                         .maxconn = 200,
                         .reason = {},
                         .leases = 3,
                         .score = {},
                         .attempts = 1234,
                         .connect_failures = 1};
  admin::ServerState u2_{.backend = "users",
                         .name =
                             "\xc3\xbc"
                             "2",
                         .address = "10.0.0.2:8080",
                         .resolved = {},
                         .weight = 3,
                         .is_backup = true,
                         .maxconn = {},
                         .state = backend::AdminState::draining,
                         .reason = "draining",
                         .score = {},
                         .is_added = true};
};

TEST_F(CtlTables, ServersAreAlignedAndNoteWhatIsOutOfTheOrdinary) {
  const std::string table =
      "BACKEND  SERVER  ADDRESS        WEIGHT  STATE     LEASES  ATTEMPTS  CONNECT FAILURES  "
      "NOTES\n"
      "users    u1      10.0.0.1:8080  50      ready     3/200   1234      1                 "
      "weight 5 in the file\n"
      "users    \xc3\xbc"
      "2      10.0.0.2:8080  3       draining  0       0         0                 "
      "draining; backup; not in the file\n";
  EXPECT_EQ(call_of({"servers"}).show(list("servers", std::vector{u1_, u2_})), table);
  admin::BackendState users;
  users.servers = {u1_, u2_};
  EXPECT_EQ(call_of({"servers", "users"}).show(object(users)), table);
  EXPECT_EQ(call_of({"server", "users/u1", "remove"}).show(object(users)), table);
}

TEST_F(CtlTables, OneServerIsATableOfOneRow) {
  for (const CtlCall& call : {call_of({"server", "users/u1"}), call_of({"add", "users/u1", "a"}),
                              call_of({"server", "users/u1", "drain"})}) {
    EXPECT_EQ(call.show(object(u1_)),
              "BACKEND  SERVER  ADDRESS        WEIGHT  STATE  LEASES  ATTEMPTS  CONNECT FAILURES  "
              "NOTES\n"
              "users    u1      10.0.0.1:8080  50      ready  3/200   1234      1                 "
              "weight 5 in the file\n");
  }
}

TEST_F(CtlTables, BackendsCountTheServersThatCanGetTraffic) {
  admin::BackendState users{"users", "round_robin", "static", 70, 80, 10, 2, {u1_, u2_}};
  EXPECT_EQ(call_of({"backends"}).show(list("backends", std::vector{users})),
            "NAME   BALANCE      USABLE  REQUESTS  ATTEMPTS  RETRIES  QUEUED\n"
            "users  round_robin  1/2     70        80        10       2\n");
}

TEST_F(CtlTables, ListenersRoutesAndWorkers) {
  const std::vector<admin::ListenerState> listeners{
      {"web", {"127.0.0.1:8080", "unix:/run/web.sock"}, "http", 3, 40, 500}};
  EXPECT_EQ(call_of({"listeners"}).show(list("listeners", listeners)),
            "NAME  ADDRESS                            PROTOCOL  OPEN  CONNECTIONS  REQUESTS\n"
            "web   127.0.0.1:8080,unix:/run/web.sock  http      3     40           500\n");
  const std::vector<admin::RouteState> routes{{"web", 1, "path_prefix /users", "users", 6}};
  EXPECT_EQ(call_of({"routes"}).show(list("routes", routes)),
            "LISTENER  ROUTE  MATCH               BACKEND  LINE\n"
            "web       1      path_prefix /users  users    6\n");
  const std::vector<admin::WorkerState> workers{{0, 3, 1.5, 1000, false}};
  EXPECT_EQ(call_of({"workers"}).show(list("workers", workers)),
            "WORKER  OPEN  BUSY SECONDS  TURNS  STUCK\n"
            "0       3     1.500         1000   false\n");
}

TEST_F(CtlTables, AReloadSaysWhatChanged) {
  const CtlCall reload = call_of({"reload"});
  EXPECT_EQ(reload.show(object(admin::ReloadReport{{"server u3 added"}, {"workers: later"}})),
            "server u3 added\nwarning: workers: later\n");
  EXPECT_EQ(reload.show(object(admin::ReloadReport{})), "nothing has changed\n");
}

TEST_F(CtlTables, WhatIsNoAnswerOfWeirIsNotShown) {
  for (const char* command : {"listeners", "routes", "backends", "servers", "workers", "reload"}) {
    for (const char* answer : {"", "<html>", "[]", "{}", "{\"servers\": 1}", "{\"a\": [", "\xff"}) {
      EXPECT_EQ(call_of({command}).show(answer), std::nullopt) << command << answer;
    }
  }
}

TEST_F(CtlTables, AMemberThatAnotherVersionDoesNotKnowIsAQuestionMark) {
  EXPECT_EQ(call_of({"workers"}).show(R"({"workers": [{"index": 0, "new": [1]}]})"),
            "WORKER  OPEN  BUSY SECONDS  TURNS  STUCK\n0       ?     ?             ?      ?\n");
}

}  // namespace
}  // namespace weir::app
