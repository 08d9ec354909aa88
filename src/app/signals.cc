#include "app/signals.h"

#include <csignal>
#include <cstdio>
#include <fmt/format.h>
#include <pthread.h>
#include <unistd.h>
#include <utility>

namespace weir::app {
namespace {

constexpr timespec kEndWithin{.tv_sec = 3, .tv_nsec = 0};

sigset_t stop_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  return signals;
}

sigset_t all_signals() {
  sigset_t signals = stop_signals();
  sigaddset(&signals, SIGHUP);
  return signals;
}

}  // namespace

void Signals::block() {
  const sigset_t signals = all_signals();
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

Signals::Signals() {
  block();
  thread_ = std::thread([this] { run(); });
}

Signals::~Signals() {
  over_.store(true);
  ::pthread_kill(thread_.native_handle(), SIGINT);
  thread_.join();
}

Signals::Request Signals::await(Duration timeout) {
  std::unique_lock lock(mutex_);
  told_.wait_for(lock, timeout, [this] { return stops_ != 0 || reload_; });
  if (stops_ != 0) {
    --stops_;
    return Request::stop;
  }
  return std::exchange(reload_, false) ? Request::reload : Request::none;
}

void Signals::tell(Request request) {
  const std::lock_guard lock(mutex_);
  reload_ = reload_ || request == Request::reload;
  stops_ += request == Request::stop ? 1 : 0;
  told_.notify_one();
}

void Signals::run() {
  ::pthread_setname_np(::pthread_self(), "weir-signals");
  const sigset_t signals = all_signals();
  for (int stops = 0; stops < 2;) {
    const int signal = ::sigwaitinfo(&signals, nullptr);
    if (over_.load()) return;
    if (signal < 0) continue;
    stops += signal == SIGHUP ? 0 : 1;
    tell(signal == SIGHUP ? Request::reload : Request::stop);
  }
  const sigset_t again = stop_signals();
  ::sigtimedwait(&again, nullptr, &kEndWithin);
  if (over_.load()) return;
  fmt::print(stderr, "error: not everything could be ended; leaving it\n");
  ::_exit(1);
}

}  // namespace weir::app
