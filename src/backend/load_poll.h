#pragma once
// One load report, asked for by a GET on a connection of its own.

#include <optional>
#include <string>

#include "net/address.h"
#include "net/cancel_slot.h"
#include "runtime/task.h"
#include "runtime/worker.h"

namespace weir::backend {

inline constexpr std::size_t kLoadReportBytesMax = std::size_t{64} << 10;

struct LoadQuestion {
  net::Address address;
  std::string authority;  // of the Host field
  std::string path;
  TimePoint due;  // of the whole answer
};

struct LoadAnswer {
  std::string body;
  std::optional<double> round_trip_ms;  // of the network, as the kernel saw it; not of unix sockets
};

// The body of a 200. Errors are those of the connection; bad_response: another status, or more than
// kLoadReportBytesMax. `question` must outlive it; while it waits it is in the slot.
Task<Result<LoadAnswer>> ask_for_load(Worker& worker, const LoadQuestion& question,
                                      net::CancelSlot& slot);

}  // namespace weir::backend
