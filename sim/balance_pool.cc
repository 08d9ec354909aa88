#include "sim/balance_pool.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <deque>
#include <fmt/format.h>
#include <limits>
#include <memory>
#include <numbers>
#include <queue>
#include <string>

#include "balance/readings.h"
#include "base/hash.h"
#include "base/random.h"

namespace weir::sim {
namespace {

using balance::ServerIndex;
using balance::to_number;
using balance::to_server;
using Milliseconds = std::chrono::duration<double, std::milli>;
using std::chrono::seconds;

constexpr std::size_t kSlots = 4;
constexpr Duration kServiceTime = std::chrono::milliseconds(20);  // mean, at speed 1
constexpr Duration kPatience = 100 * kServiceTime;
constexpr Duration kTick = seconds(1);
constexpr std::uint32_t kFlapTicks = 10;
constexpr std::uint32_t kDownTicks = 2;
// Poisson arrivals see time averages.
constexpr std::uint32_t kArrivalsPerSample = 64;

// Of the lognormal distribution of work: a percent of the requests brings over 6 times the mean.
constexpr double kWorkSigma = 1;
constexpr double kMegabitsPerWork = 0.8;

// Keys are as popular as Web pages are to a proxy (Breslau et al. 1999: exponents 0.64 to 0.83).
constexpr std::size_t kKeys = 10'000;
constexpr double kKeyExponent = 0.8;

double uniform(Random& random) { return static_cast<double>((random.next() >> 11) + 1) * 0x1p-53; }

double exponential(Random& random) { return -std::log(uniform(random)); }

// Mean 1.
double lognormal(Random& random) {
  const double radius = std::sqrt(-2 * std::log(uniform(random)));
  const double normal = radius * std::cos(2 * std::numbers::pi * uniform(random));
  return std::exp((kWorkSigma * normal) - (kWorkSigma * kWorkSigma / 2));
}

Duration to_duration(double service_times) {
  return std::chrono::round<Duration>(service_times * std::chrono::duration<double>(kServiceTime));
}

class ZipfKeys {
 public:
  ZipfKeys() {
    double sum = 0;
    for (std::size_t rank = 1; rank <= kKeys; ++rank) {
      sum += std::pow(static_cast<double>(rank), -kKeyExponent);
      ends_.push_back(sum);
    }
  }
  std::uint64_t draw_hash(Random& random) const {
    const auto drawn = std::ranges::lower_bound(ends_, uniform(random) * ends_.back());
    return mix64(static_cast<std::uint64_t>(drawn - ends_.begin()));
  }

 private:
  std::vector<double> ends_;
};

using RequestIndex = std::uint32_t;

struct Request {
  TimePoint arrived = {};
  TimePoint leased = {};
  double work = 0;
  std::uint64_t hash = 0;
  std::uint64_t attempt = 0;  // of all attempts, so that events of another one are told apart
  std::uint16_t worker = 0;
  ServerIndex server = ServerIndex::none;  // none: it waits in Weir
  bool is_served = false;
  bool is_measured = false;
};

// Something that happens to a request unless its attempt has ended before.
struct Event {
  TimePoint at;
  std::uint64_t attempt = 0;
  RequestIndex request = 0;

  bool operator>(const Event& other) const noexcept {
    return at != other.at ? at > other.at : attempt > other.attempt;
  }
};

struct SimulatedServer {
  double speed = 1;
  std::vector<RequestIndex> served = {};  // at most kSlots
  std::deque<RequestIndex> waiting = {};
  std::uint64_t picks = 0;
  // Since the last tick, for its report.
  Duration busy = {};  // of all slots, up to `accounted`
  double work = 0;
  Duration response_times = {};
  std::uint32_t ended = 0;
  std::uint32_t failed = 0;
  TimePoint accounted = {};
  std::optional<double> response_ms = {};  // of the last second in which it answered

  // Before `served` changes.
  void account(TimePoint now) {
    busy += (now - accounted) * static_cast<std::int64_t>(served.size());
    accounted = now;
  }
};

class Pool {
 public:
  explicit Pool(const PoolOptions& options);
  PoolResult run();

 private:
  TimePoint next_event() const noexcept;
  void arrive();
  void dispatch(RequestIndex request);
  void serve(RequestIndex request);
  void complete(const Event& event);
  void give_up(const Event& event);
  enum class Outcome : std::uint8_t { answered, failed };
  void release(RequestIndex request, Outcome outcome);
  void end(RequestIndex request, Outcome outcome);
  void dispatch_waiting();
  void tick();
  void set_flapping(std::uint32_t tick);
  void fail_all(ServerIndex server);
  void make_scores();
  balance::ServerReadings read(ServerIndex server);
  void sample();
  PoolResult result();

