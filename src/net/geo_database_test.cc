#include "net/geo_database.h"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <sys/stat.h>
#include <tuple>

#include "net/geo_database_test_support.h"
#include "protocol/ip_address.h"

namespace weir::net {
namespace {

PeerAddress ip(std::string_view text) { return PeerAddress(protocol::parse_ip(text).value()); }

// Degrees as they are written; empty: not known.
std::string place_of(const GeoDatabase& database, std::string_view client) {
  const auto at = database.find(ip(client));
  if (!at) return {};
  std::array<char, 64> text;
  std::snprintf(text.data(), text.size(), "%.2f %.2f", at->latitude, at->longitude);
  return text.data();
}

std::string bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// A folder of its own, with a copy of the database in it.
class GeoDatabaseTest : public testing::Test {
 protected:
  GeoDatabaseTest() : folder_(testing::TempDir() + "weir_geo_XXXXXX") {
    EXPECT_NE(::mkdtemp(folder_.data()), nullptr);
    path_ = folder_ + "/places.mmdb";
    write(path_, good_);
  }
  ~GeoDatabaseTest() override { std::filesystem::remove_all(folder_); }

  static void write(const std::string& path, std::string_view bytes) {
    std::ofstream(path, std::ios::binary) << bytes;
  }
  std::shared_ptr<const GeoDatabase> open() const {
    auto opened = GeoDatabase::open(path_);
    EXPECT_TRUE(opened) << opened.error();
    return opened.value_or(nullptr);
  }
  // What is said of the file, less its path.
  std::string error() const {
    const auto opened = GeoDatabase::open(path_);
    if (opened) return {};
    const std::string begin = "cannot read '" + path_ + "': ";
    EXPECT_TRUE(opened.error().starts_with(begin)) << opened.error();
    return opened.error().substr(begin.size());
  }

  const std::string good_ = bytes_of(test::geo_database_path());
  std::string folder_;
  std::string path_;
};

TEST_F(GeoDatabaseTest, KnowsTheSmallestNetworkOfAnAddress) {
  const auto database = open();
  for (const char* client : {"203.0.113.0", "203.0.113.63", "203.0.113.128", "203.0.113.255"}) {
    EXPECT_EQ(place_of(*database, client), "52.52 13.40") << client;
  }
  for (const char* client : {"203.0.113.64", "203.0.113.127"}) {
    EXPECT_EQ(place_of(*database, client), "-33.87 151.21") << client;
  }
  for (const char* client : {"2001:db8:1::", "2001:db8:1:ffff:ffff:ffff:ffff:ffff"}) {
    EXPECT_EQ(place_of(*database, client), "40.71 -74.01") << client;
  }
}

TEST_F(GeoDatabaseTest, AnIpv4MappedAddressIsTheIpv4Address) {
  const auto database = open();
  EXPECT_EQ(place_of(*database, "::ffff:203.0.113.7"), "52.52 13.40");
  EXPECT_EQ(place_of(*database, "::ffff:203.0.114.7"), "");
}

TEST_F(GeoDatabaseTest, KnowsNoPlaceOfOthers) {
  const auto database = open();
  for (const char* client : {"203.0.112.255", "203.0.114.0", "0.0.0.0", "255.255.255.255",
                             "::", "2001:db8:0:ffff:ffff:ffff:ffff:ffff",
                             "2001:db8:2::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"}) {
    EXPECT_EQ(place_of(*database, client), "") << client;
  }
  EXPECT_EQ(place_of(*database, "192.0.2.1"), "");  // it is there, without coordinates
  EXPECT_FALSE(database->find(Address::parse("unix:/run/x.sock").value()));
}

TEST_F(GeoDatabaseTest, SaysWhyItCannotBeRead) {
  write(path_, "203.0.113.0/24,52.52,13.40\n");
  EXPECT_EQ(error(), "The MaxMind DB file contains invalid metadata");
  write(path_, {});
  EXPECT_EQ(error(), "An attempt to read data from the MaxMind DB file failed");
  std::filesystem::remove(path_);
  EXPECT_EQ(error(), "No such file or directory");
  std::filesystem::create_directory(path_);
  EXPECT_EQ(error(), "it is no regular file");
}

TEST_F(GeoDatabaseTest, DoesNotWaitForWhoeverWritesToAPipe) {
  std::filesystem::remove(path_);
  ASSERT_EQ(::mkfifo(path_.c_str(), 0600), 0);
  EXPECT_EQ(error(), "it is no regular file");
}

// Its description of itself is at the end.
TEST_F(GeoDatabaseTest, NoPartOfAFileIsADatabase) {
  ASSERT_FALSE(good_.empty());
  for (std::size_t bytes = 0; bytes < good_.size(); bytes += 13) {
    write(path_, std::string_view(good_).substr(0, bytes));
    EXPECT_NE(error(), "") << bytes;
  }
}

TEST_F(GeoDatabaseTest, DamagedBytesLeadToNoneOrToAnotherPlaceAndNoFurther) {
  std::size_t opened = 0;
  for (std::size_t at = 0; at < good_.size(); at += 3) {
    std::string damaged = good_;
    damaged[at] = static_cast<char>(~damaged[at]);
    write(path_, damaged);
    const auto database = GeoDatabase::open(path_);
    if (!database) continue;
    ++opened;
    for (const char* client : {"203.0.113.7", "203.0.113.64", "2001:db8:1::7", "192.0.2.1"}) {
      std::ignore = (*database)->find(ip(client));
    }
  }
  EXPECT_GT(opened, 0u);
}

TEST_F(GeoDatabaseTest, IsOfTheFileUntilAnotherOneTakesItsPlace) {
  const auto database = open();
  EXPECT_TRUE(database->is_of(path_));
  EXPECT_FALSE(database->is_of(folder_ + "/other.mmdb"));
  EXPECT_FALSE(database->is_of(test::geo_database_path()));
  write(folder_ + "/new", good_);
  std::filesystem::rename(folder_ + "/new", path_);
  EXPECT_FALSE(database->is_of(path_));
  EXPECT_TRUE(open()->is_of(path_));
  std::filesystem::remove(path_);
  EXPECT_FALSE(database->is_of(path_));
}

TEST_F(GeoDatabaseTest, KeepsWhatItHasReadWhenTheFileIsCut) {
  const auto database = open();
  write(path_, {});
  EXPECT_EQ(place_of(*database, "203.0.113.7"), "52.52 13.40");
}

}  // namespace
}  // namespace weir::net
