#include "discovery/dns_client.h"

#include <algorithm>
#include <ares.h>
#include <array>
#include <filesystem>
#include <sys/epoll.h>

#include "base/slab.h"

namespace weir::discovery {
namespace {

using Outcome = FamilyAnswer::Outcome;

// /etc/hosts has no TTL.
constexpr Duration kHostsTtl = 5s;
// How often to look for answers when they cannot be watched for.
constexpr Duration kUnwatchedPause = 20ms;

std::string_view word_of(int status) {
  switch (status) {
    case ARES_ENOTFOUND:
      return "NXDOMAIN";
    case ARES_ENODATA:
      return "no address of it is known";
    case ARES_ESERVFAIL:
      return "SERVFAIL";
    case ARES_EREFUSED:
      return "REFUSED";
    case ARES_ETIMEOUT:
      return "no name server answered in time";
    case ARES_ECONNREFUSED:
      return "no name server gave an answer";
    case ARES_EBADRESP:
      return "malformed answer";
    default:
      return ares_strerror(status);
  }
}

Outcome outcome_of(int status) {
  switch (status) {
    case ARES_SUCCESS:
      return Outcome::found;
    case ARES_ENOTFOUND:
    case ARES_ENODATA:
      return Outcome::none;
    default:
      return Outcome::failed;
  }
}

// What a name is an alias of may last less long than its addresses.
Duration ttl_of(const ares_addrinfo& found) {
  int seconds = INT32_MAX;
  for (const auto* node = found.nodes; node != nullptr; node = node->ai_next) {
    seconds = std::min(seconds, node->ai_ttl);
  }
  for (const auto* alias = found.cnames; alias != nullptr; alias = alias->next) {
    seconds = std::min(seconds, alias->ttl);
  }
  return std::chrono::seconds(std::max(seconds, 0));
}

// Takes `found` over, which may be null.
FamilyAnswer make_answer(int status, ares_addrinfo* found) {
  FamilyAnswer answer{.outcome = outcome_of(status)};
  if (found != nullptr && answer.outcome == Outcome::found) {
    answer.ttl = ttl_of(*found);
    for (const auto* node = found->nodes; node != nullptr; node = node->ai_next) {
      sockaddr_storage storage{};
      std::copy_n(reinterpret_cast<const char*>(node->ai_addr), node->ai_addrlen,
                  reinterpret_cast<char*>(&storage));
      answer.addresses.emplace_back(storage);
    }
  }
  if (answer.outcome == Outcome::found && answer.addresses.empty()) {
    answer.outcome = Outcome::none;
    status = ARES_ENODATA;
  }
  if (answer.outcome != Outcome::found) answer.problem = word_of(status);
  ares_freeaddrinfo(found);
  return answer;
}

void on_hosts_answer(void* answer, int status, int /*timeouts*/, ares_addrinfo* found) {
  *static_cast<FamilyAnswer*>(answer) = make_answer(status, found);
}

void take_hosts(FamilyAnswer& found, FamilyAnswer& v4, FamilyAnswer& v6) {
  for (const net::Address& address : found.addresses) {
    FamilyAnswer& family = address.family() == AF_INET ? v4 : v6;
    family.addresses.push_back(address);
  }
  for (FamilyAnswer* family : {&v4, &v6}) {
    family->ttl = kHostsTtl;
    family->outcome = family->addresses.empty() ? Outcome::none : Outcome::found;
  }
}

// Of /etc/resolv.conf, if it is needed and there.
std::filesystem::file_time_type file_time(const ResolverSettings& settings) {
  if (!settings.servers.empty()) return {};
  std::error_code is_missing;
  return std::filesystem::last_write_time("/etc/resolv.conf", is_missing);
}

std::string print_servers(const std::vector<NameServer>& servers) {
  std::string text;
  for (const NameServer& server : servers) {
    text += (text.empty() ? "" : ",") + server.address.to_string();
  }
  return text;
}

}  // namespace

class DnsClient::Channel {
 public:
  Channel(Worker& worker, const ResolverSettings& settings);
  ~Channel();

  void ask(const std::string& name, Question& question);
  bool is_current() const { return file_time_ == file_time(settings_); }

 private:
  using Pending = Question::Pending;
  class Watch;
  struct Timeout : Timer {
    explicit Timeout(Channel& owner) noexcept;
    Channel& channel;
  };
  struct Delivery : Deferred {
    explicit Delivery(Channel& owner) noexcept;
    Channel& channel;
  };

  bool open();
  static void on_answer(void* family, int status, int timeouts, ares_addrinfo* found);
  static void on_socket(void* channel, ares_socket_t fd, int readable, int writable);
  void process() noexcept;
  void wait_again() noexcept;
  void deliver_soon() noexcept;
  void deliver() noexcept;

