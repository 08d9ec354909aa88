#include "admin/http_service.h"

#include <coroutine>
#include <deque>

#include "admin/http_client_test.h"

namespace weir::admin {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kBigBytes = 10'000'000;

// Says what it was asked; /body is the request's, /created says where, /big is large, /wait waits
// for release().
class EchoHandler final : public HttpHandler {
 public:
  Task<HttpAnswer> answer(const HttpRequest& request) override {
    ++requests;
    HttpAnswer answer;
    const http::RequestHead& head = request.head;
    answer.body = std::string(head.method_text) + " " + std::string(head.target) + "\n";
    if (head.path == "/body") answer.body = std::string(request.body) + "\n";
    if (head.path == "/created") {
      answer.status = 201;
      answer.fields.push_back({"Location", "/a"});
    }
    if (head.path == "/big") answer.body = std::string(kBigBytes - 1, 'b') + "\n";
    if (head.path == "/wait") {
      waiting = true;
      co_await Gate{*this};
    }
    co_return answer;
  }
  void release() { std::exchange(task_, nullptr).resume(); }

  int requests = 0;
  bool waiting = false;

 private:
  struct Gate {
    EchoHandler& handler;
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> task) const noexcept { handler.task_ = task; }
    void await_resume() const noexcept {}
  };
  std::coroutine_handle<> task_;
};

class HttpServiceTest : public HttpServiceFixture {
 protected:
  HttpServiceTest() { service_.listen(*listening_); }
  ~HttpServiceTest() override {
    service_.abort();
    EXPECT_TRUE(turn_until([&] { return service_.is_stopped(); }));
  }

  EchoHandler handler_;
  HttpService service_{*worker_, handler_};
};

std::string_view body_of(std::string_view answer) {
  return answer.substr(answer.find("\r\n\r\n") + 4);
}

TEST_F(HttpServiceTest, AnswersARequest) {
  Client client(*this);
  client.send("GET /a?b HTTP/1.1\r\nHost: x\r\n\r\n");
  const std::string answer = client.read_until("GET /a?b\n");
  const std::size_t date = answer.find("Date: ");
  ASSERT_NE(date, std::string::npos);
  EXPECT_EQ(answer.substr(date + 6 + 25, 6), " GMT\r\n") << answer;
  std::string dateless = answer;
  dateless.erase(date, 6 + 29 + 2);
  EXPECT_EQ(dateless,
            "HTTP/1.1 200 OK\r\n"
            "Content-Type: text/plain; charset=utf-8\r\n"
            "Cache-Control: no-store\r\n"
            "Content-Length: 9\r\n"
            "\r\n"
            "GET /a?b\n");
}

