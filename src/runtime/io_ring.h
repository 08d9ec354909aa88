#pragma once
// IoRing: a Linux io_uring with the operations that Weir uses, buffers that the kernel fills as
// bytes come, and buffers for small messages that leave together. It is restricted to these
// operations, so that whoever takes the process over gets no further system calls through it. One
// thread: the first that enters it.

#include <cstdint>
#include <ctime>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/assert.h"
#include "base/result.h"

namespace weir {

// What a completion is recognised by; 0 is the ring's own.
enum class RingToken : std::uint64_t { none = 0 };

struct RingSizes {
  // Powers of two. Submissions that wait for the next enter(): a full queue is submitted early.
  unsigned submissions = 256;
  // Completions at a time: what does not fit, the kernel keeps until there is room.
  unsigned completions = 1024;
  // Each is in use from a receive's completion until give_back() only. Few, as they are used in
  // turn: they shall stay in the cache.
  unsigned buffers = 64;
  // Each is in use from take_outgoing() until give_back_outgoing(): until the turn after the one in
  // which it was filled, unless the socket is full. The one given back last is taken first.
  unsigned outgoing = 256;
};

struct RingCompletion {
  RingToken token;
  int result;            // a count, a set of poll events, or -errno; -ENOBUFS: no buffer was left
  bool goes_on;          // more completions of this submission follow
  bool more_to_receive;  // the socket had more than fitted into the buffer
  bool has_buffer;
  std::uint16_t buffer;  // if it has one: where a receive's bytes are, to be given back
};

class IoRing {
 public:
  static constexpr std::size_t kBufferBytes = std::size_t{4} << 10;
  enum class Attempt : std::uint8_t { at_once, when_readable };

  struct State;  // what liburing has

  // Fails with the errno of what the kernel, or a filter before it, refused.
  static Result<std::unique_ptr<IoRing>> make(const RingSizes& sizes);
  explicit IoRing(std::unique_ptr<State> state) noexcept;
  ~IoRing();

  // Receives once, up to kBufferBytes.
  void receive(int fd, Attempt attempt, RingToken token) noexcept;
  // A buffer of kBufferBytes for send(); none when all are taken.
  std::optional<std::uint16_t> take_outgoing() noexcept;
  std::span<char> outgoing(std::uint16_t index) noexcept WEIR_LIFETIMEBOUND;
  void give_back_outgoing(std::uint16_t index) noexcept;
  // Sends the first `bytes` of an outgoing buffer. It is over as soon as it is submitted, and
  // completes only if it failed: with how many bytes the socket took, or -errno; -EAGAIN when the
  // socket is full.
  void send(int fd, std::uint16_t outgoing, unsigned bytes, RingToken token) noexcept;
  // The same send, with `bytes` instead, or not at all; false when it has been submitted.
  bool change_send(std::uint16_t outgoing, unsigned bytes) noexcept;
  bool withdraw_send(std::uint16_t outgoing) noexcept;
  // Completes once, with the events of poll(2) that have come.
  void poll(int fd, std::uint32_t events, RingToken token) noexcept;
  // Completes each time anew.
  void poll_always(int fd, std::uint32_t events, RingToken token) noexcept;
  // Ends what was submitted with this token, with -ECANCELED unless it completes otherwise.
  void cancel(RingToken token) noexcept;

  // Submits all, and waits until something has completed or `limit` has passed; null: no limit.
  // What the kernel answered: 0 or -errno.
  int enter(const timespec* limit) noexcept;
  // Submits all, and lets the kernel do what is due. Waits for nothing.
  void flush() noexcept;

  // Whether the kernel has seen all of the above.
  bool has_submitted_all() const noexcept;

  // Appends all that have come, oldest first, also those for which the queue had no room.
  void take_completions(std::vector<RingCompletion>& into);

  std::span<const char> buffer(std::uint16_t index) const noexcept WEIR_LIFETIMEBOUND;
  void give_back(std::uint16_t index) noexcept;

 private:
  std::unique_ptr<State> state_;
};

}  // namespace weir
