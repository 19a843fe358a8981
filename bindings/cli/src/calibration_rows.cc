#include "calibration_rows.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "calibration_options.h"
#include "failure.h"
#include "histogram_svg.h"
#include "text.h"

namespace bnq::cli {
namespace {

// The most columns of a picture: its bars are then a few pixels wide.
constexpr double kMostColumns = 240;

struct Bins {
  double first = 0, width = 0;
  std::vector<uint64_t> counts;
};

Bins BinsOf(const bnq_calibrator* calibrator, uint64_t channel) {
  Bins bins;
  uint64_t count = 0;
  Check(bnq_calibrator_histogram(calibrator, channel, nullptr, 0, &count,
                                 &bins.first, &bins.width));
  bins.counts.resize(count);
  Check(bnq_calibrator_histogram(calibrator, channel, bins.counts.data(), count,
                                 &count, nullptr, nullptr));
  return bins;
}

// The columns of all channels together. Widths of bins are powers of two on
// grids that begin at 0 (bnq.h, section 10), so doubling the widest makes
// columns into which every bin fits as a whole.
void SetColumns(const bnq_calibrator* calibrator, uint64_t channels,
                HistogramPicture& picture) {
  double low = 0, high = 0, width = 0;
  for (uint64_t c = 0; c < channels; ++c) {
    const Bins bins = BinsOf(calibrator, c);
    if (bins.counts.empty()) continue;
    const double end =
        bins.first + bins.width * static_cast<double>(bins.counts.size());
    low = width == 0 ? bins.first : std::min(low, bins.first);
    high = width == 0 ? end : std::max(high, end);
    width = std::max(width, bins.width);
  }
  const auto Columns = [&] {
    return std::ceil(high / width) - std::floor(low / width);
  };
  while (Columns() > kMostColumns) width *= 2;
  picture.width = width;
  picture.first = std::floor(low / width) * width;
  picture.kept.resize(static_cast<std::size_t>(Columns()));
  picture.clipped.resize(picture.kept.size());
}

// Returns how many values are beyond the range of their channel. Only bins are
// known: all values of a bin count as being where its middle is.
uint64_t CountValues(bnq_context* context, const CalibrationRow& row,
                     const bnq_calibrator* calibrator,
                     HistogramPicture& picture) {
  uint64_t beyond = 0;
  for (uint64_t c = 0; c < row.channels; ++c) {
    const Bins bins = BinsOf(calibrator, c);
    if (bins.counts.empty()) continue;
    double statistics[BNQ_STATISTIC_MAX + 1];
    Check(bnq_calibrator_statistics(context, calibrator, c, statistics,
                                    BNQ_STATISTIC_MAX + 1));
    for (std::size_t i = 0; i < bins.counts.size(); ++i) {
      const double middle =
          bins.first + bins.width * (static_cast<double>(i) + 0.5);
      const auto column =
          static_cast<std::size_t>((middle - picture.first) / picture.width);
      // The first and the last bin reach beyond the values.
      const double value =
          std::min(std::max(middle, statistics[BNQ_STATISTIC_MIN]),
                   statistics[BNQ_STATISTIC_MAX]);
      const bool inside = value >= row.low[c] && value <= row.high[c];
      (inside ? picture.kept : picture.clipped).at(column) += bins.counts[i];
      if (!inside) beyond += bins.counts[i];
    }
  }
  return beyond;
}

// A range of zeros makes a scale of 0: right for zeros, but rarely what was
// meant to be observed. "" where there is none.
std::string NoteOnZeros(const CalibrationRow& row) {
  uint64_t zeros = 0;
  for (std::size_t c = 0; c < row.low.size(); ++c) {
    zeros += row.low[c] == 0 && row.high[c] == 0;
  }
  if (zeros == 0) return "";
  if (zeros == row.low.size()) return "only zeros: the scale will be 0";
  return "only zeros in " + std::to_string(zeros) + " of " +
         std::to_string(row.low.size()) + " channels";
}

bool HasHistogram(const bnq_calibrator* calibrator) {
  uint64_t bins = 0;
  return bnq_calibrator_histogram(calibrator, 0, nullptr, 0, &bins, nullptr,
                                  nullptr) != BNQ_ERROR_UNSUPPORTED;
}

}  // namespace

std::string CalibratorText(const bnq_calibrator* calibrator) {
  std::string text;
  for (const LibraryOption& option : LibraryOptions(BNQ_OPTIONS_CALIBRATOR)) {
    const bool always = option.id == BNQ_CALIBRATION_METHOD ||
                        option.id == BNQ_CALIBRATION_SCHEME;
    const bool kept = option.id == BNQ_CALIBRATION_MOMENTS ||
                      option.id == BNQ_CALIBRATION_HISTOGRAM;
    const std::string value =
        OptionText(bnq_calibrator_options(calibrator), option.name);
    if (kept || (!always && value == option.initial)) continue;
    if (!text.empty()) text += ", ";
    text += Printable(option.name) + ' ' + value;
  }
  return text;
}

double CalibrationRow::least() const {
  return *std::min_element(low.begin(), low.end());
}

double CalibrationRow::greatest() const {
  return *std::max_element(high.begin(), high.end());
}

std::vector<CalibrationRow> RowsOf(const bnq_calibration* calibration,
                                   Session& session) {
  std::vector<CalibrationRow> rows(bnq_calibration_count(calibration));
  for (uint64_t i = 0; i < rows.size(); ++i) {
    CalibrationRow& row = rows[i];
    const bnq_calibrator* calibrator = bnq_calibration_at(calibration, i);
    row.name = bnq_calibration_name(calibration, i);
    session.Report(i, rows.size(), row.name);
    row.batches = bnq_calibrator_batches(calibrator);
    row.channels = bnq_calibrator_channels(calibrator);
    if (row.batches == 0) {
      row.note = "no data";
      continue;
    }
    row.statistics.resize(bnq_statistic_count());
    Check(bnq_calibrator_statistics(
        session.context(), calibrator, BNQ_ALL_CHANNELS, row.statistics.data(),
        static_cast<uint32_t>(row.statistics.size())));
    row.low.resize(row.channels);
    row.high.resize(row.channels);
    const bnq_status status =
        bnq_calibrator_range(session.context(), calibrator, row.low.data(),
                             row.high.data(), row.channels);
    if (status == BNQ_ERROR_NO_DATA) {
      row.note = bnq_last_error();
      row.low.clear();
      row.high.clear();
    } else {
      Check(status);
      // The symmetric range of zeros is from -0 to 0.
      for (float& low : row.low) low = low == 0 ? 0.0f : low;
      row.note = NoteOnZeros(row);
    }
  }
  return rows;
}

std::string PictureOf(bnq_context* context, const CalibrationRow& row,
                      const bnq_calibrator* calibrator,
                      const std::string& path) {
  HistogramPicture picture;
  picture.title = row.name;
  picture.subtitle = CalibratorText(calibrator);
  picture.low = row.least();
  picture.high = row.greatest();
  picture.many_ranges = row.channels > 1;
  if (!HasHistogram(calibrator)) {
    throw Failure(kBadInput,
                  "--svg: no histogram of '" + row.name + "' in " + path);
  }
  SetColumns(calibrator, row.channels, picture);
  const uint64_t beyond = CountValues(context, row, calibrator, picture);

  const double values = row.statistics.at(BNQ_STATISTIC_COUNT);
  picture.caption = {FixedText(values, 0) + " values in " +
                     std::to_string(row.batches) +
                     (row.batches == 1 ? " batch" : " batches")};
  if (row.channels > 1) {
    picture.caption.push_back(std::to_string(row.channels) +
                              " channels, each with a range of its own");
  }
  picture.caption.push_back(
      std::to_string(beyond) + " (" +
      GeneralText(100 * static_cast<double>(beyond) / values, 3) +
      " %) beyond the range");
  for (std::size_t s = 0; s < row.statistics.size(); ++s) {
    const double value = row.statistics[s];
    const bool said = s == BNQ_STATISTIC_COUNT;
    const bool nothing = value == 0 && (s == BNQ_STATISTIC_NON_FINITE ||
                                        s == BNQ_STATISTIC_OUTLIERS);
    if (said || nothing || std::isnan(value)) continue;
    std::string name = bnq_statistic_name(static_cast<uint32_t>(s));
    std::replace(name.begin(), name.end(), '_', ' ');
    picture.caption.push_back(name + ' ' + GeneralText(value, 5));
  }
  return HistogramSvg(picture);
}

PageHistogram PageHistogramOf(bnq_context* context, const CalibrationRow& row,
                              const bnq_calibrator* calibrator) {
  PageHistogram histogram;
  histogram.what = "values";
  histogram.logarithmic = true;
  if (!row.has_range() || !HasHistogram(calibrator)) return histogram;
  HistogramPicture picture;
  SetColumns(calibrator, row.channels, picture);
  CountValues(context, row, calibrator, picture);
  histogram.first = picture.first;
  histogram.width = picture.width;
  histogram.kept = std::move(picture.kept);
  histogram.clipped = std::move(picture.clipped);
  return histogram;
}

}  // namespace bnq::cli
