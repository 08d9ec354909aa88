#pragma once
// A close with unread bytes in the socket is a reset, which may destroy the answer on its way (RFC
// 9112 9.6).

#include "net/byte_stream.h"
#include "runtime/task.h"
#include "runtime/worker.h"

namespace weir::net {

// Shuts the writing side, then reads and drops up to 64 KiB, or for 2 s. The stream is to be closed
// next.
Task<void> linger(Worker& worker, ByteStream& stream);

}  // namespace weir::net
