#include "proxy/pick_for.h"

#include <array>
#include <cstdint>
#include <gtest/gtest.h>
#include <memory>
#include <span>
#include <string_view>
#include <utility>

#include "backend/http1_server_connection.h"
#include "net/geo_database_test_support.h"
#include "net/net_test_support.h"
#include "protocol/http1/parse_head.h"
#include "protocol/ip_address.h"
#include "proxy/worker_listener.h"

namespace weir::proxy {
namespace {

constexpr std::string_view kRequest = "GET /p?user=q HTTP/1.1\r\nHost: x\r\nX-User: alice\r\n\r\n";

std::shared_ptr<const Listener> make_listener(stats::Registry& registry) {
  ListenerSettings settings;
  settings.name.value = "l";
  return std::make_shared<const Listener>(settings, registry);
}

// A request that nobody has sent, for a backend whose picks go by what a test says.
class PickForTest : public testing::Test {
 protected:
  PickForTest() {
    settings_.name.value = "b";
    settings_.servers.resize(1);
    settings_.servers[0].name.value = "s";
    head_.fields = http::FieldList(fields_);
    const auto parsed = http1::parse_request_head(kRequest, 0, {}, head_);
    EXPECT_EQ(parsed.status, http1::ParseStatus::complete);
  }

  void go_by_key(std::string_view key) {
    settings_.balance = balance::default_settings("hash");
    settings_.balance.hash->key.value = key;
  }
  void go_by_place() {
    auto opened = net::GeoDatabase::open(net::test::geo_database_path());
    ASSERT_TRUE(opened) << opened.error();
    geo_ = std::move(*opened);
  }
  void make() {
    auto backend = std::make_shared<backend::Backend>(
        settings_, registry_, nullptr,
        backend::BackendContext{.key = make_key(settings_.balance), .geo = geo_});
    view_ = make_local<backend::WorkerBackend>(*worker_, std::move(backend), 1, connections_);
  }
  // Of the request, or of a tunnel, of this client.
  backend::PickFor picked_for(std::string_view client) { return picked_for(client, &head_); }
  backend::PickFor picked_for_tunnel(std::string_view client) {
    return picked_for(client, nullptr);
  }
  backend::PickFor picked_for(std::string_view client, const http::RequestHead* request) {
    if (!view_) make();
    const net::PeerAddress address(protocol::parse_ip(client).value());
    return pick_for(*view_, [&] {
      ++asked_;
      return source_of(address, request);
    });
  }
  ValueSource source_of(const net::PeerAddress& client, const http::RequestHead* request) const {
    return {.connection = nullptr,
            .client = client,
            .listener_use = *use_,
            .attempts = nullptr,
            .backend = nullptr,
            .group = {},
            .began = {},
            .connect_time = {},
            .header_time = {},
            .error = {},
            .bytes_received = 0,
            .bytes_sent = 0,
            .request = request};
  }
  std::uint64_t keys_missing() const { return view_->cells().keys_missing.read(); }
  std::uint64_t places_unknown() const { return view_->cells().places_unknown.read(); }

