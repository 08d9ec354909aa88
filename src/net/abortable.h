#pragma once
// Abortable: something a task waits for that somebody else may end.

#include "base/error.h"

namespace weir::net {

class Abortable {
 public:
  // Ends the wait for this. Calls nobody back from within the call.
  virtual void abort(Error reason) noexcept = 0;

 protected:
  ~Abortable() = default;
};

}  // namespace weir::net
