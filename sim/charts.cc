#include "sim/charts.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <iterator>
#include <limits>

#include "base/assert.h"

namespace weir::sim {
namespace {

constexpr double kWidth = 760;
constexpr double kTop = 64;  // title and legend
constexpr double kBottom = 40;
constexpr double kLabels = 190;
constexpr double kRight = 56;
constexpr double kBar = 8;
constexpr double kRow = 34;
constexpr double kPlotHeight = 260;
constexpr double kAxis = 60;
constexpr double kLineLabels = 120;

// Each series has a colour that stands out from both backgrounds.
constexpr std::string_view kStyle = R"(<style>
text{font:12px sans-serif;fill:#333}.title{font-weight:600;font-size:14px}.small{font-size:10px}
.grid{stroke:#ddd}.s0{fill:#86b6ef}.s1{fill:#2a78d6}.s2{fill:#104281}
.l{fill:none;stroke-width:2}.l0{stroke:#c4541a}.l1{stroke:#2a78d6}.l2{stroke:#1a7f5a}
@media(prefers-color-scheme:dark){text{fill:#ddd}.grid{stroke:#444}
.s0{fill:#2b5f9e}.s1{fill:#5598e7}.s2{fill:#cde2fb}.l0{stroke:#f0985f}.l1{stroke:#6aa9f2}.l2{stroke:#4fc495}}
</style>
)";

class Svg {
 public:
  Svg(double height, std::string_view title) {
    text_ = fmt::format(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0:.0f} {1:.0f}\" "
        "width=\"{0:.0f}\" "
        "height=\"{1:.0f}\" role=\"img\">\n<title>{2}</title>\n{3}",
        kWidth, height, title, kStyle);
    write(12, 20, title, "class=\"title\"");
  }

  void write(double x, double y, std::string_view words, std::string_view attributes = {}) {
    add("<text x=\"{:.1f}\" y=\"{:.1f}\" {}>{}</text>\n", x, y, attributes, words);
  }
  void draw_grid_line(double x1, double y1, double x2, double y2) {
    add("<line class=\"grid\" x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\"/>\n", x1, y1,
        x2, y2);
  }
  template <class... Values>
  void add(fmt::format_string<Values...> format, Values&&... values) {
    fmt::format_to(std::back_inserter(text_), format, std::forward<Values>(values)...);
  }
  std::string end() && { return std::move(text_) + "</svg>\n"; }

 private:
  std::string text_;
};

std::string short_number(double value) {
  return value < 10 ? fmt::format("{:.1f}", value) : fmt::format("{:.0f}", value);
}

// Powers of ten around some values, along an axis.
class LogScale {
 public:
  LogScale(double least, double most, double from, double to)
      : first_(std::floor(std::log10(least))),
        last_(std::max(std::ceil(std::log10(most)), first_ + 1)),
        from_(from),
        to_(to) {}

  double place(double value) const {
    return from_ + ((to_ - from_) * (std::log10(value) - first_) / (last_ - first_));
  }
  std::vector<double> ticks() const {
    std::vector<double> powers;
    for (double power = first_; power <= last_; ++power) powers.push_back(std::pow(10, power));
    return powers;
  }

 private:
  double first_;  // powers
  double last_;
  double from_;
  double to_;
};

LogScale scale_of(const BarChart& chart) {
  double least = std::numeric_limits<double>::infinity();
  double most = 0;
  for (const BarChart::Row& row : chart.rows) {
    for (const double value : row.values) {
      WEIR_ASSERT(value > 0);
      least = std::min(least, value);
      most = std::max(most, value);
    }
  }
  return {least, most, kLabels, kWidth - kRight};
}

void draw_legend(Svg& svg, const BarChart& chart) {
  double x = kLabels;
  for (std::size_t i = 0; i < chart.series.size(); ++i, x += 100) {
    svg.add("<rect class=\"s{}\" x=\"{:.1f}\" y=\"34\" width=\"10\" height=\"10\"/>\n", i, x);
    svg.write(x + 16, 43, chart.series[i]);
  }
}

}  // namespace

std::string draw(const BarChart& chart) {
  const double bottom = kTop + (kRow * static_cast<double>(chart.rows.size()));
  const LogScale scale = scale_of(chart);
  Svg svg(bottom + kBottom, chart.title);
  draw_legend(svg, chart);
  for (const double tick : scale.ticks()) {
    svg.draw_grid_line(scale.place(tick), kTop - 6, scale.place(tick), bottom);
    svg.write(scale.place(tick), bottom + 16, fmt::format("{}", tick), "text-anchor=\"middle\"");
  }
  double y = kTop;
  for (const BarChart::Row& row : chart.rows) {
    svg.write(kLabels - 8, y + 16, row.label, "text-anchor=\"end\"");
    for (std::size_t i = 0; i < row.values.size(); ++i) {
      const double end = scale.place(row.values[i]);
      const double top = y + (kBar + 1) * static_cast<double>(i);
      svg.add(
          "<rect class=\"s{}\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\"/>\n", i,
          kLabels, top, std::max(end - kLabels, 1.0), kBar);
      svg.write(end + 4, top + kBar, short_number(row.values[i]), "class=\"small\"");
    }
    y += kRow;
  }
  return std::move(svg).end();
}

std::string draw(const LineChart& chart) {
  WEIR_ASSERT(chart.x.size() >= 2);
  const double bottom = kTop + kPlotHeight;
  const LogScale scale(chart.x.front(), chart.x.back(), kAxis, kWidth - kLineLabels);
  double most = 1;
  for (const LineChart::Line& line : chart.lines) {
    most = std::max(most, std::ceil(std::ranges::max(line.values)));
  }
  const auto height = [&](double value) { return bottom - (kPlotHeight * value / most); };
  Svg svg(bottom + kBottom, chart.title);
  for (double value = 0; value <= most; value += std::ceil(most / 10)) {
    svg.draw_grid_line(kAxis, height(value), kWidth - kLineLabels, height(value));
    svg.write(kAxis - 8, height(value) + 4, fmt::format("{}", value), "text-anchor=\"end\"");
  }
  for (const double x : chart.x) {
    svg.write(scale.place(x), bottom + 16, fmt::format("{}", x), "text-anchor=\"middle\"");
  }
  svg.write(kWidth - kLineLabels, bottom + 32, chart.x_label, "text-anchor=\"end\"");
  for (std::size_t i = 0; i < chart.lines.size(); ++i) {
    const LineChart::Line& line = chart.lines[i];
    std::string points;
    for (std::size_t at = 0; at < chart.x.size(); ++at) {
      points += fmt::format("{:.1f},{:.1f} ", scale.place(chart.x[at]), height(line.values[at]));
    }
    svg.add("<polyline class=\"l l{}\" points=\"{}\"/>\n", i, points);
    svg.write(kWidth - kLineLabels + 8, height(line.values.back()) + 4, line.label);
  }
  return std::move(svg).end();
}

}  // namespace weir::sim