  Worker& worker_;
  const ResolverSettings settings_;
  std::filesystem::file_time_type file_time_;  // when it was read
  ares_channel hosts_ = nullptr;
  ares_channel dns_ = nullptr;  // null: it could not be had yet
  // Holds the sockets of c-ares, which reads and closes them itself; the reactor watches this.
  Fd epoll_;
  Watch* watch_ = nullptr;  // of epoll_
  Timeout timeout_;
  Delivery delivery_;
  bool is_delivering_ = false;  // delivery_ is deferred
  Slab<Pending> pending_;
  IntrusiveList<Pending> asked_;
  IntrusiveList<Pending> answered_;
};

// A question that c-ares has. Nothing of ours runs within its callbacks: they leave the answer
// here.
struct Question::Pending : Link {
  struct Family {
    Pending& pending;
    FamilyAnswer answer;
  };
  Pending(DnsClient::Channel& owner, Question& asked) noexcept : channel(owner), question(&asked) {
    asked.pending_ = this;
  }
  Pending(const Pending&) = delete;
  ~Pending() {
    if (question != nullptr) question->pending_ = nullptr;
  }
  void tell() {
    if (question == nullptr) return;
    question->pending_ = nullptr;
    std::exchange(question, nullptr)->on_answer(v4.answer, v6.answer);
  }

  DnsClient::Channel& channel;
  Question* question;  // null: it has been destroyed
  int left = 2;        // families without an answer
  Family v4{*this, {}};
  Family v6{*this, {}};
};

Question::~Question() {
  if (pending_ != nullptr) pending_->question = nullptr;
}

// Waits once for an event of the channel's sockets. The reactor tells of each edge once, and takes
// it that its own calls do all the reading, which here c-ares does: so each time something new is
// watched, which is told of what is there already. Owns itself from start() on.
class DnsClient::Channel::Watch final : public Operation {
 public:
  Watch(Channel& owner, Socket& socket) noexcept
      : Operation(&on_event),
        reactor_(owner.worker_.reactor()),
        channel_(&owner),
        socket_(socket) {}

  // False: there is no descriptor left.
  static bool start(Channel& owner) noexcept {
    Fd outer(::epoll_create1(EPOLL_CLOEXEC));
    epoll_event event{.events = EPOLLIN, .data = {}};
    if (!outer.is_open() ||
        ::epoll_ctl(outer.get(), EPOLL_CTL_ADD, owner.epoll_.get(), &event) != 0) {
      return false;
    }
    Reactor& reactor = owner.worker_.reactor();
    Socket& socket = reactor.adopt(std::move(outer));
    auto watch = std::make_unique<Watch>(owner, socket);
    if (reactor.start_poll(socket, Readiness::readable, *watch) == Started::completed) {
      reactor.close(socket);
      return false;
    }
    owner.watch_ = watch.release();
    return true;
  }
  void cancel() noexcept {
    channel_ = nullptr;
    reactor_.cancel(socket_, *this);
  }

 private:
  static void on_event(Operation& self) noexcept {
    const std::unique_ptr<Watch> watch(static_cast<Watch*>(&self));
    watch->reactor_.close(watch->socket_);
    Channel* const channel = watch->channel_;
    if (channel == nullptr) return;
    channel->watch_ = nullptr;
    channel->process();
  }

