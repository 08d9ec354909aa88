#pragma once
// What happened to an exchange or tunnel that failed, for whoever reads the log. Clients are not
// told: it names servers.

#include <span>
#include <string_view>

#include "proxy/attempt_log.h"
#include "stats/access_log.h"

namespace weir::backend {
class WorkerBackend;
}

namespace weir::proxy {

struct Failure {
  Error error;
  std::string_view what;  // in general, as a sentence
  const AttemptLog& attempts;
  // Where a server was looked for; may be nullptr when attempts were made.
  backend::WorkerBackend* backend = nullptr;
};

// The general sentence and, as far as there is room, the servers that were tried and what each did,
// or why none of them could be. Does not allocate.
std::string_view write_failure_sentence(const Failure& failure,
                                        std::span<char, stats::kAccessSentenceBytesMax> room);

}  // namespace weir::proxy
