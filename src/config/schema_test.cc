#include "config/schema.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <rapidjson/reader.h>
#include <string>
#include <string_view>
#include <vector>

#include "config/config_test.h"
#include "config/node.h"

namespace weir::config {
namespace {

using test::Settings;

// A struct that holds itself, as conditions do.
struct Condition {
  std::string path;
  std::vector<Condition> any;
};
template <class V>
void describe(V& v, Condition& s) {
  v.field("path", s.path, R"(A "path", with \ and {},[]: in it.)");
  v.field("any", s.any, "One of these holds.");
}

// JSON is YAML, so our own reader says whether the text is well-formed.
bool is_well_formed(const std::string& json) {
  Problems problems;
  const Document document = parse_document("schema.json", json, problems);
  return problems.is_empty() && document.root.kind == Node::Kind::mapping;
}

std::string without_layout(std::string_view json) {
  std::string out;
  while (!json.empty()) {
    const std::size_t end = std::min(json.find('\n'), json.size() - 1);
    out += json.substr(0, end);
    json.remove_prefix(std::min(json.find_first_not_of(' ', end + 1), json.size()));
  }
  return out;
}

TEST(JsonSchema, SaysWhatTheDescriptionSays) {
  const std::string schema = json_schema(description_of<Settings>(), "Sample");
  EXPECT_TRUE(is_well_formed(schema));
  EXPECT_EQ(without_layout(schema),
            R"({"$schema": "https://json-schema.org/draft/2020-12/schema",)"
            R"("title": "Sample",)"
            R"("type": "object","additionalProperties": false,"required": ["name"],)"
            R"("properties": {"name": {"description": "What it is called.","type": ["string",)"
            R"("number","boolean"],"minLength": 1,"maxLength": 8},)"
            R"("protocol": {"description": "What it speaks.","enum": ["http","tcp"],)"
            R"("default": "http"},)"
            R"("port": {"description": "Where it is.","type": "string",)"
            R"("pattern": "^:[0-9]+$"},)"
            R"("offset": {"description": "A signed number.","type": "integer",)"
            R"("minimum": -2147483648,"maximum": 2147483647,"default": -1},)"
            R"("ratio": {"description": "A fraction.","type": "number","minimum": 0,)"
            R"("maximum": 1,"default": 0.5},)"
            R"("hosts": {"description": "Names | aliases.",)"
            R"("anyOf": [{"type": "array",)"
            R"("items": {"type": ["string","number","boolean"]},)"
            R"("minItems": 1,"maxItems": 3},{"type": ["string","number","boolean"]}],)"
            R"("default": ["localhost"]},)"
            R"("limits": {"description": "What is too much.","$ref": "#/$defs/limits"},)"
            R"("servers": {"description": "Who answers.","type": "array",)"
            R"("items": {"$ref": "#/$defs/servers"},"default": []}},)"
            R"("$defs": {"limits": {"type": "object","additionalProperties": false,)"
            R"("properties": {"timeout": {"description": "How long to wait.","type": ["string",)"
            R"("integer"],)"
            R"("pattern": "^(0|([0-9]+(d|h|m|s|ms|us|ns))+)$","minimum": 0,"maximum": 0,)"
            R"("default": "10s"},)"
            R"("head_max": {"description": "Largest head.","type": ["string","integer"],)"
            R"("minimum": 0,)"
            R"("pattern": "^[0-9]+([bB]|[kKmMgG]([iI][bB])?)?$","default": "32KiB"}}},)"
            R"("servers": {"type": "object","additionalProperties": false,)"
            R"("required": ["address"],)"
            R"("properties": {"address": {"description": "Where it listens.","type": ["string",)"
            R"("number","boolean"]},)"
            R"("weight": {"description": "Share of the traffic.","type": "integer",)"
            R"("minimum": 0,"maximum": 256,"default": 1},)"
            R"("backup": {"description": "Used only when no other is left.","type": "boolean",)"
            R"("default": false}}}}})");
}

TEST(JsonSchema, OfAStructThatHoldsItselfRefersToIt) {
  const std::string schema = json_schema(description_of<Condition>(), "Recursive");
  EXPECT_TRUE(is_well_formed(schema));
  EXPECT_NE(schema.find(R"("$ref": "#")"), std::string::npos);
  EXPECT_NE(schema.find(R"("A \"path\", with \\ and {},[]: in it.")"), std::string::npos);
}

}  // namespace
}  // namespace weir::config
