#include "sim/sim_server.h"

namespace weir::sim {

SimServer::SimServer(Ledger& ledger, ServerGroup& group, std::size_t index, HostId host,
                     std::uint16_t port) noexcept
    : network_(ledger.network()),
      ledger_(ledger),
      group_(group),
      index_(index),
      host_(host),
      port_(port) {}

void SimServer::start() {
  listening_ = &network_.listen(host_, port_, 8 + random().below(64));
  listening_->watch(this);
}

void SimServer::crash(Crash crash) {
  network_.trace().line(network_.now(), "{} crashes {}", network_.name_of(host_),
                        crash == Crash::power ? "without a word" : "and its kernel says so");
  group_.set_good(index_, false);
  forget_all();
  listening_ = nullptr;
  hung_until_ = {};
  network_.crash(host_, crash);
}

void SimServer::come_back() {
  network_.trace().line(network_.now(), "{} is back", network_.name_of(host_));
  network_.revive(host_);
  group_.set_good(index_, true);
  start();
}

void SimServer::hang(TimePoint until) {
  network_.trace().line(network_.now(), "{} hangs", network_.name_of(host_));
  hung_until_ = until;
  group_.mark_bad(index_, until);
  wake_at(until);
}

// Everything is done in a step of its own, a moment later.
void SimServer::note() noexcept {
  if (std::exchange(is_noted_, true)) return;
  wake_at(network_.now() + Duration(random().below(50'000)));
}

void SimServer::wake_at(TimePoint time) {
  network_.at(time, [this, alive = is_alive_] {
    if (*alive) step();
  });
}

void SimServer::step() {
  is_noted_ = false;
  if (listening_ == nullptr || network_.now() < hung_until_) return;
  while (End* end = listening_->accept()) accept(*end);
  serve_all();
}

}  // namespace weir::sim
