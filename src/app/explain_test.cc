#include "app/explain.h"

#include <gtest/gtest.h>

#include "app/compile.h"
#include "backend/http1_server_connection.h"
#include "backend/worker_backend.h"
#include "base/random.h"
#include "net/net_test_support.h"
#include "protocol/http/path.h"
#include "proxy/pick_for.h"

namespace weir::app {
namespace {

constexpr std::string_view kFile = R"(listeners:
  - name: web
    address: 127.0.0.1:8080
    limits: { body_bytes: 1KiB }
    routes:
      - match: { host: admin.example.com }
        backend: drawn
      - match: { host: api.example.com, path_prefix: /users/ }
        backend: users
      - match: { path: [/a, /b], path_prefix: /static }
        backend: idle
  - { name: db, address: 127.0.0.1:3306, protocol: tcp, backend: mysql }
  - { name: spare, address: 127.0.0.1:3308, protocol: tcp, backend: last }
  - { name: dead, address: 127.0.0.1:3307, protocol: tcp, backend: idle }
backends:
  - name: users
    servers:
      - { name: u1, address: 10.0.1.10:8080, weight: 5 }
      - { name: u2, address: 10.0.1.11, weight: 3 }
      - { name: u3, address: 10.0.1.12:8080, weight: 0 }
  - { name: drawn, balance: random, servers: [{ name: d1, address: 10.0.0.1 },
                                              { name: d2, address: 10.0.0.2 }] }
  - { name: idle, servers: [{ name: i1, address: 10.0.2.10:80, weight: 0 }] }
  - { name: mysql, servers: [{ name: m1, address: "[::1]:3306" },
                             { name: m2, address: 10.0.3.1:3306, backup: true }] }
  - { name: last, servers: [{ name: l1, address: 10.0.4.1:1, weight: 0 },
                            { name: l2, address: 10.0.4.2:1, backup: true }] }
)";

Settings settings_of(std::string_view text) {
  config::Problems problems;
  const auto document = config::parse_document("weir.yaml", std::string(text), problems);
  Settings settings = load_settings(document, problems);
  EXPECT_FALSE(problems.has_errors()) << config::print(problems, document);
  return settings;
}

// The text, with every run of spaces as one; or what is wrong with the question.
std::string explain(const Question& question, std::string_view file = kFile) {
  const Settings settings = settings_of(file);
  const auto explanation = FreshConfiguration(settings, "weir.yaml").explain(question);
  if (!explanation) return explanation.error();
  std::string text;
  for (const char c : explanation->text) {
    if (c != ' ' || !text.ends_with(' ')) text += c;
  }
  return text + (explanation->is_served ? "served" : "not served");
}
std::string get(const std::string& url) { return explain({.method = "GET", .url = url}); }
bool contains(const std::string& text, std::string_view part) { return text.contains(part); }

TEST(Explain, NamesListenerRouteBackendAndServer) {
  EXPECT_EQ(get("http://api.example.com:8080/users/7"),
            "GET http://api.example.com:8080/users/7\n"
            "listener web (127.0.0.1:8080, http) weir.yaml:2\n"
            "route 2: host api.example.com, path_prefix /users/ weir.yaml:8\n"
            " not 1: host admin.example.com: the host is api.example.com weir.yaml:6\n"
            "backend users (round_robin) weir.yaml:16\n"
            "server u1 (10.0.1.10:8080, weight 5), the first of u1 u2 u1 u1 u2 u1 u2 u1 ...\n"
            " not u3: weight 0 weir.yaml:20\n"
            "served");
}

TEST(Explain, SaysOfEachRouteWhyItDoesNotMatch) {
  EXPECT_EQ(get("http://X.example.:8080//y%20?q=1#part"),
            "GET http://X.example.:8080//y%20?q=1#part\n"
            "listener web (127.0.0.1:8080, http) weir.yaml:2\n"
            "answer 404 no_route: No route of the listener matches the request.\n"
            " not 1: host admin.example.com: the host is x.example weir.yaml:6\n"
            " not 2: host api.example.com: the host is x.example; path_prefix /users/: the path "
            "is '/y ' weir.yaml:8\n"
            " not 3: path /a or path /b or path_prefix /static: the path is '/y ' weir.yaml:10\n"
            "not served");
}

TEST(Explain, ShowsTwentyRoutesThatDoNotMatchAndCountsTheRest) {
  std::string file = "listeners:\n  - name: web\n    address: :80\n    routes:\n";
  for (int i = 0; i < 30; ++i) {
    file += "      - { match: { path: /" + std::to_string(i) + " }, backend: b }\n";
  }
  file += "backends: [{ name: b, servers: [{ name: s, address: 10.0.0.1 }] }]\n";
  const std::string text = explain({.method = "GET", .url = "http://x"}, file);
  EXPECT_TRUE(contains(text, "not 20: path /19: the path is '/'"));
  EXPECT_FALSE(contains(text, "not 21:"));
  EXPECT_TRUE(contains(text, "not 10 more\n"));
}

TEST(Explain, GivesTheAnswerThatWeirMakesItself) {
  EXPECT_TRUE(
      contains(get("http://x:8080/a/../.."), "answer 400 bad_request: the path '/a/../..'"));
  EXPECT_TRUE(contains(get("http://x:8080/%zz"), "answer 400 bad_request: the path '/%zz'"));
  EXPECT_TRUE(contains(get("http://x:8080/a b"), "answer 400 bad_request: "));
  EXPECT_TRUE(contains(get("http://x:8080/static/1"), "answer 503 no_server: "));
  EXPECT_TRUE(contains(explain({.method = "TRACE", .url = "http://x"}), "501 method_refused"));
  EXPECT_TRUE(contains(explain({.method = "CONNECT", .url = "http://x"}), "501 method_refused"));
  EXPECT_TRUE(
      contains(explain({.method = "POST", .url = "http://x", .fields = {"Content-Length: 1025"}}),
               "413 body_too_large"));
  EXPECT_TRUE(contains(explain({.method = "GET", .url = "http://x", .fields = {"A b: c"}}),
                       "400 bad_request: There is white space in a field's name"));
}

TEST(Explain, TakesAGivenHostInsteadOfTheUrls) {
  const Question question{
      .method = "GET", .url = "http://x", .fields = {"host: ADMIN.example.com:1"}};
  EXPECT_TRUE(contains(explain(question), "route 1: host admin.example.com weir.yaml:6\n"));
}

TEST(Explain, SaysWhereChanceDecides) {
  EXPECT_TRUE(contains(get("http://admin.example.com"), "weight 1), drawn by chance, as in d"));
}

TEST(Explain, GivesAServerWithoutPortThatOfTheListener) {
  EXPECT_TRUE(contains(get("http://admin.example.com"), " (10.0.0."));
  EXPECT_TRUE(contains(get("http://admin.example.com"), ":8080, weight 1)"));
}

TEST(Explain, FollowsATcpConnection) {
  EXPECT_EQ(explain({.method = "CONNECT", .url = "tcp://127.0.0.1:3306", .from = "192.0.2.1"}),
            "CONNECT tcp://127.0.0.1:3306\n"
            "listener db (127.0.0.1:3306, tcp) weir.yaml:12\n"
            "client 192.0.2.1: nothing depends on it\n"
            "backend mysql (round_robin) weir.yaml:24\n"
            "server m1 ([::1]:3306, weight 1)\n"
            " not m2: a backup, while others can be used weir.yaml:25\n"
            "served");
  EXPECT_TRUE(contains(explain({.method = "CONNECT", .url = "tcp://x:3307"}),
                       "answer the connection is reset: no server of the backend can be used\n"));
}

TEST(Explain, TakesABackupWhenNoOtherServerIsLeft) {
  const std::string text = explain({.method = "CONNECT", .url = "tcp://x:3308"});
  EXPECT_TRUE(contains(text, "server l2 (10.0.4.2:1, weight 1)\n not l1: weight 0 "));
  EXPECT_FALSE(contains(text, "not l2"));
}

TEST(Explain, FindsTheListenerByPortThenByProtocolThenByName) {
  EXPECT_TRUE(contains(get("http://x:8080"), "listener web (127.0.0.1:8080, http) weir"));
  EXPECT_TRUE(contains(get("http://x:9"), "http), the only one with its protocol weir"));
  EXPECT_EQ(explain({.method = "CONNECT", .url = "tcp://x:1"}),
            "no listener has port 1: say with --listener which one is meant: db, spare, dead");
  EXPECT_TRUE(contains(explain({.method = "CONNECT", .url = "tcp://x:1", .listener = "db"}),
                       "listener db (127.0.0.1:3306, tcp) weir"));
  EXPECT_EQ(explain({.method = "GET", .url = "http://x", .listener = "wbe"}),
            "unknown listener 'wbe' (did you mean 'web'?)");
  EXPECT_EQ(explain({.method = "GET", .url = "http://x", .listener = "db"}),
            "listener 'db' has protocol: tcp, the URL is of http");
}

TEST(Explain, SaysWhatIsWrongWithTheQuestion) {
  EXPECT_EQ(get("ftp://x"),
            "expected a URL such as http://HOST[:PORT]/PATH or tcp://HOST:PORT, found 'ftp://x'");
  EXPECT_EQ(get("http://:80/"), "the URL 'http://:80/' has no host, or a malformed one");
  EXPECT_EQ(get("tcp://x:1"), "a TCP connection is asked for as: CONNECT tcp://HOST:PORT");
  EXPECT_EQ(explain({.method = "GET", .url = "http://x", .from = "x"}),
            "--from 'x': expected an IP address");
  EXPECT_EQ(explain({.method = "GET", .url = "http://x", .fields = {"a"}}),
            "-H 'a': expected 'Name: value'");
  EXPECT_EQ(explain({.method = "GET", .url = "http://x", .fields = {"a: b\r\nc: d"}}),
            "an argument has control characters");
}

constexpr std::string_view kSplits = R"(listeners:
  - name: web
    address: 127.0.0.1:80
    trusted_proxies: [10.0.0.0/8]
    routes:
      - match: { path_prefix: /user }
        split: [{ backend: old, weight: 95 }, { backend: new, weight: 5, name: canary }]
        split_key: "${request.cookie.user}"
      - match: { path_prefix: /client }
        split: [{ backend: old }, { backend: new }]
        split_key: "${client.address}"
      - match: { path_prefix: /none }
        split: [{ backend: old, weight: 0 }, { backend: new }]
      - split: [{ backend: old, weight: 1 }, { backend: new, weight: 2 }]
  - name: db
    address: 127.0.0.1:3306
    protocol: tcp
    split: [{ backend: old, weight: 10 }, { backend: new, weight: 10 }]
    split_key: "${client.address}"
backends:
  - { name: old, servers: [{ name: o1, address: 10.0.0.1:80 }] }
  - { name: new, servers: [{ name: n1, address: 10.0.0.2:80 }] }
)";

