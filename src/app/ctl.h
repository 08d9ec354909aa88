#pragma once
// `weir ctl`: asks a running Weir what it does, and changes it, by its admin API.

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/admin_client.h"
#include "app/explain.h"

namespace weir::app {

inline constexpr std::string_view kAdminAddress = "127.0.0.1:9900";  // unless another is named

enum class CtlOutput : std::uint8_t { table, json };

// As given on the command line.
struct CtlArguments {
  std::string admin = std::string(kAdminAddress);
  CtlOutput output = CtlOutput::table;
  std::vector<std::string> words;  // the command and what follows it
  std::optional<std::uint32_t> weight;
  std::optional<std::uint32_t> maxconn;
  bool is_backup = false;
};

// A command understood: what to ask, and how to show what the API answers.
struct CtlCall {
  AdminRequest request;
  // Makes a table; nullopt if the JSON is not what was asked for.
  std::optional<std::string> (*show)(std::string_view json) = nullptr;
};

// The error is a sentence about the arguments.
std::expected<CtlCall, std::string> parse_ctl(const CtlArguments& arguments);

// The commands, a line each.
std::string ctl_commands();

// Exit status: 0; 1: the API refused, and says why on stderr; 2: the arguments are wrong, or nobody
// answers.
int run_ctl(const CtlArguments& arguments);

// `weir explain` of what is in force in a running Weir. Exit status as explain_file(); 2 if nobody
// answers.
int explain_running(const std::string& admin, const Question& question);

}  // namespace weir::app
