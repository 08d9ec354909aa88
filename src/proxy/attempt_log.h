#pragma once
// AttemptLog: what came of each attempt of one exchange or tunnel. Always written: the access log
// and an error's explanation come from it.

#include <algorithm>
#include <array>
#include <span>

#include "backend/server_pool.h"
#include "base/error.h"

namespace weir::proxy {

struct AttemptRecord {
  LocalRef<backend::ServerPool> server;
  ErrorKind error = ErrorKind::none;
  // After the exchange began; what is longer than the range stays at its end, 71 minutes.
  std::uint32_t start_us = 0;
  std::uint32_t end_us = 0;
};
static_assert(sizeof(AttemptRecord) <= 24);

class AttemptLog {
 public:
  // began: of the exchange or tunnel.
  explicit AttemptLog(TimePoint began) noexcept : began_(began) {}

  // No more than backend::kAttemptsMax.
  void begin(backend::ServerPool& server, TimePoint now) noexcept {
    WEIR_ASSERT(count_ < records_.size());
    AttemptRecord& record = records_[count_++];
    record.server = LocalRef<backend::ServerPool>(server);
    record.start_us = us_at(now);
    address_.reset();
  }
  // What came of the last attempt; none: it went well, so far.
  void end(ErrorKind error, TimePoint now) noexcept {
    WEIR_ASSERT(count_ > 0);
    records_[count_ - 1].error = error;
    records_[count_ - 1].end_us = us_at(now);
  }

  // Where the last attempt goes to.
  void note_address(backend::PoolAddress& address) noexcept {
    address_ = LocalRef<backend::PoolAddress>(address);
  }
  // The same, to be written by whoever connects.
  LocalRef<backend::PoolAddress>& address() noexcept { return address_; }
  // Of the last attempt that got as far; nullptr: none did.
  const backend::PoolAddress* last_address() const noexcept { return address_.get(); }

  std::size_t size() const noexcept { return count_; }
  std::span<const AttemptRecord> records() const noexcept WEIR_LIFETIMEBOUND {
    return {records_.data(), count_};
  }
  // The server of the last attempt; nullptr: there was none.
  backend::ServerPool* last_server() const noexcept {
    return count_ == 0 ? nullptr : records_[count_ - 1].server.get();
  }

 private:
  std::uint32_t us_at(TimePoint time) const noexcept {
    const auto us = std::chrono::duration_cast<std::chrono::microseconds>(time - began_).count();
    return static_cast<std::uint32_t>(std::clamp<std::int64_t>(us, 0, UINT32_MAX));
  }

  TimePoint began_;
  std::array<AttemptRecord, backend::kAttemptsMax> records_;
  std::size_t count_ = 0;
  LocalRef<backend::PoolAddress> address_;
};

}  // namespace weir::proxy
