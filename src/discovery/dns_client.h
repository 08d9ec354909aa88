#pragma once
// DnsClient: asks for the addresses of host names, by /etc/hosts first and then by DNS (c-ares,
// which this alone knows). It never waits: c-ares' sockets and timeouts are those of the worker's
// reactor.

#include <memory>
#include <string>

#include "discovery/name_state.h"
#include "runtime/worker.h"

namespace weir::discovery {

// One question at a time; may be destroyed while it is under way.
class Question {
 public:
  Question() = default;
  Question(const Question&) = delete;
  bool is_pending() const noexcept { return pending_ != nullptr; }

 protected:
  ~Question();

 private:
  friend class DnsClient;
  struct Pending;
  virtual void on_answer(const FamilyAnswer& v4, const FamilyAnswer& v6) = 0;
  Pending* pending_ = nullptr;
};

// The worker's thread.
class DnsClient {
 public:
  // Reads /etc/resolv.conf.
  DnsClient(Worker& worker, const ResolverSettings& settings);
  DnsClient(const DnsClient&) = delete;
  // Questions under way are given up without an answer.
  ~DnsClient();

  // Whether a new one would ask the same name servers: /etc/resolv.conf is as it was, or does not
  // matter.
  bool is_current() const;
  // Tells the question in a later turn. The name is taken as fully qualified, with a dot at its end
  // or without.
  void ask(const std::string& name, Question& question);

  // Of c-ares.
  static std::string_view library_version() noexcept;

 private:
  class Channel;
  friend struct Question::Pending;
  std::unique_ptr<Channel> channel_;
};

}  // namespace weir::discovery