TEST(Explain, PutsAUserInTheGroupOfTheKey) {
  const auto of_user = [](const std::string& user) {
    return explain({.method = "GET", .url = "http://x/user", .fields = {"Cookie: user=" + user}},
                   kSplits);
  };
  EXPECT_TRUE(contains(of_user("alice"),
                       "group old: split_key 'alice' is at 56.67 % (old 95 %, canary 5 %)\n"
                       "backend old (round_robin) weir.yaml:21\n"));
  std::size_t canaries = 0;
  for (int i = 0; i < 400; ++i) {
    const std::string text = of_user(std::to_string(i));
    if (!contains(text, "group canary: ")) continue;
    EXPECT_TRUE(contains(text, "backend new ")) << text;
    ++canaries;
  }
  EXPECT_GT(canaries, 5u);
  EXPECT_LT(canaries, 40u);
}

TEST(Explain, SaysWhereChanceWouldChooseTheGroup) {
  const auto of_path = [](std::string_view path) {
    return explain({.method = "GET", .url = "http://x/" + std::string(path)}, kSplits);
  };
  EXPECT_TRUE(contains(of_path("user"),
                       "group old: split_key is empty, so chance decides, this is the likeliest "
                       "(old 95 %, canary 5 %)\n"));
  EXPECT_TRUE(contains(of_path(""),
                       "group new: chance decides, this is the likeliest (old 33.33 %, new 66.67 "
                       "%)\nbackend new "));
  EXPECT_TRUE(contains(of_path("none"), "group new: chance decides"));
}

