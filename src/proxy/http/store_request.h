#pragma once
// Reads the body of a request to its end before a server is asked, so that a slow client does not
// hold one.

#include "proxy/http/stored_body.h"
#include "runtime/task.h"

namespace weir::proxy {

struct Exchange;

// What attempts read from then on, and may read again. A client that expects it is told to go on
// (RFC 9110 10.1.1), and the length that was not known is. store must outlive the exchange. Errors:
// those of reading from the client, and of StoredBody.
Task<Result<void>> store_request_body(Exchange& x, const BodyStore& store);

}  // namespace weir::proxy
