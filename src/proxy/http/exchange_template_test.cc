#include <algorithm>
#include <gtest/gtest.h>
#include <random>
#include <string>
#include <vector>

#include "config/node.h"
#include "config/reader.h"
#include "proxy/http/exchange_test_support.h"
#include "proxy/template.h"

namespace weir::proxy {
namespace {

constexpr std::string_view kRequest =
    "GET /p?q=1 HTTP/1.1\r\nHost: x\r\nX-Any: \"a\\b\" \xc3\xa9\r\n\r\n";

Template made(std::string_view text) {
  auto parsed = Template::parse(text, Known::end);
  EXPECT_TRUE(parsed) << text;
  return parsed ? *parsed : Template();
}

std::string error_of(std::string_view text, Known at = Known::end) {
  const auto parsed = Template::parse(text, at);
  return parsed ? "" : parsed.error();
}

std::string written(const Template& of, const Exchange& x) {
  std::string out(1000, '?');
  const auto bytes = of.write(source_of(x), out);
  EXPECT_TRUE(bytes.has_value());
  out.resize(bytes.value_or(0));
  return out;
}

std::string line_of(const Template& of, const ValueSource& source, std::size_t room = 1000) {
  std::string out(room, '?');
  out.resize(of.write_line(source, out).bytes);
  return out;
}

bool has_control_byte(std::string_view text) {
  return std::ranges::any_of(text, [](unsigned char c) { return c < ' ' || c == 0x7f; });
}

class TemplateTest : public test::ExchangeFixture {};

TEST_F(TemplateTest, PutsValuesIntoItsText) {
  with_exchange(kRequest, [](Exchange& x) {
    EXPECT_EQ(written(made("${request.method} of ${request.path}${request.query.q}!"), x),
              "GET of /p1!");
    EXPECT_EQ(written(made("${request.host}"), x), "x");
    EXPECT_EQ(written(made("a${request.header.none}b"), x), "ab");
    EXPECT_EQ(written(made("$$ $${x} $$$$${request.host}"), x), "$ ${x} $$x");
    EXPECT_EQ(written(made(""), x), "");
    EXPECT_EQ(written(made("a\tb } { "), x), "a\tb } { ");
  });
}

TEST(Template, IsConstantWithoutAValue) {
  EXPECT_EQ(made("text").constant(), "text");
  EXPECT_EQ(made("5 $$").constant(), "5 $");
  EXPECT_EQ(made("").constant(), "");
  EXPECT_EQ(Template().constant(), "");
  EXPECT_EQ(made("${request.host}").constant(), std::nullopt);
  EXPECT_EQ(made("a ${request.host}").constant(), std::nullopt);
}

TEST(Template, SaysWhatIsWrongAndWhere) {
  EXPECT_EQ(error_of("a ${request.host"),
            "the '${' at character 3 is not closed: expected '}' after the name of a value");
  EXPECT_EQ(error_of("\xc3\xa9$remote_addr"),
            "the '$' at character 2 begins no value: expected '${NAME}', or '$$' for a dollar");
  EXPECT_EQ(error_of("$"),
            "the '$' at character 1 begins no value: expected '${NAME}', or '$$' for a dollar");
  EXPECT_EQ(error_of("${request.hots}"),
            "unknown value 'request.hots' (did you mean 'request.host'?)");
  EXPECT_EQ(error_of("${}"), "unknown value ''");
  EXPECT_EQ(error_of("ab\r\n"), "a control character at character 3");
  EXPECT_EQ(error_of(std::string_view("\0", 1)), "a control character at character 1");
  EXPECT_EQ(error_of("${response.status}", Known::request),
            "'response.status' is not known before the response");
}

struct TemplateSettings {
  RequestTemplate request;
  ResponseTemplate response;
};
template <class V>
void describe(V& v, TemplateSettings& s) {
  v.field("request", s.request, "For a request.");
  v.field("response", s.response, "For a response.");
}

TEST(Template, IsASettingThatKnowsItsMoment) {
  config::Problems problems;
  const config::Document document = config::parse_document(
      "f", "request: '${response.status}'\nresponse: '${response.status}'\n", problems);
  TemplateSettings settings;
  config::read(document.root, settings, problems);
  EXPECT_EQ(config::print(problems, document),
            "f:1:10: error: expected text with values such as 'from ${client.address}', found "
            "'${response.status}': 'response.status' is not known before the response\n"
            "request: '${response.status}'\n"
            "         ^\n");
  EXPECT_EQ(settings.response.text(), "${response.status}");
  EXPECT_EQ(print_scalar(settings.response), "${response.status}");
}

TEST(Template, KnowsTheResponseFieldsThatItTakes) {
  const Template of = made(
      "${response.header.a} ${request.header.b} ${response.header.c} ${response.header.a} "
      "${response.status}");
  EXPECT_EQ(std::vector(of.response_fields().begin(), of.response_fields().end()),
            (std::vector<std::string>{"a", "c"}));
}

TEST_F(TemplateTest, LeavesNoControlByteOfAValueInAField) {
  with_exchange(kRequest, [](Exchange& x) {
    x.request.query = std::string_view("q=\r\n\0\t\x7f\x1f\xc3\xa9", 10);
    EXPECT_EQ(written(made("[${request.query.q}]"), x), "[      \xc3\xa9]");
  });
}

TEST_F(TemplateTest, EscapesValuesInALine) {
  with_exchange(kRequest, [](Exchange& x) {
    x.request.query = "\r\n";
    const ValueSource source = source_of(x);
    EXPECT_EQ(line_of(made("\"${request.header.x-any}\""), source),
              "\"\\x22a\\x5Cb\\x22 \\xC3\\xA9\"");
    EXPECT_EQ(line_of(made("${request.query}|${request.header.none}"), source), "\\x0D\\x0A|-");
    EXPECT_EQ(line_of(made("caf\xc3\xa9\t\"$$\""), source), "caf\xc3\xa9\t\"$\"");
  });
}

TEST_F(TemplateTest, CutsALineThatIsTooLong) {
  with_exchange(kRequest, [](Exchange& x) {
    x.request.query = "\r";
    const ValueSource source = source_of(x);
    const Template of = made("ab${request.query}c");
    EXPECT_EQ(line_of(of, source, 10), "ab\\x0Dc");
    EXPECT_EQ(line_of(of, source, 9), "ab\\x0D...");
    EXPECT_EQ(line_of(of, source, 8), "ab...");
    EXPECT_EQ(line_of(of, source, 3), "...");
    std::string out(9, '?');
    EXPECT_TRUE(of.write_line(source, out).is_cut);
    out.resize(10);
    EXPECT_FALSE(of.write_line(source, out).is_cut);
  });
}

// Templates and values of any bytes, in room of any size.
TEST_F(TemplateTest, NeverWritesAControlByteOrBeyondItsRoom) {
  with_exchange(kRequest, [](Exchange& x) {
    std::mt19937 random(7);
    const auto up_to = [&random](std::size_t most) { return random() % (most + 1); };
    const std::vector<std::string_view> parts = {"${request.query}",
                                                 "${request.method}",
                                                 "${request.header.host}",
                                                 "${request.cookie.a}",
                                                 "${client.address}",
                                                 "${time.local}",
                                                 "$$",
                                                 "text ",
                                                 "\xc3\xa9",
                                                 "\""};
    for (int round = 0; round < 300; ++round) {
      std::string text, query;
      for (std::size_t i = up_to(6); i > 0; --i) text += parts[up_to(parts.size() - 1)];
      for (std::size_t i = up_to(30); i > 0; --i) query += static_cast<char>(up_to(255));
      x.request.query = query;
      const Template of = made(text);
      const std::string field = written(of, x);
      const std::string line = line_of(of, source_of(x));
      EXPECT_FALSE(has_control_byte(field)) << text;
      EXPECT_FALSE(has_control_byte(line)) << text;
      for (std::size_t room = 0; room < field.size(); ++room) {
        std::string out(field.size(), '\n');
        EXPECT_EQ(of.write(source_of(x), std::span(out).first(room)), std::nullopt);
        EXPECT_TRUE(out.substr(room).find_first_not_of('\n') == std::string::npos);
      }
      for (std::size_t room = 3; room < line.size() + 3; ++room) {
        const std::string cut = line_of(of, source_of(x), room);
        ASSERT_TRUE(cut.ends_with("...") && cut.size() <= room);
        EXPECT_TRUE(line.starts_with(cut.substr(0, cut.size() - 3)));
      }
    }
  });
}

}  // namespace
}  // namespace weir::proxy