  SimulatedServer& at(ServerIndex server) { return servers_[to_number(server)]; }
  balance::State& state_of(const Request& request) { return *states_[request.worker]; }

  const PoolOptions& options_;
  std::unique_ptr<const balance::Picker> picker_;
  std::unique_ptr<balance::Scorer> scorer_;
  std::vector<std::string> names_;
  std::vector<balance::ServerSpec> specs_;
  balance::ServerSet candidates_;
  balance::ServerSet full_;
  std::unique_ptr<const balance::Table> table_;
  std::vector<std::unique_ptr<balance::State>> states_;
  std::vector<std::atomic<std::uint32_t>> leases_;
  std::vector<const std::atomic<std::uint32_t>*> counters_;
  std::vector<std::atomic<float>> scores_;
  std::vector<SimulatedServer> servers_;

  ZipfKeys keys_;
  Random arrivals_;
  Random works_;
  Random chance_;
  Random picks_;
  Duration interval_{};  // between arrivals, mean

  TimePoint now_{};
  TimePoint next_arrival_{};
  TimePoint next_tick_{};
  std::uint32_t ticks_ = 0;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> completions_;
  std::deque<Event> patience_;  // in order: all wait equally long
  std::deque<RequestIndex> waiting_;
  std::vector<Request> requests_;
  std::vector<RequestIndex> free_;
  std::uint32_t arrived_ = 0;
  std::uint64_t attempts_ = 0;

