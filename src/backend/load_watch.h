#pragma once
// LoadWatch: has the scores made of all backends whose algorithm goes by them, and asks their
// servers for load reports. The control thread.

#include <map>
#include <memory>
#include <span>
#include <string>

#include "backend/load_meter.h"
#include "base/intrusive_list.h"
#include "runtime/scope.h"
#include "runtime/worker.h"

namespace weir::backend {

class LoadWatch {
 public:
  // Servers that are asked at a time: each takes a descriptor.
  static constexpr std::size_t kPollsMax = 32;

  explicit LoadWatch(Worker& worker) noexcept : worker_(worker) {}
  LoadWatch(const LoadWatch&) = delete;
  // Must be stopped, or never have followed anything.
  ~LoadWatch();

  // These are in force from now on. Servers that are the same are known as before.
  void follow(std::span<const std::shared_ptr<Backend>> backends);
  // Makes the scores of all; lets others have their turn where that takes long. Not while another
  // follow() or measure() is under way.
  Task<void> measure();
  // Asks nobody any more.
  void stop() noexcept;
  bool is_stopped() const noexcept { return is_stopped_ && scope_.running() == 0; }

 private:
  class Polled;

  void follow_servers(const std::shared_ptr<Backend>& backend,
                      std::map<const Server*, std::shared_ptr<Polled>>& polled);
  ReportedLoad reported_by(const Server& server) const;
  void ask_next();
  static Task<void> poll(LoadWatch& watch, std::shared_ptr<Polled> polled);

  Worker& worker_;
  std::map<std::string, std::unique_ptr<LoadMeter>> meters_;  // by backend
  std::map<const Server*, std::shared_ptr<Polled>> polled_;
  IntrusiveList<Polled> due_;
  Scope scope_;  // of the polls
  std::size_t polling_ = 0;
  bool is_stopped_ = false;
};

}  // namespace weir::backend
