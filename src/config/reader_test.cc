#include "config/reader.h"

#include <chrono>
#include <cstdint>
#include <gtest/gtest.h>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "config/config_test.h"

namespace weir::config {
namespace {

using test::Protocol;
using test::Settings;

struct Outcome {
  Settings settings;
  Problems problems;
  std::string printed;
};

Outcome read_text(std::string text) {
  Outcome outcome;
  const Document document = parse_document("weir.yaml", std::move(text), outcome.problems);
  if (!outcome.problems.has_errors()) read(document.root, outcome.settings, outcome.problems);
  outcome.printed = print(outcome.problems, document);
  return outcome;
}

std::string problems_of(std::string text) { return read_text(std::move(text)).printed; }

TEST(Reader, ReadsEveryKindOfValue) {
  const Outcome outcome = read_text(R"(name: web
protocol: tcp
port: ":8080"
offset: -5
ratio: 0.25
hosts: [a.example, 7]
limits: { timeout: 1m30s, head_max: 64k }
servers:
  - { address: "u1:80", weight: 5, backup: true }
  - address: u2:80
)");
  const Settings& s = outcome.settings;
  EXPECT_EQ(outcome.printed, "");
  EXPECT_EQ(s.name, "web");
  EXPECT_EQ(s.protocol, Protocol::tcp);
  ASSERT_TRUE(s.port.has_value());
  EXPECT_EQ(s.port->value, 8080);
  EXPECT_EQ(s.offset, -5);
  EXPECT_EQ(s.ratio, 0.25);
  EXPECT_EQ(s.hosts, (std::vector<std::string>{"a.example", "7"}));
  ASSERT_TRUE(s.limits.has_value());
  EXPECT_EQ(s.limits->timeout, std::chrono::seconds(90));
  EXPECT_EQ(s.limits->head_max, 64_KiB);
  ASSERT_EQ(s.servers.size(), 2u);
  EXPECT_EQ(*s.servers[0].address, "u1:80");
  EXPECT_EQ(s.servers[0].weight, 5);
  EXPECT_TRUE(s.servers[0].backup);
  EXPECT_EQ(*s.servers[1].address, "u2:80");
  EXPECT_EQ(s.servers[1].weight, 1);
}

TEST(Reader, WhatIsNotWrittenKeepsItsDefault) {
  const Settings s = read_text("name: web\n").settings;
  EXPECT_EQ(s.protocol, Protocol::http);
  EXPECT_FALSE(s.port.has_value());
  EXPECT_FALSE(s.limits.has_value());
  EXPECT_EQ(s.hosts, std::vector<std::string>{"localhost"});
}

TEST(Reader, FillsThePositionsThatLaterChecksReportAt) {
  const Settings s =
      read_text("name: x\nservers:\n  - { address: a }\n  - address:   b\n").settings;
  ASSERT_EQ(s.servers.size(), 2u);
  EXPECT_EQ(s.servers[0].position, (Position{3, 5}));
  EXPECT_EQ(s.servers[0].address.position, (Position{3, 16}));
  EXPECT_EQ(s.servers[1].position, (Position{4, 5}));
  EXPECT_EQ(s.servers[1].address.position, (Position{4, 16}));
}

TEST(Reader, ASingleScalarMayStandForAListWhereThatIsSaid) {
  EXPECT_EQ(read_text("{ name: x, hosts: a }").settings.hosts, std::vector<std::string>{"a"});
  EXPECT_EQ(problems_of("{ name: x, servers: a }"),
            "weir.yaml:1:21: error: expected a list, found 'a'\n"
            "{ name: x, servers: a }\n"
            "                    ^\n");
}

struct Holders {
  std::vector<Located<std::uint16_t>> ports;
  std::optional<std::vector<test::Limits>> stages;
  test::Limits limits;
};
template <class V>
void describe(V& v, Holders& s) {
  v.field("ports", s.ports, "Ports.").range(1, 9).or_single();
  v.field("stages", s.stages, "Limits by stage.");
  v.field("limits", s.limits, "Limits of all.");
}

TEST(Reader, HoldersNest) {
  Problems problems;
  const Document document = parse_document(
      "f", "{ ports: [7, 10], stages: [{}, { head_max: 2k }], limits: { timeout: 1s } }", problems);
  Holders holders;
  read(document.root, holders, problems);
  EXPECT_EQ(print(problems, document).substr(0, 72),
            "f:1:14: error: expected a whole number from 1 to 9, found '10'\n{ ports: ");
  ASSERT_EQ(holders.ports.size(), 2u);
  EXPECT_EQ(*holders.ports[0], 7);
  EXPECT_EQ(holders.ports[0].position, (Position{1, 11}));
  ASSERT_TRUE(holders.stages.has_value());
  ASSERT_EQ(holders.stages->size(), 2u);
  EXPECT_EQ(holders.stages->at(0).head_max, 32_KiB);
  EXPECT_EQ(holders.stages->at(1).head_max, 2_KiB);
  EXPECT_EQ(holders.limits.timeout, std::chrono::seconds(1));
}

TEST(Reader, AnUnknownKeyNamesTheNearest) {
  EXPECT_EQ(problems_of("name: x\nservers:\n  - adress: a\n    address: b\n"),
            "weir.yaml:3:5: error: unknown key 'adress' (did you mean 'address'?)\n"
            "  - adress: a\n"
            "    ^\n");
}

TEST(Reader, AnUnknownKeyThatIsNearNothingListsWhatIsExpected) {
  EXPECT_EQ(problems_of("{ name: x, limits: { speed: 1 } }"),
            "weir.yaml:1:22: error: unknown key 'speed' (expected timeout, head_max)\n"
            "{ name: x, limits: { speed: 1 } }\n"
            "                     ^\n");
}

TEST(Reader, ADuplicateKeySaysWhereTheFirstIs) {
  EXPECT_EQ(problems_of("name: x\nratio: 1\nname: y\n"),
            "weir.yaml:3:1: error: duplicate key 'name' (the first is in line 1)\n"
            "name: y\n"
            "^\n");
}

TEST(Reader, AMissingKeyIsReportedWhereItsMappingStarts) {
  EXPECT_EQ(problems_of("name: x\nservers:\n  - weight: 1\n"),
            "weir.yaml:3:5: error: missing key 'address'\n"
            "  - weight: 1\n"
            "    ^\n");
}

TEST(Reader, AWrongTypeSaysWhatWasExpected) {
  EXPECT_EQ(problems_of("{ name: x, port: 80 }"),
            "weir.yaml:1:18: error: expected a port such as :80, found '80': the colon is missing\n"
            "{ name: x, port: 80 }\n"
            "                 ^\n");
  EXPECT_EQ(problems_of("{ name: [x] }"),
            "weir.yaml:1:9: error: expected a string, found a list\n"
            "{ name: [x] }\n"
            "        ^\n");
  EXPECT_EQ(problems_of("{ name: x, limits: none }"),
            "weir.yaml:1:20: error: expected a mapping, found 'none'\n"
            "{ name: x, limits: none }\n"
            "                   ^\n");
  EXPECT_EQ(problems_of("name: x\nservers: [{ address: a, backup: yes }]\n"),
            "weir.yaml:2:33: error: expected true or false, found 'yes'\n"
            "servers: [{ address: a, backup: yes }]\n"
            "                                ^\n");
}

TEST(Reader, AQuotedNumberIsNotANumber) {
  EXPECT_EQ(problems_of("{ name: x, ratio: \"1\" }"),
            "weir.yaml:1:19: error: expected a number from 0 to 1, found '1' in quotes\n"
            "{ name: x, ratio: \"1\" }\n"
            "                  ^\n");
}

TEST(Reader, AnEmptyValueIsReportedAtItsKey) {
  EXPECT_EQ(problems_of("name:   # later\nratio: 1\n"),
            "weir.yaml:1:1: error: expected a string, found nothing\n"
            "name:   # later\n"
            "^\n");
  EXPECT_EQ(problems_of("name: x\nhosts:\n  -\n  - b\n"),
            "weir.yaml:3:3: error: expected a string, found nothing\n"
            "  -\n"
            "  ^\n");
  EXPECT_EQ(problems_of("name: ~\n"),
            "weir.yaml:1:7: error: expected a string, found nothing\n"
            "name: ~\n"
            "      ^\n");
}

TEST(Reader, ANumberOutOfRangeIsToldTheRange) {
  EXPECT_EQ(problems_of("name: x\nservers: [{ address: a, weight: 257 }]\n"),
            "weir.yaml:2:33: error: expected a whole number from 0 to 256, found '257'\n"
            "servers: [{ address: a, weight: 257 }]\n"
            "                                ^\n");
  EXPECT_EQ(problems_of("{ name: x, offset: 3000000000 }"),
            "weir.yaml:1:20: error: expected a whole number from -2147483648 to 2147483647, "
            "found '3000000000'\n"
            "{ name: x, offset: 3000000000 }\n"
            "                   ^\n");
  EXPECT_EQ(problems_of("{ name: x, limits: { timeout: 0, head_max: 2m } }"),
            "weir.yaml:1:31: error: expected a duration from 1ms to 1d, found '0'\n"
            "{ name: x, limits: { timeout: 0, head_max: 2m } }\n"
            "                              ^\n"
            "weir.yaml:1:44: error: expected a size from 1KiB to 1MiB, found '2m'\n"
            "{ name: x, limits: { timeout: 0, head_max: 2m } }\n"
            "                                           ^\n");
}

TEST(Reader, BothEndsOfARangeBelongToIt) {
  EXPECT_EQ(problems_of("{ name: x, ratio: 0, limits: { timeout: 1ms, head_max: 1MiB } }"), "");
  EXPECT_EQ(problems_of("{ name: x, ratio: 1, limits: { timeout: 24h, head_max: 1k } }"), "");
}

TEST(Reader, AStringHasALength) {
  EXPECT_EQ(problems_of("name: \"\"\n"),
            "weir.yaml:1:7: error: must not be empty\n"
            "name: \"\"\n"
            "      ^\n");
  EXPECT_EQ(problems_of("name: more than 8\n"),
            "weir.yaml:1:7: error: expected at most 8 characters, found 11\n"
            "name: more than 8\n"
            "      ^\n");
  EXPECT_EQ(problems_of("name: äöüäöüßé\n"), "");
}

TEST(Reader, AListHasASize) {
  EXPECT_EQ(problems_of("name: x\nhosts: [a, b, c, d]\n"),
            "weir.yaml:2:8: error: expected 1 to 3 items, found 4\n"
            "hosts: [a, b, c, d]\n"
            "       ^\n");
}

TEST(Reader, AWrongChoiceNamesAllAndTheNearest) {
  EXPECT_EQ(
      problems_of("{ name: x, protocol: htpp }"),
      "weir.yaml:1:22: error: expected one of http, tcp, found 'htpp' (did you mean 'http'?)\n"
      "{ name: x, protocol: htpp }\n"
      "                     ^\n");
}

TEST(Reader, ReportsEveryProblemInTheOrderOfTheFile) {
  EXPECT_EQ(problems_of("nam: x\nservers:\n  - weight: many\n  - { address: a, wieght: 1 }\n"),
            "weir.yaml:1:1: error: missing key 'name'\n"
            "nam: x\n"
            "^\n"
            "weir.yaml:1:1: error: unknown key 'nam' (did you mean 'name'?)\n"
            "nam: x\n"
            "^\n"
            "weir.yaml:3:5: error: missing key 'address'\n"
            "  - weight: many\n"
            "    ^\n"
            "weir.yaml:3:13: error: expected a whole number from 0 to 256, found 'many'\n"
            "  - weight: many\n"
            "            ^\n"
            "weir.yaml:4:19: error: unknown key 'wieght' (did you mean 'weight'?)\n"
            "  - { address: a, wieght: 1 }\n"
            "                  ^\n");
}

TEST(Reader, TheCaretLinesUpAfterTabsAndUtf8) {
  EXPECT_EQ(problems_of("{ name: x,\t\thosts: ä,\tratio: 2 }"),
            "weir.yaml:1:30: error: expected a number from 0 to 1, found '2'\n"
            "{ name: x,\t\thosts: ä,\tratio: 2 }\n"
            "          \t\t         \t       ^\n");
}

TEST(Reader, AnEmptyFileAndARootThatIsNoMappingAreProblems) {
  EXPECT_EQ(problems_of(""),
            "weir.yaml:1:1: error: expected a mapping, found nothing\n"
            "\n"
            "^\n");
  EXPECT_EQ(problems_of("# nothing here\n"),
            "weir.yaml:1:1: error: expected a mapping, found nothing\n"
            "# nothing here\n"
            "^\n");
  EXPECT_EQ(problems_of("- name: x\n"),
            "weir.yaml:1:1: error: expected a mapping, found a list\n"
            "- name: x\n"
            "^\n");
}

TEST(Reader, AProblemBehindAnAliasIsReportedOnceWhereItIsWritten) {
  EXPECT_EQ(problems_of("name: x\nservers:\n  - &a { address: u, wight: 1 }\n  - *a\n"),
            "weir.yaml:3:22: error: unknown key 'wight' (did you mean 'weight'?)\n"
            "  - &a { address: u, wight: 1 }\n"
            "                     ^\n");
}

struct Choice {
  std::optional<std::int32_t> one;
  std::optional<std::int32_t> two;
};
template <class V>
void describe(V& v, Choice& s) {
  v.exactly_one();
  v.field("one", s.one, "The first.");
  v.field("two", s.two, "The second.");
}

std::string problems_of_choice(std::string text) {
  Choice choice;
  Problems problems;
  const Document document = parse_document("weir.yaml", std::move(text), problems);
  read(document.root, choice, problems);
  return print(problems, document);
}

struct Alternatives {
  std::string address;
  std::vector<std::string> addresses;
};
template <class V>
void describe(V& v, Alternatives& s) {
  v.field("address", s.address, "One.").required();
  v.field("addresses", s.addresses, "Several.").instead_of("address");
}

TEST(Reader, OneKeyMayBeWrittenInsteadOfARequiredOne) {
  const auto problems_of_alternatives = [](std::string text) {
    Alternatives alternatives;
    Problems problems;
    const Document document = parse_document("weir.yaml", std::move(text), problems);
    read(document.root, alternatives, problems);
    return print(problems, document);
  };
  EXPECT_EQ(problems_of_alternatives("address: a\n"), "");
  EXPECT_EQ(problems_of_alternatives("addresses: [a, b]\n"), "");
  EXPECT_EQ(problems_of_alternatives("{}\n"),
            "weir.yaml:1:1: error: missing key 'address' or 'addresses'\n{}\n^\n");
  EXPECT_EQ(problems_of_alternatives("addresses: [a]\naddress: a\n"),
            "weir.yaml:1:1: error: either 'address' or 'addresses' may be written, not both\n"
            "addresses: [a]\n^\n");
}

struct NamedChoice {
  Position position;
  std::optional<test::Limits> limits;
  std::optional<test::Server> server;
};
template <class V>
void describe(V& v, NamedChoice& s) {
  v.exactly_one();
  v.or_name();
  v.field("limits", s.limits, "All of it has defaults.");
  v.field("server", s.server, "This requires a key.");
}

TEST(Reader, OfAChoiceTheNameAloneMayBeEnough) {
  NamedChoice choice;
  const auto problems_of_named = [&](std::string text) {
    choice = {};
    Problems problems;
    const Document document = parse_document("weir.yaml", std::move(text), problems);
    read(document.root, choice, problems);
    return print(problems, document);
  };
  EXPECT_EQ(problems_of_named("limits"), "");
  ASSERT_TRUE(choice.limits);
  EXPECT_EQ(choice.limits->timeout, std::chrono::seconds(10));
  EXPECT_FALSE(choice.server);
  EXPECT_EQ(choice.position.line, 1u);
  EXPECT_EQ(problems_of_named("limits: { timeout: 3s }"), "");
  EXPECT_EQ(choice.limits->timeout, std::chrono::seconds(3));
  EXPECT_EQ(problems_of_named("limit"),
            "weir.yaml:1:1: error: expected one of limits, server, found 'limit' (did you mean "
            "'limits'?)\nlimit\n^\n");
  EXPECT_EQ(problems_of_named("server"),
            "weir.yaml:1:1: error: missing key 'address'\nserver\n^\n");
  EXPECT_NE(problems_of_named("[limits]").find("expected a mapping, found a list"),
            std::string::npos);
}

TEST(Reader, AChoiceHasExactlyOneKey) {
  EXPECT_EQ(problems_of_choice("one: 1"), "");
  EXPECT_NE(problems_of_choice("{}").find("1:1: error: expected one of one, two, found nothing"),
            std::string::npos);
  EXPECT_NE(problems_of_choice("{ one: 1, two: 2 }")
                .find("1:1: error: expected one of one, two, found several"),
            std::string::npos);
}

}  // namespace
}  // namespace weir::config