  Reactor& reactor_;
  Channel* channel_;  // null: it is gone
  Socket& socket_;
};

DnsClient::Channel::Timeout::Timeout(Channel& owner) noexcept
    : Timer([](Timer& self) noexcept { static_cast<Timeout&>(self).channel.process(); }),
      channel(owner) {}

DnsClient::Channel::Delivery::Delivery(Channel& owner) noexcept
    : Deferred([](Deferred& self) noexcept { static_cast<Delivery&>(self).channel.deliver(); }),
      channel(owner) {}

DnsClient::Channel::Channel(Worker& worker, const ResolverSettings& settings)
    : worker_(worker), settings_(settings), timeout_(*this), delivery_(*this) {
  open();
}

// False: not at present.
bool DnsClient::Channel::open() {
  using std::chrono::milliseconds;
  ares_options options{};
  char files[] = "f";
  char dns[] = "b";
  options.lookups = files;
  if (hosts_ == nullptr && ares_init_options(&hosts_, &options, ARES_OPT_LOOKUPS) != ARES_SUCCESS) {
    hosts_ = nullptr;
  }
  if (dns_ != nullptr) return true;

  file_time_ = file_time(settings_);
  options.lookups = dns;
  options.timeout = static_cast<int>(duration_cast<milliseconds>(settings_.timeout).count());
  options.tries = static_cast<int>(settings_.attempts);
  options.sock_state_cb = &on_socket;
  options.sock_state_cb_data = this;
  // Each family would go through a search list by itself, and so one name become two hosts. Not
  // every c-ares heeds the flag here: there are no domains (ndomains is 0) either.
  options.flags = ARES_FLAG_NOSEARCH;
  // With nobody else to ask, what the only one says tells more than that nobody helped.
  if (settings_.servers.size() == 1) options.flags |= ARES_FLAG_NOCHECKRESP;
  const int given = ARES_OPT_LOOKUPS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_DOMAINS |
                    ARES_OPT_SOCK_STATE_CB | ARES_OPT_FLAGS;
  if (ares_init_options(&dns_, &options, given) != ARES_SUCCESS) {
    dns_ = nullptr;
    return false;
  }
  // After c-ares: where no descriptor is left it has not read /etc/resolv.conf, and says nothing.
  epoll_ = Fd(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll_.is_open()) {
    ares_destroy(std::exchange(dns_, nullptr));
    return false;
  }
  if (!settings_.servers.empty()) {
    ares_set_servers_ports_csv(dns_, print_servers(settings_.servers).c_str());
  }
  return true;
}

DnsClient::Channel::~Channel() {
  if (dns_ != nullptr) ares_destroy(dns_);
  if (hosts_ != nullptr) ares_destroy(hosts_);
  if (watch_ != nullptr) watch_->cancel();
  WEIR_ASSERT(asked_.is_empty());
  while (!answered_.is_empty()) pending_.destroy(answered_.pop_front());
}

void DnsClient::Channel::ask(const std::string& name, Question& question) {
  WEIR_ASSERT(!question.is_pending());
  const bool is_open = open();
  Pending& pending = pending_.make(*this, question);
  ares_addrinfo_hints hints{};
  hints.ai_flags = ARES_AI_NOSORT;
  hints.ai_family = AF_UNSPEC;
  FamilyAnswer by_file;
  if (hosts_ != nullptr) {
    ares_getaddrinfo(hosts_, name.c_str(), nullptr, &hints, &on_hosts_answer, &by_file);
  }
  if (by_file.outcome == Outcome::found) {
    take_hosts(by_file, pending.v4.answer, pending.v6.answer);
    answered_.push_back(pending);
    return deliver_soon();
  }
  asked_.push_back(pending);
  if (!is_open) {
    on_answer(&pending.v4, ARES_ENOTINITIALIZED, 0, nullptr);
    on_answer(&pending.v6, ARES_ENOTINITIALIZED, 0, nullptr);
    return;
  }
  hints.ai_family = AF_INET;
  ares_getaddrinfo(dns_, name.c_str(), nullptr, &hints, &on_answer, &pending.v4);
  hints.ai_family = AF_INET6;
  ares_getaddrinfo(dns_, name.c_str(), nullptr, &hints, &on_answer, &pending.v6);
  wait_again();
}

void DnsClient::Channel::on_answer(void* family, int status, int /*timeouts*/,
                                   ares_addrinfo* found) {
  auto& answered = *static_cast<Pending::Family*>(family);
  answered.answer = make_answer(status, found);
  Pending& pending = answered.pending;
  if (--pending.left != 0) return;
  pending.unlink();
  pending.channel.answered_.push_back(pending);
  pending.channel.deliver_soon();
}

void DnsClient::Channel::on_socket(void* channel, ares_socket_t fd, int readable, int writable) {
  const int epoll = static_cast<Channel*>(channel)->epoll_.get();
  epoll_event event{.events = 0, .data = {.fd = fd}};
  if (readable != 0) event.events |= EPOLLIN;
  if (writable != 0) event.events |= EPOLLOUT;
  if (event.events == 0) {
    ::epoll_ctl(epoll, EPOLL_CTL_DEL, fd, nullptr);
  } else if (::epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event) != 0) {
    ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
  }
}

void DnsClient::Channel::process() noexcept {
  std::array<epoll_event, 16> events;
  const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), 0);
  for (int i = 0; i < count; ++i) {
    const bool reads = (events[i].events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0;
    const bool writes = (events[i].events & EPOLLOUT) != 0;
    ares_process_fd(dns_, reads ? events[i].data.fd : ARES_SOCKET_BAD,
                    writes ? events[i].data.fd : ARES_SOCKET_BAD);
  }
  // What has taken too long.
  ares_process_fd(dns_, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
  wait_again();
}

void DnsClient::Channel::wait_again() noexcept {
  const bool is_watched = watch_ != nullptr || Watch::start(*this);
  timeval space{};
  const timeval* left = ares_timeout(dns_, nullptr, &space);
  if (left == nullptr) return timeout_.disarm();
  const Duration wait =
      std::chrono::seconds(left->tv_sec) + std::chrono::microseconds(left->tv_usec);
  timeout_.arm(worker_.timers(),
               worker_.now() + (is_watched ? wait : std::min<Duration>(wait, kUnwatchedPause)));
}

void DnsClient::Channel::deliver_soon() noexcept {
  if (!std::exchange(is_delivering_, true)) worker_.defer(delivery_);
}

void DnsClient::Channel::deliver() noexcept {
  is_delivering_ = false;
  IntrusiveList<Pending> answered;
  answered_.splice_to(answered);
  while (!answered.is_empty()) {
    Pending& pending = answered.pop_front();
    pending.tell();
    pending_.destroy(pending);
  }
}

DnsClient::DnsClient(Worker& worker, const ResolverSettings& settings)
    : channel_(std::make_unique<Channel>(worker, settings)) {}

DnsClient::~DnsClient() = default;

std::string_view DnsClient::library_version() noexcept { return ares_version(nullptr); }

bool DnsClient::is_current() const { return channel_->is_current(); }

void DnsClient::ask(const std::string& name, Question& question) { channel_->ask(name, question); }

}  // namespace weir::discovery
