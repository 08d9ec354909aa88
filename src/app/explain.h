#pragma once
// What a configuration would do with a request or a connection, and why: `weir explain`. The
// decisions are asked of the data path's own code (the parser, Router::match, Picker::pick) on a
// fresh state; nothing is sent. May allocate; any one thread.

#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "app/settings.h"
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
  bool is_served = false;  // a server was found
  // As Router::match says; 0 if the listener has a backend and no routes.
  proxy::RouteIndex route = proxy::RouteIndex::none;
};

class Explainer {
 public:
  // The settings are free of errors, and outlive it; file_name is printed before line numbers.
  Explainer(const Settings& settings, std::string_view file_name);

  // The error says what is wrong with the question, or that no listener is meant.
  std::expected<Explanation, std::string> explain(const Question& question) const;

 private:
  const Settings& settings_;
  std::string file_name_;
  stats::Registry registry_;
  proxy::Snapshot snapshot_;
};

}  // namespace weir::app
