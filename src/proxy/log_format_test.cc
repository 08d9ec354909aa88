#include "proxy/log_format.h"

#include <gtest/gtest.h>
#include <string>

namespace weir::proxy {
namespace {

LogFormat read(std::string_view text) {
  LogFormat format{.kind = LogFormat::Kind::off, .text = {}};
  EXPECT_TRUE(parse_scalar(text, format)) << text;
  return format;
}

std::string error_of(std::string_view text) {
  LogFormat format;
  const auto parsed = parse_scalar(text, format);
  return parsed ? "read" : parsed.error();
}

TEST(LogFormat, IsANameOrTextWithValues) {
  EXPECT_EQ(read("combined").kind, LogFormat::Kind::combined);
  EXPECT_EQ(read("json").kind, LogFormat::Kind::json);
  EXPECT_EQ(read("off").kind, LogFormat::Kind::off);
  EXPECT_EQ(read("${response.status}").kind, LogFormat::Kind::text);
  EXPECT_EQ(read("$$ ${reason}").text.text(), "$$ ${reason}");
}

TEST(LogFormat, PrintsWhatItReads) {
  for (const std::string text : {"combined", "json", "off", "a ${client.address} $$"}) {
    EXPECT_EQ(print_scalar(read(text)), text);
  }
}

TEST(LogFormat, SaysWhatWasMeant) {
  EXPECT_EQ(error_of("jsn"), "did you mean 'json'?");
  EXPECT_EQ(error_of("a line"), "");
  EXPECT_EQ(error_of("$remote_addr"),
            "the '$' at character 1 begins no value: expected '${NAME}', or '$$' for a dollar");
  EXPECT_EQ(error_of("${client.adress}"),
            "unknown value 'client.adress' (did you mean 'client.address'?)");
}

}  // namespace
}  // namespace weir::proxy
