#include "proxy/http/filter.h"

#include <algorithm>
#include <gtest/gtest.h>

#include "proxy/http/answer.h"
#include "proxy/http/serve_http_test_support.h"

namespace weir::proxy {
namespace {

using test::FakeServer;
using test::kGet;
using test::kOk;
using test::Peer;
using namespace std::chrono_literals;

using Calls = std::vector<std::string>;

// Writes down what it is asked.
class Recorder : public Filter {
 public:
  Recorder(std::string_view name, Calls& calls) : Filter(name, {}), calls_(calls) {}

  std::string summary() const override { return ""; }
  Result<Verdict> on_request(Exchange&) const noexcept override {
    note("request");
    return Verdict::proceed;
  }
  Result<void> on_response(Exchange&, http::ResponseHead&, Origin origin) const noexcept override {
    constexpr std::array kOrigins = {"server", "filter", "error"};
    note(kOrigins[static_cast<std::size_t>(origin)]);
    return {};
  }
  void on_done(const Exchange& x) const noexcept override { note(std::to_string(x.status)); }

 protected:
  void note(std::string what) const { calls_.push_back(std::string(name()) + " " + what); }

 private:
  Calls& calls_;
};

class Replier final : public Recorder {
 public:
  using Recorder::Recorder;
  Result<Verdict> on_request(Exchange& x) const noexcept override {
    note("request");
    EXPECT_TRUE(set_answer(x, 299, "text/x", "from the filter"));
    return Verdict::reply;
  }
};

class Refuser final : public Recorder {
 public:
  using Recorder::Recorder;
  Result<Verdict> on_request(Exchange&) const noexcept override {
    return fail(ErrorKind::bad_request, Side::client);
  }
};

class Marker final : public Recorder {
 public:
  using Recorder::Recorder;
  Result<void> on_response(Exchange& x, http::ResponseHead& head, Origin) const noexcept override {
    for (int i = 0; i < 40; ++i) {
      if (!add_field(x, head.fields, {.name = "X-Mark", .value = "here"})) {
        return fail(ErrorKind::buffers_exhausted, Side::weir);
      }
    }
    return {};
  }
};

// Every byte becomes two, so that lengths change.
class Doubled final : public BodyFilter {
 public:
  using BodyFilter::BodyFilter;
  net::BodyRead try_read_body(std::span<char> into) noexcept override {
    net::BodyRead read = source_.try_read_body(into.first(std::min<std::size_t>(into.size(), 100)));
    if (read.status != net::BodyRead::Status::data) return read;
    std::size_t size = 0;
    for (const char c : read.data) {
      doubled_[size++] = c;
      doubled_[size++] = c;
    }
    read.data = {doubled_.data(), size};
    return read;
  }

