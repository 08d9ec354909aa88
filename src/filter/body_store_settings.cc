#include "filter/body_store_settings.h"

#include <cerrno>
#include <cstring>
#include <fmt/format.h>

#include "base/fd.h"
#include "config/scalars.h"

namespace weir::filter {

void check(const BodyStoreSettings& settings, config::Position position,
           config::Problems& problems) {
  if (settings.memory.value == 0 && settings.disk.value == 0) {
    problems.error(position, "'memory' and 'disk' are both 0: nothing could be stored");
  }
  if (settings.disk.value == 0) return;
  if (proxy::open_body_file(settings.folder->c_str()).is_open()) return;
  const bool is_written = settings.folder.position.line != 0;
  problems.error(is_written ? settings.folder.position : position,
                 fmt::format("no file can be made in folder '{}': {}", *settings.folder,
                             std::strerror(errno)));
}

proxy::BodyStore make_store(const BodyStoreSettings& settings) {
  return {.memory = static_cast<std::uint32_t>(settings.memory.value),
          .disk = settings.disk.value,
          .space = {.folder = proxy::DiskFolder::at(*settings.folder),
                    .bytes_max = settings.disk_total.value}};
}

std::string summary_of(const proxy::BodyStore& store) {
  std::string memory = config::print_scalar(ByteCount(store.memory)) + " in memory";
  if (store.disk == 0) return memory;
  return fmt::format("{}, then {} in {}", memory, config::print_scalar(ByteCount(store.disk)),
                     store.space.folder->path());
}

}  // namespace weir::filter
