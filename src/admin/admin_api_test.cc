#include "admin/admin_api.h"

#include <atomic>
#include <thread>

#include "admin/fake_operations_test.h"
#include "admin/http_client_test.h"

namespace weir::admin {
namespace {

class FakeProcess final : public ProcessView {
 public:
  bool is_ready() const override { return why_not.empty(); }
  std::string not_ready_reason() const override { return why_not; }
  std::optional<std::string> stuck() const override { return stuck_worker; }
  const stats::Registry& registry() const override { return registry_; }
  void append_samples(std::vector<stats::Sample>& samples) const override {
    sampled_on = std::this_thread::get_id();
    samples.push_back({stats::MetricId::workers, "", 7});
  }

  std::string why_not;
  std::optional<std::string> stuck_worker;
  mutable std::atomic<std::thread::id> sampled_on;

 private:
  stats::Registry registry_{1};
};

class AdminApiTest : public HttpServiceFixture {
 protected:
  AdminApiTest() { service_.listen(*listening_); }
  ~AdminApiTest() override {
    service_.abort();
    EXPECT_TRUE(turn_until([&] { return service_.is_stopped(); }));
  }

  std::string ask(const std::string& request_line) {
    Client client(*this);
    client.send(request_line + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    return client.read_to_end();
  }
  static std::string status_of(const std::string& answer) { return answer.substr(9, 3); }
  static std::string body_of(const std::string& answer) {
    return answer.substr(answer.find("\r\n\r\n") + 4);
  }

  FakeProcess process_;
  test::FakeOperations operations_;
  Jobs jobs_{"jobs"};
  AdminApi api_{*worker_, jobs_, process_, operations_};
  HttpService service_{*worker_, api_};
};

TEST_F(AdminApiTest, HealthIsAlwaysOk) {
  process_.why_not = "starting";
  process_.stuck_worker = "worker 2";
  EXPECT_EQ(status_of(ask("GET /health")), "200");
  EXPECT_EQ(body_of(ask("GET /health")), "ok\n");
}

TEST_F(AdminApiTest, LiveNamesAWorkerThatIsStuck) {
  EXPECT_EQ(status_of(ask("GET /health/live")), "200");
  process_.stuck_worker = "worker 2 has not turned its loop for 6 s";
  const std::string answer = ask("GET /health/live");
  EXPECT_EQ(status_of(answer), "503");
  EXPECT_EQ(body_of(answer), "worker 2 has not turned its loop for 6 s\n");
}

TEST_F(AdminApiTest, ReadySaysWhyNot) {
  EXPECT_EQ(body_of(ask("GET /health/ready")), "ok\n");
  process_.why_not = "stopping";
  const std::string answer = ask("GET /health/ready");
  EXPECT_EQ(status_of(answer), "503");
  EXPECT_EQ(body_of(answer), "stopping\n");
}

TEST_F(AdminApiTest, MetricsAreRenderedOnTheJobsThread) {
  const std::string answer = ask("GET /metrics");
  EXPECT_EQ(status_of(answer), "200");
  EXPECT_NE(answer.find("Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"),
            std::string::npos);
  EXPECT_NE(answer.find("\nweir_workers 7\n"), std::string::npos) << answer;
  EXPECT_NE(process_.sampled_on.load(), std::thread::id());
  EXPECT_NE(process_.sampled_on.load(), std::this_thread::get_id());
}

TEST_F(AdminApiTest, ThereAreNoMetricsOnceTheJobsThreadHasEnded) {
  jobs_.stop();
  const std::string answer = ask("GET /metrics");
  EXPECT_EQ(status_of(answer), "503");
  EXPECT_EQ(body_of(answer), "no metrics now: shutting_down\n");
}

TEST_F(AdminApiTest, CallsAreAnsweredOnTheJobsThread) {
  const std::string answer = ask("GET /api/v1/listeners");
  EXPECT_EQ(status_of(answer), "200");
  EXPECT_NE(answer.find("Content-Type: application/json\r\n"), std::string::npos) << answer;
  EXPECT_TRUE(body_of(answer).starts_with("{\"listeners\": [{")) << answer;
  EXPECT_NE(operations_.called_on.load(), std::thread::id());
  EXPECT_NE(operations_.called_on.load(), std::this_thread::get_id());
}

TEST_F(AdminApiTest, CallsGetTheBodyOfTheRequest) {
  Client client(*this);
  client.send(
      "PATCH /api/v1/servers/users/u1 HTTP/1.1\r\nHost: x\r\nContent-Length: 13\r\n"
      "Content-Type: application/json\r\nConnection: close\r\n\r\n{\"weight\": 9}");
  const std::string answer = client.read_to_end();
  EXPECT_EQ(status_of(answer), "200") << answer;
  EXPECT_NE(answer.find("\"weight\": 9"), std::string::npos) << answer;
}

TEST_F(AdminApiTest, ThereAreNoCallsOnceTheJobsThreadHasEnded) {
  jobs_.stop();
  const std::string answer = ask("GET /api/v1/listeners");
  EXPECT_EQ(status_of(answer), "503");
  EXPECT_TRUE(body_of(answer).starts_with("{\"error\": {\"reason\": \"shutting_down\", "))
      << answer;
}

TEST_F(AdminApiTest, TheRootListsEveryCall) {
  const std::string list = body_of(ask("GET /"));
  for (const char* call :
       {"\nGET    /api/v1/listeners ", "\nPATCH  /api/v1/servers/{backend}/{server} ",
        "\nDELETE /api/v1/servers/{backend}/{server} ", "\nPOST   /api/v1/reload "}) {
    EXPECT_NE(list.find(call), std::string::npos) << list;
  }
}

TEST_F(AdminApiTest, TheRootListsEveryPathAndEachAnswersGetAndHead) {
  const std::string list = body_of(ask("GET /"));
  std::size_t paths = 0;
  for (std::size_t at = list.find("\n/"); at != std::string::npos; at = list.find("\n/", at + 1)) {
    const std::string path = list.substr(at + 1, list.find(' ', at) - at - 1);
    EXPECT_EQ(status_of(ask("GET " + path)), "200") << path;
    EXPECT_EQ(body_of(ask("HEAD " + path)), "") << path;
    const std::string refused = ask("POST " + path);
    EXPECT_EQ(status_of(refused), "405") << path;
    EXPECT_NE(refused.find("Allow: GET, HEAD\r\n"), std::string::npos) << path;
    ++paths;
  }
  EXPECT_EQ(paths, 5u) << list;
}

TEST_F(AdminApiTest, AnotherPathIsA404ThatNamesThose) {
  for (const char* line : {"GET /metric", "GET /metrics/", "POST /x", "OPTIONS *"}) {
    const std::string answer = ask(line);
    EXPECT_EQ(status_of(answer), "404") << line;
    EXPECT_NE(answer.find("\n/health/ready\n"), std::string::npos) << answer;
  }
}

TEST_F(AdminApiTest, AQueryChangesNothing) {
  EXPECT_EQ(status_of(ask("GET /health/live?probe=1")), "200");
}

}  // namespace
}  // namespace weir::admin
