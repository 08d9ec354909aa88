#pragma once
// What buffer_request and buffer_response are told about where bodies are stored.

#include <memory>
#include <string>

#include "base/byte_count.h"
#include "config/description.h"
#include "config/problem.h"
#include "proxy/http/stored_body.h"

namespace weir::filter {

struct BodyStoreSettings {
  ByteCount memory{std::uint64_t{64} << 10};
  ByteCount disk{std::uint64_t{1} << 30};
  ByteCount disk_total{std::uint64_t{8} << 30};
  config::Located<std::string> folder{"/var/tmp"};
};

template <class V>
void describe(V& v, BodyStoreSettings& s) {
  v.field("memory", s.memory, "Bytes of a body that stay in memory.")
      .range(ByteCount{0}, ByteCount{BufferPool::kLargest});
  v.field("disk", s.disk, "Bytes of a body that go to disk behind those; 0: none.");
  v.field("disk_total", s.disk_total, "Bytes of disk that all bodies in the folder may take.");
  v.field("folder", s.folder, "Where files of bodies are. They have no names there.");
}

// Reports a folder in which no file can be made. Jobs thread or start.
void check(const BodyStoreSettings& settings, config::Position position,
           config::Problems& problems);
proxy::BodyStore make_store(const BodyStoreSettings& settings);
// "64KiB in memory, then 1GiB in /var/tmp"
std::string summary_of(const proxy::BodyStore& store);

}  // namespace weir::filter
