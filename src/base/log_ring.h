#pragma once
// A bounded ring of variable-length records from one producing thread to one consuming thread. A
// worker writes its log records into its own ring; the log thread drains all of them. Neither side
// locks, allocates, waits or calls the kernel: a full ring is the producer's to count, an empty one
// the consumer's to come back to.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "base/assert.h"

namespace weir {

class LogRing {
 public:
  // Bytes of the whole ring: a power of two, at least 64. The only allocation.
  explicit LogRing(std::size_t capacity_bytes);
  LogRing(const LogRing&) = delete;
  LogRing& operator=(const LogRing&) = delete;

  // The largest record that an empty ring always takes.
  std::size_t record_bytes_max() const noexcept { return capacity_ / 2 - sizeof(Length); }

  // Producer: contiguous room for a record of up to `size` bytes (1 to record_bytes_max()), to be
  // filled and committed, or simply left; a later reservation replaces it. Empty: the ring is full.
  std::span<char> try_reserve(std::size_t size) noexcept WEIR_LIFETIMEBOUND;
  // Producer: hands the first `size` bytes (at least 1) of the reservation to the consumer.
  void commit(std::size_t size) noexcept;
  // Producer: the two above for a record that exists already. False: the ring is full.
  [[nodiscard]] bool try_push(std::span<const char> record) noexcept;

  // Consumer: the oldest record, valid until pop(). Empty: there is none.
  std::span<const char> front() noexcept WEIR_LIFETIMEBOUND;
  // Consumer: gives the room of the record that front() returned back to the producer.
  void pop() noexcept;

 private:
  using Length = std::uint32_t;
  // In place of a length: the rest of the ring's end is unused, the record is at the ring's start.
  static constexpr Length kSkip = 0;
  static constexpr std::size_t kCacheLine = 64;

  static std::uint64_t slot_bytes(std::size_t record_bytes) noexcept;
  std::size_t offset_of(std::uint64_t position) const noexcept {
    return position & (capacity_ - 1);
  }
  Length length_at(std::uint64_t position) const noexcept;
  void set_length_at(std::uint64_t position, Length length) noexcept;

  const std::size_t capacity_;
  const std::unique_ptr<char[]> bytes_;

  // Positions count bytes since the start and never wrap; all are multiples of 8. What one side
  // writes shares no cache line with what the other writes.
  alignas(kCacheLine) std::atomic<std::uint64_t> tail_ = 0;  // written by the producer
  std::uint64_t head_seen_ = 0;                              // the producer's last look at head_
  std::uint64_t reserved_at_ = 0;
  std::size_t reserved_bytes_ = 0;

  alignas(kCacheLine) std::atomic<std::uint64_t> head_ = 0;  // written by the consumer
  std::uint64_t tail_seen_ = 0;                              // the consumer's last look at tail_
  std::uint64_t front_ = 0;
};

}  // namespace weir
