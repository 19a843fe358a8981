#include "histogram_svg.h"

#include <algorithm>
#include <cmath>

#include "svg.h"
#include "text.h"
#include "ticks.h"

namespace bnq::cli {
namespace {

constexpr double kBase = 10.0;  // of scales and ticks
constexpr int kWidth = 800;
constexpr double kLeft = 66, kRight = 776, kTop = 92, kBottom = 352;
constexpr double kCaptionTop = 424, kLineHeight = 18;
// A character of the caption is about this wide; of the title, a bold one.
constexpr double kCharacter = 6.6, kTitleCharacter = 9.6;

constexpr char kInk[] = "fill=\"#222\"";
constexpr char kGrey[] = "fill=\"#666\"";
// Without smoothing, which leaves gaps between bars.
constexpr char kKept[] = "fill=\"#2f6690\" shape-rendering=\"crispEdges\"";
constexpr char kClipped[] = "fill=\"#d1495b\" shape-rendering=\"crispEdges\"";
constexpr char kShade[] = "fill=\"#d1495b\" fill-opacity=\"0.09\"";
constexpr char kGrid[] = "stroke=\"#ddd\"";
constexpr char kAxis[] = "stroke=\"#444\"";
constexpr char kRangeLine[] =
    "stroke=\"#222\" stroke-width=\"1.5\" stroke-dasharray=\"5 3\"";

struct Axis {
  double low, high;
  double X(double value) const {
    return kLeft + (value - low) / (high - low) * (kRight - kLeft);
  }
};

// Values and range, with some room at both ends.
Axis AxisOf(const HistogramPicture& p) {
  double low = std::min(p.low, p.first);
  double high =
      std::max(p.high, p.first + p.width * static_cast<double>(p.kept.size()));
  const double greatest = std::max(std::fabs(low), std::fabs(high));
  // A constant needs an axis of some width, too.
  double least_span = 1e-3 * greatest;
  if (greatest < 1e-37) least_span = 2;
  if (high - low < least_span) {
    const double middle = low + (high - low) / 2;
    low = middle - least_span / 2;
    high = middle + least_span / 2;
  }
  const double air = (high - low) * 0.03;
  return {low - air, high + air};
}

// Counts from half of one, so that a single value has a bar.
struct CountScale {
  int decades;
  double Y(double count) const {
    const double lowest = std::log10(0.5);
    const double part = (std::log10(count) - lowest) / (decades - lowest);
    return kBottom - part * (kBottom - kTop);
  }
};

void DrawCounts(Svg& svg, const CountScale& scale) {
  // With more than ten decades every second one is labelled.
  const int every = scale.decades > 10 ? 2 : 1;
  for (int d = 0; d <= scale.decades; d += every) {
    const double y = scale.Y(std::pow(kBase, d));
    svg.Line(kLeft, y, kRight, y, kGrid);
    svg.Text(kLeft - 8, y + 4, PowerText(d),
             std::string(kGrey) + " text-anchor=\"end\"");
  }
}

void DrawValues(Svg& svg, const Axis& axis) {
  svg.Line(kLeft, kBottom, kRight, kBottom, kAxis);
  for (const Tick& tick :
       Ticks(axis.low, axis.high, kRight - kLeft, kCharacter)) {
    const double x = axis.X(tick.value);
    svg.Line(x, kBottom, x, kBottom + 5, kAxis);
    svg.Text(x, kBottom + 20, tick.text,
             std::string(kGrey) + " text-anchor=\"middle\"");
  }
}

void DrawBars(Svg& svg, const HistogramPicture& p, const Axis& axis,
              const CountScale& scale) {
  // What is clipped stands behind what is kept: the whole bar is the count.
  for (const bool clipped : {true, false}) {
    svg.BeginShape();
    for (std::size_t i = 0; i < p.kept.size(); ++i) {
      if (clipped && p.clipped[i] == 0) continue;
      const uint64_t count = p.kept[i] + (clipped ? p.clipped[i] : 0);
      if (count == 0) continue;
      const double begin = p.first + p.width * static_cast<double>(i);
      // Never too thin to be seen.
      const double left = axis.X(begin), right = axis.X(begin + p.width);
      const double width = std::max(2.0, right - left);
      const double x = (left + right - width) / 2;
      const double y = scale.Y(static_cast<double>(count));
      svg.ShapeRectangle(x, y, width, kBottom - y);
    }
    svg.EndShape(clipped ? kClipped : kKept);
  }
}

// Lines at its ends, and a bracket above that says what they are.
void DrawRange(Svg& svg, const HistogramPicture& p, const Axis& axis) {
  const double low = axis.X(p.low), high = axis.X(p.high);
  const double y = kTop - 10;
  for (const double x : {low, high}) svg.Line(x, y, x, kBottom, kRangeLine);
  svg.Line(low, y, high, y, "stroke=\"#222\" stroke-width=\"1.5\"");
  const std::string text = (p.many_ranges ? "ranges within " : "range ") +
                           GeneralText(p.low, 5) + " to " +
                           GeneralText(p.high, 5);
  const double half = static_cast<double>(text.size()) * kCharacter / 2;
  const double middle =
      std::min(std::max((low + high) / 2, kLeft + half), kRight - half);
  svg.Text(middle, y - 6, text,
           std::string(kInk) + " text-anchor=\"middle\" font-weight=\"bold\"");
}

void DrawShades(Svg& svg, const HistogramPicture& p, const Axis& axis) {
  const double low = axis.X(p.low), high = axis.X(p.high);
  svg.Rectangle(kLeft, kTop, low - kLeft, kBottom - kTop, kShade);
  svg.Rectangle(high, kTop, kRight - high, kBottom - kTop, kShade);
}

void DrawLegend(Svg& svg) {
  const double y = 30;
  svg.Rectangle(kRight - 190, y - 10, 11, 11, kKept);
  svg.Text(kRight - 174, y, "kept", kInk);
  svg.Rectangle(kRight - 132, y - 10, 11, 11, kClipped);
  svg.Text(kRight - 116, y, "beyond the range", kInk);
}

std::vector<std::string> Wrapped(const std::vector<std::string>& parts) {
  constexpr auto kColumns =
      static_cast<std::size_t>((kRight - kLeft) / kCharacter);
  std::vector<std::string> lines;
  for (const std::string& part : parts) {
    if (lines.empty() ||
        TextWidth(lines.back()) + 3 + TextWidth(part) > kColumns) {
      lines.push_back(part);
    } else {
      lines.back() += " · " + part;
    }
  }
  return lines;
}

// The end of a name tells more than its beginning.
std::string Title(const std::string& name) {
  constexpr auto kColumns =
      static_cast<std::size_t>((kRight - 200 - kLeft) / kTitleCharacter);
  return Shortened(Printable(name), kColumns);
}

}  // namespace

std::string HistogramSvg(const HistogramPicture& picture) {
  const std::vector<std::string> lines = Wrapped(picture.caption);
  const double bottom =
      kCaptionTop + kLineHeight * static_cast<double>(lines.size());
  Svg svg(kWidth, static_cast<int>(bottom), picture.title);
  svg.Rectangle(0, 0, kWidth, bottom, "fill=\"#fff\"");
  svg.Text(kLeft, 30, Title(picture.title),
           std::string(kInk) + " font-size=\"16\" font-weight=\"bold\"");
  svg.Text(kLeft, 50, picture.subtitle, kGrey);
  DrawLegend(svg);

  const Axis axis = AxisOf(picture);
  uint64_t greatest = 1;
  for (std::size_t i = 0; i < picture.kept.size(); ++i) {
    greatest = std::max(greatest, picture.kept[i] + picture.clipped[i]);
  }
  const CountScale scale = {std::max(
      1,
      static_cast<int>(std::ceil(std::log10(static_cast<double>(greatest)))))};
  DrawShades(svg, picture, axis);
  DrawCounts(svg, scale);
  DrawBars(svg, picture, axis, scale);
  DrawValues(svg, axis);
  DrawRange(svg, picture, axis);

  svg.Text((kLeft + kRight) / 2, kBottom + 42, "value",
           std::string(kInk) + " text-anchor=\"middle\"");
  svg.Text(
      -(kTop + kBottom) / 2, 18, "values in a bar (log scale)",
      std::string(kInk) + " text-anchor=\"middle\" transform=\"rotate(-90)\"");
  double y = kCaptionTop;
  for (const std::string& line : lines) {
    svg.Text(kLeft, y, line, kInk);
    y += kLineHeight;
  }
  return svg.Finish();
}

}  // namespace bnq::cli
