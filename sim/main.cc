// weir-sim: runs seeds of the simulation, and replays one with its trace. weir-sim balance:
// compares the balancing algorithms.

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "sim/balance_report.h"
#include "sim/world.h"

namespace {

using weir::sim::BalanceOptions;
using weir::sim::TableStyle;
using weir::sim::Trace;
using weir::sim::World;

// What is running, for the handler of an assertion that failed.
std::uint64_t present_seed = 0;

void print_reproduction(std::uint64_t seed) {
  const auto text = fmt::format("seed {0} failed; again: weir-sim --seed {0} --trace\n", seed);
  std::fputs(text.c_str(), stderr);
}

void on_abort(int) { print_reproduction(present_seed); }

struct Options {
  std::uint64_t seed = 1;
  std::string seeds;
  std::uint64_t steps = UINT64_MAX;
  bool trace = false;
  bool is_long = false;
};

bool run_seed(std::uint64_t seed, const Options& options) {
  present_seed = seed;
  std::string text;
  Trace trace;
  if (options.trace) trace.write_to(&text);
  World world(seed, trace);
  const std::string violation = world.run(options.steps);
  if (options.trace) std::fputs(world.configuration().c_str(), stdout);
  std::fputs(text.c_str(), stdout);
  if (options.trace || !violation.empty()) {
    const auto& ledger = world.ledger();
    const std::string summary = fmt::format(
        "{} steps; {} changes; {} requests, {} answered, {} refused, {} broken; "
        "{} tunnels, {} whole; {} waits; {} streams on a connection to a server\n",
        world.steps(), world.changes_made(), ledger.requests(), ledger.answered(), ledger.refused(),
        ledger.broken(), world.tunnels().tunnels(), world.tunnels().whole(), world.waits(),
        world.streams_most());
    std::fputs(summary.c_str(), stdout);
  }
  if (!violation.empty()) {
    std::fprintf(stderr, "%s\n", violation.c_str());
    print_reproduction(seed);
  }
  std::fflush(stdout);
  // A world that has not ended cannot be taken down in order.
  if (!violation.empty()) std::_Exit(1);
  if (options.steps != UINT64_MAX) std::_Exit(0);
  return true;
}

// "A..B", both included.
bool run_seeds(const Options& options) {
  const std::size_t dots = options.seeds.find("..");
  if (dots == std::string::npos) return false;
  const std::uint64_t first = std::strtoull(options.seeds.c_str(), nullptr, 10);
  const std::uint64_t last = std::strtoull(options.seeds.c_str() + dots + 2, nullptr, 10);
  for (std::uint64_t seed = first; seed <= last; ++seed) {
    if (!run_seed(seed, options)) return false;
  }
  std::fputs(fmt::format("seeds {} to {}: no violation\n", first, last).c_str(), stdout);
  return true;
}

struct BalanceCommand {
  BalanceOptions options;
  bool is_markdown = false;
  std::string svg_folder;
};

CLI::App* add_balance_command(CLI::App& app, BalanceCommand& command) {
  auto* balance = app.add_subcommand("balance", "Compare the balancing algorithms.");
  balance->add_option("--seed", command.options.seed, "Of the requests, and of chance.");
  balance->add_option("--requests", command.options.requests, "For each algorithm and load.")
      ->check(CLI::Range(1'000, 100'000'000));
  balance->add_flag("--markdown", command.is_markdown, "Write the tables for a page.");
  balance->add_option("--svg", command.svg_folder, "Write plots into this folder.")
      ->check(CLI::ExistingDirectory);
  return balance;
}

bool run_balance(const BalanceCommand& command) {
  const weir::sim::BalanceReport report = weir::sim::measure_balance(command.options);
  const auto style = command.is_markdown ? TableStyle::markdown : TableStyle::plain;
  std::fputs(weir::sim::write_tables(report, style).c_str(), stdout);
  if (command.svg_folder.empty()) return true;
  for (const weir::sim::Plot& plot : weir::sim::draw_plots(report)) {
    const std::string path = fmt::format("{}/{}", command.svg_folder, plot.name);
    std::ofstream file(path, std::ios::binary);
    file << plot.svg;
    file.close();
    if (file) continue;
    std::fprintf(stderr, "cannot write %s\n", path.c_str());
    return false;
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Runs Weir in a simulated network.");
  Options options;
  auto* seed = app.add_option("--seed", options.seed, "Run this seed.");
  app.add_option("--seeds", options.seeds, "Run seeds A..B, up to the first that fails.")
      ->excludes(seed);
  app.add_flag("--long", options.is_long, "Run seeds 1..10000.")->excludes(seed);
  app.add_option("--steps", options.steps, "Stop after so many steps.");
  app.add_flag("--trace", options.trace, "Print what happens.");
  BalanceCommand balance_command;
  const CLI::App* balance = add_balance_command(app, balance_command);
  CLI11_PARSE(app, argc, argv);
  if (balance->parsed()) return run_balance(balance_command) ? 0 : 1;
  if (options.is_long) options.seeds = "1..10000";
  std::signal(SIGABRT, &on_abort);
  const bool passed = options.seeds.empty() ? run_seed(options.seed, options) : run_seeds(options);
  return passed ? 0 : 1;
}
