#include "app/process.h"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <fmt/format.h>
#include <latch>
#include <pthread.h>
#include <random>
#include <sys/resource.h>

#include "app/access_log_writer.h"
#include "app/compile.h"
#include "app/control_thread.h"
#include "app/cpus.h"
#include "app/worker_thread.h"
#include "net/listening_socket.h"

namespace weir::app {
namespace {

using Problem = std::unexpected<std::string>;

// Descriptors that are no client's: standard streams, logs, the reactors' own, the admin API's.
constexpr std::uint64_t kDescriptorsReserved = 128;
// One for the client, one for the server.
constexpr std::uint64_t kDescriptorsPerConnection = 2;
constexpr std::size_t kControlBufferBytes = std::size_t{64} << 20;
constexpr std::uint32_t kConnectionsDefaultMax = 1'000'000;

void say(const std::string& line) { fmt::print(stderr, "{}\n", line); }

sigset_t stop_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  return signals;
}

// Raises the limit of open files as far as it goes; gives what it is then.
std::uint64_t raise_descriptor_limit() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  ::getrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur;
}

class Process {
 public:
  explicit Process(const Settings& settings)
      : settings_(settings),
        workers_(settings.workers.count != 0 ? settings.workers.count : count_usable_cpus()),
        registry_(workers_) {}

  // Everything that can fail. Nothing serves yet.
  std::expected<void, std::string> prepare();
  void serve(void (*ready)(const net::Address&));

 private:
  std::expected<std::uint32_t, std::string> connections_per_worker() const;
  std::expected<void, std::string> open_listeners();
  std::expected<void, std::string> open_admin();
  std::expected<void, std::string> make_workers(std::uint32_t connections_max);
  bool all_over() const;
  void stop();

  const Settings& settings_;
  std::uint32_t workers_;
  stats::Registry registry_;
  AccessLogWriter access_log_;
  std::shared_ptr<proxy::Snapshot> snapshot_;
  std::vector<net::ListeningSockets> sockets_;  // by listener
  std::optional<net::ListeningSockets> admin_;
  std::vector<std::unique_ptr<WorkerThread>> threads_;
  std::unique_ptr<ControlThread> control_;
};

std::expected<void, std::string> Process::prepare() {
  const auto connections_max = connections_per_worker();
  if (!connections_max) return Problem(connections_max.error());
  snapshot_ = std::make_shared<proxy::Snapshot>(compile(settings_, registry_));
  for (auto& listener : snapshot_->listeners) {
    if (const auto opened = access_log_.open(*listener); !opened) return opened;
  }
  if (const auto opened = open_listeners(); !opened) return opened;
  if (const auto opened = open_admin(); !opened) return opened;
  return make_workers(*connections_max);
}

std::expected<std::uint32_t, std::string> Process::connections_per_worker() const {
  const std::uint64_t descriptors = raise_descriptor_limit();
  const std::uint64_t own = kDescriptorsReserved + workers_ * (2 + settings_.listeners.size());
  const std::uint64_t left = descriptors > own ? descriptors - own : 0;
  const std::uint64_t possible = left / kDescriptorsPerConnection / workers_;
  if (!settings_.worker_connections) {
    if (possible != 0) {
      return static_cast<std::uint32_t>(std::min<std::uint64_t>(possible, kConnectionsDefaultMax));
    }
    return Problem(
        fmt::format("the limit of open files ({}) is too low for {} workers; raise it "
                    "with 'ulimit -n {}' (systemd: LimitNOFILE=)",
                    descriptors, workers_, own + kDescriptorsPerConnection * workers_));
  }
  const std::uint64_t wanted = *settings_.worker_connections;
  if (wanted <= possible) return static_cast<std::uint32_t>(wanted);
  const std::uint64_t needed = own + kDescriptorsPerConnection * workers_ * wanted;
  return Problem(fmt::format(
      "the limit of open files ({}) is too low for {} workers with worker_connections: {}; raise "
      "it "
      "with 'ulimit -n {}' (systemd: LimitNOFILE={}), or set worker_connections: {} or less",
      descriptors, workers_, wanted, needed, needed, possible));
}

std::expected<void, std::string> Process::open_listeners() {
  for (const auto& listener : snapshot_->listeners) {
    auto opened = net::open_listening_sockets(listener->address, workers_);
    if (!opened) return Problem("listener " + listener->name + ": " + opened.error());
    sockets_.push_back(std::move(*opened));
  }
  return {};
}

