#include "backend/connect_plan.h"

#include <algorithm>
#include <bit>

namespace weir::backend {

static_assert(net::kServerAddressesMax <= 32, "tried_ has a bit for each");

ConnectPlan::ConnectPlan(WorkerBackend& backend, const ServerLease& lease,
                         const ConnectOptions& options) noexcept
    : backend_(backend),
      lease_(lease),
      port_(options.port),
      due_(std::min(backend.worker().now() + backend.backend().settings().timeouts.connect,
                    options.due)),
      version_(lease.pool().addresses_version()) {
  if (!lease.pool().addresses().empty()) first_ = lease.pool().take_turn();
}

std::size_t ConnectPlan::untried() const noexcept {
  const ServerPool& pool = lease_.pool();
  // The name stands for others since: take_next() begins anew.
  if (version_ != pool.addresses_version()) return pool.addresses().size();
  return pool.addresses().size() - static_cast<std::size_t>(std::popcount(tried_));
}

// False: all have been tried.
bool ConnectPlan::take_next() noexcept {
  ServerPool& pool = lease_.pool();
  const auto addresses = pool.addresses();
  if (version_ != pool.addresses_version()) {
    version_ = pool.addresses_version();
    first_ = 0;
    tried_ = 0;
  }
  const Duration pause = backend_.backend().settings().refused_pause;
  const auto failed_lately = [&](const PoolAddress& address) {
    return address.failed_at != TimePoint{} && backend_.worker().now() - address.failed_at < pause;
  };
  std::size_t chosen = addresses.size();
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    const std::size_t place = (first_ + i) % addresses.size();
    if ((tried_ >> place & 1) != 0) continue;
    if (chosen == addresses.size()) chosen = place;
    if (failed_lately(*addresses[place])) continue;
    chosen = place;
    break;
  }
  if (chosen == addresses.size()) return false;
  tried_ |= std::uint32_t{1} << chosen;
  address_ = addresses[chosen];
  return true;
}

Result<Socket*> ConnectPlan::make_socket() noexcept {
  Error error = make_error(ErrorKind::connect_failed, Side::weir);
  while (take_next()) {
    auto socket = lease_.pool().make_socket(address_->address);
    if (socket) return socket;
    error = socket.error();
    // A machine without IPv6, or a source address of IPv4: another address may be of another
    // family.
    const bool may_differ =
        error.kind == ErrorKind::io || error.kind == ErrorKind::source_address_unavailable;
    if (!may_differ) return socket;
    address_->failed_at = backend_.worker().now();
  }
  return fail(error);
}

// What is left is shared out among the addresses that are left, but no less than a quarter of it
// goes to the next: many dead addresses must not leave each too little for a far server.
TimePoint ConnectPlan::due_of_address() const noexcept {
  constexpr std::size_t kSharesMax = 4;
  const auto shares = static_cast<std::int64_t>(std::min(untried() + 1, kSharesMax));
  const TimePoint now = backend_.worker().now();
  return shares == 1 ? due_ : now + (due_ - now) / shares;
}

Task<Result<void>> ConnectPlan::connect(net::SocketStream& stream) {
  net::Address address = address_->address;
  if (address.port() == 0) address.set_port(port_);
  lease_.cells().connects.add();
  const auto connected = co_await stream.connect(address, due_of_address());
  if (!connected) co_return fail(note_failure(connected.error()));
  address_->failed_at = {};
  co_return Result<void>();
}

Error ConnectPlan::note_failure(Error error) noexcept {
  if (error.kind == ErrorKind::timeout) error.kind = ErrorKind::connect_timeout;
  if (error.kind == ErrorKind::io || error.kind == ErrorKind::server_reset) {
    error.kind = ErrorKind::connect_failed;
  }
  // What Weir itself gave up, or ran out of, says nothing about the server.
  may_go_on_ = false;
  if (error.side != Side::server) return error;
  lease_.cells().connect_failures.add();
  const TimePoint now = backend_.worker().now();
  address_->failed_at = now;
  may_go_on_ = untried() != 0 && now < due_;
  const ServerPool& pool = lease_.pool();
  if (!may_go_on_ && pool.owner() != nullptr) pool.owner()->leave_out(pool.index());
  return error;
}

}  // namespace weir::backend
