#pragma once
// AdminApi: what a running Weir tells those who operate it, and what they can change: health for
// orchestrators, metrics for Prometheus, and the calls of api_calls.h.

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "admin/http_service.h"
#include "admin/operations.h"
#include "runtime/jobs.h"
#include "stats/prometheus.h"

namespace weir::admin {

// What the admin API asks the process. The control thread, where nothing else is said.
class ProcessView {
 public:
  // Every listener accepts and no shutdown has begun.
  virtual bool is_ready() const = 0;
  // Why not, for a person.
  virtual std::string not_ready_reason() const = 0;
  // Names a worker that has not turned its loop for 5 s; nullopt: all do.
  virtual std::optional<std::string> stuck() const = 0;
  // Any thread.
  virtual const stats::Registry& registry() const = 0;
  // The values that are no cells. Any thread.
  virtual void append_samples(std::vector<stats::Sample>& samples) const = 0;

 protected:
  ~ProcessView() = default;
};

class AdminApi final : public HttpHandler {
 public:
  // All must outlive the API, which belongs to the control thread.
  AdminApi(Worker& control, Jobs& jobs, const ProcessView& process, Operations& operations) noexcept
      : control_(control), jobs_(jobs), process_(process), operations_(operations) {}

  Task<HttpAnswer> answer(const HttpRequest& request) override;

 private:
  struct Route;
  static std::span<const Route> routes() noexcept;

  Task<HttpAnswer> answer_call(const HttpRequest& request);
  Task<HttpAnswer> answer_index();
  Task<HttpAnswer> answer_health();
  Task<HttpAnswer> answer_live();
  Task<HttpAnswer> answer_ready();
  Task<HttpAnswer> answer_metrics();

  Worker& control_;
  Jobs& jobs_;
  const ProcessView& process_;
  Operations& operations_;
};

}  // namespace weir::admin
