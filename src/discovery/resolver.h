#pragma once
// Resolver: follows host names: asks for each when its time has come, however many servers have it,
// and publishes what each stands for. Its work is done on one worker, the control thread's.

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/intrusive_list.h"
#include "discovery/name_state.h"
#include "runtime/mailbox.h"

namespace weir {
class Worker;
}

namespace weir::discovery {

class DnsClient;

// What a name stands for. Immutable.
struct NameAnswer {
  NameHealth health = NameHealth::unasked;
  std::vector<net::Address> addresses;  // port 0; those to be used at present
  TimePoint good_until{};               // by their TTL
  std::string problem;                  // what was wrong with the last answer; empty: nothing
  std::uint64_t questions = 0;          // answered or failed, since the name is followed
  std::uint64_t failures = 0;           // of those, that gave nothing new or no address
  std::size_t left_out = 0;             // addresses above net::kServerAddressesMax
};

// Told when names may stand for something else. The worker's thread.
class NamesListener {
 public:
  virtual void on_names_changed() noexcept = 0;

 protected:
  ~NamesListener() = default;
};

class Resolver final : private Message {
 public:
  using Names = std::set<std::string, std::less<>>;

  // Both outlive it.
  Resolver(Worker& worker, NamesListener& listener);
  Resolver(const Resolver&) = delete;
  // After stop(), or the worker turns no more.
  ~Resolver();

  // Follows these names from now on, and no others. One that was followed already keeps its answer,
  // and is not asked for again before its time, unless the settings are others. Any thread.
  void follow(Names names, const ResolverSettings& settings);
  // Waits until each name that is followed has been answered once, well or not. Any thread but the
  // worker's.
  void await_answers(Duration patience) const;
  // What follows: any thread. nullptr: the name is not followed.
  std::shared_ptr<const NameAnswer> find_answer(std::string_view name) const;
  std::map<std::string, std::shared_ptr<const NameAnswer>, std::less<>> answers() const;
  // Lines for people about names that went bad, or good again, since the last call.
  std::vector<std::string> take_news();

  // Gives up; nobody is told of anything any more. The worker's thread.
  void stop() noexcept;

 private:
  class Followed;

  void deliver() noexcept override;
  void ask_next() noexcept;
  void on_answer(Followed& name);
  void publish(const Followed& name);
  bool is_all_answered() const;

  Worker& worker_;
  NamesListener& listener_;
  // The worker's thread alone.
  ResolverSettings settings_;
  std::unique_ptr<DnsClient> client_;
  std::map<std::string, std::unique_ptr<Followed>, std::less<>> followed_;
  IntrusiveList<Followed> due_;  // and wait for others to be answered
  std::size_t asking_ = 0;

  mutable std::mutex mutex_;  // guards what follows
  mutable std::condition_variable answered_;
  bool is_posted_ = false;  // wanted_ and wanted_settings_ are on their way
  bool is_stopped_ = false;
  Names wanted_;
  ResolverSettings wanted_settings_;
  std::map<std::string, std::shared_ptr<const NameAnswer>, std::less<>> answers_;
  std::vector<std::string> news_;
};

}  // namespace weir::discovery
