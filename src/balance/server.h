#pragma once
// The servers of a backend as the pickers see them: numbers in the order of the configuration.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/assert.h"

namespace weir::balance {

// A server's place in its backend, from 0.
enum class ServerIndex : std::uint16_t { none = 0xffff };

// A worker's place in the process, from 0.
enum class WorkerIndex : std::uint16_t {};

inline constexpr std::size_t kServersMax = 0xffff;
inline constexpr std::uint32_t kWeightMax = 65535;

constexpr std::size_t to_number(ServerIndex server) noexcept {
  return static_cast<std::size_t>(server);
}
constexpr ServerIndex to_server(std::size_t number) noexcept {
  WEIR_ASSERT(number < kServersMax);
  return static_cast<ServerIndex>(number);
}

struct ServerSpec {
  std::uint32_t weight = 1;  // 0 to kWeightMax; 0: stays configured, gets nothing
  std::uint8_t level = 0;    // servers of another level have tables of their own
  // What the server is known by, to others as well: where keys are placed hangs on these and on
  // nothing else. They outlive the spec.
  std::string_view name = {};
  std::string_view address = {};  // as configured, "10.0.1.10:8080"
};

// A set of servers, one bit each. Copying allocates; asking and changing does not.
class ServerSet {
 public:
  ServerSet() = default;
  // Empty, with room for the servers 0 to servers - 1.
  explicit ServerSet(std::size_t servers) : words_((servers + kWordBits - 1) / kWordBits) {
    WEIR_ASSERT(servers <= kServersMax);
  }
  static ServerSet all(std::size_t servers);

  void insert(ServerIndex server) noexcept { word_of(server) |= bit_of(server); }
  void erase(ServerIndex server) noexcept { word_of(server) &= ~bit_of(server); }
  // False for a server beyond the room as well.
  bool contains(ServerIndex server) const noexcept {
    return (word(to_number(server) / kWordBits) & bit_of(server)) != 0;
  }
  bool is_empty() const noexcept;
  void clear() noexcept { std::ranges::fill(words_, 0); }
  // The other set must have the same room.
  void insert_all(const ServerSet& other) noexcept {
    for (std::size_t i = 0; i < words_.size(); ++i) words_[i] |= other.words_[i];
  }

  // Server 64 * at + bit is a member if that bit is set; no bit is beyond words().
  std::size_t words() const noexcept { return words_.size(); }
  std::uint64_t word(std::size_t at) const noexcept { return at < words_.size() ? words_[at] : 0; }

  static constexpr std::size_t kWordBits = 64;

  friend bool operator==(const ServerSet&, const ServerSet&) = default;

 private:
  static std::uint64_t bit_of(ServerIndex server) noexcept {
    return std::uint64_t{1} << (to_number(server) % kWordBits);
  }
  std::uint64_t& word_of(ServerIndex server) noexcept {
    WEIR_ASSERT(to_number(server) / kWordBits < words_.size());
    return words_[to_number(server) / kWordBits];
  }
  std::vector<std::uint64_t> words_;
};
}  // namespace weir::balance