TEST_F(HttpServiceTest, AnswersHeadWithTheLengthOfGetAndNoBody) {
  Client client(*this);
  client.send("HEAD /a HTTP/1.1\r\nHost: x\r\n\r\n");
  const std::string answer = client.read_until("\r\n\r\n");
  EXPECT_NE(answer.find("Content-Length: 8\r\n"), std::string::npos) << answer;
  client.send("GET /b HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_TRUE(client.read_until("GET /b\n").starts_with("HTTP/1.1 200 OK\r\n"));
}

TEST_F(HttpServiceTest, AnswersPipelinedRequestsInOrder) {
  Client client(*this);
  std::string requests;
  for (int i = 0; i < 50; ++i) {
    requests += "GET /" + std::to_string(i) + " HTTP/1.1\r\nHost: x\r\n\r\n";
  }
  client.send(requests);
  const std::string answers = client.read_until("GET /49\n");
  std::size_t at = 0;
  for (int i = 0; i < 50; ++i) {
    at = answers.find("GET /" + std::to_string(i) + "\n", at);
    ASSERT_NE(at, std::string::npos) << i;
  }
}

TEST_F(HttpServiceTest, AnswersHoweverTheBytesAreCut) {
  Client client(*this);
  for (const char byte : std::string_view("POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n"
                                          "xyzGET /b HTTP/1.1\r\nHost: x\r\n\r\n")) {
    client.send({&byte, 1});
    turn_a_little();
  }
  EXPECT_NE(client.read_until("GET /b\n").find("POST /a\n"), std::string::npos);
}

TEST_F(HttpServiceTest, ClosesWhenTheClientWantsNoMore) {
  for (const char* request :
       {"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "GET / HTTP/1.0\r\n\r\n"}) {
    Client client(*this);
    client.send(request);
    const std::string answer = client.read_to_end();
    EXPECT_NE(answer.find("Connection: close\r\n"), std::string::npos) << answer;
    EXPECT_EQ(body_of(answer), "GET /\n");
  }
}

TEST_F(HttpServiceTest, SaysWhatIsWrongWithARequestAndCloses) {
  Client client(*this);
  client.send("GET / HTTP/1.1\r\nHost: x\r\nBad Name: 1\r\n\r\nGET / HTTP/1.1\r\n\r\n");
  const std::string answer = client.read_until("\n");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 400 Bad Request\r\n")) << answer;
  EXPECT_TRUE(body_of(answer).starts_with("400 Bad Request\n")) << answer;
  client.read_to_end();
  EXPECT_EQ(handler_.requests, 0);
}

TEST_F(HttpServiceTest, RefusesAHeadThatIsTooLarge) {
  Client client(*this);
  client.send("GET / HTTP/1.1\r\nHost: x\r\nLong: " + std::string(20'000, 'l') + "\r\n\r\n");
  EXPECT_TRUE(client.read_to_end().starts_with("HTTP/1.1 431 "));
  EXPECT_EQ(handler_.requests, 0);
}

TEST_F(HttpServiceTest, HandsTheBodyToTheHandler) {
  Client client(*this);
  const std::string body = std::string(1048575, 'b') + "e";
  client.send("POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 1048576\r\n\r\n" + body);
  EXPECT_EQ(body_of(client.read_until("e\n")), body + "\n");
  client.send(
      "POST /body HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\nGET /c HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_NE(client.read_until("GET /c\n").find("\r\n\r\nabcde\n"), std::string::npos);
}

TEST_F(HttpServiceTest, SendsTheFieldsOfTheAnswer) {
  Client client(*this);
  client.send("POST /created HTTP/1.1\r\nHost: x\r\n\r\n");
  const std::string answer = client.read_until("/created\n");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 201 Created\r\n")) << answer;
  EXPECT_NE(answer.find("\r\nLocation: /a\r\n"), std::string::npos) << answer;
}

TEST_F(HttpServiceTest, RefusesALargeBodyBeforeItHasCome) {
  Client client(*this);
  client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1048577\r\n\r\n");
  EXPECT_TRUE(client.read_to_end().starts_with("HTTP/1.1 413 "));
}

TEST_F(HttpServiceTest, RefusesABodyThatTurnsOutToBeLarge) {
  Client client(*this);
  client.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
  const std::string chunk = "10000\r\n" + std::string(0x10000, 'c') + "\r\n";
  for (int i = 0; i < 17; ++i) client.send(chunk);
  EXPECT_TRUE(client.read_to_end().starts_with("HTTP/1.1 413 "));
  EXPECT_EQ(handler_.requests, 0);
}

TEST_F(HttpServiceTest, TellsWhoWaitsToSendABodyToGoOn) {
  Client client(*this);
  client.send("PUT /body HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-Continue\r\n\r\n");
  EXPECT_EQ(client.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("abc");
  EXPECT_EQ(body_of(client.read_until("\n")), "abc\n");
}

TEST_F(HttpServiceTest, DoesNotAskForABodyThatItWouldRefuse) {
  Client client(*this);
  client.send(
      "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 1048577\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_TRUE(client.read_to_end().starts_with("HTTP/1.1 413 "));
}

TEST_F(HttpServiceTest, SendsALargeAnswerAsFastAsItIsRead) {
  Client client(*this);
  client.send("GET /big HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_TRUE(turn_until([&] { return handler_.requests == 1; }));
  turn_a_little();  // nobody reads
  const std::string answer = client.read_until("\n");
  EXPECT_EQ(body_of(answer).size(), kBigBytes);
  client.send("GET /next HTTP/1.1\r\nHost: x\r\n\r\n");
  client.read_until("GET /next\n");
}

TEST_F(HttpServiceTest, EndsIdleConnectionsWhenItStops) {
  Client fresh(*this);
  Client used(*this);
  used.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  used.read_until("GET /\n");
  EXPECT_FALSE(service_.is_stopped());
  service_.stop();
  EXPECT_TRUE(turn_until([&] { return service_.is_stopped(); }));
  EXPECT_EQ(fresh.read_to_end(), "");
  EXPECT_EQ(used.read_to_end(), "");
}

TEST_F(HttpServiceTest, FinishesAnswersWhenItStops) {
  Client waiting(*this);
  waiting.send("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_TRUE(turn_until([&] { return handler_.waiting; }));
  Client reading(*this);
  reading.send("GET /big HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_TRUE(turn_until([&] { return handler_.requests == 2; }));
  service_.stop();
  turn_a_little();
  EXPECT_FALSE(service_.is_stopped());
  handler_.release();
  const std::string answer = waiting.read_to_end();
  EXPECT_NE(answer.find("Connection: close\r\n"), std::string::npos) << answer;
  EXPECT_EQ(body_of(answer), "GET /wait\n");
  EXPECT_EQ(body_of(reading.read_to_end()).size(), kBigBytes);
  EXPECT_TRUE(turn_until([&] { return service_.is_stopped(); }));
}

TEST_F(HttpServiceTest, AnswersWhoWasQueuedWhenItStops) {
  std::deque<Client> clients;
  for (int i = 0; i < 100; ++i) {
    clients.emplace_back(*this).send("GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
  }
  service_.stop();
  for (Client& client : clients) EXPECT_EQ(body_of(client.read_to_end()), "GET /a\n");
  EXPECT_TRUE(turn_until([&] { return service_.is_stopped(); }));
}

TEST_F(HttpServiceTest, AbortEndsWhatStopWaitsFor) {
  Client half(*this);
  half.send("GET / HT");
  Client reading(*this);
  reading.send("GET /big HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_TRUE(turn_until([&] { return handler_.requests == 1; }));
  service_.stop();
  turn_a_little();
  EXPECT_FALSE(service_.is_stopped());
  service_.abort();
  EXPECT_TRUE(turn_until([&] { return service_.is_stopped(); }));
}

TEST_F(HttpServiceTest, AbortWaitsForNobodyInTheQueue) {
  Client queued(*this);
  service_.stop();
  service_.abort();
  EXPECT_TRUE(service_.is_stopped());
  EXPECT_TRUE(turn_until([&] { return queued.is_over(); }));
}

TEST_F(HttpServiceTest, AClientThatGoesAwayIsForgotten) {
  {
    Client half(*this);
    half.send("GET / HT");
    Client waiting(*this);
    waiting.send("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
    Client reading(*this);
    reading.send("GET /big HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_TRUE(turn_until([&] { return handler_.requests == 2; }));
  }
  turn_a_little();
  handler_.release();
  service_.stop();
  EXPECT_TRUE(turn_until([&] { return service_.is_stopped(); }));
}

TEST_F(HttpServiceTest, AcceptsNoMoreThanItsLimitAndGoesOnWhenThereIsRoom) {
  std::deque<Client> clients;
  for (std::size_t i = 0; i < HttpService::kConnectionsMax; ++i) clients.emplace_back(*this);
  for (Client& client : clients) client.send("GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
  for (Client& client : clients) client.read_until("GET /a\n");
  Client late(*this);
  late.send("GET /late HTTP/1.1\r\nHost: x\r\n\r\n");
  turn_a_little();
  EXPECT_EQ(late.received(), "");
  clients.pop_front();
  late.read_until("GET /late\n");
}

TEST_F(HttpServiceTest, AHeadThatDoesNotComeIsATimeout) {
  Client client(*this);
  client.send("GET / HT");
  turn_a_little();
  worker_->timers().expire(worker_->now() + 11s);
  EXPECT_TRUE(client.read_until("\n").starts_with("HTTP/1.1 408 "));
  client.shutdown_write();
  client.read_to_end();
}

TEST_F(HttpServiceTest, AnIdleConnectionEndsInTheEnd) {
  Client client(*this);
  client.send("GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
  client.read_until("GET /a\n");
  worker_->timers().expire(worker_->now() + 76s);
  EXPECT_EQ(client.read_to_end(), "");
}

}  // namespace
}  // namespace weir::admin
