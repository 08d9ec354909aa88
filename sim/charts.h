#pragma once
// Plots for the documentation: small SVG files that are readable on a light and on a dark page.

#include <string>
#include <vector>

namespace weir::sim {

// Rows of horizontal bars, one for each series; the scale is logarithmic and begins at the largest
// power of ten below all values.
struct BarChart {
  struct Row {
    std::string label = {};
    std::vector<double> values = {};  // by series, over 0
  };
  std::string title = {};
  std::vector<std::string> series = {};  // 1 to 3, from little to much
  std::vector<Row> rows = {};
};
std::string draw(const BarChart& chart);

// The scale of x is logarithmic, that of the values begins at 0.
struct LineChart {
  struct Line {
    std::string label = {};
    std::vector<double> values = {};  // by x, 0 or more
  };
  std::string title = {};
  std::string x_label = {};
  std::vector<double> x = {};    // over 0, ascending, at least two
  std::vector<Line> lines = {};  // 1 to 3
};
std::string draw(const LineChart& chart);

}  // namespace weir::sim
