#pragma once
// The compiled form of a list of routes: hash tables over host patterns, over paths, and over the
// pairs of both that routes ask for. A match looks up the request's host as it is and shortened
// label by label, its path as it is and shortened segment by segment, and every pair of what was
// found. So its cost has a bound in labels and segments (of the request, and of the deepest
// pattern), not in routes.

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/host_pattern.h"

namespace weir::proxy {

// A route's place in the list of its listener, from 0; the lower one wins.
enum class RouteIndex : std::uint32_t { none = 0xffffffff };

// Half a path condition: a prefix /users is the path /users or anything below /users/.
struct PathPattern {
  enum class Kind : std::uint8_t { any, exact, below };
  Kind kind = Kind::any;
  std::string text = {};  // of below: ends in '/'; empty for any
};

// Numbers for texts; open addressing, at most half full.
class TextIndex {
 public:
  static constexpr std::uint32_t kNone = 0xffffffff;

  // The number of this text; `fresh` becomes it if there was none. May allocate.
  std::uint32_t insert(std::string_view text, std::uint32_t fresh);
  std::uint32_t find(std::string_view text) const noexcept;

 private:
  struct Slot {
    std::uint32_t tag = 0;  // upper half of the hash, to compare first
    std::uint32_t offset = 0;
    std::uint32_t size = 0;
    std::uint32_t number = kNone;  // kNone: free
  };
  std::size_t find_slot(std::string_view text, std::uint64_t hash) const noexcept;
  void grow();

  std::vector<Slot> slots_;
  std::size_t used_ = 0;
  std::size_t size_max_ = 0;  // of the longest text
  std::string texts_;
};

// The first route of each pair of a host's and a path's number. (Routes with further conditions
// will make this the routes of the pair in their order.)
class PairIndex {
 public:
  // Keeps the lower route. May allocate.
  void insert(std::uint32_t host, std::uint32_t path, RouteIndex route);
  RouteIndex find(std::uint32_t host, std::uint32_t path) const noexcept;

 private:
  struct Slot {
    std::uint32_t host = 0;
    std::uint32_t path = 0;
    RouteIndex route = RouteIndex::none;  // none: free
  };
  std::size_t find_slot(std::uint32_t host, std::uint32_t path) const noexcept;
  void grow();

  std::vector<Slot> slots_;
  std::size_t used_ = 0;
};

class RouteTable {
 public:
  // May allocate.
  void insert(const HostPattern& host, const PathPattern& path, RouteIndex route);

  // The lowest route that was inserted with a host and a path that match, or none. The host is
  // normalised. Any worker; does not allocate.
  RouteIndex match(std::string_view host, std::string_view path) const noexcept;

 private:
  struct HostNumbers;

  std::uint32_t number_of(const HostPattern& host);
  std::uint32_t number_of(const PathPattern& path);
  void find_hosts(std::string_view host, HostNumbers& found) const noexcept;

  TextIndex exact_hosts_;
  TextIndex suffix_hosts_;
  TextIndex prefix_hosts_;
  TextIndex exact_paths_;
  TextIndex below_paths_;
  PairIndex pairs_;
  // How deep the deepest pattern of a kind is: nothing beyond is looked up.
  std::size_t suffix_labels_max_ = 0;
  std::size_t prefix_labels_max_ = 0;
  std::size_t below_segments_max_ = 0;
  std::uint32_t next_host_ = 1;  // 0 is any
  std::uint32_t next_path_ = 1;
};

}  // namespace weir::proxy
