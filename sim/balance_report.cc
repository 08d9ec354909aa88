#include "sim/balance_report.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <fmt/format.h>

#include "base/random.h"
#include "sim/charts.h"

namespace weir::sim {
namespace {

using balance::BalanceSettings;

constexpr std::size_t kServers = 20;
constexpr std::size_t kFlappingServer = 10;
constexpr std::uint32_t kWeights[] = {1, 2, 3};
constexpr double kMeanWeight = 2;
constexpr double kSlowness = 0.2;
// `first` needs a limit: twice what a server works on.
constexpr std::uint32_t kFirstLeasesMax = 8;
constexpr double kLoadMax = 1.25;

constexpr std::uint32_t kFullestServers[] = {100, 300, 1'000, 3'000, 10'000};
constexpr int kFullestRounds = 20;

constexpr std::size_t kManyServers = 1'000;
constexpr std::uint16_t kManyWorkers[] = {1, 8};

void add_hash(std::vector<Contestant>& made, const BalanceSettings& defaults) {
  BalanceSettings settings = defaults;
  settings.hash->method.value = balance::HashMethod::ring;
  made.push_back({.label = "hash, ring", .settings = settings});
  settings.hash->load_max = kLoadMax;
  made.push_back({.label = "hash, ring, load_max 1.25", .settings = settings});
  settings.hash->load_max.reset();
  settings.hash->method.value = balance::HashMethod::maglev;
  made.push_back({.label = "hash, maglev", .settings = settings});
}

// Both choices of an algorithm that goes by scores.
template <class Settings>
void add_choices(std::vector<Contestant>& made, std::string_view name,
                 std::optional<Settings> BalanceSettings::* member) {
  BalanceSettings settings = balance::default_settings(name);
  for (const auto& [choice, value] : names_of(balance::ScoreChoice{})) {
    (settings.*member)->choose = value;
    made.push_back({.label = fmt::format("{}, {}", name, choice), .settings = settings});
  }
}

void add(std::vector<Contestant>& made, std::string_view name) {
  const BalanceSettings settings = balance::default_settings(name);
  if (settings.hash) return add_hash(made, settings);
  if (settings.least_bandwidth) return add_choices(made, name, &BalanceSettings::least_bandwidth);
  if (settings.resource) return add_choices(made, name, &BalanceSettings::resource);
  if (settings.adaptive) return add_choices(made, name, &BalanceSettings::adaptive);
  if (settings.utilization) return add_choices(made, name, &BalanceSettings::utilization);
  made.push_back({.label = std::string(name),
                  .settings = settings,
                  .leases_max = settings.first ? kFirstLeasesMax : 0});
}

// The fullest of the servers, on average, when each of them could have one request.
double fullest_after(const balance::Picker& picker, std::uint32_t servers, Random& random) {
  const std::vector<balance::ServerSpec> specs(servers);
  const auto table = picker.build(specs, balance::ServerSet::all(servers));
  const auto state = picker.start(*table, balance::WorkerIndex{0}, 1);
  double sum = 0;
  for (int round = 0; round < kFullestRounds; ++round) {
    std::vector<std::atomic<std::uint32_t>> leases(servers);
    std::vector<const std::atomic<std::uint32_t>*> counters;
    for (const auto& count : leases) counters.push_back(&count);
    std::uint32_t fullest = 0;
    for (std::uint32_t i = 0; i < servers; ++i) {
      const balance::ServerIndex server =
          picker.pick(*table, *state, {.leases = counters, .random = random.next()});
      fullest = std::max(fullest, ++leases[balance::to_number(server)]);
    }
    sum += fullest;
  }
  return sum / kFullestRounds;
}

// Columns of one width each, or with bars between.
class TextTable {
 public:
  TextTable(TableStyle style, std::vector<std::string> head)
      : style_(style), rows_{std::move(head)} {}

  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }

  std::string text() const {
    std::string text;
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      text += style_ == TableStyle::markdown ? markdown_row(rows_[i]) : plain_row(rows_[i]);
      if (i > 0 || style_ == TableStyle::plain) continue;
      for (std::size_t column = 0; column < rows_[0].size(); ++column) text += "| --- ";
      text += "|\n";
    }
    return text + "\n";
  }

