#include "config/difference.h"

#include <algorithm>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <utility>

#include "base/random.h"
#include "config/config_test.h"

namespace weir::config {

// GoogleTest's hook, by its name: shows the differences of a failing test.
void PrintTo(const Difference& difference, std::ostream* out) {  // NOLINT
  *out << fmt::format("{}: '{}' -> '{}' ({})", difference.path, difference.before, difference.after,
                      std::to_underlying(difference.kind));
}

namespace {

using namespace std::chrono_literals;
using enum Difference::Kind;

using test::Limits;
using test::Port;
using test::Protocol;

struct Item {
  Located<std::string> name;
  std::uint16_t weight = 1;
  std::vector<std::string> tags;
  Limits limits;
};
template <class V>
void describe(V& v, Item& s) {
  v.field("name", s.name, "What it is called.").required();
  v.field("weight", s.weight, "Share of the traffic.");
  v.field("tags", s.tags, "Words.");
  v.field("limits", s.limits, "What is too much.");
}

struct Pool {
  std::string name;
  std::vector<Item> items;
  Position position;
};
template <class V>
void describe(V& v, Pool& s) {
  v.field("name", s.name, "What it is called.").required();
  v.field("items", s.items, "Who answers.");
}

struct Tree {
  Protocol protocol = Protocol::http;
  std::optional<Port> port;
  double ratio = 0.5;
  Located<std::string> path;
  std::vector<Limits> steps;
  std::optional<Limits> limits;
  std::vector<Pool> pools;
};
template <class V>
void describe(V& v, Tree& s) {
  v.field("protocol", s.protocol, "What it speaks.");
  v.field("port", s.port, "Where it is.");
  v.field("ratio", s.ratio, "A fraction.");
  v.field("path", s.path, "A file.");
  v.field("steps", s.steps, "One after the other.");
  v.field("limits", s.limits, "What is too much.");
  v.field("pools", s.pools, "Those who answer.");
}

Item make_item(std::string name) {
  Item item;
  item.name = std::move(name);
  return item;
}

Pool make_pool(std::string name, const std::vector<std::string>& items) {
  Pool pool{.name = std::move(name), .items = {}, .position = {}};
  for (const std::string& item : items) pool.items.push_back(make_item(item));
  return pool;
}

Tree make_tree(Random& random) {
  Tree tree;
  tree.path = "log" + std::to_string(random.below(9));
  tree.steps.resize(1 + random.below(3));
  if (random.below(2) == 0) tree.port = Port{80};
  if (random.below(2) == 0) tree.limits = Limits();
  const std::uint32_t pools = 1 + random.below(4);
  for (std::uint32_t i = 0; i < pools; ++i) {
    Pool& pool = tree.pools.emplace_back(make_pool("p" + std::to_string(i), {}));
    const std::uint32_t items = 1 + random.below(5);
    for (std::uint32_t j = 0; j < items; ++j) {
      Item& item = pool.items.emplace_back(make_item("i" + std::to_string(j)));
      item.weight = static_cast<std::uint16_t>(random.below(100));
      item.tags.resize(1 + random.below(3), "tag");
    }
  }
  return tree;
}

// Changes one setting anywhere in the tree and gives its path.
std::string mutate(Tree& tree, Random& random) {
  const std::uint32_t pool_at = random.below(static_cast<std::uint32_t>(tree.pools.size()));
  Pool& pool = tree.pools[pool_at];
  const std::uint32_t item_at = random.below(static_cast<std::uint32_t>(pool.items.size()));
  Item& item = pool.items[item_at];
  std::string pool_path = "pools[" + pool.name + "]";
  const std::string item_path = pool_path + ".items[" + *item.name + "]";
  switch (random.below(13)) {
    case 0:
      tree.protocol = Protocol::tcp;
      return "protocol";
    case 1:
      tree.port = tree.port ? std::nullopt : std::optional(Port{81});
      return "port";
    case 2:
      tree.ratio /= 2;
      return "ratio";
    case 3:
      tree.path.value += "x";
      return "path";
    case 4:
      tree.steps.back().timeout += 1ns;
      return fmt::format("steps[{}].timeout", tree.steps.size() - 1);
    case 5:
      tree.steps.emplace_back();
      return fmt::format("steps[{}]", tree.steps.size() - 1);
    case 6:
      if (!tree.limits) {
        tree.limits = Limits();
        return "limits";
      }
      tree.limits->head_max = 1_KiB;
      return "limits.head_max";
    case 7:
      item.weight += 1;
      return item_path + ".weight";
    case 8:
      item.tags.pop_back();
      return fmt::format("{}.tags[{}]", item_path, item.tags.size());
    case 9:
      item.tags.front() = "";
      return item_path + ".tags[0]";
    case 10:
      item.limits.timeout = 0s;
      return item_path + ".limits.timeout";
    case 11:
      pool.items.insert(pool.items.begin() + item_at, make_item("new"));
      return pool_path + ".items[new]";
    default:
      tree.pools.erase(tree.pools.begin() + pool_at);
      return pool_path;
  }
}

std::vector<Difference> swapped(std::vector<Difference> differences) {
  for (Difference& difference : differences) {
    std::swap(difference.before, difference.after);
    if (difference.kind == added) {
      difference.kind = removed;
    } else if (difference.kind == removed) {
      difference.kind = added;
    }
  }
  return differences;
}

TEST(Difference, NamesWhatChangedWithBothValues) {
  Tree before;
  before.pools = {make_pool("web", {"u1", "u2"})};
  Tree after = before;
  after.protocol = Protocol::tcp;
  after.port = Port{80};
  after.pools[0].items[1].weight = 7;
  after.pools[0].items[1].limits.timeout = 90s;
  EXPECT_EQ(
      find_differences(before, after),
      (std::vector<Difference>{{changed, "protocol", "http", "tcp"},
                               {added, "port", "", ":80"},
                               {changed, "pools[web].items[u2].weight", "1", "7"},
                               {changed, "pools[web].items[u2].limits.timeout", "10s", "1m30s"}}));
}

TEST(Difference, ShowsWhatAnItemThatCameOrWentSays) {
  const Pool before = make_pool("web", {"u1", "u2"});
  Pool after = make_pool("web", {"u1", "u3"});
  after.items[1].weight = 5;
  after.items[1].tags = {"a", ""};
  after.items[1].limits.head_max = 1_KiB;
  EXPECT_EQ(find_differences(before, after),
            (std::vector<Difference>{
                {removed, "items[u2]", "{name: u2}", ""},
                {added, "items[u3]", "",
                 "{name: u3, weight: 5, tags: [a, \"\"], limits: {head_max: 1KiB}}"}}));
}

TEST(Difference, ATextThatIsEmptyIsNotAbsent) {
  const Item before = make_item("");
  EXPECT_EQ(find_differences(before, make_item("a")),
            (std::vector<Difference>{{changed, "name", "\"\"", "a"}}));
}

TEST(Difference, LongTextIsCutBetweenCodePoints) {
  std::string text = "a";
  while (text.size() < 1000) text += "\u20ac";
  const auto differences = find_differences(make_item(""), make_item(text));
  ASSERT_EQ(differences.size(), 1u);
  EXPECT_EQ(differences[0].after, text.substr(0, 199) + "...");
}

TEST(Difference, ItemsAreComparedByNameWhateverTheirPlace) {
  const Pool before = make_pool("web", {"u1", "u2", "u3"});
  Pool after = make_pool("web", {"u0", "u3"});
  after.items[1].weight = 2;
  const auto differences = find_differences(before, after);
  std::vector<std::string> paths;
  for (const Difference& difference : differences) paths.push_back(difference.path);
  EXPECT_EQ(paths,
            (std::vector<std::string>{"items[u1]", "items[u2]", "items[u0]", "items[u3].weight"}));
}

TEST(Difference, AnotherOrderIsADifference) {
  const Pool before = make_pool("web", {"u1", "u2", "u3"});
  const Pool after = make_pool("web", {"u1", "u3", "u2"});
  EXPECT_EQ(find_differences(before, after),
            (std::vector<Difference>{{reordered, "items", "", ""}}));
  EXPECT_FALSE(is_equal(before, after));
}

TEST(Difference, ItemsThatShareANameAreComparedByPlace) {
  const Pool before = make_pool("web", {"u1", "u1"});
  Pool after = before;
  after.items[1].weight = 2;
  EXPECT_EQ(find_differences(before, after),
            (std::vector<Difference>{{changed, "items[1].weight", "1", "2"}}));
}

TEST(Difference, PositionsDoNotCount) {
  Tree before;
  before.pools = {make_pool("web", {"u1"})};
  Tree after = before;
  after.path.position = {7, 7};
  after.pools[0].position = {8, 8};
  after.pools[0].items[0].name.position = {9, 9};
  EXPECT_TRUE(is_equal(before, after));
  EXPECT_EQ(find_differences(before, after), std::vector<Difference>());
}

TEST(Difference, ACopyIsEqual) {
  Random random(1);
  for (int round = 0; round < 1000; ++round) {
    const Tree tree = make_tree(random);
    Tree copy;
    copy = tree;
    ASSERT_TRUE(is_equal(tree, copy));
    ASSERT_EQ(find_differences(tree, copy), std::vector<Difference>());
  }
}

TEST(Difference, OneChangeAnywhereIsFoundUnderItsPathInBothDirections) {
  Random random(2);
  for (int round = 0; round < 5000; ++round) {
    const Tree before = make_tree(random);
    Tree after = before;
    const std::string path = mutate(after, random);
    const auto differences = find_differences(before, after);
    ASSERT_EQ(differences.size(), 1u) << path;
    ASSERT_EQ(differences[0].path, path);
    ASSERT_NE(differences[0].before, differences[0].after);
    ASSERT_EQ(swapped(find_differences(after, before)), differences);
    ASSERT_FALSE(is_equal(before, after));
    ASSERT_FALSE(is_equal(after, before));
  }
}

TEST(Difference, EqualIsWhatHasNoDifference) {
  Random random(3);
  int equal = 0;
  for (int round = 0; round < 5000; ++round) {
    const Tree a = make_tree(random);
    Tree b = random.below(2) == 0 ? a : make_tree(random);
    if (random.below(2) == 0) std::ranges::reverse(b.pools);
    const bool has_none = find_differences(a, b).empty();
    ASSERT_EQ(is_equal(a, b), has_none);
    equal += has_none ? 1 : 0;
  }
  EXPECT_GT(equal, 500);
}

}  // namespace
}  // namespace weir::config
