#pragma once
// What a request or connection brings to a pick: the hash of the algorithm's key, the subset that
// is to answer, and where the client is.

#include "backend/balance_key.h"
#include "backend/worker_backend.h"
#include "balance/hash_function.h"
#include "proxy/template.h"

namespace weir::proxy {

class TemplateKey final : public backend::BalanceKey {
 public:
  TemplateKey(Template text, balance::HashFunction function)
      : text_(std::move(text)), function_(function) {}

  // Writes the key into `space`; nullopt: no value that it names is there, or there is no room.
  std::optional<std::string_view> write(const ValueSource& source,
                                        std::span<char> space WEIR_LIFETIMEBOUND) const noexcept;
  std::uint64_t hash(std::string_view key) const noexcept {
    return balance::hash_key(function_, key);
  }
  const Template& text() const noexcept { return text_; }

 private:
  Template text_;
  balance::HashFunction function_;
};

// nullptr: the algorithm has no key. The settings are free of errors. Jobs thread or start.
std::shared_ptr<const backend::BalanceKey> make_key(const balance::BalanceSettings& settings);
// Likewise of its subsets.
std::shared_ptr<const backend::BalanceKey> make_subset_key(
    const backend::BackendSettings& settings);
// Those of the backend, made so; nullptr: it has none.
const TemplateKey* key_of(const backend::Backend& backend) noexcept;
const TemplateKey* subset_key_of(const backend::Backend& backend) noexcept;

// space: for the key. Counts what is missing if there is somebody to count for.
backend::PickFor find_pick_for(const backend::Backend& backend, const ValueSource& source,
                               std::span<char> space) noexcept;

// Worker. source: gives the ValueSource, and is not asked if the backend goes by nothing of it.
template <class Source>
backend::PickFor pick_for(const backend::WorkerBackend& view, Source&& source) noexcept {
  const backend::Backend& backend = view.backend();
  if (!backend.goes_by_request()) return {};
  const backend::PickFor found = find_pick_for(backend, source(), view.worker().shared_buffer());
  if (backend.key() != nullptr && !found.hash) view.cells().keys_missing.add();
  if (backend.subset_key() != nullptr && found.subset == balance::SubsetIndex::none) {
    view.cells().subsets_unknown.add();
  }
  if (backend.geo() != nullptr && !found.client) view.cells().places_unknown.add();
  return found;
}

}  // namespace weir::proxy