 private:
  static std::string markdown_row(const std::vector<std::string>& row) {
    std::string text;
    for (const std::string& cell : row) text += fmt::format("| {} ", cell);
    return text + "|\n";
  }
  std::string plain_row(const std::vector<std::string>& row) const {
    std::string text;
    for (std::size_t column = 0; column < row.size(); ++column) {
      std::size_t width = 0;
      for (const auto& other : rows_) width = std::max(width, other[column].size());
      text += column == 0 ? fmt::format("{:<{}}", row[column], width)
                          : fmt::format("  {:>{}}", row[column], width);
    }
    return text + "\n";
  }

  TableStyle style_;
  std::vector<std::vector<std::string>> rows_;
};

std::string percent(double share) { return fmt::format("{:.1f} %", 100 * share); }

std::string write_well(const std::vector<Standing>& standings, TableStyle style) {
  TextTable table(style, {"algorithm", "p99 at 0.5", "at 0.7", "at 0.9", "p99.9 at 0.5", "at 0.7",
                          "at 0.9", "imbalance at 0.7", "failed at 0.9"});
  for (const Standing& standing : standings) {
    std::vector<std::string> row = {standing.label};
    for (const PoolResult& result : standing.results)
      row.push_back(fmt::format("{:.1f}", result.p99));
    for (const PoolResult& result : standing.results)
      row.push_back(fmt::format("{:.1f}", result.p999));
    row.push_back(fmt::format("{:.1f}", standing.results[1].imbalance));
    row.push_back(percent(standing.results[2].failed));
    table.add(std::move(row));
  }
  return table.text();
}

std::string write_ill(const std::vector<Standing>& standings, std::size_t load, TableStyle style) {
  TextTable table(style,
                  {"algorithm", "p50", "p99", "p99.9", "imbalance", "slow server", "failed"});
  for (const Standing& standing : standings) {
    const PoolResult& result = standing.results[load];
    table.add({standing.label, fmt::format("{:.2f}", result.p50), fmt::format("{:.1f}", result.p99),
               fmt::format("{:.1f}", result.p999), fmt::format("{:.1f}", result.imbalance),
               percent(result.shares[kSlowServer]), percent(result.failed)});
  }
  return table.text();
}

std::string write_fullest(const std::vector<FullestServer>& fullest, TableStyle style) {
  TextTable table(style, {"servers", "random", "power_of_two", "log2 log2 n"});
  for (const FullestServer& row : fullest) {
    table.add({fmt::format("{}", row.servers), fmt::format("{:.1f}", row.random),
               fmt::format("{:.1f}", row.power_of_two),
               fmt::format("{:.1f}", std::log2(std::log2(row.servers)))});
  }
  return table.text();
}

std::string write_many_servers(const std::vector<ManyServers>& rows, TableStyle style) {
  TextTable table(style, {"workers", "load", "distance, mean", "fullest above, mean",
                          "fullest above, most", "p99"});
  for (const ManyServers& row : rows) {
    table.add({row.workers == 1 ? "1, exact" : fmt::format("{}", row.workers),
               fmt::format("{}", row.load), fmt::format("{:.2f}", row.result.distance),
               fmt::format("{:.2f}", row.result.excess),
               fmt::format("{:.2f}", row.result.excess_max),
               fmt::format("{:.2f}", row.result.p99)});
  }
  return table.text();
}

BarChart bars_of(const std::vector<Standing>& standings, std::string title,
                 double PoolResult::* measure) {
  BarChart chart{.title = std::move(title)};
  for (const double load : kLoads) chart.series.push_back(fmt::format("load {}", load));
  for (const Standing& standing : standings) {
    BarChart::Row& row = chart.rows.emplace_back(standing.label);
    for (const PoolResult& result : standing.results) row.values.push_back(result.*measure);
  }
  return chart;
}

}  // namespace

std::vector<Contestant> contestants() {
  std::vector<Contestant> made;
  for (const balance::PickerEntry& entry : balance::pickers()) add(made, entry.name);
  return made;
}

