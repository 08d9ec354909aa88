#include "backend/load_report.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>

namespace weir::backend {
namespace {

constexpr double kPercent = 100;

struct Reading {
  std::string_view name;
  std::optional<double> LoadReport::* value;
  std::string LoadMetrics::* metric;
  double max;
  double ratio;  // what a metric in `_ratio` is multiplied with
};

constexpr auto kReadings = std::to_array<Reading>({
    {"cpu", &LoadReport::cpu, &LoadMetrics::cpu, kPercent, kPercent},
    {"memory", &LoadReport::memory, &LoadMetrics::memory, kPercent, kPercent},
    {"disk", &LoadReport::disk, &LoadMetrics::disk, kPercent, kPercent},
    {"queue", &LoadReport::queue, &LoadMetrics::queue, std::numeric_limits<double>::max(), 1},
    {"utilization", &LoadReport::utilization, &LoadMetrics::utilization, 1, 1},
});

class Readings {
 public:
  // nullopt: it is no number.
  void add(const Reading& reading, std::optional<double> value) {
    std::optional<double>& known = parsed_.report.*reading.value;
    if (known) return;
    if (value && *value >= 0 && *value <= reading.max) {
      known = value;
    } else {
      ++parsed_.ignored;
    }
  }
  std::optional<ParsedLoadReport> take() const {
    if (parsed_.ignored == 0 && parsed_.report == LoadReport()) return std::nullopt;
    return parsed_;
  }

 private:
  ParsedLoadReport parsed_;
};

// Takes the members of the outermost object.
class JsonHandler : public rapidjson::BaseReaderHandler<rapidjson::UTF8<>, JsonHandler> {
 public:
  explicit JsonHandler(Readings& readings) : readings_(readings) {}

  bool Default() { return add(std::nullopt); }
  bool Int(int value) { return add(value); }
  bool Uint(unsigned value) { return add(value); }
  bool Int64(std::int64_t value) { return add(static_cast<double>(value)); }
  bool Uint64(std::uint64_t value) { return add(static_cast<double>(value)); }
  bool Double(double value) { return add(value); }
  bool Key(const char* text, rapidjson::SizeType length, bool) {
    if (depth_ != 1) return true;
    const auto found = std::ranges::find(kReadings, std::string_view(text, length), &Reading::name);
    reading_ = found == kReadings.end() ? nullptr : &*found;
    return true;
  }
  bool StartObject() { return begin(); }
  bool EndObject(rapidjson::SizeType) { return end(); }
  // Not the outermost.
  bool StartArray() { return depth_ != 0 && begin(); }
  bool EndArray(rapidjson::SizeType) { return end(); }

 private:
  bool begin() {
    if (depth_ == 1) add(std::nullopt);
    ++depth_;
    return true;
  }
  bool end() {
    --depth_;
    return true;
  }
  bool add(std::optional<double> value) {
    if (depth_ == 1 && reading_ != nullptr) readings_.add(*reading_, value);
    return depth_ != 0;
  }

  Readings& readings_;
  const Reading* reading_ = nullptr;  // whose key came last, in the outermost object
  std::size_t depth_ = 0;
};

constexpr std::string_view kBlanks = " \t\r";

// The text up to one of the ends, taken off its front.
std::string_view take_until(std::string_view& text, std::string_view ends) {
  const std::string_view taken = text.substr(0, text.find_first_of(ends));
  text.remove_prefix(taken.size());
  return taken;
}

void skip_blanks(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(kBlanks), text.size()));
}

// Behind `{`, up to the end of the labels, whose values may have a brace. False: there is no end.
bool skip_labels(std::string_view& text) {
  bool is_quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (is_quoted && text[i] == '\\') {
      ++i;
    } else if (text[i] == '"') {
      is_quoted = !is_quoted;
    } else if (!is_quoted && text[i] == '}') {
      text.remove_prefix(i + 1);
      return true;
    }
  }
  return false;
}

std::optional<double> parse_number(std::string_view text) {
  double value = 0;
  if (text.starts_with('+')) text.remove_prefix(1);
  const auto [end, error] = std::from_chars(text.begin(), text.end(), value);
  if (error != std::errc() || end != text.end() || !std::isfinite(value)) return std::nullopt;
  return value;
}

struct Sample {
  std::string_view metric;
  std::optional<double> value;  // nullopt: no number
};

// nullopt: the line is malformed.
std::optional<Sample> parse_sample(std::string_view line) {
  Sample sample{.metric = take_until(line, " \t\r{"), .value = {}};
  skip_blanks(line);
  if (line.starts_with('{')) {
    line.remove_prefix(1);
    if (!skip_labels(line)) return std::nullopt;
    skip_blanks(line);
  }
  if (sample.metric.empty() || line.empty()) return std::nullopt;
  sample.value = parse_number(take_until(line, kBlanks));
  return sample;
}

}  // namespace

std::optional<ParsedLoadReport> parse_json_report(std::string_view text) {
  Readings readings;
  JsonHandler handler(readings);
  rapidjson::MemoryStream stream(text.data(), text.size());
  rapidjson::Reader reader;
  // Iterative: what is nested deeply shall not take the stack.
  const auto parsed = reader.Parse<rapidjson::kParseIterativeFlag>(stream, handler);
  if (parsed.IsError()) return std::nullopt;
  return readings.take();
}

std::optional<ParsedLoadReport> parse_prometheus_report(std::string_view text,
                                                        const LoadMetrics& metrics) {
  Readings readings;
  while (!text.empty()) {
    std::string_view line = take_until(text, "\n");
    text.remove_prefix(std::min<std::size_t>(1, text.size()));
    skip_blanks(line);
    if (line.empty() || line.starts_with('#')) continue;
    const auto sample = parse_sample(line);
    if (!sample) return std::nullopt;
    for (const Reading& reading : kReadings) {
      if (metrics.*reading.metric != sample->metric) continue;
      const double factor = sample->metric.ends_with("_ratio") ? reading.ratio : 1;
      readings.add(reading, sample->value.transform([&](double v) { return v * factor; }));
    }
  }
  return readings.take();
}

std::optional<ParsedLoadReport> parse_load_report(std::string_view text,
                                                  const LoadReportSettings& settings) {
  if (settings.format == LoadReportFormat::json) return parse_json_report(text);
  return parse_prometheus_report(text, settings.metrics.value_or(LoadMetrics()));
}

}  // namespace weir::backend
