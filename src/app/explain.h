#pragma once
// What Weir would do with a request or a connection, and why: `weir explain`. The decisions are
// asked of the data path's own code (the parser, Router::match, ServerChoice::pick), and nothing
// moves; nothing is sent. May allocate; any one thread.

#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "app/settings.h"
#include "backend/server_choice.h"
#include "discovery/resolver.h"
#include "proxy/snapshot.h"

namespace weir::app {

// As given on the command line.
struct Question {
  std::string method;                    // CONNECT for a tcp URL
  std::string url;                       // http://HOST[:PORT][/PATH][?QUERY] or tcp://HOST:PORT
  std::string from = {};                 // IP of the client; may be empty
  std::vector<std::string> fields = {};  // as "Name: value"; a Host stands instead of the URL's
  std::string listener = {};             // its name; empty: found by the URL
};

struct Explanation {
  std::string text;        // for people, a decision a line
  bool is_served = false;  // a server was found, or a filter replies
  // As Router::match says; 0 if the listener has a backend and no routes.
  proxy::RouteIndex route = proxy::RouteIndex::none;
  balance::ServerIndex server = balance::ServerIndex::none;  // of the route's backend
};

// Who knows what a pick would give: a worker, or nobody yet.
class PickSource {
 public:
  virtual backend::ExplainedPick explain_pick(proxy::BackendIndex backend,
                                              const backend::PickFor& request) = 0;

 protected:
  ~PickSource() = default;
};

// What a question is asked of.
struct Explained {
  const Settings& settings;         // without errors
  std::string_view file;            // printed before line numbers; empty: there is none
  const proxy::Snapshot& snapshot;  // of these settings
  // Of each listener, with the ports that they have got.
  std::span<const std::vector<net::Address>> addresses;
  PickSource& picks;
  const discovery::Resolver* resolver = nullptr;  // of a running Weir
  std::uint32_t workers = 1;                      // of which the picks are the first one's
};

// The error says what is wrong with the question, or that no listener is meant.
std::expected<Explanation, std::string> explain(const Explained& explained,
                                                const Question& question);

// A configuration that nothing runs with: as if one worker had just started.
class FreshConfiguration final : private PickSource {
 public:
  // The settings are free of errors, and outlive it.
  FreshConfiguration(const Settings& settings, std::string_view file);

  std::expected<Explanation, std::string> explain(const Question& question);

 private:
  backend::ExplainedPick explain_pick(proxy::BackendIndex backend,
                                      const backend::PickFor& request) override;

  const Settings& settings_;
  std::string file_;
  stats::Registry registry_;
  proxy::Snapshot snapshot_;
  std::vector<std::vector<net::Address>> addresses_;
};

}  // namespace weir::app
