#pragma once
// What the command line asks for. Each gives the exit status.

#include <cstdint>
#include <string>
#include <vector>

#include "app/explain.h"
#include "app/reactor_choice.h"

namespace weir::app {

// A load balancer without a file.
struct QuickStart {
  std::vector<std::string> listen;
  std::vector<std::string> to;
  std::string protocol = "http";
};

// What has the file read again: SIGHUP alone, or any change of it as well.
enum class ReloadOn : std::uint8_t { signal, change };
int run_file(const std::string& path, ReloadOn reload_on, ReactorWish reactor);
int run_quick_start(const QuickStart& quick, ReactorWish reactor);
// listen: empty for 127.0.0.1:8080, or any free port if that is taken.
int run_demo(const std::string& listen);
int check_file(const std::string& path);
// 0: something would serve it; 1: nothing would, or the file has errors; 2: the question is wrong.
int explain_file(const std::string& path, const Question& question);
int print_schema();
// page: config, metrics, errors, values or remap.
int print_reference(const std::string& page);
int print_version();

}  // namespace weir::app
