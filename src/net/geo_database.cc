#include "net/geo_database.h"

#include <cstring>
#include <fcntl.h>
#include <maxminddb.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "protocol/ip_address.h"

namespace weir::net {
namespace {

std::unexpected<std::string> cannot_read(const std::string& path, std::string_view why) {
  return std::unexpected("cannot read '" + path + "': " + std::string(why));
}

std::optional<double> find_number(MMDB_entry_s& entry, const char* name) noexcept {
  const char* const path[] = {"location", name, nullptr};
  MMDB_entry_data_s data;
  if (MMDB_aget_value(&entry, &data, path) != MMDB_SUCCESS || !data.has_data) return std::nullopt;
  if (data.type == MMDB_DATA_TYPE_DOUBLE) return data.double_value;
  if (data.type == MMDB_DATA_TYPE_FLOAT) return data.float_value;
  return std::nullopt;
}

}  // namespace

// The library maps the file that it is given: one that is cut meanwhile would end the process, and
// a page that is not in memory would hold a worker. So it is given a copy in memory.
std::expected<std::shared_ptr<const GeoDatabase>, std::string> GeoDatabase::open(
    const std::string& path) {
  // A pipe that nobody writes to must not hold whoever opens it.
  const Fd original(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat status{};
  if (!original.is_open() || ::fstat(original.get(), &status) != 0) {
    return cannot_read(path, std::strerror(errno));
  }
  if (!S_ISREG(status.st_mode)) return cannot_read(path, "it is no regular file");
  const Fd copy(::memfd_create("geo", MFD_CLOEXEC));
  if (!copy.is_open()) return cannot_read(path, std::strerror(errno));
  for (off_t left = status.st_size; left > 0;) {
    const ssize_t sent =
        ::sendfile(copy.get(), original.get(), nullptr, static_cast<std::size_t>(left));
    if (sent < 0) return cannot_read(path, std::strerror(errno));
    if (sent == 0) break;
    left -= sent;
  }
  auto file = std::make_unique<MMDB_s>();
  const std::string name = "/proc/self/fd/" + std::to_string(copy.get());
  const int opened = MMDB_open(name.c_str(), MMDB_MODE_MMAP, file.get());
  if (opened != MMDB_SUCCESS) return cannot_read(path, MMDB_strerror(opened));
  return std::make_shared<const GeoDatabase>(std::move(file), path, status);
}

GeoDatabase::GeoDatabase(std::unique_ptr<MMDB_s> file, std::string path,
                         const struct stat& status) noexcept
    : file_(std::move(file)),
      path_(std::move(path)),
      changed_(status.st_mtim),
      inode_(status.st_ino) {}

GeoDatabase::~GeoDatabase() { MMDB_close(file_.get()); }

bool GeoDatabase::is_of(const std::string& path) const noexcept {
  struct stat now{};
  return path == path_ && ::stat(path.c_str(), &now) == 0 && now.st_ino == inode_ &&
         now.st_mtim.tv_sec == changed_.tv_sec && now.st_mtim.tv_nsec == changed_.tv_nsec;
}

std::optional<Coordinates> GeoDatabase::find(const PeerAddress& address) const noexcept {
  if (address.is_unix()) return std::nullopt;
  int error = MMDB_SUCCESS;
  // Not every database knows IPv4-mapped addresses, which clients of a socket of both families
  // have.
  const sockaddr_storage storage = protocol::unmap_ipv4(address.storage());
  MMDB_lookup_result_s found =
      MMDB_lookup_sockaddr(file_.get(), reinterpret_cast<const sockaddr*>(&storage), &error);
  if (error != MMDB_SUCCESS || !found.found_entry) return std::nullopt;
  const auto latitude = find_number(found.entry, "latitude");
  const auto longitude = find_number(found.entry, "longitude");
  if (!latitude || !longitude) return std::nullopt;
  return Coordinates{.latitude = *latitude, .longitude = *longitude};
}

}  // namespace weir::net