 private:
  std::array<char, 200> doubled_;
};

class Doubler final : public Recorder {
 public:
  using Recorder::Recorder;
  Result<BodyFilter*> wrap_request_body(Exchange& x,
                                        net::BodySource& body) const noexcept override {
    if (x.request.body.framing == http::Framing::none) return nullptr;
    x.request.body = {http::Framing::chunked, 0};
    return x.make_body<Doubled>(body);
  }
  Result<void> on_response(Exchange&, http::ResponseHead& head,
                           Origin origin) const noexcept override {
    if (origin == Origin::server) head.body = {http::Framing::chunked, 0};
    return {};
  }
  Result<BodyFilter*> wrap_response_body(Exchange& x, http::ResponseHead&,
                                         net::BodySource& body) const noexcept override {
    return x.make_body<Doubled>(body);
  }
};

// Says what bodies are read from.
class Observer final : public Recorder {
 public:
  using Recorder::Recorder;
  Result<Verdict> on_request(Exchange&) const noexcept override { return Verdict::proceed; }
  Result<BodyFilter*> wrap_request_body(Exchange& x,
                                        net::BodySource& body) const noexcept override {
    note(&body == &x.client ? "the client's stream" : "something else");
    return nullptr;
  }
  Result<void> on_response(Exchange&, http::ResponseHead&, Origin) const noexcept override {
    return {};
  }
  Result<BodyFilter*> wrap_response_body(Exchange&, http::ResponseHead&,
                                         net::BodySource& body) const noexcept override {
    const bool is_stream = dynamic_cast<net::ServerSideStream*>(&body) != nullptr;
    note(is_stream ? "the server's stream" : "something else");
    return nullptr;
  }
  void on_done(const Exchange& x) const noexcept override {
    note(x.made_bodies == nullptr ? "no body made" : "a body made");
  }
};

// Lets a request pass only once its first byte of a body is there.
class Waiting final : public Recorder {
 public:
  using Recorder::Recorder;
  bool is_async() const noexcept override { return true; }
  Task<Result<Verdict>> on_request_async(Exchange& x) const override {
    const auto readable = co_await net::Wait([&x](net::Waiter& waiter) noexcept {
      return x.body.source().start_body_readable(x.proxy.worker().now() + 20s, waiter);
    });
    if (!readable) co_return fail(readable.error());
    note("has waited");
    co_return Verdict::proceed;
  }
};

class FilterTest : public test::HttpFixture {
 protected:
  template <class... Made>
  void use(std::string_view names) {
    Filters filters;
    std::size_t next = 0;
    (filters.push_back(std::make_shared<const Made>(names.substr(next++, 1), calls_)), ...);
    filters_ = std::make_shared<const FilterChain>(std::move(filters));
  }
  Calls calls_;
};

TEST_F(FilterTest, RequestsPassInOrderAndResponsesInTheReverseOne) {
  use<Recorder, Recorder>("ab");
  FakeServer server;
  start_with(server);
  Peer client = connect_and_send(kGet);
  accept(server).send(kOk);
  ASSERT_TRUE(receives(client, "ok"));
  EXPECT_EQ(last_logged().status, 200);
  EXPECT_EQ(calls_, (Calls{"a request", "b request", "b server", "a server", "a 200", "b 200"}));
}

TEST_F(FilterTest, AReplyAsksNeitherFurtherFiltersNorAServer) {
  use<Recorder, Replier, Recorder>("abc");
  FakeServer server;
  start_with(server);
  Peer client = connect_and_send(kGet);
  ASSERT_TRUE(receives(client, "from the filter"));
  EXPECT_TRUE(client.in.starts_with("HTTP/1.1 299 "));
  EXPECT_NE(client.in.find("Content-Type: text/x\r\n"), std::string::npos);
  const auto logged = last_logged();
  EXPECT_EQ(logged.status, 299);
  EXPECT_EQ(logged.reason.kind, ErrorKind::none);
  EXPECT_EQ(logged.attempts, 0);
  EXPECT_EQ(calls_, (Calls{"a request", "b request", "c filter", "b filter", "a filter", "a 299",
                           "b 299", "c 299"}));
  // The connection goes on.
  client.in.clear();
  client.send("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n");
  ASSERT_TRUE(receives(client, "Content-Length: 15\r\n\r\n"));
  EXPECT_EQ(client.in.find("from the filter"), std::string::npos);
}

TEST_F(FilterTest, AReplyBeforeTheEndOfABodyEndsTheConnection) {
  use<Replier>("a");
  FakeServer server;
  start_with(server);
  Peer client = connect_and_send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhel");
  ASSERT_TRUE(receives(client, "from the filter"));
  EXPECT_NE(client.in.find("Connection: close\r\n"), std::string::npos);
  EXPECT_TRUE(ends(client));
}

TEST_F(FilterTest, AnErrorOfAFilterGetsItsPage) {
  use<Recorder, Refuser>("ab");
  FakeServer server;
  start_with(server);
  Peer client = connect_and_send(kGet);
  ASSERT_TRUE(receives(client, "reason: bad_request"));
  EXPECT_EQ(last_logged().reason.kind, ErrorKind::bad_request);
  EXPECT_EQ(calls_, (Calls{"a request", "b error", "a error", "a 400", "b 400"}));
}

TEST_F(FilterTest, ErrorsBeforeTheRouteIsKnownPassTheListenersFilters) {
  use<Recorder>("a");
  FakeServer server;
  start_with(server);
  Peer client = connect_and_send("GET / HTTP/1.1\r\n\r\n");
  ASSERT_TRUE(receives(client, "HTTP/1.1 400 "));
  EXPECT_EQ(last_logged().status, 400);
  EXPECT_EQ(calls_, (Calls{"a error", "a 400"}));
}

TEST_F(FilterTest, MoreFieldsThanTheHeadHadRoomForAreAdded) {
  use<Marker>("a");
  FakeServer server;
  start_with(server);
  Peer client = connect_and_send(kGet);
  accept(server).send(kOk);
  ASSERT_TRUE(receives(client, "ok"));
  std::size_t marks = 0;
  for (std::size_t at = 0; (at = client.in.find("X-Mark: here", at)) != std::string::npos; ++at) {
    ++marks;
  }
  EXPECT_EQ(marks, 40u);
}

TEST_F(FilterTest, BodiesAreReadThroughTheFilters) {
  use<Doubler, Doubler>("ab");
  FakeServer server;
  start_with(server);
  Peer client = connect_and_send("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc");
  Peer& peer = accept(server);
  ASSERT_TRUE(receives(peer, "aaaabbbbcccc\r\n0\r\n\r\n"));
  peer.send(kOk);
  ASSERT_TRUE(receives(client, "\r\n\r\n8\r\nooookkkk\r\n0\r\n\r\n"));
  EXPECT_EQ(last_logged().status, 200);
}

// The filters saw the body once; what they made of it is what is sent again.
TEST_F(FilterTest, ABodyIsFilteredOnceHoweverOftenItIsSent) {
  use<Doubler>("a");
  FakeServer first;
  FakeServer second;
  add_server(first.address, "s1");
  add_server(second.address, "s2");
  start();
  Peer client = connect_and_send("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc");
  FakeServer* asked = nullptr;
  ASSERT_TRUE(turn_until([&] {
    for (FakeServer* server : {&first, &second}) {
      if (server->accept_all() != 0) asked = server;
    }
    return asked != nullptr;
  }));
  ASSERT_TRUE(receives(asked->peers[0], "aabbcc\r\n0\r\n\r\n"));
  asked->peers[0].close();
  Peer& peer = accept(asked == &first ? second : first);
  ASSERT_TRUE(receives(peer, "aabbcc\r\n0\r\n\r\n"));
  peer.send(kOk);
  ASSERT_TRUE(receives(client, "ookk"));
  EXPECT_EQ(last_logged().attempts, 2);
}

TEST_F(FilterTest, AFilterMayWait) {
  use<Recorder, Waiting>("ab");
  FakeServer server;
  start_with(server);
  Peer client = connect_and_send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n");
  ASSERT_TRUE(turn_until([&] { return !calls_.empty(); }));
  worker_.turn_a_little();
  EXPECT_EQ(calls_, Calls{"a request"});
  EXPECT_EQ(server.accept_all(), 0u);
  client.send("abc");
  Peer& peer = accept(server);
  ASSERT_TRUE(receives(peer, "\r\n\r\nabc"));
  peer.send(kOk);
  ASSERT_TRUE(receives(client, "ok"));
}

TEST_F(FilterTest, AClientThatLeavesEndsTheWaitOfAFilter) {
  use<Waiting>("a");
  FakeServer server;
  start_with(server);
  Peer client = connect_and_send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n");
  ASSERT_TRUE(turn_until([&] { return proxy_->connections_open() == 1; }));
  worker_.turn_a_little();
  client.reset();
  EXPECT_TRUE(has_no_connections());
  EXPECT_EQ(last_logged().status, 0);
}

// A body that nobody looks at goes the way that it goes without filters.
TEST_F(FilterTest, ABodyThatNobodyWrapsIsTheStreamItself) {
  use<Observer, Recorder, Observer>("abc");
  FakeServer server;
  start_with(server);
  Peer client = connect_and_send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc");
  Peer& peer = accept(server);
  ASSERT_TRUE(receives(peer, "\r\n\r\nabc"));
  peer.send(kOk);
  ASSERT_TRUE(receives(client, "ok"));
  EXPECT_EQ(last_logged().status, 200);
  std::erase_if(calls_, [](const std::string& call) { return call.starts_with('b'); });
  EXPECT_EQ(calls_,
            (Calls{"a the client's stream", "c the client's stream", "c the server's stream",
                   "a the server's stream", "a no body made", "c no body made"}));
}

}  // namespace
}  // namespace weir::proxy
