#pragma once
// A small database that is checked in, made by tests/e2e/write_geo_database.pl with these networks:
//
//   203.0.113.0/24 52.52 13.40       Berlin
//   203.0.113.64/26 -33.87 151.21    Sydney, a part of the network above
//   2001:db8:1::/48 40.71 -74.01     New York
//   192.0.2.0/24                     in a country, at no place

#include <string>
#include <string_view>

namespace weir::net::test {

inline std::string geo_database_path() {
  const std::string_view here = __FILE__;
  return std::string(here.substr(0, here.rfind('/'))) + "/geo_database_test.mmdb";
}

}  // namespace weir::net::test
