#include "app/process.h"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <fmt/format.h>
#include <random>
#include <sys/resource.h>
#include <sys/stat.h>
#include <tuple>
#include <unistd.h>

#include "app/access_log_writer.h"
#include "app/control_thread.h"
#include "app/cpus.h"
#include "app/live_configuration.h"
#include "app/signals.h"
#include "app/worker_thread.h"
#include "net/listening_socket.h"

namespace weir::app {
namespace {

using Problem = std::unexpected<std::string>;

// Descriptors that are no client's: standard streams, logs, the reactors' own, the admin API's.
constexpr std::uint64_t kDescriptorsReserved = 128;
// One for the client, one for the server.
constexpr std::uint64_t kDescriptorsPerConnection = 2;
constexpr std::uint64_t kDescriptorsPerPipe = 2;
static_assert(kDescriptorsPerPipe == kDescriptorsPerConnection);
// Without worker_pipes.
constexpr std::uint64_t kConnectionsPerPipe = 16;
constexpr std::uint64_t kPipesDefaultMax = 256;
constexpr std::size_t kControlBufferBytes = std::size_t{64} << 20;
constexpr std::uint64_t kConnectionsDefaultMax = 1'000'000;
constexpr Duration kWatchInterval = 1s;
constexpr Duration kForever = 24h;

void say(const std::string& line) { fmt::print(stderr, "{}\n", line); }

// Whether a file has become another one since the last look. A change counts when the file has
// stood still for one look, so that nothing half-written is read.
class FileWatch {
 public:
  explicit FileWatch(std::string path) : path_(std::move(path)), known_(look()), seen_(known_) {}

  bool has_changed() {
    const Look now = look();
    const bool is_settled = now == std::exchange(seen_, now);
    if (!is_settled || now == known_ || now == Look()) return false;
    known_ = now;
    return true;
  }

 private:
  // Inode and time of change catch an editor's rename and a swapped link alike.
  struct Look {
    ino_t inode = 0;
    off_t size = 0;
    std::int64_t changed_ns = 0;
    friend bool operator==(const Look&, const Look&) = default;
  };
  Look look() const {
    struct stat status{};
    if (path_.empty() || ::stat(path_.c_str(), &status) != 0) return {};
    return {status.st_ino, status.st_size,
            std::int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec};
  }

