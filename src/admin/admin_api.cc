#include "admin/admin_api.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>

#include "admin/api_calls.h"

namespace weir::admin {
namespace {

HttpAnswer text(std::uint16_t status, std::string_view line) {
  HttpAnswer answer;
  answer.status = status;
  answer.body.append(line).append("\n");
  return answer;
}

// Takes as long as there are objects.
class MetricsJob final : public AwaitedJob {
 public:
  explicit MetricsJob(const ProcessView& process) noexcept : process_(process) {}

  void run() noexcept override {
    std::vector<stats::Sample> samples;
    process_.append_samples(samples);
    stats::render_prometheus(process_.registry(), samples, page_);
  }
  std::string take_page() noexcept { return std::move(page_); }

 private:
  const ProcessView& process_;
  std::string page_;
};

class CallJob final : public AwaitedJob {
 public:
  CallJob(Operations& operations, const HttpRequest& request) noexcept
      : operations_(operations), request_(request) {}

  void run() noexcept override { answer_ = answer_api_call(operations_, request_); }
  HttpAnswer take_answer() noexcept { return std::move(answer_); }

 private:
  Operations& operations_;
  const HttpRequest& request_;
  HttpAnswer answer_;
};

}  // namespace

struct AdminApi::Route {
  std::string_view path;
  std::string_view says;
  Task<HttpAnswer> (AdminApi::*answer)();
};

std::span<const AdminApi::Route> AdminApi::routes() noexcept {
  static constexpr std::array kRoutes = {
      Route{"/", "this list", &AdminApi::answer_index},
      Route{"/health", "200: the process answers", &AdminApi::answer_health},
      Route{"/health/live", "200, or 503 and the reason: every worker turns its loop",
            &AdminApi::answer_live},
      Route{"/health/ready", "200, or 503 and the reason: every listener accepts, no shutdown yet",
            &AdminApi::answer_ready},
      Route{"/metrics", "all metrics, as Prometheus reads them", &AdminApi::answer_metrics},
  };
  return kRoutes;
}

Task<HttpAnswer> AdminApi::answer(const HttpRequest& request) {
  if (request.head.path.starts_with(kApiPrefix)) co_return co_await answer_call(request);
  const auto route = std::ranges::find(routes(), request.head.path, &Route::path);
  if (route == routes().end()) {
    HttpAnswer unknown = text(404, fmt::format("no {} here; there is:", request.head.path));
    for (const Route& known : routes()) unknown.body.append(known.path).append("\n");
    co_return unknown;
  }
  if (request.head.method != http::Method::get && request.head.method != http::Method::head) {
    HttpAnswer refused = text(405, fmt::format("{} takes GET and HEAD", request.head.path));
    refused.fields.push_back({"Allow", "GET, HEAD"});
    co_return refused;
  }
  co_return co_await (this->*route->answer)();
}

Task<HttpAnswer> AdminApi::answer_call(const HttpRequest& request) {
  CallJob job(operations_, request);
  const Result<void> done = co_await jobs_.run(control_, job);
  if (done) co_return job.take_answer();
  const ErrorKindRow& row = row_of(done.error().kind);
  Refusal refusal{503, std::string(row.word), std::string(row.sentence)};
  co_return make_answer(refusal);
}

Task<HttpAnswer> AdminApi::answer_index() {
  HttpAnswer answer = text(200, "Weir's admin API:");
  for (const Route& route : routes()) {
    fmt::format_to(std::back_inserter(answer.body), "{:<15} {}\n", route.path, route.says);
  }
  append_api_index(answer.body);
  co_return answer;
}

Task<HttpAnswer> AdminApi::answer_health() { co_return text(200, "ok"); }

Task<HttpAnswer> AdminApi::answer_live() {
  const std::optional<std::string> stuck = process_.stuck();
  co_return stuck ? text(503, *stuck) : text(200, "ok");
}

Task<HttpAnswer> AdminApi::answer_ready() {
  co_return process_.is_ready() ? text(200, "ok") : text(503, process_.not_ready_reason());
}

Task<HttpAnswer> AdminApi::answer_metrics() {
  MetricsJob job(process_);
  const Result<void> done = co_await jobs_.run(control_, job);
  if (!done) {
    co_return text(503, fmt::format("no metrics now: {}", row_of(done.error().kind).word));
  }
  HttpAnswer answer;
  answer.content_type = stats::kPrometheusContentType;
  answer.body = job.take_page();
  co_return answer;
}

}  // namespace weir::admin
