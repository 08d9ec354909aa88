#include "runtime/io_ring.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <liburing.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <vector>

namespace weir {
namespace {

constexpr std::uint16_t kBufferGroup = 0;

Error ring_error(int result) noexcept {
  const bool exhausted = result == -EMFILE || result == -ENFILE;
  return make_error(exhausted ? ErrorKind::descriptors_exhausted : ErrorKind::io, Side::weir,
                    -result);
}

class Memory {
 public:
  explicit Memory(std::size_t bytes) noexcept
      : bytes_(bytes),
        start_(
            ::mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) {}
  Memory(const Memory&) = delete;
  ~Memory() {
    if (is_there()) ::munmap(start_, bytes_);
  }

  bool is_there() const noexcept { return start_ != MAP_FAILED; }
  char* at(std::size_t offset) const noexcept { return static_cast<char*>(start_) + offset; }

 private:
  std::size_t bytes_;
  void* start_;
};

// The ring of free buffers, and behind it the buffers.
class BufferMemory : public Memory {
 public:
  explicit BufferMemory(unsigned count) noexcept
      : Memory(ring_bytes(count) + count * IoRing::kBufferBytes), buffers_at_(ring_bytes(count)) {}

  io_uring_buf_ring* ring() const noexcept { return reinterpret_cast<io_uring_buf_ring*>(at(0)); }
  char* buffer(std::size_t index) const noexcept {
    return at(buffers_at_ + index * IoRing::kBufferBytes);
  }

 private:
  static constexpr std::size_t kPage = 4096;  // the kernel wants the ring aligned
  static std::size_t ring_bytes(unsigned count) noexcept {
    return (count * sizeof(io_uring_buf) + kPage - 1) / kPage * kPage;
  }

  std::size_t buffers_at_;
};

// What small messages are copied to, so that whoever sends one need not wait until it has left.
class OutgoingMemory : public Memory {
 public:
  struct Queued {
    io_uring_sqe* submission = nullptr;
    std::uint64_t batch = 0;  // with which it is submitted
  };

  explicit OutgoingMemory(unsigned count) : Memory(count * IoRing::kBufferBytes), queued_(count) {
    free_.reserve(count);
    for (unsigned i = count; i-- > 0;) free_.push_back(static_cast<std::uint16_t>(i));
  }

  std::optional<std::uint16_t> take() noexcept {
    if (free_.empty()) return std::nullopt;
    const std::uint16_t index = free_.back();
    free_.pop_back();
    return index;
  }
  void give_back(std::uint16_t index) noexcept { free_.push_back(index); }
  std::span<char> buffer(std::size_t index) const noexcept {
    return {at(index * IoRing::kBufferBytes), IoRing::kBufferBytes};
  }
  Queued& queued(std::size_t index) noexcept { return queued_[index]; }

 private:
  std::vector<std::uint16_t> free_;
  std::vector<Queued> queued_;
};

}  // namespace

struct IoRing::State {
  explicit State(const RingSizes& sizes)
      : buffer_count(sizes.buffers), buffers(sizes.buffers), outgoing(sizes.outgoing) {}
  State(const State&) = delete;
  ~State() {
    if (has_ring) io_uring_queue_exit(&ring);
  }

  int make_ring(const RingSizes& sizes) noexcept;
  int register_buffers() noexcept;
  int restrict_operations() noexcept;
  int enable() noexcept;
  io_uring_sqe& next_submission() noexcept;
  // Of an outgoing buffer whose send has not been submitted; null if it has.
  io_uring_sqe* waiting_send(std::uint16_t index) noexcept {
    const OutgoingMemory::Queued& queued = outgoing.queued(index);
    return queued.batch == batch ? queued.submission : nullptr;
  }
  void offer(std::uint16_t index, int place) noexcept {
    io_uring_buf_ring_add(buffers.ring(), buffers.buffer(index), kBufferBytes, index,
                          static_cast<int>(buffer_count - 1), place);
  }

