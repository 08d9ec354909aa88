#include "config/reference.h"

#include <gtest/gtest.h>

#include "config/config_test.h"

namespace weir::config {
namespace {

TEST(ReferencePage, HasOneTableForEachStruct) {
  EXPECT_EQ(reference_page(description_of<test::Settings>(), "Sample"), R"(# Sample

| key | type | default | range | meaning |
| --- | --- | --- | --- | --- |
| `name` | string | required | 1 to 8 characters | What it is called. |
| `protocol` | one of http, tcp | `http` |  | What it speaks. |
| `port` | port |  |  | Where it is. |
| `offset` | whole number | `-1` | -2147483648 to 2147483647 | A signed number. |
| `ratio` | number | `0.5` | 0 to 1 | A fraction. |
| `hosts` | list of string | `[localhost]` | 1 to 3 items | Names \| aliases. |
| `limits` | mapping `limits` |  |  | What is too much. |
| `servers` | list of mapping `servers` | `[]` |  | Who answers. |

## limits

What is too much.

| key | type | default | range | meaning |
| --- | --- | --- | --- | --- |
| `timeout` | duration | `10s` | 1ms to 1d | How long to wait. |
| `head_max` | size | `32KiB` | 1KiB to 1MiB | Largest head. |

## servers

Who answers.

| key | type | default | range | meaning |
| --- | --- | --- | --- | --- |
| `address` | string | required |  | Where it listens. |
| `weight` | whole number | `1` | 0 to 256 | Share of the traffic. |
| `backup` | true or false | `false` |  | Used only when no other is left. |
)");
}

}  // namespace
}  // namespace weir::config
