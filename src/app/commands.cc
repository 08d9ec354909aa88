#include "app/commands.h"

#include <fmt/format.h>

#include "app/compile.h"
#include "app/demo_servers.h"
#include "app/process.h"
#include "app/signals.h"
#include "balance/remap_table.h"
#include "config/reference.h"
#include "config/schema.h"
#include "discovery/dns_client.h"
#include "net/listening_socket.h"
#include "proxy/value.h"
#include "stats/metrics.h"

namespace weir::app {
namespace {

constexpr std::string_view kDemoAddress = "127.0.0.1:8080";
constexpr std::string_view kTitle = "Weir configuration";

int refuse(const std::string& message) {
  fmt::print(stderr, "error: {}\n", message);
  return 1;
}

// Prints the problems, if any; the settings are good if there is no error.
Settings load(const std::string& path, config::Problems& problems) {
  const config::Document document = config::load_document(path, problems);
  Settings settings = load_settings(document, problems);
  if (!problems.is_empty()) fmt::print(stderr, "{}", config::print(problems, document));
  return settings;
}

// The configuration that a quick start stands for.
std::expected<Settings, std::string> settings_of(const QuickStart& quick) {
  if (quick.to.empty()) return std::unexpected("--to names no server");
  Settings settings;
  proxy::ListenerSettings listener;
  listener.name = std::string("main");
  for (const std::string& listen : quick.listen) {
    const auto address = net::Address::parse(listen);
    if (!address) {
      return std::unexpected("--listen " + listen + " is no address; expected " +
                             std::string(scalar_info(std::type_identity<net::Address>()).example));
    }
    listener.addresses.emplace_back(*address);
  }
  listener.backend = std::string("main");
  if (quick.protocol != "http" && quick.protocol != "tcp") {
    return std::unexpected("--protocol " + quick.protocol + ": expected http or tcp");
  }
  listener.protocol = quick.protocol == "tcp" ? proxy::Protocol::tcp : proxy::Protocol::http;
  BackendEntry backend;
  backend.name = std::string("main");
  for (const std::string& to : quick.to) {
    backend::ServerSettings server;
    server.name = to;
    if (const auto parsed = parse_scalar(to, server.address); !parsed) {
      const auto example = scalar_info(std::type_identity<net::ServerAddress>()).example;
      return std::unexpected(fmt::format("--to {} is no address; expected {}{}{}", to, example,
                                         parsed.error().empty() ? "" : ": ", parsed.error()));
    }
    backend.servers.push_back(std::move(server));
  }
  settings.listeners.push_back(std::move(listener));
  settings.backends.push_back(std::move(backend));
  return settings;
}

std::string errors_reference() {
  std::string page =
      "# Errors\n\nThe reason word stands in the access log, in metrics (label `reason`) and on "
      "the "
      "error page.\n\n| reason | status | gRPC status | another server is tried | meaning |\n"
      "| --- | --- | --- | --- | --- |\n";
  for (int kind = 1; kind < static_cast<int>(ErrorKind::count_); ++kind) {
    const ErrorKindRow& row = row_of(static_cast<ErrorKind>(kind));
    page +=
        fmt::format("| `{}` | {} | {} | {} | {} |\n", row.word,
                    row.http_status == 0 ? "none" : std::to_string(row.http_status),
                    row.grpc_status, row.retryable == Retryable::yes ? "yes" : "no", row.sentence);
  }
  return page;
}

}  // namespace

int run_file(const std::string& path, ReloadOn reload_on, ReactorWish reactor) {
  config::Problems problems;
  const Settings settings = load(path, problems);
  if (problems.has_errors()) return 1;
  return run_process(settings,
                     {.file = path, .watch = reload_on == ReloadOn::change, .reactor = reactor});
}

int run_quick_start(const QuickStart& quick, ReactorWish reactor) {
  if (quick.listen.empty()) {
    return refuse("nothing to run: name a file with -c FILE, or --listen ADDRESS --to ADDRESS,...");
  }
  const auto settings = settings_of(quick);
  return settings ? run_process(*settings, {.reactor = reactor}) : refuse(settings.error());
}

int run_demo(const std::string& listen) {
  Signals::block();  // in the threads of the servers
  const auto servers = DemoServers::start(3);
  if (!servers) return refuse(servers.error());
  QuickStart quick;
  quick.listen = {listen.empty() ? std::string(kDemoAddress) : listen};
  if (listen.empty() && !net::open_listening_sockets(*net::Address::parse(kDemoAddress), 1)) {
    fmt::print(stderr, "{} is taken: any free port will do\n", kDemoAddress);
    quick.listen = {"127.0.0.1:0"};
  }
  for (const net::Address& address : (*servers)->addresses())
    quick.to.push_back(address.to_string());
  auto settings = settings_of(quick);
  if (!settings) return refuse(settings.error());
  auto& backend = settings->backends.front();
  backend.name = std::string("demo");
  settings->listeners.front().backend = std::string("demo");
  for (std::size_t i = 0; i < backend.servers.size(); ++i) {
    backend.servers[i].name = "demo-" + std::to_string(i + 1);
  }
  settings->workers.count = 1;  // so that the three take exact turns
  return run_process(*settings, {.ready = [](const net::Address& listener) {
    fmt::print(stderr,
               "\nThree demo servers take turns behind Weir. Try it, in another terminal:\n\n"
               "    curl http://{}/\n\nCtrl-C stops.\n",
               listener.to_string());
  }});
}

int check_file(const std::string& path) {
  config::Problems problems;
  load(path, problems);
  if (problems.has_errors()) return 1;
  fmt::print("{}: ok\n", path);
  return 0;
}

int explain_file(const std::string& path, const Question& question) {
  config::Problems problems;
  const Settings settings = load(path, problems);
  if (problems.has_errors()) return 1;
  const auto explanation = FreshConfiguration(settings, path).explain(question);
  if (!explanation) {
    refuse(explanation.error());
    return 2;
  }
  fmt::print("{}", explanation->text);
  return explanation->is_served ? 0 : 1;
}

int print_schema() {
  fmt::print("{}\n", config::json_schema(config::description_of<Settings>(), kTitle));
  return 0;
}

int print_reference(const std::string& page) {
  if (page == "config") {
    fmt::print("{}", config::reference_page(config::description_of<Settings>(), kTitle));
  } else if (page == "metrics") {
    fmt::print("{}", stats::metrics_reference());
  } else if (page == "errors") {
    fmt::print("{}", errors_reference());
  } else if (page == "values") {
    fmt::print("{}", proxy::values_reference());
  } else if (page == "remap") {
    fmt::print("{}", balance::remap_reference());
  } else {
    return refuse("no page '" + page + "': expected config, metrics, errors, values or remap");
  }
  return 0;
}

int print_version() {
  fmt::print("weir {}\nclang {}.{}.{}\nfmt {}.{}.{}\n", WEIR_VERSION, __clang_major__,
             __clang_minor__, __clang_patchlevel__, FMT_VERSION / 10000, FMT_VERSION / 100 % 100,
             FMT_VERSION % 100);
  fmt::print("yaml-cpp {}\nCLI11 {}\nc-ares {}\n", WEIR_YAML_CPP_VERSION, WEIR_CLI11_VERSION,
             discovery::DnsClient::library_version());
  const auto chosen = choose_reactor(ReactorWish::any);
  fmt::print("{}\n", chosen->why.empty() ? "io_uring usable" : chosen->why);
  return 0;
}

}  // namespace weir::app