TEST(Explain, TakesTheClientOfTheQuestionForTheKey) {
  Question question{.method = "GET", .url = "http://x/client", .from = "192.0.2.1"};
  const std::string_view said = "split_key '192.0.2.1' is at 56.18 % (old 50 %, new 50 %)";
  EXPECT_TRUE(contains(explain(question, kSplits), "group new: " + std::string(said)));
  question.from = "10.1.1.1";
  question.fields = {"X-Forwarded-For: 192.0.2.1"};
  EXPECT_TRUE(contains(explain(question, kSplits), said));
  EXPECT_TRUE(contains(
      explain({.method = "CONNECT", .url = "tcp://127.0.0.1:3306", .from = "192.0.2.1"}, kSplits),
      "group new: " + std::string(said)));
}

// Routes and requests over a small vocabulary, so that many match.
class RandomWorld {
 public:
  Settings settings() {
    Settings settings;
    for (const char* name : kBackends) add_backend(settings, name);
    auto& listener = settings.listeners.emplace_back();
    listener.name = std::string("web");
    for (std::uint32_t i = 1 + random_.below(6); i > 0; --i) {
      auto& route = listener.routes.emplace_back();
      route.backend = std::string(kBackends[random_.below(kBackends.size())]);
      if (random_.below(3) != 0) route.match.host.push_back(pattern());
      if (random_.below(3) == 0) route.match.path.push_back({path()});
      if (random_.below(2) == 0) route.match.path_prefix.push_back({path()});
    }
    return settings;
  }
  std::string host() { return label() + (random_.below(2) == 0 ? "" : '.' + label()); }
  std::string path() {
    std::string path;
    for (std::uint32_t i = random_.below(3); i > 0; --i) path += '/' + label();
    return path.empty() || random_.below(3) == 0 ? path + '/' : path;
  }
  // As odd as clients write them.
  std::string raw_path() {
    static constexpr std::string_view kOdd[] = {"/./", "/%61/", "//", "/../", "/%2F", "/%4"};
    return random_.below(4) == 0 ? path() + std::string(kOdd[random_.below(6)]) + label() : path();
  }
  std::uint32_t below(std::uint32_t bound) { return random_.below(bound); }

