#include "backend/load_watch.h"

#include "backend/load_poll.h"

namespace weir::backend {
namespace {

// Servers that are looked at before others have their turn.
constexpr std::size_t kServersATurn = 256;

}  // namespace

// A server that reports its load.
class LoadWatch::Polled final : public Link, public std::enable_shared_from_this<Polled> {
 public:
  Polled(LoadWatch& watch, std::shared_ptr<Server> server)
      : server_(std::move(server)), alarm_(watch, *this) {}

  // Of the generation in force.
  void follow(std::shared_ptr<Backend> backend, balance::ServerIndex index) noexcept {
    backend_ = std::move(backend);
    index_ = index;
  }
  // Is not followed any more; a poll under way runs to its end.
  void retire() noexcept {
    backend_ = nullptr;
    unlink();
    alarm_.disarm();
  }
  void cancel() noexcept { slot_.cancel(make_error(ErrorKind::shutting_down, Side::weir)); }
  bool is_retired() const noexcept { return backend_ == nullptr; }

  const LoadReportSettings& settings() const noexcept { return *backend_->settings().load_report; }
  net::CancelSlot& slot() noexcept { return slot_; }
  Server& server() noexcept { return *server_; }

  // nullopt: the server has no address at present.
  std::optional<LoadQuestion> make_question(TimePoint now) const;
  void take(const LoadAnswer& answer, TimePoint now);
  void ask_at(Timers& timers, TimePoint time) noexcept { alarm_.arm(timers, time); }

  // What counts at `now`.
  ReportedLoad reported(TimePoint now) const {
    return now - reported_at_ <= settings().expire ? reported_ : ReportedLoad();
  }

 private:
  struct Alarm : Timer {
    Alarm(LoadWatch& owner, Polled& told) noexcept
        : Timer([](Timer& self) noexcept {
            auto& alarm = static_cast<Alarm&>(self);
            alarm.watch.due_.push_back(alarm.polled);
            alarm.watch.ask_next();
          }),
          watch(owner),
          polled(told) {}
    LoadWatch& watch;
    Polled& polled;
  };

  std::shared_ptr<Server> server_;
  std::shared_ptr<Backend> backend_;
  balance::ServerIndex index_ = balance::ServerIndex::none;
  ReportedLoad reported_;
  TimePoint reported_at_;
  net::CancelSlot slot_;
  Alarm alarm_;
};

std::optional<LoadQuestion> LoadWatch::Polled::make_question(TimePoint now) const {
  const auto candidates = backend_->candidates();
  const auto& addresses = candidates->addresses[balance::to_number(index_)]->list;
  if (addresses.empty()) return std::nullopt;
  LoadQuestion question{.address = addresses.front(),
                        .authority = server_->authority(),
                        .path = *settings().path,
                        .due = now + settings().timeout};
  if (settings().port && !question.address.is_unix()) question.address.set_port(*settings().port);
  return question;
}

void LoadWatch::Polled::take(const LoadAnswer& answer, TimePoint now) {
  if (is_retired()) return;
  const auto parsed = parse_load_report(answer.body, settings());
  if (!parsed || parsed->ignored != 0) server_->load_report_failures().add();
  if (!parsed) return;
  reported_ = {.report = parsed->report, .round_trip_ms = answer.round_trip_ms};
  reported_at_ = now;
}

LoadWatch::~LoadWatch() { WEIR_ASSERT(scope_.running() == 0); }

void LoadWatch::follow(std::span<const std::shared_ptr<Backend>> backends) {
  if (is_stopped_) return;
  std::map<std::string, std::unique_ptr<LoadMeter>> meters;
  std::map<const Server*, std::shared_ptr<Polled>> polled;
  for (const std::shared_ptr<Backend>& backend : backends) {
    if (backend->scores().empty()) continue;
    auto known = meters_.extract(backend->name());
    if (known && known.mapped()->backend() == backend) {
      meters.insert(std::move(known));
    } else {
      meters.emplace(backend->name(),
                     std::make_unique<LoadMeter>(backend, known ? known.mapped().get() : nullptr));
    }
    if (backend->settings().load_report) follow_servers(backend, polled);
  }
  meters_ = std::move(meters);
  polled_.swap(polled);
  for (const auto& [server, gone] : polled) gone->retire();
  ask_next();
}

// Takes those that are known out of polled_.
void LoadWatch::follow_servers(const std::shared_ptr<Backend>& backend,
                               std::map<const Server*, std::shared_ptr<Polled>>& polled) {
  for (std::size_t i = 0; i < backend->size(); ++i) {
    const std::shared_ptr<Server>& server = backend->servers()[i];
    const auto known = polled_.extract(server.get());
    auto& followed = polled[server.get()];
    if (known) {
      followed = std::move(known.mapped());
    } else {
      followed = std::make_shared<Polled>(*this, server);
      due_.push_back(*followed);
    }
    followed->follow(backend, balance::to_server(i));
  }
}

void LoadWatch::ask_next() {
  while (!due_.is_empty() && polling_ < kPollsMax) {
    ++polling_;
    scope_.spawn(&poll, std::ref(*this), due_.pop_front().shared_from_this());
  }
}

Task<void> LoadWatch::poll(LoadWatch& watch, std::shared_ptr<Polled> polled) {
  co_await watch.worker_.yield();  // a poll must not end within ask_next(), which its end calls
  const TimePoint begun = watch.worker_.now();
  const auto question = polled->is_retired() ? std::nullopt : polled->make_question(begun);
  if (question) {
    const auto answer = co_await ask_for_load(watch.worker_, *question, polled->slot());
    if (answer) {
      polled->take(*answer, watch.worker_.now());
    } else if (!polled->slot().is_canceled()) {
      polled->server().load_report_failures().add();
    }
  }
  if (!polled->is_retired()) {
    polled->ask_at(watch.worker_.timers(), begun + polled->settings().interval);
  }
  --watch.polling_;
  watch.ask_next();
}

ReportedLoad LoadWatch::reported_by(const Server& server) const {
  const auto found = polled_.find(&server);
  return found == polled_.end() ? ReportedLoad() : found->second->reported(worker_.now());
}

Task<void> LoadWatch::measure() {
  std::size_t looked_at = 0;
  if (is_stopped_) co_return;
  for (const auto& [name, meter] : meters_) {
    const Backend& backend = *meter->backend();
    for (std::size_t i = 0; i < backend.size(); ++i) {
      const balance::ServerIndex server = balance::to_server(i);
      meter->read(server, reported_by(backend.server(server)), worker_.now());
      if (++looked_at % kServersATurn != 0) continue;
      co_await worker_.yield();
      if (is_stopped_) co_return;
    }
    meter->publish(worker_.now());
  }
}

void LoadWatch::stop() noexcept {
  is_stopped_ = true;
  for (const auto& [server, polled] : polled_) {
    polled->retire();
    polled->cancel();
  }
}

}  // namespace weir::backend
