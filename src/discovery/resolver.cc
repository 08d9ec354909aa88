#include "discovery/resolver.h"

#include <algorithm>

#include "config/difference.h"
#include "discovery/dns_client.h"
#include "runtime/worker.h"

namespace weir::discovery {
namespace {

// Names that are asked for at a time: a burst of thousands would be lost on the way, and keep the
// thread from its loop.
constexpr std::size_t kQuestionsMax = 32;
constexpr std::size_t kNewsMax = 256;

std::string print(const std::vector<net::Address>& addresses) {
  std::string text;
  for (const net::Address& address : addresses) {
    std::array<char, INET6_ADDRSTRLEN> space;
    text += (text.empty() ? "" : ", ") + std::string(address.format_ip(space));
  }
  return text;
}

// Empty: nothing that anybody has to be told.
std::string print_news(const std::string& name, const NameAnswer& before, const NameAnswer& now) {
  if (before.health == now.health) return {};
  switch (now.health) {
    case NameHealth::unasked:
      return {};
    case NameHealth::good:
      if (before.health == NameHealth::unasked) return {};
      return name + " resolves again: " + print(now.addresses);
    case NameHealth::outlived:
      return "warning: " + name + " does not resolve (" + now.problem +
             "); its last good addresses stay in use: " + print(now.addresses);
    case NameHealth::unresolved:
      return "warning: " + name + " does not resolve (" + now.problem +
             "); its servers get nothing";
  }
  return {};
}

}  // namespace

class Resolver::Followed final : public Link, public Question {
 public:
  Followed(Resolver& owner, std::string name, TimePoint now)
      : resolver(owner), name(std::move(name)), state(now), alarm(*this) {}

  struct Alarm : Timer {
    explicit Alarm(Followed& owner) noexcept
        : Timer([](Timer& self) noexcept {
            Followed& followed = static_cast<Alarm&>(self).followed;
            followed.resolver.due_.push_back(followed);
            followed.resolver.ask_next();
          }),
          followed(owner) {}
    Followed& followed;
  };

  Resolver& resolver;
  const std::string name;
  NameState state;
  Alarm alarm;
  std::uint64_t questions = 0;
  std::uint64_t failures = 0;

 private:
  void on_answer(const FamilyAnswer& v4, const FamilyAnswer& v6) override {
    state.take(v4, v6, resolver.settings_, resolver.worker_.now());
    ++questions;
    if (!state.problem().empty()) ++failures;
    resolver.on_answer(*this);
  }
};

Resolver::Resolver(Worker& worker, NamesListener& listener)
    : worker_(worker), listener_(listener) {}

Resolver::~Resolver() = default;

void Resolver::follow(Names names, const ResolverSettings& settings) {
  const std::lock_guard lock(mutex_);
  for (const std::string& name : names) {
    auto& answer = answers_[name];
    if (answer == nullptr) answer = std::make_shared<const NameAnswer>();
  }
  std::erase_if(answers_, [&](const auto& known) { return !names.contains(known.first); });
  wanted_ = std::move(names);
  wanted_settings_ = settings;
  if (!std::exchange(is_posted_, true)) worker_.post(*this);
}

void Resolver::deliver() noexcept {
  Names names;
  bool is_same = true;
  {
    const std::lock_guard lock(mutex_);
    is_posted_ = false;
    if (is_stopped_) return;
    names = wanted_;
    is_same = config::is_equal(settings_, wanted_settings_);
    settings_ = wanted_settings_;
  }
  std::erase_if(followed_, [&](const auto& known) {
    const bool is_followed = names.contains(known.first);
    if (!is_followed && known.second->is_pending()) --asking_;
    return !is_followed;
  });
  if (!is_same || client_ == nullptr || !client_->is_current()) {
    // What was asked of the client before is asked again.
    client_ = names.empty() ? nullptr : std::make_unique<DnsClient>(worker_, settings_);
    asking_ = 0;
  }
  for (const std::string& name : names) {
    auto& followed = followed_[name];
    if (followed == nullptr) {
      followed = std::make_unique<Followed>(*this, name, worker_.now());
      due_.push_back(*followed);
    } else if (!followed->is_linked() && !followed->is_pending() &&
               !(is_same && followed->alarm.is_armed())) {
      followed->alarm.disarm();
      due_.push_back(*followed);
    }
  }
  ask_next();
}

void Resolver::ask_next() noexcept {
  while (asking_ < kQuestionsMax && !due_.is_empty()) {
    Followed& name = due_.pop_front();
    ++asking_;
    client_->ask(name.name, name);
  }
}

void Resolver::on_answer(Followed& name) {
  --asking_;
  name.alarm.arm(worker_.timers(), name.state.ask_at());
  publish(name);
  ask_next();
}

void Resolver::publish(const Followed& name) {
  const NameState& state = name.state;
  auto answer =
      std::make_shared<const NameAnswer>(NameAnswer{.health = state.health(),
                                                    .addresses = state.addresses(),
                                                    .good_until = state.good_until(),
                                                    .problem = std::string(state.problem()),
                                                    .questions = name.questions,
                                                    .failures = name.failures,
                                                    .left_out = state.left_out()});
  {
    const std::lock_guard lock(mutex_);
    const auto known = answers_.find(name.name);
    if (known == answers_.end()) return;  // followed no more, as will be heard of in a moment
    std::string news = print_news(name.name, *known->second, *answer);
    const bool is_same =
        known->second->addresses == answer->addresses && known->second->problem == answer->problem;
    if (!news.empty() && news_.size() < kNewsMax) news_.push_back(std::move(news));
    known->second = std::move(answer);
    answered_.notify_all();
    if (is_same) return;
  }
  listener_.on_names_changed();
}

bool Resolver::is_all_answered() const {
  return is_stopped_ || std::ranges::none_of(answers_, [](const auto& answer) {
           return answer.second->health == NameHealth::unasked;
         });
}

void Resolver::await_answers(Duration patience) const {
  std::unique_lock lock(mutex_);
  answered_.wait_for(lock, patience, [this] { return is_all_answered(); });
}

std::shared_ptr<const NameAnswer> Resolver::find_answer(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  const auto found = answers_.find(name);
  return found == answers_.end() ? nullptr : found->second;
}

std::map<std::string, std::shared_ptr<const NameAnswer>, std::less<>> Resolver::answers() const {
  const std::lock_guard lock(mutex_);
  return answers_;
}

std::vector<std::string> Resolver::take_news() {
  const std::lock_guard lock(mutex_);
  return std::exchange(news_, {});
}

void Resolver::stop() noexcept {
  followed_.clear();
  client_.reset();
  const std::lock_guard lock(mutex_);
  is_stopped_ = true;
  answered_.notify_all();
}

}  // namespace weir::discovery
