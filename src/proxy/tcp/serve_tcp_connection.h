#pragma once
// One TCP connection: pick a server, connect (the next one on failure: nothing was sent yet),
// tunnel, log.

#include "proxy/proxy_worker.h"
#include "runtime/task.h"

namespace weir::proxy {

Task<void> serve_tcp_connection(ClientConnection& connection);

}  // namespace weir::proxy
