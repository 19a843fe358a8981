// Draws a histogram with the range that was chosen for its values.
#ifndef BNQ_CLI_HISTOGRAM_SVG_H_
#define BNQ_CLI_HISTOGRAM_SVG_H_

#include <cstdint>
#include <string>
#include <vector>

namespace bnq::cli {

struct HistogramPicture {
  std::string title, subtitle;
  // Column i counts the values from first + i * width to below first + (i + 1)
  // * width: those within the range of their channel, and those beyond it.
  double first = 0, width = 0;
  std::vector<uint64_t> kept, clipped;
  // The range; where channels have many, from the least to the greatest end.
  double low = 0, high = 0;
  bool many_ranges = false;
  // Each stays whole on a line below the picture.
  std::vector<std::string> caption;
};

// An SVG document: counts on a logarithmic scale, so that tails are seen.
std::string HistogramSvg(const HistogramPicture& picture);

}  // namespace bnq::cli

#endif  // BNQ_CLI_HISTOGRAM_SVG_H_