  PoolResult result_;
  std::vector<float> response_times_;
  std::uint64_t failed_ = 0;
  std::uint64_t samples_ = 0;
};

Pool::Pool(const PoolOptions& options)
    : options_(options),
      picker_(balance::make_picker(options.settings)),
      scorer_(balance::make_scorer(options.settings)),
      candidates_(balance::ServerSet::all(options.servers.size())),
      full_(options.servers.size()),
      leases_(options.servers.size()),
      scores_(options.servers.size()),
      arrivals_(options.seed),
      works_(options.seed + 1),
      chance_(options.seed + 2),
      picks_(options.seed + 3) {
  for (std::size_t i = 0; i < options.servers.size(); ++i) {
    names_.push_back(fmt::format("server-{}", i));
  }
  double speed_sum = 0;
  for (std::size_t i = 0; i < options.servers.size(); ++i) {
    const PooledServer& server = options.servers[i];
    specs_.push_back({.weight = server.weight, .name = names_[i], .address = names_[i]});
    servers_.push_back({.speed = server.speed});
    counters_.push_back(&leases_[i]);
    scores_[i] = std::numeric_limits<float>::quiet_NaN();
    const double up = options.flapping == i ? 1 - (double{kDownTicks} / kFlapTicks) : 1;
    speed_sum += server.speed * up;
  }
  table_ = picker_->build(specs_, candidates_);
  for (std::uint16_t worker = 0; worker < options.workers; ++worker) {
    states_.push_back(picker_->start(*table_, balance::WorkerIndex{worker}, options.workers));
  }
  interval_ = to_duration(1 / (options.load * speed_sum * kSlots));
  response_times_.reserve(options.requests);
}

TimePoint Pool::next_event() const noexcept {
  TimePoint next = std::min(next_tick_, next_arrival_);
  if (!completions_.empty()) next = std::min(next, completions_.top().at);
  if (!patience_.empty()) next = std::min(next, patience_.front().at);
  return next;
}

PoolResult Pool::run() {
  while (result_.ended < options_.requests) {
    now_ = next_event();
    if (next_tick_ == now_) {
      tick();
    } else if (!completions_.empty() && completions_.top().at == now_) {
      const Event event = completions_.top();
      completions_.pop();
      complete(event);
    } else if (!patience_.empty() && patience_.front().at == now_) {
      const Event event = patience_.front();
      patience_.pop_front();
      give_up(event);
    } else {
      arrive();
    }
  }
  return result();
}

void Pool::arrive() {
  if (arrived_ % kArrivalsPerSample == 0) sample();
  if (free_.empty()) {
    free_.push_back(static_cast<RequestIndex>(requests_.size()));
    requests_.emplace_back();
  }
  const RequestIndex index = free_.back();
  free_.pop_back();
  requests_[index] = {.arrived = now_,
                      .work = lognormal(works_),
                      .hash = keys_.draw_hash(chance_),
                      .worker = static_cast<std::uint16_t>(chance_.below(options_.workers)),
                      .is_measured = arrived_ >= options_.requests / 10};
  ++arrived_;
  const double gap = exponential(arrivals_) * static_cast<double>(interval_.count());
  next_arrival_ =
      arrived_ < options_.requests ? now_ + Duration(1 + static_cast<std::int64_t>(gap)) : kNever;
  dispatch(index);
}

// Picks a server, or has the request wait in Weir.
void Pool::dispatch(RequestIndex index) {
  Request& request = requests_[index];
  const ServerIndex server = picker_->pick(*table_, state_of(request),
                                           {.excluded = options_.leases_max > 0 ? &full_ : nullptr,
                                            .leases = counters_,
                                            .scores = scores_,
                                            .hash = request.hash,
                                            .random = picks_.next(),
                                            .now = now_});
  request.attempt = ++attempts_;
  request.server = server;
  request.is_served = false;
  if (server == ServerIndex::none) {
    waiting_.push_back(index);
    patience_.push_back({.at = now_ + kPatience, .attempt = request.attempt, .request = index});
    return;
  }
  request.leased = now_;
  const std::uint32_t leases = ++leases_[to_number(server)];
  if (leases == options_.leases_max) full_.insert(server);
  picker_->on_lease(*table_, state_of(request), server, now_);
  ++at(server).picks;
  if (at(server).served.size() < kSlots) {
    serve(index);
    return;
  }
  at(server).waiting.push_back(index);
  patience_.push_back({.at = now_ + kPatience, .attempt = request.attempt, .request = index});
}

void Pool::serve(RequestIndex index) {
  Request& request = requests_[index];
  SimulatedServer& server = at(request.server);
  request.is_served = true;
  server.account(now_);
  server.served.push_back(index);
  const Duration takes = to_duration(request.work / server.speed);
  completions_.push({.at = now_ + takes, .attempt = request.attempt, .request = index});
}

void Pool::complete(const Event& event) {
  const Request& request = requests_[event.request];
  if (request.attempt != event.attempt) return;
  SimulatedServer& server = at(request.server);
  server.work += request.work;
  server.account(now_);
  std::erase(server.served, event.request);
  picker_->on_response(*table_, state_of(request), request.server, now_ - request.leased, now_);
  release(event.request, Outcome::answered);
  if (!server.waiting.empty()) {
    const RequestIndex next = server.waiting.front();
    server.waiting.pop_front();
    serve(next);
  }
  end(event.request, Outcome::answered);
  dispatch_waiting();
}

void Pool::give_up(const Event& event) {
  const Request& request = requests_[event.request];
  if (request.attempt != event.attempt || request.is_served) return;
  // Whoever has lost patience has waited longest.
  std::deque<RequestIndex>& queue =
      request.server == ServerIndex::none ? waiting_ : at(request.server).waiting;
  WEIR_ASSERT(queue.front() == event.request);
  queue.pop_front();
  const bool had_lease = request.server != ServerIndex::none;
  if (had_lease) release(event.request, Outcome::failed);
  end(event.request, Outcome::failed);
  if (had_lease) dispatch_waiting();
}

void Pool::release(RequestIndex index, Outcome outcome) {
  const Request& request = requests_[index];
  SimulatedServer& server = at(request.server);
  const Duration lasted = now_ - request.leased;
  const bool has_failed = outcome == Outcome::failed;
  --leases_[to_number(request.server)];
  full_.erase(request.server);
  picker_->on_release(
      *table_, state_of(request), request.server,
      {.lasted = lasted,
       .outcome = has_failed ? balance::AttemptOutcome::failed : balance::AttemptOutcome::whole},
      now_);
  ++server.ended;
  server.response_times += lasted;
  if (has_failed) ++server.failed;
}

void Pool::end(RequestIndex index, Outcome outcome) {
  Request& request = requests_[index];
  request.attempt = 0;
  ++result_.ended;
  if (request.is_measured) {
    const double took = Milliseconds(now_ - request.arrived) / Milliseconds(kServiceTime);
    response_times_.push_back(static_cast<float>(took));
    if (outcome == Outcome::failed) ++failed_;
  }
  free_.push_back(index);
}

// After a release, so that there is a server for it.
void Pool::dispatch_waiting() {
  if (waiting_.empty()) return;
  const RequestIndex next = waiting_.front();
  waiting_.pop_front();
  dispatch(next);
}

void Pool::tick() {
  next_tick_ = now_ + kTick;
  if (options_.flapping) set_flapping(ticks_ % kFlapTicks);
  if (scorer_ && ticks_ > 0) make_scores();
  ++ticks_;
}

void Pool::set_flapping(std::uint32_t tick) {
  const ServerIndex server = to_server(*options_.flapping);
  if (tick == kFlapTicks - kDownTicks) {
    candidates_.erase(server);
  } else if (tick == 0 && !candidates_.contains(server)) {
    candidates_.insert(server);
  } else {
    return;
  }
  table_ = picker_->build(specs_, candidates_);
  if (!candidates_.contains(server)) fail_all(server);
}

void Pool::fail_all(ServerIndex server) {
  at(server).account(now_);
  std::vector<RequestIndex> lost = std::move(at(server).served);
  lost.insert(lost.end(), at(server).waiting.begin(), at(server).waiting.end());
  at(server).served.clear();
  at(server).waiting.clear();
  for (const RequestIndex request : lost) {
    release(request, Outcome::failed);
    dispatch(request);
  }
}

void Pool::make_scores() {
  std::vector<balance::ServerReadings> readings;
  for (std::size_t i = 0; i < servers_.size(); ++i) readings.push_back(read(to_server(i)));
  std::vector<float> scores(servers_.size());
  scorer_->score(readings, now_, scores);
  std::ranges::copy(scores, scores_.begin());
}

// What it did in the last second.
balance::ServerReadings Pool::read(ServerIndex index) {
  SimulatedServer& server = at(index);
  server.account(now_);
  if (server.ended > 0) {
    server.response_ms = Milliseconds(server.response_times).count() / server.ended;
  }
  const double busy = Milliseconds(server.busy) / Milliseconds(kTick * kSlots);
  const balance::ServerReadings readings{
      .cpu = 100 * std::min(busy, 1.0),
      .queue = static_cast<double>(server.waiting.size()),
      .response_ms = server.response_ms,
      .connections = static_cast<double>(leases_[to_number(index)]),
      .mbps = server.work * kMegabitsPerWork,
      .error_share = server.ended == 0 ? 0 : double(server.failed) / server.ended};
  server.busy = Duration::zero();
  server.work = 0;
  server.response_times = Duration::zero();
  server.ended = 0;
  server.failed = 0;
  return readings;
}

void Pool::sample() {
  double leases_sum = 0;
  double members_weight = 0;
  for (std::size_t i = 0; i < leases_.size(); ++i) {
    leases_sum += leases_[i];
    if (candidates_.contains(to_server(i))) members_weight += specs_[i].weight;
  }
  if (leases_sum == 0 || arrived_ < options_.requests / 10) return;
  double fullest = 0;
  double excess = 0;
  double distance = 0;
  for (std::size_t i = 0; i < leases_.size(); ++i) {
    if (!candidates_.contains(to_server(i))) continue;
    const double fair = leases_sum * specs_[i].weight / members_weight;
    fullest = std::max(fullest, leases_[i] / fair);
    excess = std::max(excess, leases_[i] - fair);
    distance += std::abs(leases_[i] - fair);
  }
  result_.imbalance += fullest;
  result_.excess += excess;
  result_.excess_max = std::max(result_.excess_max, excess);
  result_.distance += distance / static_cast<double>(leases_.size());
  ++samples_;
}

PoolResult Pool::result() {
  const auto quantile = [this](double share) {
    const auto place =
        static_cast<std::size_t>(share * static_cast<double>(response_times_.size()));
    std::ranges::nth_element(response_times_, response_times_.begin() + place);
    return response_times_[place];
  };
  PoolResult result = std::move(result_);
  result.p50 = quantile(0.5);
  result.p99 = quantile(0.99);
  result.p999 = quantile(0.999);
  result.failed = static_cast<double>(failed_) / static_cast<double>(response_times_.size());
  const auto samples = static_cast<double>(std::max<std::uint64_t>(samples_, 1));
  result.imbalance /= samples;
  result.excess /= samples;
  result.distance /= samples;
  for (const SimulatedServer& server : servers_) {
    result.shares.push_back(static_cast<double>(server.picks) / static_cast<double>(attempts_));
  }
  return result;
}

}  // namespace

PoolResult simulate_pool(const PoolOptions& options) { return Pool(options).run(); }

}  // namespace weir::sim
