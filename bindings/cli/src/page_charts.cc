#include "page_charts.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "svg.h"
#include "text.h"
#include "ticks.h"

namespace bnq::cli {
namespace {

constexpr double kBase = 10.0;
// A character of the charts' text is about this wide.
constexpr double kCharacter = 6.2;
constexpr char kGrid[] = "class=\"grid\"";
constexpr char kAxis[] = "class=\"axis\"";
constexpr char kRightAligned[] = "text-anchor=\"end\"";
constexpr char kCentred[] = "text-anchor=\"middle\"";

// A plot's rectangle, in pixels.
struct Area {
  double left, right, top, bottom;
};

// Maps values to pixels.
struct Scale {
  double low, high, from, to;
  bool logarithmic = false;

  double At(double value) const {
    const double part = logarithmic
                            ? std::log(value / low) / std::log(high / low)
                            : (value - low) / (high - low);
    return from + part * (to - from);
  }
};

struct Columns {
  double first, width;
  std::vector<uint64_t> kept, clipped;
  uint64_t greatest = 0;
};

// At most `most` columns, each of the same number of those there are.
Columns Merged(const PageHistogram& h, std::size_t most) {
  const std::size_t count = h.kept.size();
  const std::size_t each = std::max<std::size_t>(1, (count + most - 1) / most);
  Columns columns = {h.first, h.width * static_cast<double>(each), {}, {}};
  columns.kept.resize((count + each - 1) / each);
  columns.clipped.resize(columns.kept.size());
  for (std::size_t i = 0; i < count; ++i) {
    columns.kept[i / each] += h.kept[i];
    if (i < h.clipped.size()) columns.clipped[i / each] += h.clipped[i];
  }
  for (std::size_t i = 0; i < columns.kept.size(); ++i) {
    columns.greatest =
        std::max(columns.greatest, columns.kept[i] + columns.clipped[i]);
  }
  return columns;
}

// Logarithmic from half of one, so that a single value has a bar.
Scale CountScale(bool logarithmic, uint64_t greatest, const Area& area) {
  const auto high = static_cast<double>(greatest);
  if (!logarithmic) return {0, high, area.bottom, area.top};
  return {0.5, std::max(high, 1.0), area.bottom, area.top, true};
}

void DrawColumns(Svg& svg, const Columns& columns, const Scale& x,
                 const Scale& y) {
  // What is clipped stands behind what is kept: the whole bar is the count.
  for (const bool clipped : {true, false}) {
    svg.BeginShape();
    for (std::size_t i = 0; i < columns.kept.size(); ++i) {
      const uint64_t count =
          columns.kept[i] + (clipped ? columns.clipped[i] : 0);
      if (count == 0 || (clipped && columns.clipped[i] == 0)) continue;
      const double begin =
          columns.first + columns.width * static_cast<double>(i);
      // Never too thin or too low to be seen.
      const double left = x.At(begin), right = x.At(begin + columns.width);
      const double width = std::max(1.5, right - left - 1);
      const double height =
          std::max(1.0, y.from - y.At(static_cast<double>(count)));
      svg.ShapeRectangle((left + right - width) / 2, y.from - height, width,
                         height);
    }
    svg.EndShape(clipped ? "class=\"beyond\"" : "class=\"bar\"");
  }
}

Scale ValueScale(const Columns& columns, const Area& area) {
  return {
      columns.first,
      columns.first + columns.width * static_cast<double>(columns.kept.size()),
      area.left, area.right};
}

void DrawCountAxis(Svg& svg, const Scale& y, const Area& area) {
  std::vector<Tick> ticks;
  if (y.logarithmic) {
    const int decades = static_cast<int>(std::floor(std::log10(y.high)));
    const int step = decades / 4 + 1;
    for (int d = 0; d <= decades; d += step) {
      ticks.push_back({std::pow(kBase, d), PowerText(d)});
    }
  } else {
    for (const Tick& tick : Ticks(0, y.high, 1e9, kCharacter, 3)) {
      if (tick.value == std::floor(tick.value)) ticks.push_back(tick);
    }
  }
  for (const Tick& tick : ticks) {
    const double at = y.At(tick.value);
    svg.Line(area.left, at, area.right, at, kGrid);
    svg.Text(area.left - 7, at + 4, tick.text, kRightAligned);
  }
}

void DrawValueAxis(Svg& svg, const Scale& x, const Area& area) {
  svg.Line(area.left, area.bottom, area.right, area.bottom, kAxis);
  for (const Tick& tick :
       Ticks(x.low, x.high, area.right - area.left, kCharacter)) {
    const double at = x.At(tick.value);
    svg.Line(at, area.bottom, at, area.bottom + 4, kAxis);
    svg.Text(at, area.bottom + 17, tick.text, kCentred);
  }
}

// y of the curve: with some room at both ends.
Scale HeightScale(const std::vector<Curve::Point>& points, const Area& area) {
  double low = points[0].y, high = points[0].y;
  for (const Curve::Point& point : points) {
    low = std::min(low, point.y);
    high = std::max(high, point.y);
  }
  if (low > 0 && high > low * kBase) {
    return {low / 1.4, high * 1.4, area.bottom, area.top, true};
  }
  const double span = std::max(high - low, 1e-3 * std::fabs(high));
  return {low == 0 ? 0 : low - span * 0.05,
          high + (span == 0 ? 1 : span * 0.08), area.bottom, area.top};
}

// Powers of ten, with 2 and 5 of each where there are few.
std::vector<Tick> LogarithmicTicks(const Scale& y) {
  std::vector<Tick> ticks;
  const int first = static_cast<int>(std::floor(std::log10(y.low)));
  const int last = static_cast<int>(std::floor(std::log10(y.high)));
  for (int d = first; d <= last; ++d) {
    for (const double factor : {1.0, 2.0, 5.0}) {
      if (factor > 1 && last - first > 2) break;
      const double value = factor * std::pow(kBase, d);
      if (value < y.low || value > y.high) continue;
      ticks.push_back(
          {value, factor == 1 ? PowerText(d) : GeneralText(value, 3)});
    }
  }
  return ticks;
}

void DrawCurveAxes(Svg& svg, const Curve& curve, const Scale& x, const Scale& y,
                   const Area& area) {
  const std::vector<Tick> ticks =
      y.logarithmic ? LogarithmicTicks(y)
                    : Ticks(y.low, y.high, 1e9, kCharacter, 5);
  for (const Tick& tick : ticks) {
    const double at = y.At(tick.value);
    svg.Line(area.left, at, area.right, at, kGrid);
    svg.Text(area.left - 8, at + 4, tick.text, kRightAligned);
  }
  DrawValueAxis(svg, x, area);
  svg.Text((area.left + area.right) / 2, area.bottom + 36, curve.x_title,
           kCentred);
  svg.Text(area.left - 44, area.top - 14,
           curve.y_title + (y.logarithmic ? " (logarithmic)" : ""), "");
}

void DrawChosen(Svg& svg, const Curve::Point& chosen, const Scale& x,
                const Scale& y, const Area& area) {
  const double at = x.At(chosen.x), height = y.At(chosen.y);
  svg.Line(at, height, at, area.bottom, "class=\"guide\"");
  svg.Line(area.left, height, at, height, "class=\"guide\"");
  svg.Circle(at, height, 5.5, "class=\"chosen\"", chosen.text);
  const double width =
      static_cast<double>(TextWidth(chosen.text)) * (kCharacter + 0.6);
  const bool fits = at + 12 + width <= area.right;
  svg.Text(
      fits ? at + 12 : at - 12, std::max(height - 10, area.top + 10),
      chosen.text,
      std::string("class=\"strong\"") + (fits ? "" : " text-anchor=\"end\""));
}

}  // namespace

std::string SmallHistogram(const PageHistogram& histogram) {
  const Area area = {0, 96, 1, 22};
  const Columns columns = Merged(histogram, 32);
  if (columns.greatest == 0) return "";
  Svg svg(96, 22, "Histogram of " + histogram.what, Svg::kInPage);
  DrawColumns(svg, columns, ValueScale(columns, area),
              CountScale(histogram.logarithmic, columns.greatest, area));
  return svg.Finish();
}

std::string LargeHistogram(const PageHistogram& histogram) {
  const Area area = {56, 450, 10, 150};
  const Columns columns = Merged(histogram, 80);
  if (columns.greatest == 0) return "";
  Svg svg(460, 192, "Histogram of " + histogram.what, Svg::kInPage);
  const Scale x = ValueScale(columns, area);
  const Scale y = CountScale(histogram.logarithmic, columns.greatest, area);
  DrawCountAxis(svg, y, area);
  DrawColumns(svg, columns, x, y);
  DrawValueAxis(svg, x, area);
  svg.Text((area.left + area.right) / 2, area.bottom + 36,
           histogram.what +
               (histogram.logarithmic ? "; counts on a logarithmic scale" : ""),
           kCentred);
  return svg.Finish();
}

std::string CurveChart(const Curve& curve) {
  const Area area = {56, 704, 34, 264};
  std::vector<Curve::Point> points;
  for (const Curve::Point& point : curve.points) {
    if (std::isfinite(point.x) && std::isfinite(point.y)) {
      points.push_back(point);
    }
  }
  // Where losses fall to nothing, the rest is what there is to see.
  while (points.size() > 2 && points.back().y == 0) points.pop_back();
  if (points.size() < 2) return "";
  std::vector<Curve::Point> all = points;
  if (curve.chosen) all.push_back(*curve.chosen);
  double low = all[0].x, high = all[0].x;
  for (const Curve::Point& point : all) {
    low = std::min(low, point.x);
    high = std::max(high, point.x);
  }
  if (!(high > low)) return "";
  const double air = (high - low) * 0.04;
  const Scale x = {low - air, high + air, area.left, area.right};
  const Scale y = HeightScale(all, area);
  Svg svg(720, 308, curve.y_title + " by " + curve.x_title, Svg::kInPage);
  DrawCurveAxes(svg, curve, x, y, area);
  std::vector<std::pair<double, double>> line;
  for (const Curve::Point& point : points) {
    line.push_back({x.At(point.x), y.At(point.y)});
  }
  svg.Path(line, "class=\"curve\"");
  for (const Curve::Point& point : points) {
    svg.Circle(x.At(point.x), y.At(point.y), 2.8, "class=\"point\"",
               point.text);
  }
  if (curve.chosen) DrawChosen(svg, *curve.chosen, x, y, area);
  return svg.Finish();
}

}  // namespace bnq::cli
