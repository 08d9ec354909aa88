#include "base/log_ring.h"

#include <bit>
#include <cstring>

namespace weir {

LogRing::LogRing(std::size_t capacity_bytes)
    : capacity_(capacity_bytes), bytes_(std::make_unique_for_overwrite<char[]>(capacity_bytes)) {
  WEIR_ASSERT(std::has_single_bit(capacity_bytes) && capacity_bytes >= 64);
}

std::uint64_t LogRing::slot_bytes(std::size_t record_bytes) noexcept {
  // Rounded to 8, so that a length always fits between any position and the ring's end.
  return (sizeof(Length) + record_bytes + 7) & ~std::uint64_t{7};
}

LogRing::Length LogRing::length_at(std::uint64_t position) const noexcept {
  Length length;
  std::memcpy(&length, bytes_.get() + offset_of(position), sizeof length);
  return length;
}

void LogRing::set_length_at(std::uint64_t position, Length length) noexcept {
  std::memcpy(bytes_.get() + offset_of(position), &length, sizeof length);
}

std::span<char> LogRing::try_reserve(std::size_t size) noexcept {
  WEIR_ASSERT(size > 0 && size <= record_bytes_max());
  reserved_bytes_ = 0;
  const std::uint64_t slot = slot_bytes(size);
  const std::uint64_t tail = tail_.load(std::memory_order_relaxed);
  const std::uint64_t to_end = capacity_ - offset_of(tail);
  const std::uint64_t start = slot <= to_end ? tail : tail + to_end;
  if (start + slot - head_seen_ > capacity_) {
    head_seen_ = head_.load(std::memory_order_acquire);
    if (start + slot - head_seen_ > capacity_) return {};
  }
  reserved_at_ = start;
  reserved_bytes_ = size;
  return {bytes_.get() + offset_of(start) + sizeof(Length), size};
}

void LogRing::commit(std::size_t size) noexcept {
  WEIR_ASSERT(size > 0 && size <= reserved_bytes_);
  const std::uint64_t tail = tail_.load(std::memory_order_relaxed);
  if (reserved_at_ != tail) set_length_at(tail, kSkip);
  set_length_at(reserved_at_, static_cast<Length>(size));
  reserved_bytes_ = 0;
  tail_.store(reserved_at_ + slot_bytes(size), std::memory_order_release);
}

bool LogRing::try_push(std::span<const char> record) noexcept {
  const std::span<char> room = try_reserve(record.size());
  if (room.empty()) return false;
  std::memcpy(room.data(), record.data(), record.size());
  commit(record.size());
  return true;
}

std::span<const char> LogRing::front() noexcept {
  const std::uint64_t head = head_.load(std::memory_order_relaxed);
  if (head == tail_seen_) {
    tail_seen_ = tail_.load(std::memory_order_acquire);
    if (head == tail_seen_) return {};
  }
  // A skip is committed together with the record after it, so that record is there.
  front_ = length_at(head) == kSkip ? head + capacity_ - offset_of(head) : head;
  return {bytes_.get() + offset_of(front_) + sizeof(Length), length_at(front_)};
}

void LogRing::pop() noexcept {
  WEIR_ASSERT(front_ >= head_.load(std::memory_order_relaxed) && front_ < tail_seen_);
  head_.store(front_ + slot_bytes(length_at(front_)), std::memory_order_release);
}

}  // namespace weir