  unsigned buffer_count;
  BufferMemory buffers;
  OutgoingMemory outgoing;
  std::uint64_t batch = 1;  // of what is queued now: one more each time it is submitted
  io_uring ring{};
  bool has_ring = false;
  bool is_enabled = false;
};

Result<std::unique_ptr<IoRing>> IoRing::make(const RingSizes& sizes) {
  auto state = std::make_unique<State>(sizes);
  if (!state->buffers.is_there() || !state->outgoing.is_there()) return fail(ring_error(-errno));
  int result = state->make_ring(sizes);
  if (result == 0) result = state->register_buffers();
  if (result == 0) result = state->restrict_operations();
  if (result < 0) return fail(ring_error(result));
  return std::make_unique<IoRing>(std::move(state));
}

IoRing::IoRing(std::unique_ptr<State> state) noexcept : state_(std::move(state)) {}
IoRing::~IoRing() = default;

// Disabled at first: only then can it be restricted, and the thread that enables it later is the
// single issuer. Linux 6.1 is the first that has all of this.
int IoRing::State::make_ring(const RingSizes& sizes) noexcept {
  io_uring_params params{};
  params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_R_DISABLED |
                 IORING_SETUP_CQSIZE;
  params.cq_entries = sizes.completions;
  const int result = io_uring_queue_init_params(sizes.submissions, &ring, &params);
  has_ring = result == 0;
  return result;
}

int IoRing::State::register_buffers() noexcept {
  io_uring_buf_reg registration{};
  registration.ring_addr = reinterpret_cast<std::uintptr_t>(buffers.ring());
  registration.ring_entries = buffer_count;
  registration.bgid = kBufferGroup;
  const int result = io_uring_register_buf_ring(&ring, &registration, 0);
  if (result < 0) return result;
  io_uring_buf_ring_init(buffers.ring());
  for (unsigned i = 0; i < buffer_count; ++i) {
    offer(static_cast<std::uint16_t>(i), static_cast<int>(i));
  }
  io_uring_buf_ring_advance(buffers.ring(), static_cast<int>(buffer_count));
  return 0;
}

// From when the ring is enabled, what is not listed is refused, and so is io_uring_register(2).
int IoRing::State::restrict_operations() noexcept {
  constexpr std::array<std::uint8_t, 5> kOperations{
      IORING_OP_RECV, IORING_OP_SEND, IORING_OP_POLL_ADD, IORING_OP_ASYNC_CANCEL, IORING_OP_NOP};
  std::array<io_uring_restriction, kOperations.size() + 1> allowed{};
  for (std::size_t i = 0; i < kOperations.size(); ++i) {
    allowed[i].opcode = IORING_RESTRICTION_SQE_OP;
    allowed[i].sqe_op = kOperations[i];
  }
  allowed.back().opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED;
  allowed.back().sqe_flags = IOSQE_BUFFER_SELECT | IOSQE_CQE_SKIP_SUCCESS;
  // (liburing 2.3 declares a function for it, and another for enabling, but exports neither.)
  return io_uring_register(static_cast<unsigned>(ring.ring_fd), IORING_REGISTER_RESTRICTIONS,
                           allowed.data(), allowed.size());
}

int IoRing::State::enable() noexcept {
  if (is_enabled) return 0;
  const int result = io_uring_register(static_cast<unsigned>(ring.ring_fd),
                                       IORING_REGISTER_ENABLE_RINGS, nullptr, 0);
  is_enabled = result == 0;
  return result;
}

// A full queue goes to the kernel, which takes all of it unless it is out of memory: then there is
// nothing better than to ask again.
io_uring_sqe& IoRing::State::next_submission() noexcept {
  io_uring_sqe* submission;
  while ((submission = io_uring_get_sqe(&ring)) == nullptr) {
    enable();
    ++batch;
    io_uring_submit(&ring);
  }
  return *submission;
}

void IoRing::receive(int fd, Attempt attempt, RingToken token) noexcept {
  io_uring_sqe& submission = state_->next_submission();
  io_uring_prep_recv(&submission, fd, nullptr, 0, 0);
  submission.flags = IOSQE_BUFFER_SELECT;
  submission.buf_group = kBufferGroup;
  if (attempt == Attempt::when_readable) submission.ioprio = IORING_RECVSEND_POLL_FIRST;
  submission.user_data = static_cast<std::uint64_t>(token);
}

std::optional<std::uint16_t> IoRing::take_outgoing() noexcept { return state_->outgoing.take(); }

std::span<char> IoRing::outgoing(std::uint16_t index) noexcept {
  return state_->outgoing.buffer(index);
}

void IoRing::give_back_outgoing(std::uint16_t index) noexcept { state_->outgoing.give_back(index); }

// It never waits in the kernel, which would have to keep the buffer; and unless all of the message
// is sent (MSG_WAITALL) it counts as failed.
void IoRing::send(int fd, std::uint16_t outgoing, unsigned bytes, RingToken token) noexcept {
  io_uring_sqe& submission = state_->next_submission();
  io_uring_prep_send(&submission, fd, state_->outgoing.buffer(outgoing).data(), bytes,
                     MSG_NOSIGNAL | MSG_DONTWAIT | MSG_WAITALL);
  submission.flags = IOSQE_CQE_SKIP_SUCCESS;
  submission.user_data = static_cast<std::uint64_t>(token);
  state_->outgoing.queued(outgoing) = {.submission = &submission, .batch = state_->batch};
}

bool IoRing::change_send(std::uint16_t outgoing, unsigned bytes) noexcept {
  io_uring_sqe* submission = state_->waiting_send(outgoing);
  if (submission == nullptr) return false;
  submission->len = bytes;
  return true;
}

bool IoRing::withdraw_send(std::uint16_t outgoing) noexcept {
  io_uring_sqe* submission = state_->waiting_send(outgoing);
  if (submission == nullptr) return false;
  io_uring_prep_nop(submission);
  submission->flags = IOSQE_CQE_SKIP_SUCCESS;
  submission->user_data = static_cast<std::uint64_t>(RingToken::none);
  return true;
}

void IoRing::poll(int fd, std::uint32_t events, RingToken token) noexcept {
  io_uring_sqe& submission = state_->next_submission();
  io_uring_prep_poll_add(&submission, fd, events);
  submission.user_data = static_cast<std::uint64_t>(token);
}

void IoRing::poll_always(int fd, std::uint32_t events, RingToken token) noexcept {
  io_uring_sqe& submission = state_->next_submission();
  io_uring_prep_poll_multishot(&submission, fd, events);
  submission.user_data = static_cast<std::uint64_t>(token);
}

void IoRing::cancel(RingToken token) noexcept {
  io_uring_sqe& submission = state_->next_submission();
  io_uring_prep_cancel64(&submission, static_cast<std::uint64_t>(token), 0);
  submission.flags = IOSQE_CQE_SKIP_SUCCESS;
  submission.user_data = static_cast<std::uint64_t>(RingToken::none);
}

int IoRing::enter(const timespec* limit) noexcept {
  if (const int result = state_->enable(); result < 0) return result;
  __kernel_timespec time{};
  if (limit != nullptr) time = {.tv_sec = limit->tv_sec, .tv_nsec = limit->tv_nsec};
  ++state_->batch;
  // What has come already is waited for no longer; but only this call makes the kernel do what is
  // due, which the other leaves out then.
  if (io_uring_cq_ready(&state_->ring) != 0) {
    return std::min(io_uring_submit_and_get_events(&state_->ring), 0);
  }
  io_uring_cqe* first = nullptr;
  const int result = io_uring_submit_and_wait_timeout(&state_->ring, &first, 1,
                                                      limit != nullptr ? &time : nullptr, nullptr);
  return result == -ETIME ? 0 : std::min(result, 0);
}

void IoRing::flush() noexcept {
  state_->enable();
  ++state_->batch;
  io_uring_submit_and_get_events(&state_->ring);
}

bool IoRing::has_submitted_all() const noexcept { return io_uring_sq_ready(&state_->ring) == 0; }

void IoRing::take_completions(std::vector<RingCompletion>& into) {
  io_uring& ring = state_->ring;
  for (;;) {
    const unsigned ready = io_uring_cq_ready(&ring);
    for (unsigned i = 0; i < ready; ++i) {
      const io_uring_cqe& completion = ring.cq.cqes[(*ring.cq.khead + i) & ring.cq.ring_mask];
      into.push_back(
          {.token = RingToken{completion.user_data},
           .result = completion.res,
           .goes_on = (completion.flags & IORING_CQE_F_MORE) != 0,
           .more_to_receive = (completion.flags & IORING_CQE_F_SOCK_NONEMPTY) != 0,
           .has_buffer = (completion.flags & IORING_CQE_F_BUFFER) != 0,
           .buffer = static_cast<std::uint16_t>(completion.flags >> IORING_CQE_BUFFER_SHIFT)});
    }
    io_uring_cq_advance(&ring, ready);
    if (!io_uring_cq_has_overflow(&ring)) return;
    flush();
  }
}

std::span<const char> IoRing::buffer(std::uint16_t index) const noexcept {
  return {state_->buffers.buffer(index), kBufferBytes};
}

void IoRing::give_back(std::uint16_t index) noexcept {
  state_->offer(index, 0);
  io_uring_buf_ring_advance(state_->buffers.ring(), 1);
}

}  // namespace weir
