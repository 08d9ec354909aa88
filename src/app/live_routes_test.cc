#include "app/live_routes.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "app/compile.h"

namespace weir::app {
namespace {

// A listener whose second route is split, and one that is split itself.
Settings settings_of(std::string_view web, std::string_view db = "5, 5",
                     std::string_view routes_before = "") {
  const auto split = [](std::string_view weights) {
    const std::size_t comma = weights.find(',');
    return fmt::format("[{{ backend: a, weight: {} }}, {{ backend: b, weight: {}, name: new }}]",
                       weights.substr(0, comma), weights.substr(comma + 1));
  };
  const std::string text = fmt::format(
      "listeners:\n"
      "  - name: web\n    address: :80\n    routes:\n{}"
      "      - {{ match: {{ path: /x }}, backend: a }}\n"
      "      - split: {}\n"
      "  - {{ name: db, address: :81, protocol: tcp, split: {} }}\n"
      "backends:\n"
      "  - {{ name: a, servers: [{{ name: s, address: 10.0.0.1:80 }}] }}\n"
      "  - {{ name: b, servers: [{{ name: s, address: 10.0.0.2:80 }}] }}\n",
      routes_before, split(web), split(db));
  config::Problems problems;
  const auto document = config::parse_document("weir.yaml", text, problems);
  Settings settings = load_settings(document, problems);
  EXPECT_FALSE(problems.has_errors()) << config::print(problems, document);
  return settings;
}

admin::SplitChange to(std::vector<admin::GroupWeight> groups) { return {std::move(groups)}; }

// "95/5", and what the file says if that is another thing: "90/10 (95/5)".
std::string weights(const LiveRoutes& routes, const Settings& settings, std::size_t route) {
  stats::Registry registry(1);
  const auto states = routes.states(settings, compile(settings, registry));
  const auto& split = states.at(route).split;
  if (split.empty()) return "none";
  const std::string now = fmt::format("{}/{}", split[0].weight, split[1].weight);
  const std::string file =
      fmt::format("{}/{}", split[0].weight_configured, split[1].weight_configured);
  return now == file ? now : fmt::format("{} ({})", now, file);
}

TEST(LiveRoutes, SaysOfEachRouteWhereItLeads) {
  const Settings settings = settings_of("95, 5");
  stats::Registry registry(1);
  const proxy::Snapshot snapshot = compile(settings, registry);
  snapshot.listeners[0].splits[0]->groups[1].stats->of(0).requests.add(7);
  const auto states = LiveRoutes().states(settings, snapshot);
  ASSERT_EQ(states.size(), 3u);
  EXPECT_EQ(states[0].backend, "a");
  EXPECT_TRUE(states[0].split.empty());
  EXPECT_EQ(states[1].number, 2u);
  EXPECT_EQ(states[1].match, "any request");
  EXPECT_EQ(states[1].backend, "");
  EXPECT_EQ(states[1].line, 6u);
  ASSERT_EQ(states[1].split.size(), 2u);
  EXPECT_EQ(states[1].split[0].name, "a");
  EXPECT_EQ(states[1].split[1].name, "new");
  EXPECT_EQ(states[1].split[1].backend, "b");
  EXPECT_EQ(states[1].split[1].requests, 7u);
  EXPECT_EQ(states[2].listener, "db");
  EXPECT_EQ(states[2].match, "any connection");
}

TEST(LiveRoutes, SetsWeightsAndRemembersThoseOfTheFile) {
  Settings settings = settings_of("95, 5");
  LiveRoutes routes;
  ASSERT_TRUE(routes.change_split(settings, "web", 2, to({{"a", 90}, {"new", 10}})));
  EXPECT_EQ(weights(routes, settings, 1), "90/10 (95/5)");
  ASSERT_TRUE(routes.change_split(settings, "web", 2, to({{"a", 0}})));
  EXPECT_EQ(weights(routes, settings, 1), "0/10 (95/5)");
  ASSERT_TRUE(routes.change_split(settings, "db", 1, to({{"new", 6}})));
  EXPECT_EQ(weights(routes, settings, 2), "5/6 (5/5)");
  ASSERT_TRUE(routes.change_split(settings, "web", 2, to({{"a", 95}, {"new", 5}})));
  EXPECT_EQ(weights(routes, settings, 1), "95/5");
}

TEST(LiveRoutes, RefusesWhatCannotBe) {
  const Settings settings = settings_of("95, 5");
  const auto refusal = [&](const std::string& listener, std::size_t route,
                           const admin::SplitChange& change) {
    Settings next = settings;
    const auto changed = LiveRoutes().change_split(next, listener, route, change);
    return changed ? "done" : changed.error().reason + ": " + changed.error().message;
  };
  EXPECT_EQ(refusal("wbe", 1, to({{"a", 1}})), "unknown_route: no route 1 of a listener 'wbe'");
  EXPECT_EQ(refusal("web", 3, to({{"a", 1}})), "unknown_route: no route 3 of a listener 'web'");
  EXPECT_EQ(refusal("web", 0, to({{"a", 1}})), "unknown_route: no route 0 of a listener 'web'");
  EXPECT_EQ(refusal("web", 1, to({{"a", 1}})), "no_split: route 1 of listener 'web' has no split");
  EXPECT_EQ(refusal("web", 2, to({{"nwe", 1}})),
            "unknown_group: no group 'nwe' in the split (did you mean 'new'?)");
  EXPECT_EQ(refusal("web", 2, to({{"a", 0}, {"new", 0}})),
            "no_weight: no group of the split would have a weight above 0");
}

TEST(LiveRoutes, KeepsSetWeightsUntilTheFileSaysOtherOnes) {
  Settings settings = settings_of("95, 5");
  LiveRoutes routes;
  ASSERT_TRUE(routes.change_split(settings, "web", 2, to({{"a", 50}, {"new", 50}})));

  Settings same = settings_of("95, 5", "6, 6", "      - { match: { path: /y }, backend: b }\n");
  const auto kept = routes.keep_weights(same);
  ASSERT_EQ(kept.size(), 1u);
  EXPECT_EQ(kept[0],
            "route 3 of listener 'web' keeps the weights of its split that were set at run time");
  EXPECT_EQ(weights(routes, same, 2), "50/50 (95/5)");
  EXPECT_EQ(weights(routes, same, 3), "6/6");

  Settings other = settings_of("90, 10");
  EXPECT_TRUE(routes.keep_weights(other).empty());
  EXPECT_EQ(weights(routes, other, 1), "90/10");
  Settings back = settings_of("95, 5");
  EXPECT_TRUE(routes.keep_weights(back).empty());
  EXPECT_EQ(weights(routes, back, 1), "95/5");
}

}  // namespace
}  // namespace weir::app
