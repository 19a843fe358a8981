// The pictures of a report: SVG for the inside of an HTML page, whose style
// (html_style.cc) gives the classes their colours.
#ifndef BNQ_CLI_PAGE_CHARTS_H_
#define BNQ_CLI_PAGE_CHARTS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace bnq::cli {

struct PageHistogram {
  // Column i counts the values from first + i * width to below first + (i + 1)
  // * width: those that are kept and, where there are any, those beyond a
  // range.
  double first = 0, width = 0;
  std::vector<uint64_t> kept, clipped;
  // Where tails of few values are what matters.
  bool logarithmic = false;
  // Says what is counted: "errors".
  std::string what;
};

// What a size costs: points from the smallest to the largest.
struct Curve {
  struct Point {
    double x, y;
    std::string text;
  };
  std::string x_title, y_title;
  std::vector<Point> points;
  std::optional<Point> chosen;
};

// For a cell of a table, and with axes. "" where nothing is counted.
std::string SmallHistogram(const PageHistogram& histogram);
std::string LargeHistogram(const PageHistogram& histogram);

// "" where fewer than two points have finite coordinates. y is logarithmic
// where it is above 0 and spans more than a factor of 10.
std::string CurveChart(const Curve& curve);

}  // namespace bnq::cli

#endif  // BNQ_CLI_PAGE_CHARTS_H_
