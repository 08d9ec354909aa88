// The command line: arguments, and calls into app/.

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "app/commands.h"
#include "app/ctl.h"
#include "config/text.h"

namespace {

constexpr int kUsageError = 2;

// CLI11 would only say that a subcommand is required.
int refuse_unknown_command(const CLI::App& cli, int argc, char** argv) {
  if (argc < 2 || argv[1][0] == '-') return 0;
  const std::string name = argv[1];
  weir::config::Nearest nearest(name);
  for (const CLI::App* command : cli.get_subcommands({})) {
    if (command->get_name() == name) return 0;
    nearest.consider(command->get_name());
  }
  std::fprintf(stderr, "error: unknown command '%s'%s; 'weir --help' lists them\n", name.c_str(),
               nearest.hint().c_str());
  return kUsageError;
}

// The options outlive the parsing, which calls back: they belong to run().
struct ExplainOptions {
  std::string file;
  std::string admin = std::string(weir::app::kAdminAddress);
  weir::app::Question question;
};

void add_explain(CLI::App& cli, ExplainOptions& options, int& status) {
  weir::app::Question& question = options.question;
  CLI::App* explain = cli.add_subcommand("explain", "Say what would serve a request, and why");
  auto* config = explain->add_option(
      "-c,--config", options.file, "Configuration file (YAML); without it a running Weir is asked");
  explain->add_option("--admin", options.admin, "Admin address of the running Weir")
      ->capture_default_str()
      ->excludes(config);
  explain->add_option("--from", question.from, "IP address of the client");
  explain->add_option("-H,--header", question.fields, "A field, as 'Name: value'; may be repeated")
      ->allow_extra_args(false);
  explain->add_option("--listener", question.listener, "Name of the listener, else by the URL");
  explain->add_option("method", question.method, "GET, or CONNECT for tcp")->required();
  explain->add_option("url", question.url, "http://HOST[:PORT]/PATH or tcp://HOST:PORT")
      ->required();
  explain->callback([&] {
    status = options.file.empty() ? weir::app::explain_running(options.admin, question)
                                  : weir::app::explain_file(options.file, question);
  });
}

void add_ctl(CLI::App& cli, weir::app::CtlArguments& arguments, int& status) {
  CLI::App* ctl = cli.add_subcommand("ctl", "Ask a running Weir what it does, and change it");
  ctl->footer(weir::app::ctl_commands());
  ctl->add_option("--admin", arguments.admin, "Admin address of the running Weir")
      ->capture_default_str();
  ctl->add_flag_callback(
      "--json", [&] { arguments.output = weir::app::CtlOutput::json; },
      "Print what the admin API answers");
  ctl->add_option("--weight", arguments.weight, "With add: share of the traffic");
  ctl->add_option("--maxconn", arguments.maxconn, "With add: leases at a time");
  ctl->add_flag("--backup", arguments.is_backup, "With add: serves when no other server can");
  ctl->add_option("command", arguments.words, "What to do, as listed below")->required();
  ctl->callback([&] { status = weir::app::run_ctl(arguments); });
}

struct RunArguments {
  std::string file;
  weir::app::QuickStart quick;
  bool watch = false;
  std::string reactor = "auto";
};

void add_run(CLI::App& cli, RunArguments& arguments, int& status) {
  weir::app::QuickStart& quick = arguments.quick;
  CLI::App* run = cli.add_subcommand("run", "Serve traffic in the foreground");
  auto* config = run->add_option("-c,--config", arguments.file, "Configuration file (YAML)");
  auto* listen = run->add_option("--listen", quick.listen,
                                 "Without a file: where to listen, as :8080; one or several")
                     ->delimiter(',');
  run->add_option("--to", quick.to, "Without a file: servers, as 127.0.0.1:9001,127.0.0.1:9002")
      ->delimiter(',')
      ->needs(listen);
  run->add_option("--protocol", quick.protocol, "Without a file: http (default) or tcp")
      ->needs(listen);
  config->excludes(listen);
  run->add_flag("--watch", arguments.watch, "Reload when the file changes, not only on SIGHUP")
      ->needs(config);
  run->add_option("--reactor", arguments.reactor,
                  "What waits for I/O: epoll, io_uring, or auto: io_uring where this machine "
                  "allows it, else epoll")
      ->capture_default_str()
      ->check(CLI::IsMember(std::vector<std::string>(std::begin(weir::app::kReactorWords),
                                                     std::end(weir::app::kReactorWords))));
  run->callback([&] {
    const auto wish = weir::app::parse_reactor_wish(arguments.reactor);
    const auto reload_on =
        arguments.watch ? weir::app::ReloadOn::change : weir::app::ReloadOn::signal;
    status = arguments.file.empty() ? weir::app::run_quick_start(quick, wish)
                                    : weir::app::run_file(arguments.file, reload_on, wish);
  });
}

int run(int argc, char** argv) {
  CLI::App cli{"Weir: a load balancer for every layer", "weir"};
  cli.require_subcommand(1);
  int status = 0;

  RunArguments run_arguments;
  add_run(cli, run_arguments, status);

  std::string file;
  CLI::App* check = cli.add_subcommand("check", "Print every problem of a configuration");
  check->add_option("-c,--config", file, "Configuration file (YAML)")->required();
  check->callback([&] { status = weir::app::check_file(file); });

  ExplainOptions explain;
  add_explain(cli, explain, status);
  weir::app::CtlArguments ctl;
  add_ctl(cli, ctl, status);

  std::string page;
  cli.add_subcommand("schema", "Print the JSON Schema of the configuration")->callback([&] {
    status = weir::app::print_schema();
  });
  CLI::App* reference = cli.add_subcommand("reference", "Print a page of the reference");
  reference->add_option("page", page, "config, metrics, errors, values or remap")->required();
  reference->callback([&] { status = weir::app::print_reference(page); });

  std::string demo_listen;
  CLI::App* demo = cli.add_subcommand("demo", "Three embedded servers and a load balancer");
  demo->add_option("--listen", demo_listen, "Where to listen (127.0.0.1:8080 if it is free)");
  demo->callback([&] { status = weir::app::run_demo(demo_listen); });

  cli.add_subcommand("version", "Print the versions of Weir and its libraries")->callback([&] {
    status = weir::app::print_version();
  });

  if (const int refused = refuse_unknown_command(cli, argc, argv); refused != 0) return refused;
  try {
    cli.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return cli.exit(error) == 0 ? 0 : kUsageError;
  }
  return status;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 1;
  }
}