 private:
  static constexpr std::array kBackends = {"a", "b", "c"};

  void add_backend(Settings& settings, const char* name) {
    auto& backend = settings.backends.emplace_back();
    backend.name = std::string(name);
    backend.balance = balance::default_settings(
        balance::pickers()[random_.below(balance::pickers().size())].name);
    for (std::uint32_t i = 1 + random_.below(5); i > 0; --i) {
      auto& server = backend.servers.emplace_back();
      server.name = std::to_string(i);
      server.weight = random_.below(4);
      server.backup = random_.below(4) == 0;
      if (random_.below(3) == 0) server.maxconn = 1 + random_.below(3);
    }
  }
  std::string label() { return random_.below(2) == 0 ? "a" : "b"; }
  proxy::HostPattern pattern() {
    const auto kind = static_cast<proxy::HostPattern::Kind>(random_.below(4));
    if (kind == proxy::HostPattern::Kind::any) return {};
    return {.kind = kind, .text = host()};
  }

  Random random_{3};
};

// A configuration in force on one worker, with the code of the data path on both sides.
class RunningWorld final : public PickSource {
 public:
  RunningWorld(Settings settings, Worker& worker)
      : settings_(std::move(settings)), snapshot_(compile(settings_, registry_)) {
    for (const auto& backend : snapshot_.backends) {
      views_.push_back(make_local<backend::WorkerBackend>(worker, backend, 1, connections_));
    }
    addresses_.resize(settings_.listeners.size(), {net::Address()});
  }

