#include "net/linger.h"

namespace weir::net {

Task<void> linger(Worker& worker, ByteStream& stream) {
  constexpr Duration kTimeMax = std::chrono::seconds(2);
  constexpr std::size_t kBytesMax = std::size_t{64} << 10;
  const TimePoint deadline = worker.now() + kTimeMax;
  stream.shutdown_write();
  for (std::size_t dropped = 0; dropped < kBytesMax;) {
    const IoCount count = stream.try_receive(worker.shared_buffer().first(kBytesMax));
    if (count.is_would_block()) {
      if (!co_await stream.readable(deadline)) co_return;
    } else if (count.is_failure() || count.bytes() == 0) {
      co_return;
    } else {
      dropped += count.bytes();
    }
  }
}

}  // namespace weir::net
