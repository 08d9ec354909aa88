#pragma once
// BalanceKey: what the algorithm of a backend tells requests apart by. Which values there are is
// known above; a backend keeps the key for as long as somebody may pick.

namespace weir::backend {

class BalanceKey {
 public:
  virtual ~BalanceKey() = default;
};

}  // namespace weir::backend
