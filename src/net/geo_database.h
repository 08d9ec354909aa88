#pragma once
// GeoDatabase: where on earth addresses are, from a file in MaxMind's DB format (specification 2.0)
// with `location.latitude` and `location.longitude`, as the City databases have.

#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <sys/stat.h>

#include "net/address.h"

struct MMDB_s;  // NOLINT(readability-identifier-naming): libmaxminddb's

namespace weir::net {

struct Coordinates {
  double latitude = 0;   // degrees, north positive
  double longitude = 0;  // degrees, east positive
};

class GeoDatabase {
 public:
  // Reads the whole file, so that a change of it is seen by nobody before it is opened again. The
  // error is a sentence. Jobs thread or start.
  static std::expected<std::shared_ptr<const GeoDatabase>, std::string> open(
      const std::string& path);

  GeoDatabase(std::unique_ptr<MMDB_s> file, std::string path, const struct stat& status) noexcept;
  ~GeoDatabase();

  // Whether it is what the file at `path` holds.
  bool is_of(const std::string& path) const noexcept;

  // nullopt: it is not known where that is. Any thread; does not allocate.
  std::optional<Coordinates> find(const PeerAddress& address) const noexcept;

 private:
  std::unique_ptr<MMDB_s> file_;
  std::string path_;
  struct ::timespec changed_;
  std::uint64_t inode_;
};

}  // namespace weir::net