  const proxy::Router& router() const { return *snapshot_.listeners[0].router; }
  std::size_t routes() const { return settings_.listeners[0].routes.size(); }
  std::expected<Explanation, std::string> explain(const Question& question) {
    return app::explain({.settings = settings_,
                         .file = "weir.yaml",
                         .snapshot = snapshot_,
                         .addresses = addresses_,
                         .picks = *this},
                        question);
  }
  // What an attempt is given.
  balance::ServerIndex pick(proxy::RouteIndex route) {
    const auto place = snapshot_.listeners[0].route_backends[std::to_underlying(route)];
    backend::WorkerBackend& view = *views_[std::to_underlying(place)];
    backend::PickFor request;
    // Where questions come from that do not say.
    const proxy::TemplateKey* const key = proxy::key_of(view.backend());
    if (key != nullptr) request.hash = key->hash("127.0.0.1");
    backend::ServerLease lease = view.pick(request, {}).lease;
    if (!lease) return balance::ServerIndex::none;
    leases_.push_back(std::move(lease));
    return leases_.back().index();
  }
  void change(RandomWorld& world) {
    if (world.below(2) == 0) {
      if (!leases_.empty()) leases_.erase(leases_.begin() + world.below(leases_.size()));
      return;
    }
    const std::size_t place = world.below(views_.size());
    backend::Backend& backend = *snapshot_.backends[place];
    backend::Server& server = backend.server(balance::to_server(world.below(backend.size())));
    if (world.below(2) == 0) {
      server.set_weight(world.below(4));
    } else {
      server.set_admin_state(static_cast<backend::AdminState>(world.below(3)));
    }
    views_[place]->adopt(backend.renew_candidates({}));
  }

 private:
  backend::ExplainedPick explain_pick(proxy::BackendIndex backend,
                                      const backend::PickFor& request) override {
    return views_[std::to_underlying(backend)]->explain_pick(request);
  }

  const Settings settings_;
  stats::Registry registry_{1};
  proxy::Snapshot snapshot_;
  backend::Http1ServerConnections connections_;
  std::vector<LocalRef<backend::WorkerBackend>> views_;
  std::vector<std::vector<net::Address>> addresses_;
  std::vector<backend::ServerLease> leases_;
};

std::size_t count(std::string_view text, std::string_view part) {
  std::size_t times = 0;
  for (std::size_t at = 0; (at = text.find(part, at)) != std::string_view::npos; ++at) ++times;
  return times;
}

TEST(Explain, AgreesWithTheDataPathOnRandomRequests) {
  net::test::TestWorker worker;
  RandomWorld world;
  std::size_t served = 0;
  for (int configuration = 0; configuration < 1'000; ++configuration) {
    RunningWorld running(world.settings(), *worker);
    for (int request = 0; request < 100; ++request) {
      const std::string host = world.host();
      const std::string raw = world.raw_path();
      std::string buffer(raw.size(), '\0');
      const auto path = http::normalize_path(raw, buffer);
      const auto route =
          path ? running.router().match({.host = host, .path = *path}) : proxy::RouteIndex::none;
      running.change(world);
      const auto said = running.explain({.method = "GET", .url = "http://" + host + raw});
      ASSERT_TRUE(said);
      ASSERT_EQ(said->route, route) << host << raw << '\n' << said->text;
      // Each route before it says a reason.
      const std::size_t tried = !path                              ? 0
                                : route == proxy::RouteIndex::none ? running.routes()
                                                                   : std::to_underlying(route);
      ASSERT_GE(count(said->text, " is "), tried) << said->text;
      ASSERT_EQ(said->is_served, said->server != balance::ServerIndex::none);
      if (route == proxy::RouteIndex::none) continue;
      ASSERT_EQ(said->server, running.pick(route)) << said->text;
      if (said->is_served) ++served;
    }
  }
  EXPECT_GT(served, 10'000u);
}

}  // namespace
}  // namespace weir::app