// An address that somebody wrote has to be had; without the default one Weir serves all the same.
std::expected<void, std::string> Process::open_admin() {
  const AdminSettings admin = settings_.admin.value_or(AdminSettings());
  auto opened = net::open_listening_sockets(*admin.address, 1);
  if (opened) {
    admin_ = std::move(*opened);
    return {};
  }
  const bool is_written = admin.address.position.line != 0;
  if (is_written) return Problem("admin: " + opened.error());
  say("warning: no admin API: " + opened.error());
  return {};
}

std::expected<void, std::string> Process::make_workers(std::uint32_t connections_max) {
  std::random_device seed;
  for (std::uint32_t index = 0; index < workers_; ++index) {
    auto worker =
        Worker::make(index, settings_.worker_buffers.value, (std::uint64_t{seed()} << 32) | seed());
    if (!worker) {
      return Problem("cannot make a worker: " + std::string(row_of(worker.error().kind).sentence));
    }
    WorkerShare share{.workers = workers_,
                      .connections_max = connections_max,
                      .snapshot = snapshot_,
                      .registry = &registry_,
                      .access_log = &access_log_.add_ring(),
                      .sockets = {}};
    for (std::size_t i = 0; i < sockets_.size(); ++i) {
      share.sockets.push_back({snapshot_->listeners[i].get(), sockets_[i].address.port(),
                               std::move(sockets_[i].sockets[index])});
    }
    threads_.push_back(std::make_unique<WorkerThread>(std::move(*worker), std::move(share)));
  }
  auto worker = Worker::make(workers_, kControlBufferBytes, seed());
  if (!worker) return Problem("cannot make the control thread: no file descriptor is left");
  control_ = std::make_unique<ControlThread>(std::move(*worker), threads_, snapshot_, registry_);
  return {};
}

void Process::serve(void (*ready)(const net::Address&)) {
  std::latch listening(workers_);
  access_log_.start();
  for (auto& thread : threads_) thread->start(listening);
  listening.wait();
  control_->start(admin_ ? std::move(admin_->sockets.front()) : Fd());
  control_->set_ready();
  for (std::size_t i = 0; i < sockets_.size(); ++i) {
    const proxy::Listener& listener = *snapshot_->listeners[i];
    const bool is_http = listener.protocol == proxy::Protocol::http;
    say(fmt::format("listening on {}://{} (listener {})", is_http ? "http" : "tcp",
                    sockets_[i].address.to_string(), listener.name));
  }
  if (admin_) say("admin on http://" + admin_->address.to_string());
  say("ready");
  if (ready != nullptr) ready(sockets_.front().address);
  const sigset_t signals = stop_signals();
  int signal = 0;
  ::sigwait(&signals, &signal);
  stop();
}

bool Process::all_over() const {
  return std::ranges::all_of(threads_, [](const auto& thread) { return thread->is_over(); });
}

void Process::stop() {
  using Clock = std::chrono::steady_clock;
  say(fmt::format(
      "stopping: no new connections; exchanges have {} s to finish",
      std::chrono::duration_cast<std::chrono::seconds>(settings_.timeouts.shutdown).count()));
  control_->begin_shutdown();
  for (auto& thread : threads_) thread->drain();
  const auto cut_at = Clock::now() + settings_.timeouts.shutdown;
  const sigset_t signals = stop_signals();
  bool cut = false;
  while (!all_over()) {
    const timespec pause{.tv_sec = 0, .tv_nsec = 20'000'000};
    const bool told_again = ::sigtimedwait(&signals, nullptr, &pause) > 0;
    if (cut || (!told_again && Clock::now() < cut_at)) continue;
    cut = true;
    say("cutting what is left");
    for (auto& thread : threads_) thread->abort_all();
  }
  control_->stop();
  control_.reset();
  threads_.clear();
  access_log_.stop();
  say("stopped");
}

}  // namespace

int run_process(const Settings& settings, void (*ready)(const net::Address& listener)) {
  const sigset_t signals = stop_signals();
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  Process process(settings);
  if (const auto prepared = process.prepare(); !prepared) {
    say("error: " + prepared.error());
    return 1;
  }
  process.serve(ready);
  return 0;
}

}  // namespace weir::app
