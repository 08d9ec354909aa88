#include "proxy/pick_for.h"

namespace weir::proxy {

std::optional<std::string_view> TemplateKey::write(const ValueSource& source,
                                                   std::span<char> space) const noexcept {
  const std::optional<std::size_t> bytes = text_.write_key(source, space);
  if (!bytes) return std::nullopt;
  return std::string_view(space.data(), *bytes);
}

std::shared_ptr<const backend::BalanceKey> make_key(const balance::BalanceSettings& settings) {
  if (!settings.hash) return nullptr;
  auto text = Template::parse(*settings.hash->key, Known::request);
  WEIR_ASSERT(text);
  return std::make_shared<TemplateKey>(std::move(*text), settings.hash->function_in_use());
}

std::shared_ptr<const backend::BalanceKey> make_subset_key(
    const backend::BackendSettings& settings) {
  if (!settings.subsets) return nullptr;
  auto text = Template::parse(*settings.subsets->key, Known::request);
  WEIR_ASSERT(text);
  return std::make_shared<TemplateKey>(std::move(*text), balance::HashFunction::wyhash);
}

const TemplateKey* key_of(const backend::Backend& backend) noexcept {
  // Backends are given no other kind of key.
  return static_cast<const TemplateKey*>(backend.key());
}

const TemplateKey* subset_key_of(const backend::Backend& backend) noexcept {
  return static_cast<const TemplateKey*>(backend.subset_key());
}

backend::PickFor find_pick_for(const backend::Backend& backend, const ValueSource& source,
                               std::span<char> space) noexcept {
  backend::PickFor found;
  if (const TemplateKey* const key = key_of(backend)) {
    if (const auto text = key->write(source, space)) found.hash = key->hash(*text);
  }
  if (const TemplateKey* const key = subset_key_of(backend)) {
    if (const auto text = key->write(source, space)) found.subset = backend.find_subset(*text);
  }
  if (backend.geo() != nullptr) {
    if (const auto at = backend.geo()->find(source.client)) {
      found.client = balance::GeoPoint::at(at->latitude, at->longitude);
    }
  }
  return found;
}

}  // namespace weir::proxy
