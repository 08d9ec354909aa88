#include "protocol/http/forwarded.h"

#include <array>
#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "base/random.h"
#include "protocol/ip_address.h"

namespace weir::http {
namespace {

using Kind = ForwardedNode::Kind;

std::string printed(const sockaddr_storage& address) {
  if (address.ss_family == AF_UNSPEC) return "-";
  char text[INET6_ADDRSTRLEN];
  return std::string(protocol::print_ip(address, text)) + " " +
         std::to_string(protocol::port_of(address));
}

std::string print(const ForwardedElement& element) {
  const std::pair<std::string_view, std::string_view> parameters[] = {
      {"for", element.forwarded_for},
      {"by", element.by},
      {"host", element.host},
      {"proto", element.proto}};
  std::string text;
  for (const auto& [name, value] : parameters) {
    if (value.data() != nullptr) text += std::string(name) + "=" + std::string(value) + " ";
  }
  return text;
}

// Read from memory of exactly its size; "!" ends what is malformed.
std::vector<std::string> elements(std::string_view value) {
  const std::vector<char> copy(value.begin(), value.end());
  ForwardedReader reader({copy.data(), copy.size()});
  std::vector<std::string> all;
  for (;;) {
    ForwardedElement element;
    switch (reader.next(element)) {
      case ForwardedReader::Status::element:
        all.push_back(print(element));
        break;
      case ForwardedReader::Status::malformed:
        EXPECT_EQ(reader.next(element), ForwardedReader::Status::malformed);
        all.emplace_back("!");
        return all;
      case ForwardedReader::Status::end:
        EXPECT_EQ(reader.next(element), ForwardedReader::Status::end);
        return all;
    }
  }
}

std::vector<std::string> members(std::string_view value) {
  ListReader reader(value);
  std::vector<std::string> all;
  while (const auto member = reader.next()) all.emplace_back(*member);
  return all;
}

using Texts = std::vector<std::string>;

TEST(ListReader, GivesMembersFromRightToLeft) {
  EXPECT_EQ(members("a, b,c\t,\t d e "), (Texts{"d e", "c", "b", "a"}));
  EXPECT_EQ(members(",, a ,, ,b,"), (Texts{"b", "a"}));
  EXPECT_EQ(members(""), Texts{});
  EXPECT_EQ(members(" , \t"), Texts{});
}

// The examples of RFC 7239 4, 6 and 7.
TEST(ForwardedReader, ReadsTheExamplesOfTheSpecification) {
  EXPECT_EQ(elements(R"(for="_gazonk")"), (Texts{R"(for="_gazonk" )"}));
  EXPECT_EQ(elements(R"(For="[2001:db8:cafe::17]:4711")"),
            (Texts{R"(for="[2001:db8:cafe::17]:4711" )"}));
  EXPECT_EQ(elements("for=192.0.2.60;proto=http;by=203.0.113.43"),
            (Texts{"for=192.0.2.60 by=203.0.113.43 proto=http "}));
  EXPECT_EQ(elements("for=192.0.2.43, for=198.51.100.17"),
            (Texts{"for=198.51.100.17 ", "for=192.0.2.43 "}));
  EXPECT_EQ(elements(R"(for=192.0.2.43,for="[2001:db8:cafe::17]",for=unknown)"),
            (Texts{"for=unknown ", R"(for="[2001:db8:cafe::17]" )", "for=192.0.2.43 "}));
  EXPECT_EQ(elements("for=_hidden, for=_SEVKISEK"), (Texts{"for=_SEVKISEK ", "for=_hidden "}));
}

TEST(ForwardedReader, LetsPassWhatIsHarmless) {
  EXPECT_EQ(elements(""), Texts{});
  EXPECT_EQ(elements(" ,\t, "), Texts{});
  EXPECT_EQ(elements(";"), (Texts{""}));
  EXPECT_EQ(elements(";for=a;;by=b;"), (Texts{"for=a by=b "}));
  EXPECT_EQ(elements("for=a ; proto=http;\tby=b , ,for=c"),
            (Texts{"for=c ", "for=a by=b proto=http "}));
  EXPECT_EQ(elements("secret=x;FOR=a;Secret=\"y,\"; HOST=\"\""), (Texts{"for=a host=\"\" "}));
}

TEST(ForwardedReader, CommasAndQuotesInQuotesAreText) {
  EXPECT_EQ(elements(R"(host="a,b;c=d", for=e)"), (Texts{"for=e ", R"(host="a,b;c=d" )"}));
  EXPECT_EQ(elements(R"(host="a\",\"b")"), (Texts{R"(host="a\",\"b" )"}));
  EXPECT_EQ(elements(R"(host="\\",for=e,host="\\\"")"),
            (Texts{R"(host="\\\"" )", "for=e ", R"(host="\\" )"}));
}

TEST(ForwardedReader, EndsAtWhatIsMalformed) {
  for (const char* value : {"for",
                            "for=",
                            "=a",
                            "for =a",
                            "for= a",
                            "for=a b",
                            "for=a=b",
                            "for=a;for=b",
                            "for=a;FOR=\"b\"",
                            "for=[::1]",
                            "for=192.0.2.1:80",
                            "for=\"a",
                            "for=a\"",
                            "for=\"a\"b",
                            "for=\"a\"\"b\"",
                            "for=\"a\\\"",
                            "f(r=a",
                            "for=\"a\x01\"",
                            "for=\"a\\\x7f\"",
                            "\"a\"",
                            "for=\xe4",
                            "for=a:by=b"}) {
    EXPECT_EQ(elements(value), Texts{"!"}) << value;
    EXPECT_EQ(elements("for=left, " + std::string(value)), Texts{"!"}) << value;
  }
}

// Whatever a client wrote, what proxies added on its right is read as they meant it.
TEST(ForwardedReader, NothingOnTheLeftChangesWhatIsRight) {
  constexpr std::string_view kAdded = R"(for="[2001:db8::1]:80";host="a\",b", for=10.0.0.1)";
  constexpr std::string_view kAlphabet = "\"\\,;= ab\t";
  Random random(5);
  for (int run = 0; run < 3000; ++run) {
    std::string value;
    for (std::uint32_t size = random.below(12); size != 0; --size) {
      value.push_back(kAlphabet[random.below(static_cast<std::uint32_t>(kAlphabet.size()))]);
    }
    const Texts all = elements(value + ", " + std::string(kAdded));
    ASSERT_GE(all.size(), 2u) << value;
    EXPECT_EQ(all[0], "for=10.0.0.1 ") << value;
    EXPECT_EQ(all[1], R"(for="[2001:db8::1]:80" host="a\",b" )") << value;
    Texts left = elements(value);
    left.insert(left.begin(), all.begin(), all.begin() + 2);
    EXPECT_EQ(all, left) << value;
  }
}

TEST(Unquote, CopiesOnlyWhatHasEscapes) {
  char scratch[4];
  constexpr std::string_view kPlain = "\"longer than scratch\"";
  EXPECT_EQ(unquote("token", scratch), "token");
  EXPECT_EQ(unquote(kPlain, scratch), "longer than scratch");
  EXPECT_EQ(unquote(kPlain, scratch)->data(), kPlain.data() + 1);
  EXPECT_EQ(unquote("\"\"", scratch), "");
  EXPECT_EQ(unquote(R"("\a\"\\b")", scratch), R"(a"\b)");
  EXPECT_EQ(unquote(R"("\a\"\\bc")", scratch), std::nullopt);
}

TEST(ForwardedNode, IsAnAddressOrANameThatHidesIt) {
  const auto print_node = [](std::string_view text) {
    const auto node = parse_forwarded_node(text);
    return node ? printed(node->address) : "none";
  };
  EXPECT_EQ(print_node("192.0.2.1"), "192.0.2.1 0");
  EXPECT_EQ(print_node("192.0.2.1:4711"), "192.0.2.1 4711");
  EXPECT_EQ(print_node("192.0.2.1:_port"), "192.0.2.1 0");
  EXPECT_EQ(print_node("[2001:db8::1]"), "2001:db8::1 0");
  EXPECT_EQ(print_node("[2001:db8::1]:4711"), "2001:db8::1 4711");
  for (const char* text : {"unknown", "UNKNOWN", "unknown:80"}) {
    ASSERT_TRUE(parse_forwarded_node(text)) << text;
    EXPECT_EQ(parse_forwarded_node(text)->kind, Kind::unknown) << text;
  }
  for (const char* text : {"_hidden", "_a.b_c-d", "_hidden:_port", "_hidden:80"}) {
    ASSERT_TRUE(parse_forwarded_node(text)) << text;
    EXPECT_EQ(parse_forwarded_node(text)->kind, Kind::obfuscated) << text;
  }
  for (const char* text : {"",
                           "_",
                           "_a b",
                           "_\xe4",
                           "hidden",
                           ":80",
                           "192.0.2.1:",
                           "192.0.2.1:65536",
                           "192.0.2.1:_",
                           "192.0.2.1:80:80",
                           "192.0.2",
                           "2001:db8::1",
                           "[192.0.2.1]",
                           "[]",
                           "[",
                           "]",
                           "[::1",
                           "[::1]80",
                           "[::1]]",
                           "[::1]:",
                           "[[::1]]",
                           "[::1]:x"}) {
    EXPECT_FALSE(parse_forwarded_node(text)) << text;
  }
}

TEST(ForwardedNode, OfXForwardedForMayBeBareIpv6) {
  EXPECT_EQ(printed(parse_x_forwarded_for("2001:db8::1").value().address), "2001:db8::1 0");
  EXPECT_EQ(printed(parse_x_forwarded_for("[2001:db8::1]:80").value().address), "2001:db8::1 80");
  EXPECT_EQ(printed(parse_x_forwarded_for("192.0.2.1:80").value().address), "192.0.2.1 80");
  EXPECT_EQ(parse_x_forwarded_for("unknown").value().kind, Kind::unknown);
  EXPECT_FALSE(parse_x_forwarded_for("localhost"));
  EXPECT_FALSE(parse_x_forwarded_for("\"192.0.2.1\""));
}

TEST(ForwardedProto, IsTheNameOfAScheme) {
  for (const char* text : {"http", "https", "HTTPS", "h", "coap+tcp", "a.b-c1"}) {
    EXPECT_TRUE(is_uri_scheme(text)) << text;
  }
  for (const char* text : {"", "1http", "+http", "http:", "ht tp", "http,https", "\xe4"}) {
    EXPECT_FALSE(is_uri_scheme(text)) << text;
  }
}

// Addresses that start with 10 or fd are proxies of ours.
constexpr TrustedProxies kTrusted{
    .contains = [](const void*, const sockaddr_storage& address) noexcept {
      const char first = protocol::ip_bytes(address).front();
      return first == 10 || first == '\xfd';
    }};

struct Found {
  ForwardedEnd end;
  std::string address;
  std::string element;
  friend bool operator==(const Found&, const Found&) = default;
};

Found find(FieldId id, const std::vector<std::string>& values) {
  std::array<Field, 16> storage;
  FieldList fields(storage);
  EXPECT_TRUE(fields.add({.name = "Host", .value = "h", .id = FieldId::host}));
  for (const std::string& value : values) {
    EXPECT_TRUE(fields.add({.name = "F", .value = value, .id = id}));
    EXPECT_TRUE(fields.add({.name = "Via", .value = "198.51.100.99", .id = FieldId::other}));
  }
  const ForwardedClient client = find_forwarded_client(fields, id, kTrusted);
  return {client.end, printed(client.address), print(client.element)};
}

Found find_x(const std::vector<std::string>& values) {
  return find(FieldId::x_forwarded_for, values);
}

Found find_rfc(const std::vector<std::string>& values) { return find(FieldId::forwarded, values); }

TEST(ForwardedClient, IsTheFirstFromTheRightThatIsNotTrusted) {
  EXPECT_EQ(find_x({"203.0.113.7"}),
            (Found{ForwardedEnd::found, "203.0.113.7 0", "for=203.0.113.7 "}));
  EXPECT_EQ(find_x({"10.9.9.9, 203.0.113.7, fd00::1, 10.0.0.1"}).address, "203.0.113.7 0");
  EXPECT_EQ(find_x({"evil, 203.0.113.7:99, 10.0.0.1:80"}).address, "203.0.113.7 99");
  EXPECT_EQ(find_rfc({R"(for=10.9.9.9, for="[2001:db8::7]:99";proto=https;host=h, for=10.0.0.1)"}),
            (Found{ForwardedEnd::found, "2001:db8::7 99",
                   R"(for="[2001:db8::7]:99" host=h proto=https )"}));
  EXPECT_EQ(find_rfc({R"(for="[2001\:db8::7]\:99")"}).address, "2001:db8::7 99");
}

TEST(ForwardedClient, IsSoughtInAllFieldsFromTheLast) {
  EXPECT_EQ(find_x({"203.0.113.6", "203.0.113.7, 10.0.0.2", "", "10.0.0.1"}).address,
            "203.0.113.7 0");
  EXPECT_EQ(find_rfc({"for=203.0.113.6", "for=203.0.113.7,for=10.0.0.2", "for=10.0.0.1"}).address,
            "203.0.113.7 0");
}

TEST(ForwardedClient, IsTheLastOneNamedWhenAllAreTrusted) {
  EXPECT_EQ(find_x({}), (Found{ForwardedEnd::all_trusted, "-", ""}));
  EXPECT_EQ(find_x({" , "}), (Found{ForwardedEnd::all_trusted, "-", ""}));
  EXPECT_EQ(find_x({"10.0.0.3", "10.0.0.2, 10.0.0.1"}),
            (Found{ForwardedEnd::all_trusted, "10.0.0.3 0", "for=10.0.0.3 "}));
}

TEST(ForwardedClient, IsNobodyBeyondWhatHidesItOrMakesNoSense) {
  EXPECT_EQ(find_x({"203.0.113.7, unknown, 10.0.0.1"}),
            (Found{ForwardedEnd::hidden, "10.0.0.1 0", "for=unknown "}));
  EXPECT_EQ(find_x({"203.0.113.7, 300.0.0.1, 10.0.0.1"}),
            (Found{ForwardedEnd::malformed, "10.0.0.1 0", "for=10.0.0.1 "}));
  EXPECT_EQ(find_rfc({"for=203.0.113.7, for=_hidden;proto=https"}),
            (Found{ForwardedEnd::hidden, "-", "for=_hidden proto=https "}));
  EXPECT_EQ(find_rfc({"for=203.0.113.7, proto=https, for=10.0.0.1"}),
            (Found{ForwardedEnd::hidden, "10.0.0.1 0", "proto=https "}));
  EXPECT_EQ(find_rfc({"for=203.0.113.7", "for=\"x, for=10.0.0.1"}),
            (Found{ForwardedEnd::malformed, "10.0.0.1 0", "for=10.0.0.1 "}));
  EXPECT_EQ(find_rfc({"for=203.0.113.7, for=\"" + std::string(300, 'x') + "\\y\""}).end,
            ForwardedEnd::malformed);
}

TEST(ForwardedClient, IsNotSoughtBeyondTheLimit) {
  std::string value = "203.0.113.7";
  for (std::size_t i = 0; i < kForwardedHopsMax - 1; ++i) value += ", 10.0.0.1";
  EXPECT_EQ(find_x({value}).end, ForwardedEnd::found);
  EXPECT_EQ(find_x({value + ", 10.0.0.2"}).end, ForwardedEnd::too_many);
}

sockaddr_storage node(std::string_view ip, std::uint16_t port) {
  return protocol::make_ip(protocol::ip_bytes(protocol::parse_ip(ip).value()), port);
}

std::string written(const ForwardedHop& hop) {
  char out[256];
  return {out, write_forwarded_element(out, hop).value()};
}

TEST(WriteForwarded, QuotesWhatIsNoToken) {
  EXPECT_EQ(written({.client = node("192.0.2.60", 0), .listener = {}, .host = "", .proto = "http"}),
            "for=192.0.2.60;proto=http");
  EXPECT_EQ(written({.client = node("192.0.2.60", 47011),
                     .listener = node("203.0.113.43", 0),
                     .host = "example.com:8080",
                     .proto = "https"}),
            "for=\"192.0.2.60:47011\";by=203.0.113.43;host=\"example.com:8080\";proto=https");
  EXPECT_EQ(written({.client = node("2001:db8::1", 0),
                     .listener = node("::1", 80),
                     .host = "example.com",
                     .proto = ""}),
            "for=\"[2001:db8::1]\";by=\"[::1]:80\";host=example.com");
  EXPECT_EQ(
      written({.client = node("::ffff:192.0.2.60", 0), .listener = {}, .host = "", .proto = ""}),
      "for=192.0.2.60");
}

TEST(WriteForwarded, OfAClientWithoutIpAddressSaysUnknown) {
  sockaddr_storage unix_socket{};
  unix_socket.ss_family = AF_UNIX;
  EXPECT_EQ(written({.client = unix_socket, .listener = unix_socket, .host = "h", .proto = ""}),
            "for=unknown;host=h");
}

TEST(WriteForwarded, SaysThatItDoesNotFit) {
  const ForwardedHop hop{.client = node("2001:db8::1", 4711),
                         .listener = node("192.0.2.1", 80),
                         .host = "a\"b",
                         .proto = "https"};
  const std::string whole = written(hop);
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    std::vector<char> out(size);
    EXPECT_EQ(write_forwarded_element(out, hop).has_value(), size == whole.size()) << size;
  }
}

TEST(WriteForwarded, IsReadAsItWasWritten) {
  constexpr std::string_view kAlphabet = "ab.:[]\"\\ ,;=\t\xe4%";
  Random random(6);
  for (int run = 0; run < 2000; ++run) {
    std::string bytes(16, '\0'), host(1, 'h');
    for (char& byte : bytes) byte = static_cast<char>(1 + random.below(255));
    for (std::uint32_t size = random.below(20); size != 0; --size) {
      host.push_back(kAlphabet[random.below(static_cast<std::uint32_t>(kAlphabet.size()))]);
    }
    if (random.below(2) == 0) bytes.resize(4);
    const ForwardedHop hop{
        .client = protocol::make_ip(bytes, static_cast<std::uint16_t>(random.below(3))),
        .listener = {},
        .host = host,
        .proto = "https"};
    const std::string value = "for=10.0.0.1," + written(hop) + ", for=10.0.0.2";
    ForwardedReader reader(value);
    ForwardedElement element;
    ASSERT_EQ(reader.next(element), ForwardedReader::Status::element) << value;
    ASSERT_EQ(reader.next(element), ForwardedReader::Status::element) << value;
    char scratch[64];
    const auto client = parse_forwarded_node(unquote(element.forwarded_for, scratch).value());
    ASSERT_TRUE(client) << value;
    EXPECT_EQ(printed(client->address), printed(hop.client));
    EXPECT_EQ(unquote(element.host, scratch), host) << value;
    EXPECT_EQ(element.proto, "https");
  }
}

}  // namespace
}  // namespace weir::http
