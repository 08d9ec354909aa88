#pragma once
// ConnectPlan: the new connection of one attempt: to one address of the server after the other,
// until one accepts. Lives in the frame of the task that connects.

#include "backend/worker_backend.h"

namespace weir::backend {

class ConnectPlan {
 public:
  // Of the lease's server. Both must outlive the plan; port and due of the options count.
  ConnectPlan(WorkerBackend& backend, const ServerLease& lease,
              const ConnectOptions& options) noexcept;

  // A socket for the next address; addresses that failed a moment ago come after the others. An
  // error if there is none, or the socket cannot be had.
  Result<Socket*> make_socket() noexcept;
  // Of the last socket.
  PoolAddress& address() const noexcept { return *address_; }
  // Connects the stream of that socket.
  Task<Result<void>> connect(net::SocketStream& stream);
  // After a failure: whether another address may be tried.
  bool may_go_on() const noexcept { return may_go_on_; }

 private:
  bool take_next() noexcept;
  std::size_t untried() const noexcept;
  TimePoint due_of_address() const noexcept;
  Error note_failure(Error error) noexcept;

  WorkerBackend& backend_;
  const ServerLease& lease_;
  std::uint16_t port_;
  TimePoint due_;
  std::uint32_t version_;
  std::size_t first_ = 0;
  std::uint32_t tried_ = 0;  // a bit for each address
  bool may_go_on_ = false;
  LocalRef<PoolAddress> address_;
};

}  // namespace weir::backend