PoolOptions mixed_servers(const Contestant& contestant, Health health) {
  PoolOptions options{.settings = contestant.settings, .leases_max = contestant.leases_max};
  if (health == Health::some_ill) options.flapping = kFlappingServer;
  for (std::size_t i = 0; i < kServers; ++i) {
    const std::uint32_t weight = kWeights[i % std::size(kWeights)];
    const double slowness = health == Health::some_ill && i == kSlowServer ? kSlowness : 1;
    options.servers.push_back({.weight = weight, .speed = slowness * weight / kMeanWeight});
  }
  return options;
}

std::vector<Standing> measure_standings(const BalanceOptions& options, Health health) {
  std::vector<Standing> standings;
  for (const Contestant& contestant : contestants()) {
    Standing& standing = standings.emplace_back(contestant.label);
    for (std::size_t i = 0; i < kLoads.size(); ++i) {
      PoolOptions pool = mixed_servers(contestant, health);
      pool.load = kLoads[i];
      pool.requests = options.requests;
      pool.seed = options.seed;
      standing.results[i] = simulate_pool(pool);
    }
  }
  return standings;
}

std::vector<FullestServer> measure_fullest(std::uint64_t seed) {
  Random random(seed);
  std::vector<FullestServer> measured;
  for (const std::uint32_t servers : kFullestServers) {
    const auto fullest = [&](std::string_view name) {
      const auto picker = balance::make_picker(balance::default_settings(name));
      return fullest_after(*picker, servers, random);
    };
    measured.push_back(
        {.servers = servers, .random = fullest("random"), .power_of_two = fullest("power_of_two")});
  }
  return measured;
}

std::vector<ManyServers> measure_many_servers(const BalanceOptions& options) {
  std::vector<ManyServers> measured;
  for (const std::uint16_t workers : kManyWorkers) {
    for (const double load : kLoads) {
      const PoolOptions pool{.settings = balance::default_settings("least_connections"),
                             .servers = std::vector<PooledServer>(kManyServers),
                             .workers = workers,
                             .load = load,
                             .requests = options.requests,
                             .seed = options.seed};
      measured.push_back({.workers = workers, .load = load, .result = simulate_pool(pool)});
    }
  }
  return measured;
}

BalanceReport measure_balance(const BalanceOptions& options) {
  return {.all_well = measure_standings(options, Health::all_well),
          .some_ill = measure_standings(options, Health::some_ill),
          .fullest = measure_fullest(options.seed),
          .many_servers = measure_many_servers(options)};
}

std::string write_tables(const BalanceReport& report, TableStyle style) {
  std::string text;
  const char* heading = style == TableStyle::markdown ? "### " : "";
  text += fmt::format("{}All servers well\n\n{}", heading, write_well(report.all_well, style));
  for (std::size_t load = 0; load < kLoads.size(); ++load) {
    text += fmt::format("{}One slow, one flapping: load {}\n\n{}", heading, kLoads[load],
                        write_ill(report.some_ill, load, style));
  }
  text += fmt::format("{}The fullest of n servers with n requests\n\n{}", heading,
                      write_fullest(report.fullest, style));
  text += fmt::format("{}least_connections with 1,000 servers\n\n{}", heading,
                      write_many_servers(report.many_servers, style));
  return text;
}

std::vector<Plot> draw_plots(const BalanceReport& report) {
  LineChart fullest{.title = "Requests on the fullest of n servers with n requests",
                    .x_label = "servers",
                    .lines = {{.label = "random"}, {.label = "power_of_two"}}};
  for (const FullestServer& row : report.fullest) {
    fullest.x.push_back(row.servers);
    fullest.lines[0].values.push_back(row.random);
    fullest.lines[1].values.push_back(row.power_of_two);
  }
  constexpr std::string_view kTime = "p99 of response time, in mean service times";
  return {{.name = "p99-well.svg",
           .svg = draw(bars_of(report.all_well, fmt::format("All servers well: {}", kTime),
                               &PoolResult::p99))},
          {.name = "p99-ill.svg",
           .svg = draw(bars_of(report.some_ill, fmt::format("One slow, one flapping: {}", kTime),
                               &PoolResult::p99))},
          {.name = "imbalance.svg",
           .svg = draw(bars_of(report.some_ill,
                               "One slow, one flapping: the fullest server, by the mean",
                               &PoolResult::imbalance))},
          {.name = "fullest.svg", .svg = draw(fullest)}};
}

}  // namespace weir::sim