  stats::Registry registry_{1};
  net::test::TestWorker worker_;
  backend::Http1ServerConnections connections_;
  backend::BackendSettings settings_;
  std::shared_ptr<const net::GeoDatabase> geo_;
  LocalRef<backend::WorkerBackend> view_;
  LocalRef<ListenerUse> use_ =
      make_local<ListenerUse>(make_listener(registry_), std::uint16_t{80}, std::uint32_t{0});
  std::array<http::Field, 8> fields_;
  http::RequestHead head_;
  int asked_ = 0;  // what there is to know of a request
};

std::uint64_t hash_of(std::string_view key) {
  return balance::hash_key(balance::HashSettings{}.function_in_use(), key);
}

TEST_F(PickForTest, AsksNothingOfARequestThatNothingHangsOn) {
  const backend::PickFor found = picked_for("203.0.113.7");
  EXPECT_FALSE(found.hash);
  EXPECT_FALSE(found.client);
  EXPECT_EQ(asked_, 0);
  EXPECT_EQ(keys_missing() + places_unknown(), 0u);
}

TEST_F(PickForTest, HashesTheKey) {
  go_by_key("${client.address}");
  EXPECT_EQ(picked_for("203.0.113.7").hash, hash_of("203.0.113.7"));
  EXPECT_EQ(picked_for("::ffff:203.0.113.7").hash, hash_of("203.0.113.7"));
  EXPECT_EQ(picked_for("2001:db8::7").hash, hash_of("2001:db8::7"));
  EXPECT_EQ(keys_missing(), 0u);
}

TEST_F(PickForTest, PutsAKeyTogether) {
  go_by_key("${request.header.X-User}/${request.query.user}/${request.query.none}");
  EXPECT_EQ(picked_for("203.0.113.7").hash, hash_of("alice/q/"));
  EXPECT_EQ(keys_missing(), 0u);
}

TEST_F(PickForTest, CountsKeysOfWhichNothingIsThere) {
  go_by_key("id-${request.header.X-Session}");
  for (std::uint64_t i = 1; i <= 3; ++i) {
    EXPECT_FALSE(picked_for("203.0.113.7").hash);
    EXPECT_EQ(keys_missing(), i);
  }
  EXPECT_EQ(places_unknown(), 0u);
}

TEST_F(PickForTest, ATunnelHasAClientAndNoRequest) {
  go_by_key("${client.address}");
  EXPECT_EQ(picked_for_tunnel("203.0.113.7").hash, hash_of("203.0.113.7"));
}

TEST_F(PickForTest, AKeyForWhichThereIsNoRoomIsNone) {
  go_by_key("${client.address}");
  make();
  const net::PeerAddress client(protocol::parse_ip("203.0.113.7").value());
  std::array<char, 11> space;  // as long as the key
  const backend::Backend& backend = view_->backend();
  const ValueSource source = source_of(client, &head_);
  EXPECT_EQ(find_pick_for(backend, source, space).hash, hash_of("203.0.113.7"));
  EXPECT_FALSE(find_pick_for(backend, source, std::span(space).first(10)).hash);
}

TEST_F(PickForTest, FindsWhereTheClientIs) {
  go_by_place();
  EXPECT_EQ(picked_for("203.0.113.7").client, balance::GeoPoint::at(52.52, 13.40));
  EXPECT_EQ(picked_for("::ffff:203.0.113.7").client, balance::GeoPoint::at(52.52, 13.40));
  EXPECT_EQ(picked_for_tunnel("2001:db8:1::7").client, balance::GeoPoint::at(40.71, -74.01));
  EXPECT_EQ(places_unknown(), 0u);
}

TEST_F(PickForTest, CountsClientsAtNoPlaceThatIsKnown) {
  go_by_place();
  EXPECT_FALSE(picked_for("198.51.100.7").client);
  EXPECT_EQ(places_unknown(), 1u);
  EXPECT_FALSE(picked_for("192.0.2.7").client);  // without coordinates
  EXPECT_EQ(places_unknown(), 2u);
  EXPECT_EQ(keys_missing(), 0u);
}

TEST_F(PickForTest, GoesByKeyAndPlaceTogether) {
  go_by_key("${client.address}");
  go_by_place();
  const backend::PickFor found = picked_for("203.0.113.7");
  EXPECT_EQ(found.hash, hash_of("203.0.113.7"));
  EXPECT_EQ(found.client, balance::GeoPoint::at(52.52, 13.40));
}

// As for who asks what would be picked.
TEST_F(PickForTest, CountsNothingUnlessSomebodyPicks) {
  go_by_key("${request.header.X-Session}");
  go_by_place();
  make();
  const net::PeerAddress client(protocol::parse_ip("198.51.100.7").value());
  std::array<char, 100> space;
  const backend::PickFor found = find_pick_for(view_->backend(), source_of(client, &head_), space);
  EXPECT_FALSE(found.hash);
  EXPECT_FALSE(found.client);
  EXPECT_EQ(keys_missing() + places_unknown(), 0u);
}

}  // namespace
}  // namespace weir::proxy