  std::string path_;
  Look known_;
  Look seen_;
};

std::string path_of_unix(const net::Address& address) {
  return address.to_string().substr(std::string_view("unix:").size());
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

// What one worker may have at a time.
struct WorkerShare {
  std::uint32_t connections;
  std::uint32_t pipes;
};

class Process {
 public:
  Process(Signals& signals, const Settings& settings, const RunOptions& options)
      : signals_(signals),
        options_(options),
        watch_(options.watch ? options.file : ""),
        settings_(settings),
        workers_(settings.workers.count != 0 ? settings.workers.count : count_usable_cpus()),
        registry_(workers_),
        shared_(registry_, file_jobs_),
        configuration_(settings, options.file, registry_, access_log_) {}

  // Everything that can fail. Nothing serves yet.
  std::expected<void, std::string> prepare();
  void serve();

 private:
  std::expected<WorkerShare, std::string> share_descriptors() const;
  std::string too_few_descriptors(std::uint64_t descriptors, std::uint64_t needed,
                                  std::uint64_t possible) const;
  std::expected<void, std::string> open_admin();
  std::expected<void, std::string> choose();
  std::expected<void, std::string> make_workers(WorkerShare share);
  void say_where();
  void await_stop_signal();
  void reload();
  bool all_over() const;
  void stop();

  Signals& signals_;
  const RunOptions& options_;
  FileWatch watch_;  // from now on: nothing that happens to the file during the start is missed
  const Settings& settings_;
  std::uint32_t workers_;
  ChosenReactor reactor_;
  stats::Registry registry_;
  Jobs file_jobs_{"weir-files", Jobs::kUnbounded};
  proxy::ProxyShared shared_;
  AccessLogWriter access_log_;
  LiveConfiguration configuration_;
  std::optional<net::ListeningSockets> admin_;
  std::vector<std::unique_ptr<WorkerThread>> threads_;
  std::unique_ptr<ControlThread> control_;
};

std::expected<void, std::string> Process::prepare() {
  const auto share = share_descriptors();
  if (!share) return Problem(share.error());
  if (const auto prepared = configuration_.prepare(); !prepared) return prepared;
  if (const auto opened = open_admin(); !opened) return opened;
  if (const auto chosen = choose(); !chosen) return chosen;
  return make_workers(*share);
}

// Pipes that nobody asked for take what connections leave.
std::expected<WorkerShare, std::string> Process::share_descriptors() const {
  const std::uint64_t descriptors = raise_descriptor_limit();
  std::uint64_t addresses = 0;
  for (const auto& listener : settings_.listeners) addresses += addresses_of(listener).size();
  std::uint64_t pipes = settings_.worker_pipes.value_or(0);
  const std::uint64_t own =
      kDescriptorsReserved + workers_ * (2 + addresses + kDescriptorsPerPipe * pipes);
  const std::uint64_t left = descriptors > own ? descriptors - own : 0;
  std::uint64_t possible = left / kDescriptorsPerConnection / workers_;
  const std::uint64_t wanted = settings_.worker_connections.value_or(1);
  if (possible < wanted) {
    const std::uint64_t needed = own + kDescriptorsPerConnection * workers_ * wanted;
    return Problem(too_few_descriptors(descriptors, needed, possible));
  }
  if (!settings_.worker_pipes) {
    pipes = std::min({possible / kConnectionsPerPipe, kPipesDefaultMax, possible - wanted});
    possible -= pipes;
  }
  const std::uint64_t connections =
      settings_.worker_connections ? wanted : std::min(possible, kConnectionsDefaultMax);
  return WorkerShare{static_cast<std::uint32_t>(connections), static_cast<std::uint32_t>(pipes)};
}

std::string Process::too_few_descriptors(std::uint64_t descriptors, std::uint64_t needed,
                                         std::uint64_t possible) const {
  const auto& [connections, pipes] = std::tie(settings_.worker_connections, settings_.worker_pipes);
  std::string with;
  if (connections) with += fmt::format(" with worker_connections: {}", *connections);
  if (pipes) with += fmt::format(" {} worker_pipes: {}", connections ? "and" : "with", *pipes);
  std::string remedy;
  if (possible != 0) remedy = fmt::format(", or set worker_connections: {} or less", possible);
  return fmt::format(
      "the limit of open files ({}) is too low for {} workers{}; raise it with 'ulimit -n {}' "
      "(systemd: LimitNOFILE={}){}",
      descriptors, workers_, with, needed, needed, remedy);
}

// An address that somebody wrote has to be had; without the default one Weir serves all the same.
std::expected<void, std::string> Process::open_admin() {
  const AdminSettings admin = settings_.admin.value_or(AdminSettings());
  auto opened = net::open_listening_sockets(*admin.address, 1);
  if (opened) {
    admin_ = std::move(*opened);
    if (admin.address->is_unix()) ::chmod(path_of_unix(*admin.address).c_str(), admin.mode.bits);
    return {};
  }
  const bool is_written = admin.address.position.line != 0;
  if (is_written) return Problem("admin: " + opened.error());
  say("warning: no admin API: " + opened.error());
  return {};
}

std::expected<void, std::string> Process::choose() {
  auto chosen = choose_reactor(options_.reactor);
  if (!chosen) return Problem(chosen.error());
  reactor_ = std::move(*chosen);
  return {};
}

std::expected<void, std::string> Process::make_workers(WorkerShare share) {
  std::random_device seed;
  for (std::uint32_t index = 0; index < workers_; ++index) {
    auto worker = Worker::make(reactor_.kind, index, settings_.worker_buffers.value,
                               (std::uint64_t{seed()} << 32) | seed());
    if (!worker) {
      return Problem("cannot make a worker: " + std::string(row_of(worker.error().kind).sentence));
    }
    (*worker)->pipes().set_max(share.pipes);
    threads_.push_back(std::make_unique<WorkerThread>(std::move(*worker), shared_,
                                                      access_log_.add_ring(), share.connections));
  }
  auto worker = Worker::make(reactor_.kind, workers_, kControlBufferBytes, seed());
  if (!worker) return Problem("cannot make the control thread: no file descriptor is left");
  control_ =
      std::make_unique<ControlThread>(std::move(*worker), threads_, configuration_, registry_);
  return {};
}

void Process::serve() {
  access_log_.start();
  for (auto& thread : threads_) thread->start();
  control_->start(reactor_.kind);
  configuration_.serve(threads_, &control_->resolver());
  if (admin_) control_->serve(std::move(admin_->sockets.front()));
  control_->set_ready();
  say_where();
  await_stop_signal();
  stop();
}

void Process::say_where() {
  for (const admin::ListenerState& listener : configuration_.listeners()) {
    for (const std::string& address : listener.addresses) {
      say(fmt::format("listening on {}://{} (listener {})", listener.protocol, address,
                      listener.name));
    }
  }
  if (admin_) say("admin on http://" + admin_->address.to_string());
  say(fmt::format("reactor {}{}{}", name_of(reactor_.kind), reactor_.why.empty() ? "" : ": ",
                  reactor_.why));
  say("ready");
  if (options_.ready != nullptr) options_.ready(configuration_.first_address());
}

void Process::await_stop_signal() {
  using Request = Signals::Request;
  for (;;) {
    const Request request = signals_.await(options_.watch ? kWatchInterval : kForever);
    if (request == Request::stop) return;
    if (request == Request::reload || watch_.has_changed()) reload();
  }
}

void Process::reload() {
  const auto report = configuration_.reload();
  if (!report) {
    return say("reload refused, nothing has changed: " + report.error().message);
  }
  for (const std::string& change : report->changes) say("reload: " + change);
  for (const std::string& warning : report->warnings) say("warning: " + warning);
  say(fmt::format("reloaded: {} changes", report->changes.size()));
}

bool Process::all_over() const {
  return std::ranges::all_of(threads_, [](const auto& thread) { return thread->is_over(); });
}

void Process::stop() {
  using Clock = std::chrono::steady_clock;
  control_->begin_shutdown();
  configuration_.close();
  const Duration shutdown = configuration_.shutdown_timeout();
  say(fmt::format("stopping: no new connections; exchanges have {} s to finish",
                  std::chrono::duration_cast<std::chrono::seconds>(shutdown).count()));
  for (auto& thread : threads_) thread->drain();
  const auto cut_at = Clock::now() + shutdown;
  bool cut = false;
  while (!all_over()) {
    const bool told_again = signals_.await(20ms) == Signals::Request::stop;
    if (cut || (!told_again && Clock::now() < cut_at)) continue;
    cut = true;
    say("cutting what is left");
    for (auto& thread : threads_) thread->abort_all();
  }
  control_->stop();
  control_.reset();
  file_jobs_.stop();  // its last job may still be waking the worker that has ended
  threads_.clear();
  access_log_.stop();
  if (admin_ && admin_->address.is_unix()) ::unlink(path_of_unix(admin_->address).c_str());
  say("stopped");
}

}  // namespace

int run_process(const Settings& settings, const RunOptions& options) {
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);  // a log at the limit of its size is a full one
  // Before any other thread: they shall have these signals blocked.
  Signals signals;
  Process process(signals, settings, options);
  if (const auto prepared = process.prepare(); !prepared) {
    say("error: " + prepared.error());
    return 1;
  }
  process.serve();
  return 0;
}

}  // namespace weir::app
