#include "stats/prometheus.h"

#include <array>
#include <chrono>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "stats/cell.h"
#include "stats/histogram.h"

namespace weir::stats {
namespace {

using namespace std::chrono_literals;

struct Bound {
  Duration duration;
  std::string_view text;  // seconds
};

constexpr std::array kBounds = {
    Bound{100us, "0.0001"},  Bound{250us, "0.00025"}, Bound{500us, "0.0005"}, Bound{1ms, "0.001"},
    Bound{2500us, "0.0025"}, Bound{5ms, "0.005"},     Bound{10ms, "0.01"},    Bound{25ms, "0.025"},
    Bound{50ms, "0.05"},     Bound{100ms, "0.1"},     Bound{250ms, "0.25"},   Bound{500ms, "0.5"},
    Bound{1s, "1"},          Bound{2500ms, "2.5"},    Bound{5s, "5"},         Bound{10s, "10"},
    Bound{30s, "30"},        Bound{60s, "60"},
};

// Writes the series of one metric. HELP and TYPE come before the first, so a metric without series
// leaves no trace.
class FamilyWriter {
 public:
  FamilyWriter(const MetricRow& row, std::string& out) : row_(row), out_(out) {}

  void write_sample(const Sample& sample) {
    begin_line("", sample.labels);
    end_labels();
    append_number(out_, sample.value);
    out_ += '\n';
  }

  void write_object(const ObjectView& object) {
    if (row_.type == MetricType::histogram) return write_histogram(object);
    switch (row_.split) {
      case MetricSplit::none:
        return write_value(object);
      case MetricSplit::status_class:
        return write_classes(object);
      case MetricSplit::reason:
        return write_reasons(object, row_.cell, "");
      case MetricSplit::side_and_reason:
        return write_sides(object);
    }
  }

 private:
  static std::uint64_t sum(const ObjectView& object, std::size_t offset) noexcept {
    std::uint64_t total = 0;
    for (const std::byte* block : object.blocks) {
      total += reinterpret_cast<const Cell*>(block + offset)->read();
    }
    return total;
  }

  void write_value(const ObjectView& object) {
    // What is taken off is read first; a count that grows meanwhile can then only add to the
    // difference.
    const std::uint64_t off = row_.subtracted == kNoCell ? 0 : sum(object, row_.subtracted);
    const std::uint64_t value = sum(object, row_.cell);
    begin_line("", object.labels);
    end_line(value > off ? value - off : 0);
  }

  void write_classes(const ObjectView& object) {
    constexpr std::array<std::string_view, StatusCells::kClasses> kNames = {"1xx", "2xx", "3xx",
                                                                            "4xx", "5xx"};
    for (std::size_t i = 0; i < kNames.size(); ++i) {
      begin_line("", object.labels);
      add_label("class", kNames[i]);
      end_line(sum(object, row_.cell + i * sizeof(Cell)));
    }
  }

  void write_reasons(const ObjectView& object, std::size_t offset, std::string_view side) {
    for (std::size_t i = 0; i < kErrorKindCount; ++i) {
      const std::uint64_t count = sum(object, offset + i * sizeof(Cell));
      if (count == 0) continue;
      begin_line("", object.labels);
      if (!side.empty()) add_label("side", side);
      add_label("reason", row_of(static_cast<ErrorKind>(i)).word);
      end_line(count);
    }
  }

  void write_sides(const ObjectView& object) {
    constexpr std::array<std::string_view, kSideCount> kNames = {"none", "client", "server",
                                                                 "weir"};
    for (std::size_t i = 0; i < kNames.size(); ++i) {
      write_reasons(object, row_.cell + i * sizeof(ErrorCells), kNames[i]);
    }
  }

  void write_histogram(const ObjectView& object) {
    HistogramCounts counts;
    for (const std::byte* block : object.blocks) {
      counts.add(*reinterpret_cast<const Histogram*>(block + row_.cell));
    }
    for (const Bound& bound : kBounds) {
      begin_line("_bucket", object.labels);
      add_label("le", bound.text);
      end_line(counts.count_at_most(bound.duration));
    }
    begin_line("_bucket", object.labels);
    add_label("le", "+Inf");
    end_line(counts.count());
    begin_line("_sum", object.labels);
    end_labels();
    append_seconds(out_, counts.sum(), 9);
    out_ += '\n';
    begin_line("_count", object.labels);
    end_line(counts.count());
  }

  void begin_line(std::string_view suffix, std::string_view labels) {
    if (!begun_) {
      out_.append("# HELP ").append(row_.name).append(" ").append(row_.help);
      out_.append("\n# TYPE ").append(row_.name).append(" ").append(word_of(row_.type));
      out_ += '\n';
      begun_ = true;
    }
    out_.append(row_.name).append(suffix);
    labelled_ = !labels.empty();
    if (labelled_) out_.append("{").append(labels);
  }

  void add_label(std::string_view name, std::string_view value) {
    out_.append(labelled_ ? "," : "{").append(name).append("=\"").append(value).append("\"");
    labelled_ = true;
  }

  void end_labels() { out_.append(labelled_ ? "} " : " "); }

  void end_line(std::uint64_t value) {
    end_labels();
    if (row_.unit == MetricUnit::seconds && row_.type != MetricType::histogram) {
      append_seconds(out_, Duration{static_cast<Duration::rep>(value)}, 9);
    } else {
      append_number(out_, value);
    }
    out_ += '\n';
  }

  const MetricRow& row_;
  std::string& out_;
  bool begun_ = false;
  bool labelled_ = false;  // the line has its opening brace
};

}  // namespace

void render_prometheus(const Registry& registry, std::span<const Sample> samples,
                       std::string& out) {
  std::array<std::vector<ObjectView>, kMetricScopes> objects;
  for (std::size_t i = 0; i < kMetricScopes; ++i) {
    objects[i] = registry.objects(static_cast<MetricScope>(i));
  }
  const Sample refused{MetricId::stats_objects_refused, "",
                       static_cast<double>(registry.objects_refused())};
  for (const MetricRow& row : metric_rows()) {
    FamilyWriter family(row, out);
    if (row.id == refused.id) family.write_sample(refused);
    if (row.cell == kNoCell) {
      for (const Sample& sample : samples) {
        if (sample.id == row.id) family.write_sample(sample);
      }
      continue;
    }
    for (const ObjectView& object : objects[static_cast<std::size_t>(row.scope)]) {
      family.write_object(object);
    }
  }
}

}  // namespace weir::stats
